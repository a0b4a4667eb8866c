//! What an operator wants to know, and what the broker watches of itself: alarms, listings, counts, explanations.

pub(super) mod alarms;
pub(super) mod arrivals;
pub(super) mod departed;
pub(super) mod explain;
pub(super) mod frugality;
pub(super) mod listing;
pub(super) mod notice;
