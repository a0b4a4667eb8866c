//! Memory and disk alarms: publishers wait while one is on, consumers go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use crate::broker::Broker;
use crate::broker::client::Client;
use crate::broker::sink::Shortage;
use crate::broker::watch::notice::Notice;
use crate::config;
use crate::message::Memory;
use crate::store;

/// Share of the machine's memory that messages may hold when nothing else is configured, in percent.
const MEMORY_PERCENT: u64 = 40;

/// Share of that limit that bodies may have beside it while they arrive, when nothing else is configured.
const ARRIVING_SHARE: u64 = 4;

/// An alarm ends when what is held has fallen to this many percent of the limit, so that it does not flicker.
const CLEAR_PERCENT: u64 = 95;

/// Share of that limit that workers may publish beside it, when nothing else is configured. It is more than what arrives
/// while an alarm goes on.
const WORKERS_SHARE: u64 = 2;

/// One of them may have this share of that,
const WORKER_SHARE: u64 = 16;

/// and this many bytes: about what it holds unacknowledged while memory is short (`broker/frugality.rs`).
const WORKER_BYTES_MAX: u64 = 1 << 20;

const MEMORY: u8 = 1;
const DISK: u8 = 2;
/// Beside the alarm for memory: it would be over without what transactions hold that are not committed.
const UNCOMMITTED: u8 = 4;

/// The alarms that are on.
pub(in crate::broker) struct Alarms {
    state: AtomicU8,
    memory: &'static Memory,
    uncommitted_bytes: Arc<AtomicU64>,
    memory_bytes_max: u64,
    arriving_bytes_max: u64,
    workers_bytes_max: u64,
    disk_free_bytes_min: u64,
}

impl Alarms {
    pub(in crate::broker) fn new(config: &config::Alarms, memory: &'static Memory) -> Self {
        let memory_bytes_max = match config.memory_bytes_max {
            0 => machine_memory_bytes() / 100 * MEMORY_PERCENT,
            bytes => bytes,
        };
        Self {
            state: AtomicU8::new(0),
            memory,
            uncommitted_bytes: Arc::default(),
            memory_bytes_max,
            arriving_bytes_max: match config.arriving_bytes_max {
                0 => memory_bytes_max / ARRIVING_SHARE,
                bytes => bytes,
            },
            workers_bytes_max: match config.workers_bytes_max {
                0 => memory_bytes_max / WORKERS_SHARE,
                bytes => bytes,
            },
            disk_free_bytes_min: config.disk_free_bytes_min,
        }
    }

    /// Bytes that bodies may have reserved while they arrive.
    pub(in crate::broker) fn arriving_bytes_max(&self) -> u64 {
        self.arriving_bytes_max
    }

    fn is_memory_on(&self) -> bool {
        self.state.load(Ordering::Acquire) & MEMORY != 0
    }

    /// Whether the memory that is short has room for those who hold messages unacknowledged.
    pub(in crate::broker) fn has_room_for_workers(&self) -> bool {
        let bytes_max = self.memory_bytes_max.saturating_add(self.workers_bytes_max);
        (self.memory.held_bytes() as u64) < bytes_max
    }

    /// Whether one of those may publish, that has published so many bytes beyond what it gave back. On a disk that is
    /// full nobody may: what it gives back frees no room there at once.
    pub(in crate::broker) fn lets_workers_publish(&self, arrears_bytes: u64) -> bool {
        let most = (self.workers_bytes_max / WORKER_SHARE).min(WORKER_BYTES_MAX);
        self.reason() == Some(Shortage::Memory)
            && arrears_bytes <= most
            && self.has_room_for_workers()
    }

    pub(in crate::broker) fn is_on(&self) -> bool {
        self.reason().is_some()
    }

    /// Whether nothing but transactions that are not committed keeps the memory short.
    pub(in crate::broker) fn are_transactions_in_the_way(&self) -> bool {
        self.state.load(Ordering::Acquire) & UNCOMMITTED != 0
    }

    pub(in crate::broker) fn reason(&self) -> Option<Shortage> {
        match self.state.load(Ordering::Acquire) & (MEMORY | DISK) {
            0 => None,
            MEMORY => Some(Shortage::Memory),
            DISK => Some(Shortage::Disk),
            _ => Some(Shortage::MemoryAndDisk),
        }
    }

    /// Whether messages hold more than they may and nobody has noticed yet. Costs a few loads.
    fn is_memory_alarm_due(&self) -> bool {
        self.memory.held_bytes() as u64 > self.memory_bytes_max && !self.is_memory_on()
    }

    /// Where the alarm for memory ends.
    fn clear_bytes(&self) -> u64 {
        self.memory_bytes_max / 100 * CLEAR_PERCENT
    }

    fn measure(&self, held_bytes: u64, disk_free_bytes: Option<u64>) -> u8 {
        let before = self.state.load(Ordering::Acquire);
        let memory_limit = match before & MEMORY {
            0 => self.memory_bytes_max,
            _ => self.clear_bytes(),
        };
        let mut state = 0;
        if held_bytes > memory_limit {
            state |= MEMORY;
            let uncommitted_bytes = self.uncommitted_bytes.load(Ordering::Relaxed);
            if held_bytes.saturating_sub(uncommitted_bytes) <= self.clear_bytes() {
                state |= UNCOMMITTED;
            }
        }
        if disk_free_bytes.is_some_and(|free| free < self.disk_free_bytes_min) {
            state |= DISK;
        }
        state
    }
}

impl Broker {
    /// Raises the memory alarm as soon as a batch of messages has passed the limit: between two looks of
    /// [`Broker::check_alarms`] a fast publisher could bring hundreds of megabytes.
    pub(in crate::broker) fn check_memory(&self) {
        if self.alarms.is_memory_alarm_due() {
            self.check_alarms();
        }
    }

    /// What runs short at this moment.
    pub fn shortage(&self) -> Option<Shortage> {
        self.alarms.reason()
    }

    /// Bytes that messages may hold before publishers wait.
    pub fn memory_bytes_max(&self) -> u64 {
        self.alarms.memory_bytes_max
    }

    /// Bytes that are free on the data directory's file system.
    pub fn disk_free_bytes(&self) -> Option<u64> {
        store::free_bytes(&self.config.data_dir)
    }

    /// Measures memory and disk, and tells publishers when an alarm goes on or off. Called a few times a second.
    pub fn check_alarms(&self) {
        let alarms = &self.alarms;
        let free = match alarms.disk_free_bytes_min {
            0 => None,
            _ => store::free_bytes(&self.config.data_dir),
        };
        let mut state = alarms.measure(alarms.memory.held_bytes() as u64, free);
        if self.store.is_short_of_space() {
            state |= DISK;
        }
        let before = alarms.state.swap(state, Ordering::AcqRel);
        // Also where nothing changed: of two that look at once the last one says what is true.
        self.arrivals.shut_while(|| alarms.is_memory_on());
        if before == state {
            return;
        }
        if (before ^ state) & (MEMORY | DISK) != 0 {
            self.tell_alarms(free);
        }
        (self.alarm_hook)();
    }

    fn tell_alarms(&self, free: Option<u64>) {
        let alarms = &self.alarms;
        match alarms.reason() {
            Some(shortage) => log::warn!(
                "alarm: {}: messages hold {} MiB of {} MiB allowed, {} MiB of disk are free; publishers wait",
                shortage.text(),
                alarms.memory.held_bytes() >> 20,
                alarms.memory_bytes_max >> 20,
                free.map_or_else(|| "?".to_owned(), |free| (free >> 20).to_string()),
            ),
            None => log::info!("alarm over: publishers go on"),
        }
        self.errands.add(Box::new(Notice::new(|_, client, _| client.tell_alarms())));
    }
}

/// What one transaction holds that is not committed, counted with that of all others until this goes.
#[derive(Debug)]
pub struct Uncommitted {
    bytes: u64,
    all_bytes: Arc<AtomicU64>,
}

impl Uncommitted {
    /// Adds a message's bytes.
    pub fn grow(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        self.all_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Bytes of all its messages.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Uncommitted {
    fn drop(&mut self) {
        self.all_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Client {
    /// Looks whether messages that wait for a commit have passed the limit.
    pub fn check_memory(&self) {
        self.broker.check_memory();
    }

    /// A transaction of this connection begins.
    pub fn uncommitted(&self) -> Uncommitted {
        let all_bytes = Arc::clone(&self.broker.alarms.uncommitted_bytes);
        Uncommitted { bytes: 0, all_bytes }
    }

    /// Whether the memory would suffice, if transactions were given up that are not committed.
    pub fn must_give_up(&self) -> bool {
        self.broker.alarms.are_transactions_in_the_way()
    }
}

/// Memory of the machine, or of the control group if that has less.
fn machine_memory_bytes() -> u64 {
    let info = rustix::system::sysinfo();
    let machine = (info.totalram as u64).saturating_mul(u64::from(info.mem_unit));
    let group = std::fs::read_to_string("/sys/fs/cgroup/memory.max")
        .ok()
        .and_then(|text| text.trim().parse::<u64>().ok());
    group.map_or(machine, |group| group.min(machine))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alarms() -> Alarms {
        let config = config::Alarms {
            memory_bytes_max: 1000,
            disk_free_bytes_min: 100,
            ..Default::default()
        };
        Alarms::new(&config, Memory::leaked())
    }

    #[test]
    fn an_alarm_goes_on_above_the_limit_and_off_clearly_below_it() {
        let alarms = alarms();
        assert_eq!(alarms.measure(1000, Some(100)), 0);
        assert_eq!(alarms.measure(1001, Some(100)), MEMORY);
        assert_eq!(alarms.measure(0, Some(99)), DISK);
        alarms.state.store(MEMORY, Ordering::Release);
        assert_eq!(alarms.measure(960, None), MEMORY);
        assert_eq!(alarms.measure(950, None), 0);
    }

    #[test]
    fn transactions_are_in_the_way_when_the_alarm_would_be_over_without_them() {
        let alarms = alarms();
        alarms.uncommitted_bytes.store(51, Ordering::Release);
        assert_eq!(alarms.measure(1000, None), 0);
        assert_eq!(alarms.measure(1001, None), MEMORY | UNCOMMITTED);
        assert_eq!(alarms.measure(1002, None), MEMORY);
    }

    #[test]
    fn the_default_limit_is_a_share_of_the_memory() {
        let config =
            config::Alarms { memory_bytes_max: 0, disk_free_bytes_min: 0, ..Default::default() };
        let alarms = Alarms::new(&config, Memory::leaked());
        assert!(alarms.memory_bytes_max > 0);
        assert!(alarms.memory_bytes_max < machine_memory_bytes());
    }
}
