//! The SASL mechanisms PLAIN (RFC 4616) and AMQPLAIN: user and password from a client's response.

use crate::wire::Table;

/// The mechanisms, as `connection.start` lists them.
pub(super) const MECHANISMS: &str = "PLAIN AMQPLAIN";

/// Who somebody claims to be.
#[derive(PartialEq, Eq)]
pub(super) struct Credentials {
    pub user: String,
    pub password: Vec<u8>,
}

impl std::fmt::Debug for Credentials {
    /// Never shows the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// The mechanism of this name, if it is one of ours.
pub(super) fn mechanism(name: &str) -> Option<&'static str> {
    MECHANISMS.split(' ').find(|known| *known == name)
}

/// What a response to one of our mechanisms holds, if it is well formed.
pub(super) fn credentials(mechanism: &str, response: &[u8]) -> Option<Credentials> {
    match mechanism {
        "PLAIN" => plain(response),
        "AMQPLAIN" => amqplain(response),
        _ => None,
    }
}

/// `[identity to act as] NUL user NUL password`; the identity to act as is not looked at.
fn plain(response: &[u8]) -> Option<Credentials> {
    let mut parts = response.splitn(3, |&byte| byte == 0);
    let (_, user, password) = (parts.next()?, parts.next()?, parts.next()?);
    (!password.contains(&0)).then_some(())?;
    credentials_of(user, password)
}

/// A table of `LOGIN` and `PASSWORD` without its length.
fn amqplain(response: &[u8]) -> Option<Credentials> {
    let table = Table::parse(response).ok()?;
    let text = |name: &str| match table.get(name)? {
        crate::wire::Value::LongStr(bytes) => Some(bytes.as_slice()),
        _ => None,
    };
    credentials_of(text("LOGIN")?, text("PASSWORD")?)
}

fn credentials_of(user: &[u8], password: &[u8]) -> Option<Credentials> {
    let user = std::str::from_utf8(user).ok()?.to_owned();
    Some(Credentials { user, password: password.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(mechanism: &str, response: &[u8], expected: Option<(&str, &[u8])>) {
        let got = credentials(mechanism, response);
        let got = got.as_ref().map(|one| (one.user.as_str(), one.password.as_slice()));
        assert_eq!(got, expected, "{mechanism} {}", response.escape_ascii());
    }

    #[test]
    fn plain_has_user_and_password_behind_an_identity_that_is_ignored() {
        check("PLAIN", b"\0guest\0secret", Some(("guest", b"secret")));
        check("PLAIN", b"other\0guest\0secret", Some(("guest", b"secret")));
        check("PLAIN", b"\0guest\0", Some(("guest", b"")));
        check("PLAIN", b"", None);
        check("PLAIN", b"guest", None);
        check("PLAIN", b"\0guest", None);
        check("PLAIN", b"\0guest\0a\0b", None);
        check("PLAIN", b"\0\xff\0secret", None);
    }

    #[test]
    fn amqplain_is_a_table_without_its_length() {
        let mut response = Vec::new();
        let table: Table = [("LOGIN", "guest"), ("PASSWORD", "secret")].into_iter().collect();
        table.encode(&mut response);
        check("AMQPLAIN", &response[4..], Some(("guest", b"secret")));
        check("AMQPLAIN", &response, None);
        check("AMQPLAIN", b"", None);
    }

    #[test]
    fn a_log_line_never_shows_a_password() {
        let credentials = plain(b"\0guest\0secret").unwrap();
        assert!(!format!("{credentials:?}").contains("secret"));
    }

    #[test]
    fn only_our_mechanisms_are_known() {
        assert_eq!(mechanism("PLAIN"), Some("PLAIN"));
        assert_eq!(mechanism("EXTERNAL"), None);
        assert_eq!(mechanism(""), None);
    }
}
