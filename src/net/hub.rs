//! What the broker says to all connections at once, and to the server.

use std::sync::Arc;

use event_listener::Event;
use parking_lot::Mutex;

use crate::broker::Events;

/// Events of the broker, made before the broker is.
#[derive(Default)]
pub(super) struct Hub {
    /// Readers that stand still may go on, or must look again: the store has room, or an alarm changed.
    pub gates: Event,
    /// A queue's timer is due earlier than was said.
    pub deadline: Event,
    /// There are errands to do.
    pub errands: Event,
    /// The store failed.
    pub lost: Event,
    why_lost: Mutex<Option<String>>,
}

impl Hub {
    /// The broker's hooks to these events.
    pub fn events(self: &Arc<Self>) -> Events {
        let hub = || Arc::clone(self);
        let (room, alarm, deadline, errands, lost) = (hub(), hub(), hub(), hub(), hub());
        Events {
            room: Box::new(move || {
                room.gates.notify(usize::MAX);
            }),
            alarm: Box::new(move || {
                alarm.gates.notify(usize::MAX);
            }),
            deadline: Box::new(move || {
                deadline.deadline.notify(1);
            }),
            errands: Box::new(move || {
                errands.errands.notify(1);
            }),
            lost: Box::new(move |why| {
                lost.why_lost.lock().get_or_insert_with(|| why.to_owned());
                lost.lost.notify(usize::MAX);
            }),
        }
    }

    /// Why the store failed, if it did.
    pub fn why_lost(&self) -> Option<String> {
        self.why_lost.lock().clone()
    }
}
