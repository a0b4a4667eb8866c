//! How much of each segment is alive, so that dead segments can go and mostly dead ones be copied.

use rustc_hash::FxHashMap;

use super::super::chunk::LiveMessage;
use super::super::log::SegmentId;

/// What of a segment is alive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) places: u64,
    pub(crate) bytes: u64,
}

/// What of each segment is alive.
#[derive(Debug, Default)]
pub(super) struct SegmentUsage(FxHashMap<SegmentId, Usage>);

impl SegmentUsage {
    /// A message stands in its segment.
    pub(super) fn add(&mut self, message: &LiveMessage) {
        let usage = self.0.entry(message.location.segment).or_default();
        usage.places += 1;
        usage.bytes += u64::from(message.share);
    }

    /// A message is dead, or stands elsewhere.
    pub(super) fn remove(&mut self, message: &LiveMessage) {
        let segment = message.location.segment;
        let Some(usage) = self.0.get_mut(&segment) else {
            debug_assert!(false, "segment {segment} is not known to hold anything");
            return;
        };
        debug_assert!(
            usage.places > 0 && usage.bytes >= u64::from(message.share),
            "more goes from segment {segment} than is in it"
        );
        usage.places = usage.places.saturating_sub(1);
        usage.bytes = usage.bytes.saturating_sub(u64::from(message.share));
    }

    /// What of a segment is alive.
    pub(super) fn of(&self, segment: SegmentId) -> Usage {
        self.0.get(&segment).copied().unwrap_or_default()
    }

    /// The segments in which something is alive, in no order.
    pub(super) fn segments(&self) -> impl Iterator<Item = SegmentId> {
        self.0.iter().filter(|(_, usage)| usage.places > 0).map(|(id, _)| *id)
    }

    /// A segment was deleted.
    pub(super) fn forget(&mut self, segment: SegmentId) {
        let usage = self.0.remove(&segment).unwrap_or_default();
        debug_assert!(usage.places == 0, "segment {segment} went with {} places", usage.places);
    }
}
