//! Why a command did not do what it was asked for: its one line for standard error, and its exit code.

/// The exit code of a command that failed.
const FAILED_EXIT: u8 = 1;
/// The exit code of a command line that makes no sense.
pub(super) const USAGE_EXIT: u8 = 2;

/// How a command ended, when not well.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The command was understood, and did not succeed.
    Failed(String),
    /// The command line made no sense, and nothing was tried.
    Usage(String),
}

impl Failure {
    /// What to say on standard error.
    pub fn text(&self) -> &str {
        match self {
            Self::Failed(text) | Self::Usage(text) => text,
        }
    }

    /// What the process ends with.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Failed(_) => FAILED_EXIT,
            Self::Usage(_) => USAGE_EXIT,
        }
    }
}

impl From<String> for Failure {
    fn from(text: String) -> Self {
        Self::Failed(text)
    }
}

impl From<&str> for Failure {
    fn from(text: &str) -> Self {
        Self::Failed(text.to_owned())
    }
}
