//! Virtual hosts.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::call::{Call, deleted, put as answered, wait};
use super::reply::{Outcome, Reply};
use super::{Api, clock, paging};
use crate::broker::Put;
use crate::store::PermissionRecord;

/// A virtual host as the API shows it. What RabbitMQ keeps of its description and tags is not kept here.
fn object(api: &Api, name: &str) -> Json {
    let (mut ready, mut unacknowledged) = (0, 0);
    for queue in api.broker.queues(name) {
        let counts = queue.figures().counts;
        ready += counts.ready;
        unacknowledged += counts.unacknowledged;
    }
    json!({
        "name": name,
        "description": "",
        "tags": [],
        "default_queue_type": "classic",
        "protected_from_deletion": false,
        "metadata": { "description": "", "tags": [], "default_queue_type": "classic" },
        "tracing": false,
        "cluster_state": { api.node.as_str(): "running" },
        "messages": ready + unacknowledged,
        "messages_ready": ready,
        "messages_unacknowledged": unacknowledged,
    })
}

/// `GET vhosts`: all for a monitor, else those that the caller may work in.
pub(super) fn list(call: &Call<'_>) -> Outcome {
    let all = call.caller.is_monitor();
    let vhosts = if all { call.api.broker.vhost_names() } else { call.vhosts() };
    let show = |name: Arc<str>| object(call.api, &name);
    paging::list(call.request, vhosts, |name| name, show)
}

/// `GET vhosts/VHOST`.
pub(super) fn show(call: &Call<'_>) -> Outcome {
    let name = call.part(0);
    if !call.caller.is_monitor() {
        call.enter(name)?;
    } else if !call.api.broker.has_vhost(name) {
        return Err(Reply::no_object());
    }
    paging::object(call.request, &object(call.api, name))
}

/// `PUT vhosts/VHOST`. Who makes one may do everything in it, as in RabbitMQ. What the body says of description and
/// tags has no place here and is passed over, as long as it is JSON.
pub(super) fn put(call: &Call<'_>) -> Outcome {
    call.caller.expect_administrator()?;
    let _passed_over: Json = call.body_or_empty()?;
    let (broker, name) = (&call.api.broker, call.part(0));
    let (put, pending) = broker.create_vhost(name).map_err(Reply::bad_request)?;
    if put == Put::New {
        let everything = ".*".to_owned();
        let permission = PermissionRecord {
            user: call.caller.user.to_string(),
            vhost: name.to_owned(),
            configure: everything.clone(),
            write: everything.clone(),
            read: everything,
        };
        let granted = broker.set_permission(permission).map_err(Reply::bad_request)?;
        granted.map_or(Ok(()), |(_, pending)| wait(pending))?;
    }
    answered((put, pending))
}

/// `DELETE vhosts/VHOST`, with everything in it.
pub(super) fn delete(call: &Call<'_>) -> Outcome {
    call.caller.expect_administrator()?;
    deleted(call.api.broker.delete_vhost(call.part(0), clock::now_ms()))
}
