//! A connection to a broker: the handshake, its channels, requests that wait for their answer, and the end.

use std::time::{Duration, Instant};

use super::link::{Interest, Link};
use super::scan::{BodyHead, Scanner, Settlement, Sink};
use super::trouble::Trouble;
use super::uri::Uri;
use crate::wire::{
    FRAME_OVERHEAD_BYTES, Method, PROTOCOL_HEADER, Table, Value, channel, connection,
};

/// The largest frame that is asked for, which is RabbitMQ's default.
const FRAME_BYTES_MAX: u32 = 131_072;

/// An answer that takes longer is not waited for.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// The broker has this long to agree to the end of a connection.
const CLOSE_MAX: Duration = Duration::from_secs(2);

/// Whether a connection sends and expects heartbeats.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Heartbeats {
    /// As often as the broker suggests.
    AsSuggested,
    /// Never, for connections that nobody looks after.
    Off,
}

/// How a connection is opened.
#[derive(Clone, Copy)]
pub(super) struct Opening {
    /// Channels to open, numbered from 1.
    pub channels: u16,
    /// Whether there are heartbeats.
    pub heartbeats: Heartbeats,
    /// Room for what is read at once.
    pub input_bytes: usize,
}

/// An open connection and its channels.
pub(super) struct Connection {
    /// The socket.
    pub link: Link,
    /// What cuts its frames.
    pub scanner: Scanner,
    /// The largest frame that may be sent.
    pub frame_bytes_max: u32,
    /// Seconds between heartbeats, when there are any.
    pub heartbeat: Option<Duration>,
}

impl Connection {
    /// Connects, logs in, and opens the channels.
    ///
    /// # Errors
    ///
    /// What the broker says, or why it could not be reached.
    pub fn open(uri: &Uri, opening: Opening) -> Result<Self, Trouble> {
        let payload_bytes_max = FRAME_BYTES_MAX as usize - FRAME_OVERHEAD_BYTES;
        let mut this = Self {
            link: Link::connect(uri, opening.input_bytes)?,
            scanner: Scanner::new(payload_bytes_max, opening.channels),
            frame_bytes_max: FRAME_BYTES_MAX,
            heartbeat: None,
        };
        this.log_in(uri, opening).map_err(|trouble| match trouble.code {
            Some(403) => Trouble {
                text: format!("{}; check the user and the password in the address", trouble.text),
                ..trouble
            },
            Some(530) => Trouble {
                text: format!("{}; check the virtual host in the address", trouble.text),
                ..trouble
            },
            _ => trouble,
        })?;
        for number in 1..=opening.channels {
            this.post(number, &Method::ChannelOpen(channel::Open {}));
        }
        let mut opened = 0;
        while opened < opening.channels {
            this.answer(|method| matches!(method, Method::ChannelOpenOk(_)).then_some(()))?;
            opened += 1;
        }
        Ok(this)
    }

    fn log_in(&mut self, uri: &Uri, opening: Opening) -> Result<(), Trouble> {
        self.link.output().extend_from_slice(&PROTOCOL_HEADER);
        self.answer(|method| matches!(method, Method::ConnectionStart(_)).then_some(()))?;
        let response = format!("\0{}\0{}", uri.user, uri.password);
        self.post(
            0,
            &Method::ConnectionStartOk(connection::StartOk {
                client_properties: client_properties(),
                mechanism: "PLAIN",
                response: response.as_bytes(),
                locale: "en_US",
            }),
        );
        let tune = self.answer(|method| match method {
            Method::ConnectionTune(tune) => Some(*tune),
            _ => None,
        });
        let tune = tune.map_err(|trouble| match trouble.code {
            None => Trouble::new(format!(
                "no login at {uri}: {}; check user, password and virtual host",
                trouble.text
            )),
            Some(_) => trouble,
        })?;
        if tune.channel_max != 0 && opening.channels > tune.channel_max {
            let (wanted, most) = (opening.channels, tune.channel_max);
            return Err(Trouble::new(format!(
                "{wanted} channels on one connection are more than the {most} that the broker allows"
            )));
        }
        let most = if tune.frame_max == 0 { u32::MAX } else { tune.frame_max };
        self.frame_bytes_max = FRAME_BYTES_MAX.min(most);
        let heartbeat = match opening.heartbeats {
            Heartbeats::AsSuggested => tune.heartbeat,
            Heartbeats::Off => 0,
        };
        self.heartbeat = (heartbeat > 0).then(|| Duration::from_secs(heartbeat.into()));
        self.post(
            0,
            &Method::ConnectionTuneOk(connection::TuneOk {
                channel_max: tune.channel_max,
                frame_max: self.frame_bytes_max,
                heartbeat,
            }),
        );
        let open = connection::Open { virtual_host: &uri.virtual_host };
        self.post(0, &Method::ConnectionOpen(open));
        self.answer(|method| matches!(method, Method::ConnectionOpenOk(_)).then_some(()))
    }

    /// Appends a method to what is written next.
    pub fn post(&mut self, channel: u16, method: &Method<'_>) {
        method.encode_frame(channel, self.link.output());
    }

    /// Sends a method and waits for what `pick` finds in a method that comes back.
    ///
    /// # Errors
    ///
    /// A close from the broker, or no answer in time.
    pub fn call<T>(
        &mut self,
        channel: u16,
        method: &Method<'_>,
        pick: impl FnMut(&Method<'_>) -> Option<T>,
    ) -> Result<T, Trouble> {
        self.post(channel, method);
        self.answer(pick)
    }

    /// Writes what waits, and reads until `pick` finds something. Methods behind the one that it was found in are
    /// kept for the next call.
    pub fn answer<T>(&mut self, pick: impl FnMut(&Method<'_>) -> Option<T>) -> Result<T, Trouble> {
        let mut awaiting = Awaiting { pick, found: None };
        let end = Instant::now() + ANSWER_MAX;
        loop {
            self.link.flush()?;
            self.scan_one_by_one(&mut awaiting)?;
            if let Some(found) = awaiting.found {
                return Ok(found);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let seconds = ANSWER_MAX.as_secs();
                return Err(Trouble::new(format!("the broker gave no answer within {seconds} s")));
            }
            self.link.wait(Interest::Read, left)?;
            self.link.fill()?;
        }
    }

    /// Scans frame by frame, so that nothing behind an answer is taken with it.
    fn scan_one_by_one<T, P: FnMut(&Method<'_>) -> Option<T>>(
        &mut self,
        awaiting: &mut Awaiting<T, P>,
    ) -> Result<(), Trouble> {
        while awaiting.found.is_none() {
            let input = self.link.unread();
            let first = crate::wire::frame_bytes_needed(input).unwrap_or(usize::MAX);
            let used = self.scanner.scan(&input[..first.min(input.len())], awaiting)?;
            if used == 0 {
                break;
            }
            self.link.used(used);
        }
        Ok(())
    }

    /// Ends the connection in good order, if the broker agrees soon; else it just ends.
    pub fn close(mut self) {
        let close =
            connection::Close { reply_code: 200, reply_text: "goodbye", class_id: 0, method_id: 0 };
        self.post(0, &Method::ConnectionClose(close));
        let end = Instant::now() + CLOSE_MAX;
        let mut closed = Closed(false);
        while !closed.0 && Instant::now() < end {
            // Whatever fails here, the connection is gone, which is what was wanted.
            let step = self.link.flush().map_err(Trouble::from).and_then(|_| {
                let used = self.scanner.scan(self.link.unread(), &mut closed)?;
                self.link.used(used);
                if !closed.0 {
                    self.link
                        .wait(Interest::Read, end.saturating_duration_since(Instant::now()))?;
                    self.link.fill()?;
                }
                Ok(())
            });
            if step.is_err() {
                return;
            }
        }
    }
}

fn client_properties() -> Table {
    let able = [
        "publisher_confirms",
        "basic.nack",
        "consumer_cancel_notify",
        "connection.blocked",
        "authentication_failure_close",
    ];
    let capabilities: Table = able.into_iter().map(|name| (name, Value::Bool(true))).collect();
    let mut properties = Table::new();
    properties.insert("product", "leveret bench");
    properties.insert("version", env!("CARGO_PKG_VERSION"));
    properties.insert("connection_name", "leveret bench");
    properties.insert("capabilities", capabilities);
    properties
}

/// Looks for an answer and passes over everything else.
struct Awaiting<T, P> {
    pick: P,
    found: Option<T>,
}

impl<T, P: FnMut(&Method<'_>) -> Option<T>> Sink for Awaiting<T, P> {
    fn delivered(&mut self, _: u16, _: u64, _: BodyHead) {}

    fn settled(&mut self, settlement: Settlement) -> Result<(), Trouble> {
        let ack =
            crate::wire::basic::Ack { delivery_tag: settlement.tag, multiple: settlement.multiple };
        self.method(settlement.channel, &Method::BasicAck(ack))
    }

    fn returned(&mut self) {}

    fn method(&mut self, _: u16, method: &Method<'_>) -> Result<(), Trouble> {
        if let Some(trouble) = Trouble::from_close(method) {
            return Err(trouble);
        }
        if self.found.is_none() {
            self.found = (self.pick)(method);
        }
        Ok(())
    }
}

/// Waits for the end, and passes over everything else.
struct Closed(bool);

impl Sink for Closed {
    fn delivered(&mut self, _: u16, _: u64, _: BodyHead) {}

    fn settled(&mut self, _: Settlement) -> Result<(), Trouble> {
        Ok(())
    }

    fn returned(&mut self) {}

    fn method(&mut self, _: u16, method: &Method<'_>) -> Result<(), Trouble> {
        self.0 |= matches!(method, Method::ConnectionCloseOk(_) | Method::ConnectionClose(_));
        Ok(())
    }
}
