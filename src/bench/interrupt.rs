//! Ctrl-C: the first ends a run in good order, with its summary; the second ends the program at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// A program that a signal ends has this exit code and the signal's number added (POSIX shells).
const SIGNAL_EXIT: i32 = 128;

/// Whether the user wants the run to end.
#[derive(Clone, Default)]
pub(super) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Watches for SIGINT and SIGTERM on a thread of its own.
    ///
    /// # Errors
    ///
    /// Why signals cannot be had.
    pub fn watch() -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("cannot watch for Ctrl-C: {error}");
        let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(failed)?;
        let this = Self::default();
        let flag = Arc::clone(&this.0);
        let watching = std::thread::Builder::new().name("signals".to_owned());
        let watch = move || {
            for signal in signals.forever() {
                if flag.swap(true, Ordering::Relaxed) {
                    std::process::exit(SIGNAL_EXIT + signal);
                }
            }
        };
        watching.spawn(watch).map_err(failed)?;
        Ok(this)
    }

    /// Whether it came.
    pub fn came(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
