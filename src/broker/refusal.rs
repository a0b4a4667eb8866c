//! What the broker does not do for somebody, and why. Which codes of which protocol say so is known to those who speak
//! one.

use std::fmt;

/// Something that was asked for and is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What stands in the way.
    pub kind: RefusalKind,
    /// The explanation, for people.
    pub text: String,
}

/// What stands in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// There is no such thing.
    NotFound,
    /// The user has no permission, or nobody may do this to the thing.
    AccessRefused,
    /// The thing is another connection's.
    Locked,
    /// The request does not fit the thing, or makes no sense.
    PreconditionFailed,
    /// The thing is in use, or not empty, and was to be deleted only if it is not.
    InUse,
    /// There would be more of something than there may.
    LimitReached,
    /// The user may not enter the virtual host, or there is none.
    NotAllowed,
    /// An operator wants the connection to end, or what it worked in is gone.
    Forced,
    /// The broker ran short of something and lets the connection go.
    Exhausted,
    /// The broker could not do it.
    Failed,
}

impl Refusal {
    /// A refusal of any kind.
    pub fn new(kind: RefusalKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }

    /// There is no such thing.
    pub fn not_found(text: impl Into<String>) -> Self {
        Self::new(RefusalKind::NotFound, text)
    }

    /// The user has no permission, or nobody may do this to the thing.
    pub fn access_refused(text: impl Into<String>) -> Self {
        Self::new(RefusalKind::AccessRefused, text)
    }

    /// The request does not fit the thing, or makes no sense.
    pub fn precondition_failed(text: impl Into<String>) -> Self {
        Self::new(RefusalKind::PreconditionFailed, text)
    }

    /// The thing is in use, or not empty, and was to be deleted only if it is not.
    pub fn in_use(text: impl Into<String>) -> Self {
        Self::new(RefusalKind::InUse, text)
    }

    /// There would be more of something than there may.
    pub fn limit_reached(text: impl Into<String>) -> Self {
        Self::new(RefusalKind::LimitReached, text)
    }

    /// The user may not enter the virtual host, or there is none.
    pub fn not_allowed(text: impl Into<String>) -> Self {
        Self::new(RefusalKind::NotAllowed, text)
    }

    /// An operator wants the connection to end, or what it worked in is gone.
    pub fn forced(text: impl Into<String>) -> Self {
        Self::new(RefusalKind::Forced, text)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
