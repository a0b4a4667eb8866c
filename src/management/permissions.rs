//! Permissions of users in virtual hosts.

use serde::Deserialize;

use super::call::{Call, deleted, put as answered};
use super::paging;
use super::reply::{Outcome, Reply};
use crate::store::PermissionRecord;

fn listed(call: &Call<'_>, keep: impl Fn(&PermissionRecord) -> bool) -> Outcome {
    let mut permissions = call.api.broker.permissions();
    permissions.retain(keep);
    paging::list(call.request, permissions, |one| &one.user, |one| one)
}

/// `GET permissions`.
pub(super) fn list(call: &Call<'_>) -> Outcome {
    call.caller.expect_administrator()?;
    listed(call, |_| true)
}

/// `GET users/USER/permissions`.
pub(super) fn of_user(call: &Call<'_>) -> Outcome {
    call.caller.expect_administrator()?;
    call.api.broker.user(call.part(0)).ok_or_else(Reply::no_object)?;
    listed(call, |one| one.user == call.part(0))
}

/// `GET vhosts/VHOST/permissions`.
pub(super) fn of_vhost(call: &Call<'_>) -> Outcome {
    call.caller.expect_administrator()?;
    if !call.api.broker.has_vhost(call.part(0)) {
        return Err(Reply::no_object());
    }
    listed(call, |one| one.vhost == call.part(0))
}

/// `GET permissions/VHOST/USER`.
pub(super) fn show(call: &Call<'_>) -> Outcome {
    call.caller.expect_administrator()?;
    let permission = call.api.broker.permission(call.part(1), call.part(0));
    paging::object(call.request, &permission.ok_or_else(Reply::no_object)?)
}

/// The three patterns; all of them have to be said.
#[derive(Debug, Deserialize)]
struct Patterns {
    configure: Option<String>,
    write: Option<String>,
    read: Option<String>,
}

/// `PUT permissions/VHOST/USER`.
pub(super) fn put(call: &Call<'_>) -> Outcome {
    call.caller.expect_administrator()?;
    let patterns: Patterns = call.body()?;
    let named = |pattern: Option<String>, name: &str| {
        pattern.ok_or_else(|| Reply::bad_request(format!("[{{key_missing,{name}}}]")))
    };
    let record = PermissionRecord {
        user: call.part(1).to_owned(),
        vhost: call.part(0).to_owned(),
        configure: named(patterns.configure, "configure")?,
        write: named(patterns.write, "write")?,
        read: named(patterns.read, "read")?,
    };
    match call.api.broker.set_permission(record).map_err(Reply::bad_request)? {
        Some(changed) => answered(changed),
        None => Err(Reply::bad_request("vhost_or_user_not_found")),
    }
}

/// `DELETE permissions/VHOST/USER`.
pub(super) fn delete(call: &Call<'_>) -> Outcome {
    call.caller.expect_administrator()?;
    deleted(call.api.broker.clear_permission(call.part(1), call.part(0)))
}
