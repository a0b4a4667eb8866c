//! One request on its way to its handler: who asks, for what, and the steps that most handlers take.

use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::Api;
use super::authentication::Caller;
use super::reply::{Outcome, Reply};
use super::request::Request;
use crate::broker::{Actor, ExchangeRef, Pending, Put, QueueRef, Refusal};

/// RabbitMQ's name for the default exchange in paths.
const DEFAULT_EXCHANGE: &str = "amq.default";

/// A request and who makes it.
pub(super) struct Call<'a> {
    pub api: &'a Api,
    pub caller: &'a Caller,
    pub request: &'a Request,
    /// The parts of the path that the route leaves open, in order.
    pub parts: Vec<&'a str>,
}

impl Call<'_> {
    /// An open part of the path; the route has as many as its handler asks for.
    pub fn part(&self, at: usize) -> &str {
        self.parts.get(at).copied().unwrap_or_default()
    }

    /// An exchange's name in the path.
    pub fn exchange_part(&self, at: usize) -> &str {
        match self.part(at) {
            DEFAULT_EXCHANGE => "",
            name => name,
        }
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// 400 with what is wrong in it.
    pub fn body<T: DeserializeOwned>(&self) -> Result<T, Reply> {
        serde_json::from_slice(&self.request.body).map_err(|error| {
            if error.is_data() {
                Reply::bad_request(error.to_string())
            } else {
                Reply::bad_request(format!("not_json: {error}"))
            }
        })
    }

    /// The body as JSON; an empty one stands for an empty object.
    ///
    /// # Errors
    /// 400 with what is wrong in it.
    pub fn body_or_empty<T: DeserializeOwned + Default>(&self) -> Result<T, Reply> {
        if self.request.body.is_empty() { Ok(T::default()) } else { self.body() }
    }

    /// Whether the caller may work in this virtual host.
    pub fn may_enter(&self, vhost: &str) -> bool {
        self.api.broker.permission(&self.caller.user, vhost).is_some()
    }

    /// # Errors
    /// 404 when there is no such virtual host. To those who may not enter it, it is not there either, as in RabbitMQ.
    pub fn enter(&self, vhost: &str) -> Result<(), Reply> {
        if !self.api.broker.has_vhost(vhost) {
            return Err(Reply::no_object());
        }
        match self.may_enter(vhost) {
            true => Ok(()),
            false => Err(Reply::not_found("Not Found")),
        }
    }

    /// The virtual hosts that the caller may work in, in order.
    pub fn vhosts(&self) -> Vec<Arc<str>> {
        let names = self.api.broker.vhost_names();
        names.into_iter().filter(|name| self.may_enter(name)).collect()
    }

    /// The virtual host in the path if there is one, else all that the caller may work in.
    ///
    /// # Errors
    /// 404 when the caller may not enter the one in the path.
    pub fn chosen_vhosts(&self) -> Result<Vec<Arc<str>>, Reply> {
        match self.parts.first() {
            Some(vhost) => {
                self.enter(vhost)?;
                Ok(vec![Arc::from(*vhost)])
            }
            None => Ok(self.vhosts()),
        }
    }

    /// The caller at work in a virtual host.
    ///
    /// # Errors
    /// 404 when it may not enter.
    pub fn operator(&self, vhost: &str) -> Result<Actor, Reply> {
        self.enter(vhost)?;
        Ok(self.api.broker.operator(&self.caller.user, vhost)?)
    }

    /// The queue in the path, its virtual host first.
    ///
    /// # Errors
    /// 404 when it or its virtual host is not there.
    pub fn queue(&self) -> Result<QueueRef, Reply> {
        self.enter(self.part(0))?;
        self.api.broker.queue(self.part(0), self.part(1)).ok_or_else(Reply::no_object)
    }

    /// The exchange in the path, its virtual host first.
    ///
    /// # Errors
    /// 404 when it or its virtual host is not there.
    pub fn exchange(&self) -> Result<ExchangeRef, Reply> {
        self.enter(self.part(0))?;
        let name = self.exchange_part(1);
        self.api.broker.exchange(self.part(0), name).ok_or_else(Reply::no_object)
    }
}

/// Waits until a change is on the disk.
///
/// # Errors
/// 500 when the store failed.
pub(super) fn wait(pending: Pending) -> Result<(), Reply> {
    pending
        .wait_blocking()
        .map_err(|_| Reply::failed("the store failed; see the broker's log for what to do"))
}

/// Waits for a deletion.
///
/// # Errors
/// 404 when there was nothing to delete, 500 when the store failed.
pub(super) fn deleted(pending: Option<Pending>) -> Outcome {
    wait(pending.ok_or_else(Reply::no_object)?)?;
    Ok(Reply::done())
}

/// Waits for something that was made or changed.
///
/// # Errors
/// 500 when the store failed.
pub(super) fn put((put, pending): (Put, Pending)) -> Outcome {
    wait(pending)?;
    Ok(if put == Put::New { Reply::created() } else { Reply::done() })
}

/// Waits for what AMQP would answer with a reply, when there was nothing of this name before.
///
/// # Errors
/// What AMQP refuses, or 500 when the store failed.
pub(super) fn declared(known: bool, pending: Result<Pending, Refusal>) -> Outcome {
    put((if known { Put::Changed } else { Put::New }, pending?))
}
