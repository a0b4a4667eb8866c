//! What an operator can set: one typed struct, its defaults, and what is a sound value for each key.
//! It is filled from `broker.toml`, the environment and the command line by [`load`].

mod document;
mod environment;
mod keys;
mod limits;
mod load;
mod tls;

pub use keys::nearest;
pub use limits::Invalid;
pub use load::{ConfigError, Loaded, Overrides, load};
pub use tls::{Tls, TlsClients, TlsLogin, TlsVersion};

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Everything that an operator can set. `broker.toml` in the repository shows every key at its default.
///
/// A size ends in `_bytes`, a time in `_ms` or `_s`, a bound in `_max` or `_min`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The directory of everything that survives a restart. A relative path starts at the working directory.
    pub data_dir: PathBuf,
    /// A JSON file of users, virtual hosts, permissions, exchanges, queues and bindings, in the format that
    /// RabbitMQ exports, applied at each start. None: nothing is applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub definitions: Option<PathBuf>,
    /// The AMQP 0-9-1 listener and what one connection may ask for.
    pub amqp: Amqp,
    /// The management API and the metrics, over HTTP.
    pub management: Management,
    /// TLS on both.
    pub tls: Tls,
    /// When publishers are held back because a resource runs short.
    pub alarms: Alarms,
    /// The journal and the index.
    pub store: Store,
    /// Who may log in, and from where.
    pub access: Access,
    /// How much of everything one virtual host or channel may hold.
    pub limits: Limits,
    /// Which broker `leveret admin` talks to, and as whom. The broker itself reads nothing of it.
    pub admin: Admin,
}

/// The AMQP 0-9-1 listener and what one connection may ask for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Amqp {
    /// Where to listen, as `HOST:PORT`. Port 0 takes any free port.
    pub listen: String,
    /// Connections at once; one more is closed as soon as it is accepted.
    pub connections_max: usize,
    /// Open channels of one connection, as proposed in `connection.tune`. 1 to 65535.
    pub channel_max: u16,
    /// Bytes of one frame, its head and end included, as proposed in `connection.tune`. At least 4096.
    pub frame_bytes_max: u32,
    /// Seconds between heartbeats, as proposed in `connection.tune`. 0: none unless the client asks.
    pub heartbeat_s: u16,
    /// Milliseconds from accepting a socket to `connection.open-ok`; a slower client is dropped.
    pub handshake_ms_max: u64,
    /// Bytes of one message's body; a larger one closes its channel with 406.
    pub message_bytes_max: u64,
    /// Bytes that one connection may have waiting to be written; above it no more is delivered to its
    /// consumers until some were written.
    pub outbox_bytes_max: usize,
    /// Consumers of one channel; one more closes the channel with 406.
    pub consumers_per_channel_max: usize,
    /// Milliseconds that a shutdown may take to close its connections.
    pub shutdown_ms_max: u64,
}

/// The management API and the metrics, over HTTP.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Management {
    /// Where to listen, as `HOST:PORT`, or `off`. Port 0 takes any free port.
    pub listen: String,
    /// Connections at once; one more is closed as soon as it is accepted.
    pub connections_max: usize,
    /// Bytes of a request's line and headers. At least 8192.
    pub header_bytes_max: usize,
    /// Bytes of a request's body; a larger one is answered with 413.
    pub body_bytes_max: usize,
    /// Milliseconds that a client may take to send a request, idle time before it included, and likewise to take
    /// the answer.
    pub request_ms_max: u64,
    /// Bytes that bodies of requests and of answers may hold together; a request that finds no room is answered with
    /// 503. One always fits.
    pub bodies_bytes_max: usize,
    /// Listings and metrics that are put together at once; others wait for their turn.
    pub listings_max: usize,
}

impl Management {
    /// The address to listen on; none when it is off.
    pub fn address(&self) -> Option<&str> {
        (self.listen != "off").then_some(self.listen.as_str())
    }
}

/// When publishers are held back because a resource runs short. Consumers go on meanwhile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Alarms {
    /// Bytes that messages may hold in memory before publishers are blocked. 0: 40 % of the machine's
    /// memory, or of the control group's limit where that is lower.
    pub memory_bytes_max: u64,
    /// Bytes that bodies of large messages may hold beside that while they arrive. Room is reserved for each before it
    /// is read; above this publishers wait for their turn. 0: a quarter of `memory_bytes_max`.
    pub arriving_bytes_max: u64,
    /// Milliseconds that such a body may take while others wait for its room; then its connection is closed with 506.
    pub arriving_ms_max: u64,
    /// Bytes that messages may hold beside `memory_bytes_max` when connections publish that have messages
    /// unacknowledged. 0: half of `memory_bytes_max`.
    pub workers_bytes_max: u64,
    /// Bytes that must stay free on the data directory's file system; below it publishers are blocked.
    /// 0: the disk is not watched.
    pub disk_free_bytes_min: u64,
}

/// The journal and the index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    /// Bytes of one journal file, after which the next is begun.
    pub segment_bytes_max: u64,
    /// Bytes written to the journal after which the index is brought up to date.
    pub checkpoint_bytes: u64,
    /// Milliseconds after which the index is brought up to date, if anything was written.
    pub checkpoint_ms: u64,
    /// Bytes that may wait for the committer thread; above it those who publish persistently are not read.
    pub inbox_bytes_max: usize,
    /// Bytes of the index that are kept in memory.
    pub index_cache_bytes: u64,
    /// Messages of each durable queue that are kept in memory; what is behind them is read from the journal when
    /// its turn comes. At least 2.
    pub queue_window_messages: usize,
    /// Bytes that those messages may hold.
    pub queue_window_bytes: usize,
}

/// Who may log in, and from where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Access {
    /// Users that may log in from this machine only.
    pub loopback_users: Vec<String>,
    /// Verified logins that are remembered in memory, as keyed hashes, so that reconnecting is cheap.
    /// 0: every login is checked against its slow hash.
    pub login_cache_entries_max: usize,
    /// Passwords that are verified at once, each with a processor and 7 MB of memory. Addresses take turns, and so do
    /// the users of one address.
    pub verifications_max: usize,
    /// Logins that wait for their turn; beyond, one is refused of those from the address and user with the most.
    pub logins_waiting_max: usize,
    /// Logins of one user from one address that may fail in a minute; then all are refused for the rest of it.
    pub failed_logins_per_minute_max: u32,
    /// Logins from one address that may fail in a minute, whoever's; then only those are not refused who have logged in
    /// from there before.
    pub failed_logins_per_address_per_minute_max: u32,
}

/// How much of everything one virtual host or channel may hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Virtual hosts; making one more is refused with 400, and definitions that would make more change nothing.
    pub vhosts_max: usize,
    /// Users, likewise.
    pub users_max: usize,
    /// Tags of one user, likewise.
    pub tags_per_user_max: usize,
    /// Permissions of all users in all virtual hosts, likewise.
    pub permissions_max: usize,
    /// Queues of one virtual host; declaring one more closes the channel with 406.
    pub queues_per_vhost_max: usize,
    /// Exchanges of one virtual host, the predeclared ones included; declaring one more closes the channel
    /// with 406.
    pub exchanges_per_vhost_max: usize,
    /// Bindings of one virtual host; making one more closes the channel with 406.
    pub bindings_per_vhost_max: usize,
    /// Bytes of memory that the arguments of one queue, exchange, binding or consumer may take; declaring it with
    /// more closes the channel with 406.
    pub arguments_bytes_max: usize,
    /// Bytes of memory that the arguments of everything in one virtual host may take; declaring more closes the
    /// channel with 406. They count towards the memory alarm too.
    pub arguments_bytes_per_vhost_max: usize,
    /// Steps that routing one message may take: exchanges, bindings, queues, and words of patterns that are looked
    /// at. A message that needs more closes its channel with 406 and reaches nobody; a dead letter that does is
    /// dropped, logged and counted.
    pub routing_steps_max: u64,
    /// Unacknowledged deliveries of one channel. Deliveries pause here even where the prefetch is unlimited.
    pub unacked_per_channel_max: usize,
    /// Bytes of the bodies of those. Deliveries pause here, but one message always goes, however large it is.
    pub unacked_bytes_per_channel_max: usize,
    /// Dead letters that one message may lead to in all, counted for each queue that they go to. What is over it is
    /// dropped, and said in the log.
    pub dead_letters_per_message_max: usize,
    /// Deaths that a dead letter may tell of, one for each queue and reason. After that it is dropped, and said in the
    /// log.
    pub deaths_per_message_max: usize,
    /// Dead messages that may wait to be dead-lettered. Above it those are not read whose messages push others out
    /// of full queues.
    pub dead_messages_waiting_max: usize,
}

/// Which broker `leveret admin` talks to, and as whom.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Admin {
    /// The broker's management API, as `http://HOST:PORT` or `HOST:PORT`. None: the one on this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The user to log in as.
    pub user: String,
    /// Its password. None: `guest` for the user `guest`; any other user is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Password>,
}

/// A password in the configuration. It is not shown where the rest is.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Password(String);

impl Password {
    /// A password.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The password itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("(not shown)")
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("data"),
            definitions: None,
            amqp: Amqp::default(),
            management: Management::default(),
            tls: Tls::default(),
            alarms: Alarms::default(),
            store: Store::default(),
            access: Access::default(),
            limits: Limits::default(),
            admin: Admin::default(),
        }
    }
}

impl Default for Amqp {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:5672".to_owned(),
            connections_max: 100_000,
            channel_max: 2047,
            frame_bytes_max: 131_072,
            heartbeat_s: 60,
            handshake_ms_max: 10_000,
            message_bytes_max: 16 * MIB,
            outbox_bytes_max: 1_048_576,
            consumers_per_channel_max: 10_000,
            shutdown_ms_max: 10_000,
        }
    }
}

impl Default for Management {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:15672".to_owned(),
            connections_max: 256,
            header_bytes_max: 16_384,
            body_bytes_max: 33_554_432,
            request_ms_max: 60_000,
            bodies_bytes_max: 134_217_728,
            listings_max: 2,
        }
    }
}

impl Default for Alarms {
    fn default() -> Self {
        Self {
            memory_bytes_max: 0,
            arriving_bytes_max: 0,
            arriving_ms_max: 30_000,
            workers_bytes_max: 0,
            disk_free_bytes_min: 512 * MIB,
        }
    }
}

impl Default for Store {
    fn default() -> Self {
        Self {
            segment_bytes_max: 64 * MIB,
            checkpoint_bytes: 256 * MIB,
            checkpoint_ms: 60_000,
            inbox_bytes_max: 16_777_216,
            index_cache_bytes: 16 * MIB,
            queue_window_messages: 2_048,
            queue_window_bytes: 2_097_152,
        }
    }
}

impl Default for Access {
    fn default() -> Self {
        Self {
            loopback_users: vec!["guest".to_owned()],
            login_cache_entries_max: 10_000,
            verifications_max: 2,
            logins_waiting_max: 10_000,
            failed_logins_per_minute_max: 300,
            failed_logins_per_address_per_minute_max: 600,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            vhosts_max: 10_000,
            users_max: 100_000,
            tags_per_user_max: 64,
            permissions_max: 1_000_000,
            queues_per_vhost_max: 100_000,
            exchanges_per_vhost_max: 100_000,
            bindings_per_vhost_max: 1_000_000,
            arguments_bytes_max: 65_536,
            arguments_bytes_per_vhost_max: 268_435_456,
            routing_steps_max: 500_000,
            unacked_per_channel_max: 100_000,
            unacked_bytes_per_channel_max: 128 * 1024 * 1024,
            dead_letters_per_message_max: 100_000,
            deaths_per_message_max: 256,
            dead_messages_waiting_max: 10_000,
        }
    }
}

impl Default for Admin {
    fn default() -> Self {
        Self { url: None, user: "guest".to_owned(), password: None }
    }
}

const MIB: u64 = 1 << 20;
