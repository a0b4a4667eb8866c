//! Confirms that have to wait for two things: the journal, and the queues.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::broker::sink::Sink;
use crate::outbox::ChannelKey;
use crate::store::Done;

/// Numbers to be confirmed, by channel.
pub(in crate::broker) type Confirmations = Vec<(ChannelKey, Vec<u64>)>;

/// Notes a number to be confirmed. Batches nearly always come from one channel.
pub(in crate::broker) fn note(confirmations: &mut Confirmations, key: ChannelKey, number: u64) {
    match confirmations.iter_mut().find(|(known, _)| *known == key) {
        Some((_, numbers)) => numbers.push(number),
        None => confirmations.push((key, vec![number])),
    }
}

/// Confirms that go to the publisher once the journal has synced and the messages stand in their queues, whichever comes
/// last: who hears of a confirm finds the message. When the store is lost nothing is confirmed.
pub(in crate::broker) struct Promise {
    sink: Arc<dyn Sink>,
    confirmations: Confirmations,
    halves_kept: AtomicU8,
}

impl Promise {
    pub(in crate::broker) fn of(
        sink: &Arc<dyn Sink>,
        confirmations: Confirmations,
    ) -> Option<Arc<Self>> {
        if confirmations.is_empty() {
            return None;
        }
        let halves_kept = AtomicU8::new(0);
        Some(Arc::new(Self { sink: Arc::clone(sink), confirmations, halves_kept }))
    }

    /// The half of it that the store keeps.
    pub(in crate::broker) fn when_synced(self: &Arc<Self>) -> Done {
        let promise = Arc::clone(self);
        Box::new(move |outcome| {
            if outcome.is_ok() {
                promise.keep_half();
            }
        })
    }

    /// One of the two is so.
    pub(in crate::broker) fn keep_half(&self) {
        if self.halves_kept.fetch_add(1, Ordering::AcqRel) == 1 {
            for (key, numbers) in &self.confirmations {
                self.sink.accepted(*key, numbers);
            }
        }
    }
}
