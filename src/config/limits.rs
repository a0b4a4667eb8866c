//! What is a sound value for each key: the least and the most that it may be, and what it must be beside
//! other keys.

use super::{Config, MIB, TlsClients};

/// A value that the broker cannot run with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{key}` {fault}")]
pub struct Invalid {
    /// The key with its section, as in `amqp.listen`.
    pub key: &'static str,
    /// What is wrong with its value, to be read after the key: `is 0, but …`.
    pub fault: String,
}

/// One day: no wait of the broker is longer.
const WAIT_MS_MAX: u64 = 24 * 60 * 60 * 1000;
/// RabbitMQ's own ceiling for a message.
const MESSAGE_BYTES_CEILING: u64 = 512 * MIB;
/// One tebibyte: above any machine that this broker will meet, and far from where arithmetic overflows.
const SIZE_BYTES_MAX: u64 = MIB * MIB;
/// As many of anything as can be counted without fear of the arithmetic.
const COUNT_MAX: u64 = 1_000_000_000;

impl Config {
    /// Checks every value on its own and beside the others.
    ///
    /// # Errors
    ///
    /// The first key, in the order of `broker.toml`, whose value the broker cannot run with.
    pub fn validate(&self) -> Result<(), Invalid> {
        self.validate_paths()?;
        self.validate_amqp()?;
        self.validate_management()?;
        self.validate_tls()?;
        self.validate_alarms_and_store()?;
        self.validate_access()?;
        self.validate_limits()?;
        self.validate_admin()
    }

    fn validate_paths(&self) -> Result<(), Invalid> {
        if self.data_dir.as_os_str().is_empty() {
            return invalid("data_dir", "is empty, but must name a directory");
        }
        if self.definitions.as_ref().is_some_and(|file| file.as_os_str().is_empty()) {
            return invalid(
                "definitions",
                "is empty, but must name a file; leave the key out instead",
            );
        }
        Ok(())
    }

    fn validate_amqp(&self) -> Result<(), Invalid> {
        let amqp = &self.amqp;
        if !is_host_and_port(&amqp.listen) {
            let fault = format!(
                "is {:?}, but must be HOST:PORT, such as 127.0.0.1:5672 or [::1]:5672",
                amqp.listen
            );
            return invalid("amqp.listen", fault);
        }
        between("amqp.connections_max", amqp.connections_max as u64, 1, COUNT_MAX)?;
        between("amqp.channel_max", amqp.channel_max.into(), 1, u16::MAX.into())?;
        between("amqp.frame_bytes_max", amqp.frame_bytes_max.into(), 4096, 16 * MIB)?;
        between("amqp.handshake_ms_max", amqp.handshake_ms_max, 100, WAIT_MS_MAX)?;
        between("amqp.message_bytes_max", amqp.message_bytes_max, 1, MESSAGE_BYTES_CEILING)?;
        between("amqp.outbox_bytes_max", amqp.outbox_bytes_max as u64, 4096, SIZE_BYTES_MAX)?;
        let consumers = amqp.consumers_per_channel_max as u64;
        between("amqp.consumers_per_channel_max", consumers, 1, COUNT_MAX)?;
        between("amqp.shutdown_ms_max", amqp.shutdown_ms_max, 0, WAIT_MS_MAX)
    }

    fn validate_management(&self) -> Result<(), Invalid> {
        let management = &self.management;
        if management.address().is_some_and(|address| !is_host_and_port(address)) {
            let fault = format!(
                "is {:?}, but must be HOST:PORT, such as 127.0.0.1:15672, or off",
                management.listen
            );
            return invalid("management.listen", fault);
        }
        let connections = management.connections_max as u64;
        between("management.connections_max", connections, 1, COUNT_MAX)?;
        let headers = management.header_bytes_max as u64;
        between("management.header_bytes_max", headers, 8192, MIB)?;
        let body = management.body_bytes_max as u64;
        between("management.body_bytes_max", body, 1024, 1024 * MIB)?;
        between("management.request_ms_max", management.request_ms_max, 100, WAIT_MS_MAX)?;
        let bodies = management.bodies_bytes_max as u64;
        between("management.bodies_bytes_max", bodies, 1024, SIZE_BYTES_MAX)?;
        between("management.listings_max", management.listings_max as u64, 1, COUNT_MAX)
    }

    fn validate_tls(&self) -> Result<(), Invalid> {
        let tls = &self.tls;
        let addresses = [
            ("tls.listen", &tls.listen, tls.address(), "127.0.0.1:5671"),
            (
                "tls.management_listen",
                &tls.management_listen,
                tls.management_address(),
                "127.0.0.1:15671",
            ),
        ];
        for (key, text, address, example) in addresses {
            if address.is_some_and(|address| !is_host_and_port(address)) {
                let fault =
                    format!("is {text:?}, but must be HOST:PORT, such as {example}, or off");
                return invalid(key, fault);
            }
        }
        let asks = tls.clients != TlsClients::Anonymous;
        let files = [
            ("tls.certificate", &tls.certificate, tls.is_on()),
            ("tls.key", &tls.key, tls.is_on()),
            ("tls.client_ca", &tls.client_ca, tls.is_on() && asks),
        ];
        for (key, file, is_needed) in files {
            if file.as_ref().is_some_and(|file| file.as_os_str().is_empty()) {
                return invalid(key, "is empty, but must name a file; leave the key out instead");
            }
            if is_needed && file.is_none() {
                return invalid(key, "is not set, but must name a PEM file: TLS needs it");
            }
        }
        if tls.client_ca.is_some() && !asks {
            let fault = "is set, but nobody is asked for a certificate; set `tls.clients` to \
                         optional or required";
            return invalid("tls.client_ca", fault);
        }
        Ok(())
    }

    fn validate_alarms_and_store(&self) -> Result<(), Invalid> {
        let (alarms, store) = (&self.alarms, &self.store);
        between("alarms.memory_bytes_max", alarms.memory_bytes_max, 0, SIZE_BYTES_MAX)?;
        between("alarms.arriving_bytes_max", alarms.arriving_bytes_max, 0, SIZE_BYTES_MAX)?;
        between("alarms.workers_bytes_max", alarms.workers_bytes_max, 0, SIZE_BYTES_MAX)?;
        between("alarms.arriving_ms_max", alarms.arriving_ms_max, 100, WAIT_MS_MAX)?;
        between("alarms.disk_free_bytes_min", alarms.disk_free_bytes_min, 0, SIZE_BYTES_MAX)?;
        between("store.segment_bytes_max", store.segment_bytes_max, 65_536, 1024 * MIB)?;
        between("store.checkpoint_bytes", store.checkpoint_bytes, 65_536, SIZE_BYTES_MAX)?;
        between("store.checkpoint_ms", store.checkpoint_ms, 10, WAIT_MS_MAX)?;
        between("store.inbox_bytes_max", store.inbox_bytes_max as u64, 65_536, SIZE_BYTES_MAX)?;
        between("store.index_cache_bytes", store.index_cache_bytes, MIB, SIZE_BYTES_MAX)?;
        let messages = store.queue_window_messages as u64;
        between("store.queue_window_messages", messages, 2, COUNT_MAX)?;
        between("store.queue_window_bytes", store.queue_window_bytes as u64, 2, SIZE_BYTES_MAX)
    }

    fn validate_access(&self) -> Result<(), Invalid> {
        if self.access.loopback_users.iter().any(String::is_empty) {
            return invalid("access.loopback_users", "holds an empty name");
        }
        let logins = self.access.login_cache_entries_max as u64;
        between("access.login_cache_entries_max", logins, 0, COUNT_MAX)?;
        let access = &self.access;
        between("access.verifications_max", access.verifications_max as u64, 1, COUNT_MAX)?;
        between("access.logins_waiting_max", access.logins_waiting_max as u64, 1, COUNT_MAX)?;
        let failed = access.failed_logins_per_minute_max.into();
        between("access.failed_logins_per_minute_max", failed, 1, COUNT_MAX)?;
        let failed = access.failed_logins_per_address_per_minute_max.into();
        between("access.failed_logins_per_address_per_minute_max", failed, 1, COUNT_MAX)
    }

    fn validate_limits(&self) -> Result<(), Invalid> {
        let limits = &self.limits;
        between("limits.vhosts_max", limits.vhosts_max as u64, 1, COUNT_MAX)?;
        between("limits.users_max", limits.users_max as u64, 1, COUNT_MAX)?;
        between("limits.tags_per_user_max", limits.tags_per_user_max as u64, 1, COUNT_MAX)?;
        between("limits.permissions_max", limits.permissions_max as u64, 1, COUNT_MAX)?;
        between("limits.queues_per_vhost_max", limits.queues_per_vhost_max as u64, 1, COUNT_MAX)?;
        let exchanges = limits.exchanges_per_vhost_max as u64;
        between("limits.exchanges_per_vhost_max", exchanges, 16, COUNT_MAX)?;
        let bindings = limits.bindings_per_vhost_max as u64;
        between("limits.bindings_per_vhost_max", bindings, 1, COUNT_MAX)?;
        let arguments = limits.arguments_bytes_max as u64;
        between("limits.arguments_bytes_max", arguments, 1024, SIZE_BYTES_MAX)?;
        let arguments = limits.arguments_bytes_per_vhost_max as u64;
        between("limits.arguments_bytes_per_vhost_max", arguments, 1024, SIZE_BYTES_MAX)?;
        between("limits.routing_steps_max", limits.routing_steps_max, 100, COUNT_MAX)?;
        let unacked = limits.unacked_per_channel_max as u64;
        between("limits.unacked_per_channel_max", unacked, 1, COUNT_MAX)?;
        let unacked_bytes = limits.unacked_bytes_per_channel_max as u64;
        between("limits.unacked_bytes_per_channel_max", unacked_bytes, 1, SIZE_BYTES_MAX)?;
        let letters = limits.dead_letters_per_message_max as u64;
        between("limits.dead_letters_per_message_max", letters, 1, COUNT_MAX)?;
        let deaths = limits.deaths_per_message_max as u64;
        between("limits.deaths_per_message_max", deaths, 1, 100_000)?;
        let waiting = limits.dead_messages_waiting_max as u64;
        between("limits.dead_messages_waiting_max", waiting, 1, COUNT_MAX)
    }

    fn validate_admin(&self) -> Result<(), Invalid> {
        if self.admin.user.is_empty() {
            return invalid("admin.user", "is empty, but must name a user");
        }
        match &self.admin.url {
            Some(url) if url.is_empty() => {
                invalid("admin.url", "is empty, but must be HOST:PORT; leave the key out instead")
            }
            _ => Ok(()),
        }
    }
}

fn between(key: &'static str, value: u64, least: u64, most: u64) -> Result<(), Invalid> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    invalid(key, format!("is {value}, but must be from {least} to {most}"))
}

fn invalid(key: &'static str, fault: impl Into<String>) -> Result<(), Invalid> {
    Err(Invalid { key, fault: fault.into() })
}

/// Whether a text is `name:port`, `1.2.3.4:port` or `[v6]:port`. That the name exists is found out when it
/// is bound.
fn is_host_and_port(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let bracketed = host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
    let sound_host = match bracketed {
        Some(inner) => inner.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && !host.contains([':', '[', ']', '/', ' ']),
    };
    sound_host && port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok()
}
