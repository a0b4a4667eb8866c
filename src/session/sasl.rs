//! The SASL mechanisms PLAIN (RFC 4616) and AMQPLAIN, user and password from a client's response, and EXTERNAL (RFC
//! 4422), a user whom the client's certificate names.

use crate::config::TlsLogin;
use crate::security::{Certificate, Security};
use crate::wire::Table;

/// The mechanisms, as `connection.start` lists them, for clients that have shown a certificate.
const CERTIFIED: &str = "PLAIN AMQPLAIN EXTERNAL";

/// The same for others.
const MECHANISMS: &str = "PLAIN AMQPLAIN";

/// The mechanism of those whom their certificate names.
pub(super) const EXTERNAL: &str = "EXTERNAL";

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

/// What a client may log in with.
pub(super) fn mechanisms(security: &Security) -> &'static str {
    if security.certificate().is_some() { CERTIFIED } else { MECHANISMS }
}

/// The mechanism of this name, if it is one of those that the client may log in with.
pub(super) fn mechanism(name: &str, security: &Security) -> Option<&'static str> {
    mechanisms(security).split(' ').find(|known| *known == name)
}

/// The user that a certificate names.
pub(super) fn user_of(certificate: &Certificate, login_from: TlsLogin) -> Option<&str> {
    match login_from {
        TlsLogin::DistinguishedName => Some(&certificate.subject),
        TlsLogin::CommonName => certificate.common_name.as_deref(),
        TlsLogin::DnsName => certificate.dns_names.first().map(String::as_str),
    }
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
        let plain = Security::Plain;
        assert_eq!(mechanism("PLAIN", &plain), Some("PLAIN"));
        assert_eq!(mechanism("EXTERNAL", &plain), None);
        assert_eq!(mechanism("", &plain), None);
    }

    fn secured(certificate: Option<Certificate>) -> Security {
        Security::Tls(std::sync::Arc::new(crate::security::Tls {
            protocol: "tlsv1.3",
            cipher_suite: String::new(),
            key_exchange: String::new(),
            certificate,
        }))
    }

    #[test]
    fn only_those_with_a_certificate_are_named_by_it() {
        let certificate = Certificate {
            subject: "CN=me,O=us".to_owned(),
            issuer: "CN=ca".to_owned(),
            validity: String::new(),
            expires_s: 0,
            common_name: Some("me".to_owned()),
            dns_names: vec!["me.example".to_owned(), "other.example".to_owned()],
        };
        assert_eq!(mechanism("EXTERNAL", &secured(None)), None);
        assert_eq!(mechanism("EXTERNAL", &secured(Some(certificate.clone()))), Some("EXTERNAL"));
        assert_eq!(user_of(&certificate, TlsLogin::DistinguishedName), Some("CN=me,O=us"));
        assert_eq!(user_of(&certificate, TlsLogin::CommonName), Some("me"));
        assert_eq!(user_of(&certificate, TlsLogin::DnsName), Some("me.example"));
        let nameless = Certificate { common_name: None, dns_names: Vec::new(), ..certificate };
        assert_eq!(user_of(&nameless, TlsLogin::CommonName), None);
        assert_eq!(user_of(&nameless, TlsLogin::DnsName), None);
    }
}
