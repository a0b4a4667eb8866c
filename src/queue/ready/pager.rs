//! What of a queue is to be evicted from memory, and what is to be loaded again. It numbers spans, and gathers what has to
//! be asked of whoever has the journal.

use super::lanes::Lanes;
use super::span::{Body, Evicted, Span};
use crate::message::Position;
use crate::queue::options::Window;

/// So many spans may be loading at once when one is asked for because its entries expire.
const RECALLED_MAX: usize = 4;

/// Spans are numbered from here: upwards behind those that are there, downwards in front of them.
const MIDDLE_SPAN: u64 = 1 << 63;

/// Names entries that are evicted or loaded together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanId {
    pub(super) priority: u8,
    pub(super) number: u64,
}

/// Entries that are needed in memory.
#[derive(Debug)]
pub struct LoadRequest {
    /// To be given to `Queue::loaded` with what was read.
    pub span: SpanId,
    /// Where they stand, ascending.
    pub positions: Vec<Position>,
}

/// Evicts and loads spans.
pub(super) struct Pager {
    window: Option<Window>,
    /// How many spans were asked for.
    loading: usize,
    /// The lowest and the highest number that a span ever had.
    first_span: u64,
    last_span: u64,
    evictable: Vec<SpanId>,
    requests: Vec<LoadRequest>,
}

impl Pager {
    pub(super) fn new(window: Option<Window>) -> Self {
        Self {
            window,
            loading: 0,
            first_span: MIDDLE_SPAN,
            last_span: MIDDLE_SPAN,
            evictable: Vec::new(),
            requests: Vec::new(),
        }
    }

    /// How much is kept in memory. Absent: everything.
    #[inline]
    pub(super) fn window(&self) -> Option<&Window> {
        self.window.as_ref()
    }

    /// Rounds through what is not in memory begin in intervals of at least this.
    pub(super) fn recall_ms(&self) -> u64 {
        self.window.as_ref().map_or(0, |window| window.recall_ms)
    }

    /// The number of a span in front of all others.
    pub(super) fn number_first(&mut self) -> u64 {
        self.first_span -= 1;
        self.first_span
    }

    /// The number of a span behind all others.
    pub(super) fn number_last(&mut self) -> u64 {
        self.last_span += 1;
        self.last_span
    }

    /// A span was made of entries in memory: it may be evicted when the journal has been written.
    pub(super) fn offer(&mut self, priority: u8, span: &Span) {
        if span.is_evictable() {
            self.evictable.push(SpanId { priority, number: span.number });
        }
    }

    /// Asks for a span, if it is evicted and was not asked for yet.
    pub(super) fn request(&mut self, lanes: &mut Lanes, id: SpanId) {
        let Some(span) = lanes.span_mut(id.priority, id.number) else { return };
        match std::mem::replace(&mut span.body, Body::Empty) {
            Body::Evicted(evicted) => {
                let positions = evicted.positions.positions();
                span.body = Body::Loading(evicted);
                self.loading += 1;
                self.requests.push(LoadRequest { span: id, positions });
            }
            other => span.body = other,
        }
    }

    /// Ends the wait for a span that is still there. Its body is empty after this.
    pub(super) fn end_request(&mut self, lanes: &mut Lanes, id: SpanId) -> Option<Evicted> {
        let span = lanes.span_mut(id.priority, id.number)?;
        match std::mem::replace(&mut span.body, Body::Empty) {
            Body::Loading(evicted) => {
                self.loading -= 1;
                Some(evicted)
            }
            other => {
                span.body = other;
                None
            }
        }
    }

    /// How many more spans may be asked for because their entries expire.
    pub(super) fn recall_room(&self) -> usize {
        RECALLED_MAX.saturating_sub(self.loading)
    }

    /// All spans are gone: nobody waits for any.
    pub(super) fn forget_all(&mut self) {
        self.loading = 0;
        self.evictable.clear();
        self.requests.clear();
    }

    /// Hands over what has to be asked of the outside.
    #[inline]
    pub(super) fn take_requests(
        &mut self,
        evictable: &mut Vec<SpanId>,
        requests: &mut Vec<LoadRequest>,
    ) {
        if !self.evictable.is_empty() {
            evictable.append(&mut self.evictable);
        }
        if !self.requests.is_empty() {
            requests.append(&mut self.requests);
        }
    }

    /// Fails if the count of spans that are loading is not theirs.
    #[cfg(any(test, debug_assertions))]
    pub(super) fn check(&self, lanes: &Lanes) {
        let spans = lanes.iter().flat_map(|lane| lane.spans());
        let loading = spans.filter(|span| matches!(span.body, Body::Loading(_))).count();
        assert_eq!(self.loading, loading, "spans that are loading");
    }
}
