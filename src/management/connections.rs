//! Connections: listing, and closing one.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::call::Call;
use super::rates::{Rates, Subject};
use super::reply::{Outcome, Reply};
use super::stats::{CONNECTION_NAMES, Stats};
use super::{Api, clock, paging};
use crate::broker::{Client, Refusal, table_to_json};
use crate::security::Tls;

/// What RabbitMQ gives as the reason when none was said.
const DEFAULT_REASON: &str = "Closed via management plugin";

/// A connection as the API shows it.
#[derive(Serialize)]
struct ConnectionObject {
    name: String,
    node: String,
    vhost: Arc<str>,
    user: Arc<str>,
    user_who_performed_action: Arc<str>,
    protocol: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    state: &'static str,
    host: String,
    port: u16,
    peer_host: String,
    peer_port: u16,
    ssl: bool,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    tls: Option<TlsObject>,
    auth_mechanism: &'static str,
    channel_max: u16,
    frame_max: u32,
    timeout: u16,
    connected_at: u64,
    channels: usize,
    client_properties: Map<String, Json>,
    recv_cnt: u64,
    send_cnt: u64,
    send_pend: usize,
    #[serde(flatten)]
    bytes: Stats<2>,
}

/// What was agreed on a TLS connection, in RabbitMQ's fields and a `cipher_suite` by its name in the standard.
#[derive(Serialize)]
struct TlsObject {
    ssl_protocol: &'static str,
    ssl_key_exchange: String,
    ssl_cipher: String,
    ssl_hash: String,
    cipher_suite: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer_cert_subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer_cert_issuer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer_cert_validity: Option<String>,
}

impl TlsObject {
    fn new(tls: &Tls) -> Self {
        // TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, or TLS_AES_256_GCM_SHA384.
        let suite = tls.cipher_suite.to_lowercase();
        let suite = suite.strip_prefix("tls_").unwrap_or(&suite);
        let (key_exchange, cipher) = suite.split_once("_with_").unwrap_or(("any", suite));
        let (cipher, hash) = cipher.rsplit_once('_').unwrap_or((cipher, ""));
        let certificate = tls.certificate.as_ref();
        Self {
            ssl_protocol: tls.protocol,
            ssl_key_exchange: key_exchange.to_owned(),
            ssl_cipher: cipher.to_owned(),
            ssl_hash: hash.to_owned(),
            cipher_suite: tls.cipher_suite.clone(),
            peer_cert_subject: certificate.map(|one| one.subject.clone()),
            peer_cert_issuer: certificate.map(|one| one.issuer.clone()),
            peer_cert_validity: certificate.map(|one| one.validity.clone()),
        }
    }
}

impl ConnectionObject {
    fn new(api: &Api, client: &Client, rates: &Rates, now_ms: u64) -> Self {
        let (terms, peer, traffic) = (client.terms(), client.peer(), client.outbox().traffic());
        let bytes = [traffic.received_bytes, traffic.written_bytes];
        let subject = Subject::Connection(client.id());
        Self {
            name: client.name().to_owned(),
            node: api.node.clone(),
            vhost: Arc::clone(client.vhost_name()),
            user: Arc::clone(client.user()),
            user_who_performed_action: Arc::clone(client.user()),
            protocol: "AMQP 0-9-1",
            kind: "network",
            state: if client.must_pause() { "blocked" } else { "running" },
            host: terms.local.ip().to_string(),
            port: terms.local.port(),
            peer_host: peer.ip().to_string(),
            peer_port: peer.port(),
            ssl: client.security().tls().is_some(),
            tls: client.security().tls().map(TlsObject::new),
            auth_mechanism: terms.mechanism,
            channel_max: terms.channel_max,
            frame_max: terms.frame_bytes_max,
            timeout: terms.heartbeat_s,
            connected_at: terms.connected_ms,
            channels: traffic.channels,
            client_properties: table_to_json(client.client_properties()),
            recv_cnt: traffic.received_count,
            send_cnt: traffic.written_count,
            send_pend: traffic.waiting_bytes,
            bytes: Stats::new(&CONNECTION_NAMES, bytes, (rates, subject, now_ms)),
        }
    }
}

/// Whether the caller may see a connection: its own, and as a monitor everybody's.
pub(super) fn sees(call: &Call<'_>, client: &Client) -> bool {
    call.caller.is_monitor() || *client.user() == call.caller.user
}

fn listed(call: &Call<'_>, keep: impl Fn(&Client) -> bool) -> Outcome {
    let mut clients = call.api.broker.clients();
    clients.retain(|client| sees(call, client) && keep(client));
    let now_ms = clock::now_ms();
    let rates = call.api.rates.read();
    let show = |client: Arc<Client>| ConnectionObject::new(call.api, &client, &rates, now_ms);
    paging::list(call.request, clients, |client| client.name(), show)
}

/// `GET connections`.
pub(super) fn list(call: &Call<'_>) -> Outcome {
    listed(call, |_| true)
}

/// `GET vhosts/VHOST/connections`.
pub(super) fn of_vhost(call: &Call<'_>) -> Outcome {
    call.enter(call.part(0))?;
    listed(call, |client| **client.vhost_name() == *call.part(0))
}

/// `GET connections/username/USER`.
pub(super) fn of_user(call: &Call<'_>) -> Outcome {
    listed(call, |client| **client.user() == *call.part(0))
}

fn named(call: &Call<'_>) -> Result<Arc<Client>, Reply> {
    let client = call.api.broker.client_named(call.part(0)).ok_or_else(Reply::no_object)?;
    match sees(call, &client) {
        true => Ok(client),
        false => Err(Reply::not_authorised("User not authorised to access connection")),
    }
}

/// `GET connections/NAME`.
pub(super) fn show(call: &Call<'_>) -> Outcome {
    let client = named(call)?;
    let rates = call.api.rates.read();
    let object = ConnectionObject::new(call.api, &client, &rates, clock::now_ms());
    paging::object(call.request, &object)
}

/// `DELETE connections/NAME`, with the header `X-Reason`.
pub(super) fn close(call: &Call<'_>) -> Outcome {
    let client = named(call)?;
    close_client(call, &client);
    Ok(Reply::done())
}

/// `DELETE connections/username/USER`.
pub(super) fn close_of_user(call: &Call<'_>) -> Outcome {
    let clients = call.api.broker.clients();
    for client in clients.iter().filter(|client| **client.user() == *call.part(0)) {
        if !sees(call, client) {
            return Err(Reply::not_authorised("User not authorised to access connection"));
        }
        close_client(call, client);
    }
    Ok(Reply::done())
}

fn close_client(call: &Call<'_>, client: &Client) {
    let reason = call.request.reason.as_deref().unwrap_or(DEFAULT_REASON);
    log::info!("{}: closed by user '{}': {reason}", client.name(), call.caller.user);
    client.close(Refusal::forced(reason));
}
