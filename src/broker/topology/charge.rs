//! What the arguments of queues, exchanges, bindings and consumers hold: counted beside the messages, so that the memory
//! alarm sees it, and limited in each virtual host, because no alarm would keep a client from declaring.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::broker::topology::arguments;
use crate::config::Limits;
use crate::message::{Held, Memory};
use crate::wire::Table;

/// The count of one virtual host.
#[derive(Debug, Clone)]
pub(in crate::broker) struct ArgumentCount {
    memory: &'static Memory,
    bytes: Arc<AtomicUsize>,
}

impl ArgumentCount {
    pub(in crate::broker) fn new(memory: &'static Memory) -> Self {
        Self { memory, bytes: Arc::default() }
    }

    /// Whether arguments may be kept beside those that are.
    ///
    /// # Errors
    /// One line that names the limit.
    pub(in crate::broker) fn expect_room(
        &self,
        arguments: &Table,
        limits: &Limits,
    ) -> Result<(), String> {
        arguments::expect_size(arguments, limits)?;
        self.expect_bytes(arguments.held_bytes(), limits)
    }

    /// Whether arguments of so many bytes may be kept beside those that are.
    ///
    /// # Errors
    /// One line that names the limit.
    pub(in crate::broker) fn expect_bytes(
        &self,
        bytes: usize,
        limits: &Limits,
    ) -> Result<(), String> {
        let most = limits.arguments_bytes_per_vhost_max;
        if bytes > 0 && self.bytes.load(Ordering::Relaxed).saturating_add(bytes) > most {
            return Err(format!(
                "the arguments in its vhost would take more than limits.arguments_bytes_per_vhost_max ({most})"
            ));
        }
        Ok(())
    }

    /// Counts so many bytes from now on.
    pub(in crate::broker) fn charge(&self, bytes: usize) -> Charge {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        Charge { bytes, held: self.memory.hold(bytes), count: self.clone() }
    }
}

/// Bytes that are counted until this goes.
#[derive(Debug)]
pub(in crate::broker) struct Charge {
    bytes: usize,
    held: Held,
    count: ArgumentCount,
}

impl Charge {
    /// Counts so many bytes instead.
    pub(in crate::broker) fn set(&mut self, bytes: usize) {
        if bytes != self.bytes {
            self.count.bytes.fetch_add(bytes, Ordering::Relaxed);
            self.count.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
            self.held = self.count.memory.hold(bytes);
            self.bytes = bytes;
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.count.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
