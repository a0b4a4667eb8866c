//! How a connection is secured, and whom the certificate names that its client has shown.

use std::sync::Arc;

use x509_parser::asn1_rs::Oid;
use x509_parser::oid_registry::OID_X509_COMMON_NAME;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate, X509Name};
use x509_parser::x509::AttributeTypeAndValue;

/// How a connection is secured.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Security {
    /// Nothing is encrypted, and nobody has shown a certificate.
    #[default]
    Plain,
    /// By TLS.
    Tls(Arc<Tls>),
}

/// What was agreed on a TLS connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The version of the protocol, such as `tlsv1.3`.
    pub protocol: &'static str,
    /// The cipher suite, by its name in the standard.
    pub cipher_suite: String,
    /// The group that keys were exchanged in, such as `X25519`.
    pub key_exchange: String,
    /// What the client has shown, and was verified.
    pub certificate: Option<Certificate>,
}

/// What a certificate says of its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The owner's distinguished name, the most special part first (RFC 4514): `CN=me,O=us`.
    pub subject: String,
    /// Its issuer's, likewise.
    pub issuer: String,
    /// From when to when it is valid.
    pub validity: String,
    /// Until when, in seconds since the Unix epoch.
    pub expires_s: u64,
    /// The subject's common name.
    pub common_name: Option<String>,
    /// Its DNS names.
    pub dns_names: Vec<String>,
}

impl Security {
    /// What was agreed, where TLS is spoken.
    pub fn tls(&self) -> Option<&Tls> {
        match self {
            Self::Plain => None,
            Self::Tls(tls) => Some(tls),
        }
    }

    /// What the client has shown, and was verified.
    pub fn certificate(&self) -> Option<&Certificate> {
        self.tls()?.certificate.as_ref()
    }
}

impl Certificate {
    /// Reads a certificate (DER). Nothing where it is none.
    pub fn parse(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let validity = certificate.validity();
        let names = certificate.subject_alternative_name().ok().flatten();
        let dns_names = names.iter().flat_map(|names| &names.value.general_names);
        let dns_names = dns_names.filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            _ => None,
        });
        let subject = certificate.subject();
        Some(Self {
            subject: distinguished_name(subject),
            issuer: distinguished_name(certificate.issuer()),
            validity: format!("{} - {}", validity.not_before, validity.not_after),
            expires_s: u64::try_from(validity.not_after.timestamp()).unwrap_or(0),
            common_name: value_of(subject, &OID_X509_COMMON_NAME),
            dns_names: dns_names.collect(),
        })
    }
}

/// The attribute of this kind, if there is just one: of several nobody knows which is meant.
fn value_of(name: &X509Name<'_>, kind: &Oid<'_>) -> Option<String> {
    let mut found = name.iter_by_oid(kind);
    let (first, second) = (found.next()?, found.next());
    second.is_none().then(|| first.as_str().ok().map(str::to_owned)).flatten()
}

fn distinguished_name(name: &X509Name<'_>) -> String {
    let parts: Vec<Vec<String>> =
        name.iter_rdn().map(|part| part.iter().map(attribute).collect()).collect();
    let parts: Vec<String> = parts.iter().rev().map(|attributes| attributes.join("+")).collect();
    parts.join(",")
}

fn attribute(attribute: &AttributeTypeAndValue<'_>) -> String {
    let kind = attribute.attr_type();
    let kind = x509_parser::objects::oid2abbrev(kind, x509_parser::objects::oid_registry())
        .map_or_else(|_| kind.to_id_string(), str::to_owned);
    match attribute.as_str() {
        Ok(value) => format!("{kind}={}", escaped(value)),
        // Of another alphabet: its bytes, as that RFC writes them, so that no two owners have one name.
        Err(_) => format!("{kind}=#{}", encoded(attribute)),
    }
}

/// Tag, length and value (X.690, 8.1), in hexadecimal.
fn encoded(attribute: &AttributeTypeAndValue<'_>) -> String {
    let value = attribute.attr_value();
    let length = value.data.len() as u64;
    let length_bytes = length.to_be_bytes();
    let significant = &length_bytes[length.leading_zeros() as usize / 8..];
    let mut bytes = vec![value.tag().0 as u8];
    if length < 128 {
        bytes.push(length as u8);
    } else {
        bytes.push(0x80 | significant.len() as u8);
        bytes.extend_from_slice(significant);
    }
    bytes.extend_from_slice(value.data);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A value with what would end it marked (RFC 4514, 2.4).
fn escaped(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for (at, letter) in value.char_indices() {
        let is_edge =
            (at == 0 && matches!(letter, ' ' | '#')) || (at + 1 == value.len() && letter == ' ');
        if is_edge || matches!(letter, ',' | '+' | '"' | '\\' | '<' | '>' | ';') {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rcgen::{CertificateParams, DnType, KeyPair};

    use super::*;

    #[test]
    fn a_certificate_names_its_owner() {
        let mut params = CertificateParams::new(vec!["me.example".to_owned()]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CountryName, "AT");
        params.distinguished_name.push(DnType::OrganizationName, "us, and them");
        params.distinguished_name.push(DnType::CommonName, "me");
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let read = Certificate::parse(certificate.der()).unwrap();
        assert_eq!(read.subject, "CN=me,O=us\\, and them,C=AT");
        assert_eq!(read.issuer, read.subject);
        assert_eq!(read.common_name.as_deref(), Some("me"));
        assert_eq!(read.dns_names, ["me.example"]);
    }

    #[test]
    fn owners_in_other_alphabets_have_names_of_their_own() {
        use rcgen::DnValue;
        let subject = |name: &str| {
            let mut params = CertificateParams::new(Vec::new()).unwrap();
            params.distinguished_name = rcgen::DistinguishedName::new();
            let value = DnValue::TeletexString(name.try_into().unwrap());
            params.distinguished_name.push(DnType::CommonName, value);
            let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
            let read = Certificate::parse(certificate.der()).unwrap();
            (read.subject, read.common_name)
        };
        assert_eq!(subject("me"), ("CN=#14026d65".to_owned(), None));
        assert_eq!(subject("you").0, "CN=#1403796f75");
    }

    #[test]
    fn of_several_common_names_none_is_the_name() {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "admin");
        let other = DnType::CustomDnType(vec![2, 5, 4, 3]);
        params.distinguished_name.push(other, "shop");
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let read = Certificate::parse(certificate.der()).unwrap();
        assert_eq!((read.subject.as_str(), read.common_name), ("CN=shop,CN=admin", None));
    }

    #[test]
    fn what_is_no_certificate_names_nobody() {
        assert_eq!(Certificate::parse(b""), None);
        assert_eq!(Certificate::parse(&[0x30, 0x82, 0xff, 0xff, 1]), None);
    }

    #[test]
    fn a_value_does_not_end_before_its_end() {
        assert_eq!(escaped("a,b"), "a\\,b");
        assert_eq!(escaped("#a "), "\\#a\\ ");
        assert_eq!(escaped(""), "");
    }
}
