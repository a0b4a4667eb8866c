//! What the broker refuses, in the codes of AMQP, and how much is closed for it.

use crate::broker::{Refusal, RefusalKind};
use crate::fault::Fault;
use crate::wire::{ReplyCode, Scope, basic};

/// The fault of a channel whose message was not taken, when that turned out behind the method and its content.
pub(super) fn of_publish(refusal: Refusal) -> Fault {
    Fault::from(refusal).at(basic::Publish::CLASS_ID, basic::Publish::METHOD_ID)
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        let (scope, code) = match refusal.kind {
            RefusalKind::NotFound => (Scope::Channel, ReplyCode::NotFound),
            RefusalKind::AccessRefused => (Scope::Channel, ReplyCode::AccessRefused),
            RefusalKind::Locked => (Scope::Channel, ReplyCode::ResourceLocked),
            RefusalKind::PreconditionFailed | RefusalKind::InUse | RefusalKind::LimitReached => {
                (Scope::Channel, ReplyCode::PreconditionFailed)
            }
            RefusalKind::NotAllowed => (Scope::Connection, ReplyCode::NotAllowed),
            RefusalKind::Forced => (Scope::Connection, ReplyCode::ConnectionForced),
            RefusalKind::Exhausted => (Scope::Connection, ReplyCode::ResourceError),
            RefusalKind::Failed => (Scope::Connection, ReplyCode::InternalError),
        };
        Self { scope, ..Self::new(code, refusal.text) }
    }
}
