//! From the protocol header to `connection.open-ok` (specification 2.2.4): greeting, login, limits, virtual
//! host. A client that gets this wrong is not trusted with an explanation: its socket closes after a while.

use std::sync::Arc;

use super::next::Next;
use super::sasl::{self, Credentials};
use super::{Discarding, Phase, Session};
use crate::broker::{Capabilities, Identity, Login, NewClient, Terms};
use crate::fault::Fault;
use crate::wire::{FRAME_BYTES_MIN, Frame, Method, PROTOCOL_HEADER, ReplyCode, Table, connection};

/// What this broker can do beyond the specification, as clients look for it in the server properties.
const CAPABILITIES: [&str; 9] = [
    "publisher_confirms",
    "exchange_exchange_bindings",
    "basic.nack",
    "consumer_cancel_notify",
    "connection.blocked",
    "consumer_priorities",
    "authentication_failure_close",
    "per_consumer_qos",
    "direct_reply_to",
];

/// What a TLS connection begins with: the head of a handshake record, of version 3 (RFC 8446, 5.1).
const TLS_HANDSHAKE: &[u8] = &[22, 3];

/// A client whose connection is not open yet.
#[derive(Debug, Default)]
pub(super) struct Applicant {
    capabilities: Capabilities,
    properties: Table,
    mechanism: &'static str,
    identity: Option<Identity>,
}

impl Session {
    /// Replies to a protocol header that is served.
    pub(super) fn start(&mut self) -> Next {
        let start = connection::Start {
            version_major: 0,
            version_minor: 9,
            server_properties: server_properties(),
            mechanisms: sasl::mechanisms(&self.security).as_bytes(),
            locales: b"en_US",
        };
        self.send(0, &Method::ConnectionStart(start));
        self.phase = Phase::Starting;
        Next::Frame
    }

    /// Replies to any other header with the one that is served (specification 4.2.2).
    pub(super) fn refuse_header(&mut self, bytes: &[u8]) -> Next {
        let what = if bytes.starts_with(TLS_HANDSHAKE) {
            "this is TLS, which has a port of its own (`tls.listen`)"
        } else {
            "this is not AMQP 0-9-1"
        };
        log::warn!("{}: refused: {what}", self.peer);
        self.outbox.send_raw(&PROTOCOL_HEADER);
        self.phase = Phase::Closed;
        Next::Close
    }

    /// Gives up on a client that has not opened its connection.
    pub(super) fn refuse(&mut self, reason: &str) -> Next {
        log::warn!("{}: refused: {reason}", self.peer);
        self.phase = Phase::Closed;
        Next::Refuse
    }

    pub(super) fn handshake_frame(&mut self, frame: Frame<'_>, now_ms: u64) -> Result<Next, Fault> {
        let method = match frame {
            Frame::Heartbeat { .. } => return Ok(Next::Frame),
            Frame::Method { channel: 0, method } => method,
            _ => {
                let text = format!("unexpected frame in connection state {}", self.phase.name());
                return Err(Fault::connection(ReplyCode::UnexpectedFrame, text));
            }
        };
        match (&self.phase, method) {
            (Phase::Starting, Method::ConnectionStartOk(start_ok)) => Ok(self.log_in(start_ok)),
            (Phase::Tuning, Method::ConnectionTuneOk(tune_ok)) => Ok(self.tune(tune_ok)),
            (Phase::Opening, Method::ConnectionOpen(open)) => Ok(self.open(open, now_ms)),
            (_, Method::ConnectionClose(_)) => {
                log::info!("{}: closed by the client before it was open", self.peer);
                self.send(0, &Method::ConnectionCloseOk(connection::CloseOk));
                self.phase = Phase::Closed;
                Ok(Next::Close)
            }
            (phase, method) => Err(unexpected(&method, phase)),
        }
    }

    fn log_in(&mut self, start_ok: connection::StartOk<'_>) -> Next {
        let Some(mechanism) = sasl::mechanism(start_ok.mechanism, &self.security) else {
            let name = start_ok.mechanism.escape_debug();
            return self.refuse(&format!("unknown authentication mechanism '{name}'"));
        };
        self.applicant = Some(Box::new(Applicant {
            capabilities: capabilities(&start_ok.client_properties),
            properties: start_ok.client_properties,
            mechanism,
            identity: None,
        }));
        if mechanism == sasl::EXTERNAL {
            return self.log_in_certified();
        }
        let Some(credentials) = sasl::credentials(mechanism, start_ok.response) else {
            return self.refuse(&format!("malformed response for the mechanism {mechanism}"));
        };
        let Credentials { user, password } = credentials;
        match self.broker.login(&user, &password, self.peer.address.ip()) {
            Login::Welcome(identity) => self.welcome(identity),
            Login::Refused(reason) => self.refuse_login(&reason),
            Login::Verify(verification) => {
                self.phase = Phase::Verifying;
                Next::Verify(Box::new(verification))
            }
        }
    }

    /// Logs in whom the certificate names.
    fn log_in_certified(&mut self) -> Next {
        let login_from = self.broker.config().tls.login_from;
        let certificate = self.security.certificate();
        let user = certificate.and_then(|certificate| sasl::user_of(certificate, login_from));
        let Some(user) = user else {
            return self.refuse_login(
                "the client's certificate has no such name as `tls.login_from` asks for",
            );
        };
        match self.broker.login_vouched(user, self.peer.address.ip()) {
            Ok(identity) => self.welcome(identity),
            Err(reason) => self.refuse_login(&reason),
        }
    }

    /// Goes on with a client that logged in.
    pub(super) fn welcome(&mut self, identity: Identity) -> Next {
        if let Some(applicant) = &mut self.applicant {
            applicant.identity = Some(identity);
        }
        let amqp = &self.broker.config().amqp;
        let tune = connection::Tune {
            channel_max: amqp.channel_max,
            frame_max: amqp.frame_bytes_max,
            heartbeat: amqp.heartbeat_s,
        };
        self.send(0, &Method::ConnectionTune(tune));
        self.phase = Phase::Tuning;
        Next::Frame
    }

    /// Turns away a client whose password is wrong. It is told so only if it asked to be.
    pub(super) fn refuse_login(&mut self, reason: &str) -> Next {
        let Some(applicant) = &self.applicant else { return self.refuse(reason) };
        if !applicant.capabilities.authentication_failure_close {
            return self.refuse(reason);
        }
        log::warn!("{}: refused: {reason}", self.peer);
        let text = format!(
            "Login was refused using authentication mechanism {}. For details see the broker logfile.",
            applicant.mechanism
        );
        self.send_close(&Fault::connection(ReplyCode::AccessRefused, text));
        Next::Frame
    }

    fn tune(&mut self, tune_ok: connection::TuneOk) -> Next {
        let amqp = &self.broker.config().amqp;
        let (channel_max, frame_bytes_max) = (amqp.channel_max, amqp.frame_bytes_max);
        let (channels, frame_bytes) = (tune_ok.channel_max, tune_ok.frame_max);
        // 0 stands for no limit of the client's own.
        if channels > channel_max {
            return self.refuse(&too_high("channel_max", channels.into(), channel_max.into()));
        }
        if frame_bytes > frame_bytes_max {
            return self.refuse(&too_high("frame_max", frame_bytes, frame_bytes_max));
        }
        if frame_bytes != 0 && frame_bytes < FRAME_BYTES_MIN {
            return self.refuse(&format!(
                "negotiated frame_max = {frame_bytes} is lower than the minimum allowed value ({FRAME_BYTES_MIN})"
            ));
        }
        self.limits.channel_max = if channels == 0 { channel_max } else { channels };
        self.limits.frame_bytes_max = if frame_bytes == 0 { frame_bytes_max } else { frame_bytes };
        self.limits.heartbeat_s = tune_ok.heartbeat;
        self.outbox.set_frame_bytes_max(self.limits.frame_bytes_max);
        self.phase = Phase::Opening;
        Next::Frame
    }

    fn open(&mut self, open: connection::Open<'_>, now_ms: u64) -> Next {
        let (Some(applicant), Some(close)) = (self.applicant.take(), self.close.take()) else {
            return self.refuse("opened twice");
        };
        let Applicant { capabilities, properties, mechanism, identity: Some(identity) } =
            *applicant
        else {
            return self.refuse("opened without a login");
        };
        let user = identity.user.clone();
        let connected = self.broker.connect(NewClient {
            identity,
            vhost: open.virtual_host.to_owned(),
            peer: self.peer.address,
            terms: Terms {
                local: self.peer.local,
                mechanism,
                channel_max: self.limits.channel_max,
                frame_bytes_max: self.limits.frame_bytes_max,
                heartbeat_s: self.limits.heartbeat_s,
                connected_ms: now_ms,
            },
            security: self.security.clone(),
            name: self.peer.to_string(),
            capabilities,
            client_properties: properties,
            outbox: Arc::clone(&self.outbox),
            sink: self.outbox.clone(),
            close,
        });
        match connected {
            Ok(client) => {
                let vhost = client.vhost_name();
                log::info!("{}: user '{user}' opened virtual host '{vhost}'", self.peer);
                self.client = Some(client);
                self.send(0, &Method::ConnectionOpenOk(connection::OpenOk));
                self.phase = Phase::Running;
            }
            Err(refusal) => {
                let fault = Fault::from(refusal);
                let fault = fault.at(connection::Open::CLASS_ID, connection::Open::METHOD_ID);
                log::warn!("{}: refused: {fault} (user '{user}')", self.peer);
                self.send_close(&fault);
            }
        }
        Next::Frame
    }

    pub(super) fn send_close(&mut self, fault: &Fault) {
        let close = connection::Close {
            reply_code: fault.code.code(),
            reply_text: &fault.reply_text(),
            class_id: fault.class_id,
            method_id: fault.method_id,
        };
        self.send(0, &Method::ConnectionClose(close));
        self.phase = Phase::Closing(Discarding::Frames);
    }
}

/// The fault of a method that does not belong into a state of the connection.
pub(super) fn unexpected(method: &Method<'_>, phase: &Phase) -> Fault {
    let text = format!("unexpected method in connection state {}", phase.name());
    Fault::connection(ReplyCode::ChannelError, text).at(method.class_id(), method.method_id())
}

fn too_high(name: &str, value: u32, most: u32) -> String {
    format!("negotiated {name} = {value} is higher than the maximum allowed value ({most})")
}

fn server_properties() -> Table {
    let capabilities: Table = CAPABILITIES.into_iter().map(|name| (name, true)).collect();
    let mut properties = Table::new();
    properties.insert("capabilities", capabilities);
    properties.insert("cluster_name", cluster_name());
    properties.insert("copyright", "The Leveret contributors");
    properties.insert("information", "Licensed under the Apache License 2.0");
    properties.insert("platform", "Rust");
    properties.insert("product", "Leveret");
    properties.insert("version", env!("CARGO_PKG_VERSION"));
    properties
}

fn cluster_name() -> String {
    let host = rustix::system::uname();
    format!("leveret@{}", host.nodename().to_string_lossy())
}

fn capabilities(client_properties: &Table) -> Capabilities {
    let table = client_properties.get("capabilities").and_then(|value| value.as_table());
    let has = |name: &str| {
        table.and_then(|table| table.get(name)).and_then(|value| value.as_bool()).unwrap_or(false)
    };
    Capabilities {
        consumer_cancel_notify: has("consumer_cancel_notify"),
        connection_blocked: has("connection.blocked"),
        authentication_failure_close: has("authentication_failure_close"),
    }
}
