//! TLS: the certificate, the key and the certificates of those who vouch for clients, read from files, and read again
//! when these change. Connections that are open keep what they began with.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use async_std::net::TcpStream;
use futures_rustls::TlsAcceptor;
use futures_rustls::server::TlsStream;
use parking_lot::Mutex;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{InvalidMessage, ProtocolVersion, RootCertStore, ServerConfig, ServerConnection};

use super::secured::Fair;
use crate::config;
use crate::security::{self, Certificate, Security};

/// What TLS connections are begun with.
pub struct Tls {
    settings: config::Tls,
    current: ArcSwap<Loaded>,
    seen: Mutex<Looks>,
}

/// What the files held when they were read.
struct Loaded {
    config: Arc<ServerConfig>,
    /// When the certificate expires, in seconds since the Unix epoch.
    expires_s: u64,
}

/// What the files looked like.
#[derive(Debug)]
struct Looks {
    /// When they were read.
    read: Vec<Seen>,
    /// When they were looked at last.
    last: Vec<Seen>,
}

/// When a file and its entry were last changed, how long it is, and which file it is; nothing when it could not be looked
/// at.
type Seen = Option<(SystemTime, i64, u64, u64)>;

/// Why the files of a TLS listener cannot be used: one line.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The key that names the file is not set.
    #[error("`tls.{0}` is not set, and a TLS listener needs it")]
    Missing(&'static str),
    /// It cannot be read.
    #[error("`tls.{key}`: cannot read {}: {why}", path.display())]
    Unreadable {
        /// The key that names it.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// What was read does not go together.
    #[error("`tls`: {0}")]
    Unusable(String),
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// The first file that cannot be used, and why.
    pub fn load(settings: &config::Tls) -> Result<Self, TlsError> {
        let looks = look(settings);
        let seen = Mutex::new(Looks { read: looks.clone(), last: looks });
        let current = ArcSwap::from_pointee(load(settings)?);
        Ok(Self { settings: settings.clone(), current, seen })
    }

    /// Reads the files again. Connections to come use what they hold now.
    ///
    /// # Errors
    /// As for [`Tls::load`]. What was read before stays in use.
    pub fn reload(&self) -> Result<(), TlsError> {
        // Of two that read at once the later one reads all, and what it read stays.
        let mut seen = self.seen.lock();
        seen.read = look(&self.settings);
        self.current.store(Arc::new(load(&self.settings)?));
        Ok(())
    }

    /// Looks at the files: whether they are others than those that were read, and the same as at the last look.
    pub fn has_settled(&self) -> bool {
        let now = look(&self.settings);
        let mut seen = self.seen.lock();
        let has_settled = now != seen.read && now == seen.last;
        seen.last = now;
        has_settled
    }

    /// When the certificate in use expires, in seconds since the Unix epoch.
    pub fn expires_s(&self) -> u64 {
        self.current.load().expires_s
    }

    /// The server's part of the handshake.
    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<Fair>> {
        let config = Arc::clone(&self.current.load().config);
        TlsAcceptor::from(config).accept(Fair::of(stream)).await
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// Why a handshake did not come about, in words.
pub(super) fn why_failed(error: &io::Error) -> String {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        Some(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)) => {
            "the client does not speak TLS, which this port is for".to_owned()
        }
        Some(rustls::Error::NoCertificatesPresented) => {
            "the client has shown no certificate, and `tls.clients` requires one".to_owned()
        }
        Some(error) => format!("TLS: {error}"),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            "the client left in the middle of the TLS handshake".to_owned()
        }
        None => error.to_string(),
    }
}

/// What was agreed on.
pub(super) fn agreed(connection: &ServerConnection) -> Security {
    let protocol = match connection.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => "tlsv1.3",
        _ => "tlsv1.2",
    };
    let suite = connection.negotiated_cipher_suite().map(|suite| suite.suite());
    let group = connection.negotiated_key_exchange_group().map(|group| group.name());
    let named = |name: Option<&str>| name.unwrap_or_default().to_owned();
    let certificate = connection.peer_certificates().and_then(<[_]>::first);
    Security::Tls(Arc::new(security::Tls {
        protocol,
        // As the standard writes it: the version stands beside it.
        cipher_suite: named(suite.and_then(|suite| suite.as_str())).replace("TLS13_", "TLS_"),
        key_exchange: named(group.and_then(|group| group.as_str())),
        certificate: certificate.and_then(|der| Certificate::parse(der)),
    }))
}

fn look(settings: &config::Tls) -> Vec<Seen> {
    let files = [&settings.certificate, &settings.key, &settings.client_ca];
    let seen = |path: &PathBuf| {
        let file = fs::metadata(path).ok()?;
        Some((file.modified().ok()?, file.ctime(), file.len(), file.ino()))
    };
    files.into_iter().map(|path| path.as_ref().and_then(seen)).collect()
}

fn load(settings: &config::Tls) -> Result<Loaded, TlsError> {
    let certificate = certificates("certificate", settings.certificate.as_deref())?;
    let path = settings.key.as_deref().ok_or(TlsError::Missing("key"))?;
    let key = PrivateKeyDer::from_pem_file(path).map_err(|why| unreadable("key", path, &why))?;
    let provider = Arc::new(ring::default_provider());
    let versions: &[_] = match settings.version_min {
        config::TlsVersion::V1_2 => &[&TLS12, &TLS13],
        config::TlsVersion::V1_3 => &[&TLS13],
    };
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .map_err(|error| TlsError::Unusable(error.to_string()))?;
    let builder = match settings.clients {
        config::TlsClients::Anonymous => builder.with_no_client_auth(),
        config::TlsClients::Optional | config::TlsClients::Required => {
            let mut roots = RootCertStore::empty();
            for root in certificates("client_ca", settings.client_ca.as_deref())? {
                let why = |error| TlsError::Unusable(format!("`client_ca`: {error}"));
                roots.add(root).map_err(why)?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = match settings.clients {
                config::TlsClients::Optional => verifier.allow_unauthenticated(),
                _ => verifier,
            };
            let why = |error| TlsError::Unusable(format!("`client_ca`: {error}"));
            builder.with_client_cert_verifier(verifier.build().map_err(why)?)
        }
    };
    let own = certificate.first().and_then(|der| Certificate::parse(der));
    let expires_s = own.map_or(0, |certificate| certificate.expires_s);
    let mut config = builder.with_single_cert(certificate, key).map_err(|error| {
        let why = format!("`certificate` and `key` cannot be used together: {error}");
        TlsError::Unusable(why)
    })?;
    if settings.clients != config::TlsClients::Anonymous {
        // A session that is resumed is not verified again: neither would an expired certificate be found.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok(Loaded { config: Arc::new(config), expires_s })
}

fn certificates(
    key: &'static str,
    path: Option<&Path>,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let path = path.ok_or(TlsError::Missing(key))?;
    let found =
        CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = found.map_err(|why| unreadable(key, path, &why))?;
    if found.is_empty() {
        return Err(unreadable(key, path, &"it holds no certificate (PEM)"));
    }
    Ok(found)
}

fn unreadable(key: &'static str, path: &Path, why: &dyn std::fmt::Display) -> TlsError {
    TlsError::Unreadable { key, path: path.to_owned(), why: why.to_string() }
}
