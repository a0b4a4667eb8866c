//! What a user may do in one virtual host, as regular expressions over names of queues and exchanges.

use regex::{Regex, RegexBuilder};

use crate::store::PermissionRecord;

/// Memory that a pattern may take when it is ready to be matched, and again while it is. One that needs more is refused
/// as one that cannot be read is.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// How deep the groups of a pattern may be nested.
const PATTERN_DEPTH_MAX: u32 = 50;

/// What is to be done with a queue or an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Declare or delete it.
    Configure,
    /// Publish to the exchange, or bind the queue.
    Write,
    /// Consume from the queue or purge it, or bind to the exchange.
    Read,
}

impl Action {
    /// The word that reply texts use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Configure => "configure",
            Self::Write => "write",
            Self::Read => "read",
        }
    }
}

/// The permissions of a user in a virtual host. Each pattern has to match a whole name, so that
/// `orders` does not open `orders-of-others`.
#[derive(Debug)]
pub struct Permission {
    record: PermissionRecord,
    configure: Pattern,
    write: Pattern,
    read: Pattern,
}

impl Permission {
    /// Reads the patterns.
    ///
    /// # Errors
    /// When a pattern is not a regular expression.
    pub fn new(record: &PermissionRecord) -> Result<Self, regex::Error> {
        Ok(Self {
            record: record.clone(),
            configure: Pattern::new(&record.configure)?,
            write: Pattern::new(&record.write)?,
            read: Pattern::new(&record.read)?,
        })
    }

    /// As it was given.
    pub fn record(&self) -> &PermissionRecord {
        &self.record
    }

    /// Whether an action on this name is allowed.
    pub fn allows(&self, action: Action, name: &str) -> bool {
        match action {
            Action::Configure => &self.configure,
            Action::Write => &self.write,
            Action::Read => &self.read,
        }
        .matches(name)
    }
}

/// One pattern; the one that everybody has is not asked.
#[derive(Debug)]
enum Pattern {
    Everything,
    Nothing,
    Names(Regex),
}

impl Pattern {
    fn new(pattern: &str) -> Result<Self, regex::Error> {
        match pattern {
            ".*" => Ok(Self::Everything),
            "" | "^$" => Ok(Self::Nothing),
            other => RegexBuilder::new(&format!("^(?:{other})$"))
                .size_limit(PATTERN_BYTES_MAX)
                .dfa_size_limit(PATTERN_BYTES_MAX)
                .nest_limit(PATTERN_DEPTH_MAX)
                .build()
                .map(Self::Names),
        }
    }

    fn matches(&self, name: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Nothing => false,
            Self::Names(regex) => regex.is_match(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, name: &str, expected: bool) {
        let pattern = Pattern::new(pattern).unwrap();
        assert_eq!(pattern.matches(name), expected, "{pattern:?} on {name}");
    }

    #[test]
    fn a_pattern_matches_whole_names() {
        check("orders", "orders", true);
        check("orders", "orders.new", false);
        check("orders|mail", "my-mail", false);
        check("^orders\\..*$", "orders.new", true);
        check(".*", "", true);
        check("", "q", false);
        check("^$", "", false);
        check("amq\\.default", "amq.default", true);
    }

    #[test]
    fn a_broken_pattern_is_an_error() {
        assert!(Pattern::new("(").is_err());
        // Short, and large when it is unfolded; or nested without an end.
        assert!(Pattern::new(r"\w{500}").is_err());
        assert!(Pattern::new(&format!("{}a{}", "(".repeat(60), ")".repeat(60))).is_err());
        assert!(Pattern::new("(orders|mail)\\.[a-z]{1,64}").is_ok());
    }
}
