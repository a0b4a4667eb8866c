//! The broker's resident memory, looked at for as long as a test lasts.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::support::server::resident_bytes;

/// What a broker may hold at most while it is flooded.
const RESIDENT_BYTES_MAX: u64 = 200 * 1024 * 1024;
const INTERVAL: Duration = Duration::from_millis(10);

/// A thread that looks.
pub struct Watch {
    stop: Sender<()>,
    looking: JoinHandle<u64>,
}

impl Watch {
    /// Looks at the process every few milliseconds from now on.
    pub fn start(pid: u32) -> Self {
        let (stop, stopped) = channel();
        let looking = thread::spawn(move || {
            let mut most = resident_bytes(pid);
            while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                most = most.max(resident_bytes(pid));
            }
            most
        });
        Self { stop, looking }
    }

    /// Stops looking.
    ///
    /// # Panics
    ///
    /// When there was ever too much.
    pub fn finish(self) {
        drop(self.stop);
        let most = self.looking.join().expect("the broker ran to the end");
        eprintln!("at most {} MB were resident", most / 1_000_000);
        assert!(most <= RESIDENT_BYTES_MAX, "{most} bytes were resident");
    }
}
