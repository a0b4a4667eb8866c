//! The name of a queue or exchange as reply texts write it: `queue 'q' in vhost '/'`.

use std::fmt;

use crate::broker::refusal::{Refusal, RefusalKind};

/// A named thing in a virtual host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resource<'a> {
    noun: &'static str,
    name: &'a str,
    vhost: &'a str,
}

impl<'a> Resource<'a> {
    /// A queue.
    pub fn queue(name: &'a str, vhost: &'a str) -> Self {
        Self { noun: "queue", name, vhost }
    }

    /// An exchange.
    pub fn exchange(name: &'a str, vhost: &'a str) -> Self {
        Self { noun: "exchange", name, vhost }
    }

    /// The name without its kind. The default exchange is known as `amq.default`.
    pub fn name(&self) -> &'a str {
        if self.name.is_empty() && self.noun == "exchange" { "amq.default" } else { self.name }
    }

    /// The whole name with [`Resource::name`] in it, as permissions know it.
    pub fn known_as(&self) -> Self {
        Self { name: self.name(), ..*self }
    }

    /// Not found: there is no such thing.
    pub fn not_found(&self) -> Refusal {
        Refusal::not_found(format!("no {self}"))
    }

    /// In use: the thing is in use and was to be deleted only if unused.
    pub fn in_use(&self) -> Refusal {
        Refusal::in_use(format!("{self} in use"))
    }

    /// Locked: another connection owns the queue.
    pub fn locked(&self) -> Refusal {
        let text = format!(
            "cannot obtain exclusive access to locked {self}. It could be originally declared on another \
             connection or the exclusive property value does not match that of the original declaration."
        );
        Refusal::new(RefusalKind::Locked, text)
    }
}

impl fmt::Display for Resource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} '{}' in vhost '{}'", self.noun, self.name, self.vhost)
    }
}
