//! Memory and disk alarms: publishers wait while one is on, consumers go on.

use std::sync::atomic::{AtomicU8, Ordering};

use super::Broker;
use crate::config;
use crate::message::Memory;
use crate::store;

/// Share of the machine's memory that messages may hold when nothing else is configured, in percent.
const MEMORY_PERCENT: u64 = 40;

/// An alarm ends when what is held has fallen to this many percent of the limit, so that it does not flicker.
const CLEAR_PERCENT: u64 = 95;

const MEMORY: u8 = 1;
const DISK: u8 = 2;

/// What an alarm is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shortage {
    /// Messages hold too much memory.
    Memory,
    /// The data directory's file system is full, or nearly.
    Disk,
    /// Both.
    MemoryAndDisk,
}

/// The words of `connection.blocked`.
pub(super) fn text(shortage: Shortage) -> &'static str {
    match shortage {
        Shortage::Memory => "low on memory",
        Shortage::Disk => "low on disk",
        Shortage::MemoryAndDisk => "low on memory & disk",
    }
}

/// The alarms that are on.
pub(super) struct Alarms {
    state: AtomicU8,
    memory: &'static Memory,
    memory_bytes_max: u64,
    disk_free_bytes_min: u64,
}

impl Alarms {
    pub(super) fn new(config: &config::Alarms, memory: &'static Memory) -> Self {
        let memory_bytes_max = match config.memory_bytes_max {
            0 => machine_memory_bytes() / 100 * MEMORY_PERCENT,
            bytes => bytes,
        };
        Self {
            state: AtomicU8::new(0),
            memory,
            memory_bytes_max,
            disk_free_bytes_min: config.disk_free_bytes_min,
        }
    }

    pub(super) fn is_on(&self) -> bool {
        self.state.load(Ordering::Acquire) != 0
    }

    pub(super) fn reason(&self) -> Option<Shortage> {
        match self.state.load(Ordering::Acquire) {
            0 => None,
            MEMORY => Some(Shortage::Memory),
            DISK => Some(Shortage::Disk),
            _ => Some(Shortage::MemoryAndDisk),
        }
    }

    /// Whether messages hold more than they may and nobody has noticed yet. Costs a few loads.
    fn is_memory_alarm_due(&self) -> bool {
        self.memory.held_bytes() as u64 > self.memory_bytes_max
            && self.state.load(Ordering::Acquire) & MEMORY == 0
    }

    fn measure(&self, held_bytes: u64, disk_free_bytes: Option<u64>) -> u8 {
        let before = self.state.load(Ordering::Acquire);
        let memory_limit = match before & MEMORY {
            0 => self.memory_bytes_max,
            _ => self.memory_bytes_max / 100 * CLEAR_PERCENT,
        };
        let mut state = 0;
        if held_bytes > memory_limit {
            state |= MEMORY;
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
    pub(super) fn check_memory(&self) {
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
        if alarms.state.swap(state, Ordering::AcqRel) == state {
            return;
        }
        match alarms.reason() {
            Some(shortage) => log::warn!(
                "alarm: {}: messages hold {} MiB of {} MiB allowed, {} MiB of disk are free; publishers wait",
                text(shortage),
                alarms.memory.held_bytes() >> 20,
                alarms.memory_bytes_max >> 20,
                free.map_or_else(|| "?".to_owned(), |free| (free >> 20).to_string()),
            ),
            None => log::info!("alarm over: publishers go on"),
        }
        for client in self.clients.values() {
            client.tell_alarms();
        }
        (self.alarm_hook)();
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
        let config = config::Alarms { memory_bytes_max: 1000, disk_free_bytes_min: 100 };
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
    fn the_default_limit_is_a_share_of_the_memory() {
        let alarms = Alarms::new(
            &config::Alarms { memory_bytes_max: 0, disk_free_bytes_min: 0 },
            Memory::leaked(),
        );
        assert!(alarms.memory_bytes_max > 0);
        assert!(alarms.memory_bytes_max < machine_memory_bytes());
    }
}
