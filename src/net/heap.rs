//! How much freed memory the allocator keeps for what comes next, and when it gives back the rest.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use async_std::task;

use super::server::Server;
use crate::footprint::resident_bytes;

/// glibc's allocator keeps twice this much at the end of each of its heaps before it gives memory back.
const KEPT_BYTES: usize = 4 << 20;

/// How often it is looked whether memory can be given back.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// So much more than was needed the last time has to be unused for the allocator to be asked for it: asking costs, and so
/// does getting it again.
const UNUSED_BYTES: u64 = 32 << 20;

/// Lets the allocator keep some freed memory. At first glibc gives memory back as soon as 128 KiB are free, and asks for
/// it again for the next batch of messages; each page then costs a fault. It learns from the largest block that was
/// freed, so it is shown one, which is never touched and so takes no memory. Other allocators do not care. To be called
/// when the broker is open: what opening it took is better given back.
pub(super) fn keep_freed() {
    drop(black_box(Vec::<u8>::with_capacity(KEPT_BYTES)));
}

/// Gives memory back for ever. glibc does so by itself at the ends of its heaps only: one message that stays keeps a
/// gigabyte in front of it.
pub(super) async fn run(server: Arc<Server>) {
    let mut unused = Unused::default();
    loop {
        task::sleep(LOOK_EVERY).await;
        let beside_messages =
            || resident_bytes().saturating_sub(server.broker.memory().held_bytes() as u64);
        if unused.is_due(beside_messages()) {
            // It takes milliseconds for each hundred megabytes.
            task::spawn_blocking(give_back).await;
            unused.given_back(beside_messages());
        }
    }
}

/// Memory that no message holds, and how much of it was needed for other things.
#[derive(Debug, Default)]
struct Unused {
    needed_bytes: u64,
    /// At the last look there was much of it too: it is no batch that has just gone.
    was_much: bool,
}

impl Unused {
    /// Whether the allocator is to be asked for what it keeps.
    fn is_due(&mut self, bytes: u64) -> bool {
        // What shrinks by itself needs no asking, and is not to be grown back to.
        self.needed_bytes = self.needed_bytes.min(bytes);
        let is_much = bytes - self.needed_bytes >= UNUSED_BYTES;
        std::mem::replace(&mut self.was_much, is_much) && is_much
    }

    /// It was asked, and this was left.
    fn given_back(&mut self, bytes: u64) {
        *self = Self { needed_bytes: bytes, was_much: false };
    }
}

#[cfg(target_env = "gnu")]
fn give_back() {
    glibc::malloc_trim(KEPT_BYTES);
}

#[cfg(not(target_env = "gnu"))]
fn give_back() {}

/// The one function of the C library that the project calls by itself.
#[cfg(target_env = "gnu")]
#[allow(
    unsafe_code,
    reason = "no library wraps it; it takes a number and touches nothing but the allocator's own free memory"
)]
mod glibc {
    use std::ffi::c_int;

    unsafe extern "C" {
        /// Gives all free pages back to the system, but for so many bytes at the end.
        pub(super) safe fn malloc_trim(kept_bytes: usize) -> c_int;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_allocator_is_asked_when_much_is_unused_at_two_looks_in_a_row() {
        let mut unused = Unused::default();
        assert!(!unused.is_due(10 << 20));
        assert!(!unused.is_due(50 << 20));
        assert!(!unused.is_due(20 << 20));
        assert!(!unused.is_due(60 << 20));
        assert!(unused.is_due(60 << 20));
    }

    #[test]
    fn it_is_not_asked_again_for_what_it_did_not_give() {
        let mut unused = Unused::default();
        unused.given_back(500 << 20);
        assert!(!unused.is_due(510 << 20) && !unused.is_due(510 << 20));
        assert!(!unused.is_due(540 << 20) && unused.is_due(540 << 20));
        // What went since is no longer what is needed.
        unused.given_back(500 << 20);
        assert!(!unused.is_due(100 << 20) && !unused.is_due(500 << 20));
        assert!(unused.is_due(500 << 20));
    }
}
