//! The signals that tell the program to end, or to read its certificates again, for tasks that wait for them.

use std::io;
use std::sync::Arc;
use std::thread;

use async_channel::Receiver;
use futures_lite::future::pending;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// SIGTERM, SIGINT and SIGHUP, in the order in which they come. From here on they end nothing by themselves.
pub(super) struct Signals(Receiver<i32>);

/// From here on SIGHUP does not end the program: a start may take its time, and who asks for certificates to be read again
/// does not mean to end it. What has changed by then is found when the files are looked at.
pub(super) fn let_hang_up_pass() -> io::Result<()> {
    signal_hook::flag::register(SIGHUP, Arc::default()).map(drop)
}

impl Signals {
    /// Begins to listen for them, on a thread of its own.
    pub fn new() -> io::Result<Self> {
        let mut signals = signal_hook::iterator::Signals::new([SIGTERM, SIGINT, SIGHUP])?;
        let (sender, receiver) = async_channel::unbounded();
        let listen = move || {
            for signal in signals.forever() {
                if sender.send_blocking(signal).is_err() {
                    return;
                }
            }
        };
        thread::Builder::new().name("signals".to_owned()).spawn(listen)?;
        Ok(Self(receiver))
    }

    /// The next that comes.
    pub async fn next(&self) -> i32 {
        match self.0.recv().await {
            Ok(signal) => signal,
            Err(_) => pending().await,
        }
    }
}

/// Whether it asks for the certificates to be read again, and not for the end.
pub(super) fn is_about_files(signal: i32) -> bool {
    signal == SIGHUP
}

/// What it is called.
pub(super) fn name(signal: i32) -> &'static str {
    signal_hook::low_level::signal_name(signal).unwrap_or("a signal")
}
