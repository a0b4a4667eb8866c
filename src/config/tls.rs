//! TLS: where it is listened for, the files that it needs, and what is asked of clients.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// TLS listeners, beside those of `amqp` and `management`, and their certificates. The files are read again when they
/// change, and on SIGHUP.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// Where to listen for AMQP with TLS, as `HOST:PORT`, or `off`. Port 0 takes any free port.
    pub listen: String,
    /// The same for the management API.
    pub management_listen: String,
    /// The certificate with those that vouch for it behind it, a PEM file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// Its private key, a PEM file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    /// Certificates of those who vouch for clients, a PEM file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_ca: Option<PathBuf>,
    /// Whether clients show a certificate: `anonymous`, `optional` or `required`.
    pub clients: TlsClients,
    /// The oldest version that is spoken: `1.2` or `1.3`.
    pub version_min: TlsVersion,
    /// What of a client's certificate is its user's name for the mechanism EXTERNAL: `distinguished_name`, `common_name`
    /// or `dns_name`.
    pub login_from: TlsLogin,
}

/// Whether clients show a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TlsClients {
    /// They are not asked for one.
    Anonymous,
    /// One that is shown has to be good.
    Optional,
    /// Nobody comes in without.
    Required,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TlsVersion {
    /// RFC 5246.
    #[serde(rename = "1.2")]
    V1_2,
    /// RFC 8446.
    #[serde(rename = "1.3")]
    V1_3,
}

/// What of a client's certificate is its user's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TlsLogin {
    /// The subject, the most special part first: `CN=me,O=us`.
    DistinguishedName,
    /// The subject's common name.
    CommonName,
    /// The first DNS name.
    DnsName,
}

impl Tls {
    /// The address of AMQP with TLS; none when it is off.
    pub fn address(&self) -> Option<&str> {
        (self.listen != "off").then_some(self.listen.as_str())
    }

    /// The address of the management API with TLS; none when it is off.
    pub fn management_address(&self) -> Option<&str> {
        (self.management_listen != "off").then_some(self.management_listen.as_str())
    }

    /// Whether there is any.
    pub fn is_on(&self) -> bool {
        self.address().is_some() || self.management_address().is_some()
    }
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            listen: "off".to_owned(),
            management_listen: "off".to_owned(),
            certificate: None,
            key: None,
            client_ca: None,
            clients: TlsClients::Anonymous,
            version_min: TlsVersion::V1_2,
            login_from: TlsLogin::DistinguishedName,
        }
    }
}
