//! When a buffer that has drained after a burst gives its memory back.

/// A buffer of at most this many slots is never cut: it costs little and saves allocations.
pub(super) const KEPT_SLOTS: usize = 64;

/// A buffer is cut when less than one slot in this many is in use.
const SLACK_FACTOR: usize = 8;

/// A cut leaves room for this many times what is in use. Being well below [`SLACK_FACTOR`], it keeps
/// the cost of cutting and growing again constant per entry.
const ROOM_FACTOR: usize = 2;

/// The capacity to cut a buffer to, if it has become far too large for what it holds.
pub(super) fn shrunk(len: usize, capacity: usize) -> Option<usize> {
    let excessive = capacity > KEPT_SLOTS * SLACK_FACTOR && len < capacity / SLACK_FACTOR;
    excessive.then(|| (len * ROOM_FACTOR).max(KEPT_SLOTS))
}
