//! What consumers hold unacknowledged is in memory, whatever the queue has on the disk. When messages hold nearly as much
//! as they may, channels get little more until they acknowledge, so that a few of them do not fill the memory and stop
//! all publishers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::broker::Broker;
use crate::broker::client::Client;
use crate::broker::watch::notice::Notice;

/// It begins when messages hold more than this many percent of what they may, and ends below the second figure.
const BEGIN_PERCENT: u64 = 80;
const END_PERCENT: u64 = 70;

/// Bytes of unacknowledged bodies with which a channel gets nothing more meanwhile.
const UNACKED_BYTES_MAX: u64 = 1 << 20;

/// Whether it is time to be frugal.
#[derive(Debug, Default)]
pub(in crate::broker) struct Frugality(AtomicBool);

impl Broker {
    /// Looks whether messages hold nearly as much as they may, and tells every connection when that changes. Called a
    /// few times a second, and before messages are handed out that come from the journal.
    pub fn check_frugality(&self) {
        let was = self.frugality.0.load(Ordering::Acquire);
        let percent = if was { END_PERCENT } else { BEGIN_PERCENT };
        let is = self.memory().held_bytes() as u64 > self.memory_bytes_max() / 100 * percent;
        if is == was || self.frugality.0.swap(is, Ordering::AcqRel) == is {
            return;
        }
        if is {
            log::info!(
                "messages hold more than {BEGIN_PERCENT} % of what they may: channels with more than {} KiB \
                 unacknowledged get nothing more until they acknowledge",
                UNACKED_BYTES_MAX >> 10
            );
        }
        self.errands.add(Box::new(Notice::new(Self::tell_frugality)));
    }

    /// Gives a connection the limit that is in force, and its consumers what they may have by it.
    pub(in crate::broker) fn tell_frugality(&self, client: &Arc<Client>, now_ms: u64) {
        loop {
            let is = self.frugality.0.load(Ordering::Acquire);
            let usual = self.config.limits.unacked_bytes_per_channel_max as u64;
            let most = if is { usual.min(UNACKED_BYTES_MAX) } else { usual };
            let resume = client.outbox.set_unacked_bytes_max(most);
            self.resume(resume, now_ms);
            // Whoever comes while it changes is told the last word.
            if self.frugality.0.load(Ordering::Acquire) == is {
                return;
            }
        }
    }
}
