//! The path of something in the management API, each name in it encoded so that no name can be taken for
//! something else.

use std::fmt::{self, Display};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// RFC 3986: what is not unreserved.
const ENCODED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The name that the management API has for the default exchange, whose own name is empty.
const DEFAULT_EXCHANGE: &str = "amq.default";

/// A path below `/api`, with its query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path(String);

impl Path {
    /// A path of these parts, such as `["queues", "/", "orders"]`.
    pub fn new(parts: &[&str]) -> Self {
        let mut text = "/api".to_owned();
        for part in parts {
            text.push('/');
            text.extend(utf8_percent_encode(part, &ENCODED));
        }
        Self(text)
    }

    /// The same, with one more parameter.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.0.push(if self.0.contains('?') { '&' } else { '?' });
        self.0.extend(utf8_percent_encode(name, &ENCODED));
        self.0.push('=');
        self.0.extend(utf8_percent_encode(value, &ENCODED));
        self
    }
}

impl Display for Path {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// An exchange's name as it stands in a path.
pub(super) fn exchange(name: &str) -> &str {
    if name.is_empty() { DEFAULT_EXCHANGE } else { name }
}

#[cfg(test)]
mod tests {
    use super::Path;

    #[test]
    fn a_name_in_a_path_is_one_part_of_it() {
        let check = |parts: &[&str], expected: &str| {
            assert_eq!(Path::new(parts).to_string(), expected);
        };
        check(&["queues", "/", "a/b?c#d e%"], "/api/queues/%2F/a%2Fb%3Fc%23d%20e%25");
        check(&["queues", "/", "Ünï"], "/api/queues/%2F/%C3%9Cn%C3%AF");
        let path = Path::new(&["queues"]).with("page", "1").with("name", "a&b");
        assert_eq!(path.to_string(), "/api/queues?page=1&name=a%26b");
    }
}
