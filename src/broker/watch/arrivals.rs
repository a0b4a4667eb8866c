//! Room for the bodies of large messages while they arrive. It is given before any of a body is read, so that whoever
//! begins can also finish, and comes back when the message is whole or gone.
//!
//! A connection that has no room yet waits for it, in turn. One that has some is never made to wait, since what it
//! waits behind may be the rest of a body: it gets more if there is any, or is refused. While messages fill the memory
//! nobody begins but workers: connections that hold messages unacknowledged, of which some may go when they have published.

use std::collections::VecDeque;
use std::sync::Arc;

use async_channel::{Receiver, Sender};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use crate::broker::Broker;
use crate::broker::client::Client;
use crate::broker::refusal::{Refusal, RefusalKind};

/// One connection may have this share of all the room there is, and one message whatever its size.
const CLIENT_SHARE: u64 = 4;

/// Room for one body, given back when this goes.
pub struct Room {
    number: u64,
    arrivals: Arc<Arrivals>,
}

/// What came of asking for room.
#[derive(Debug)]
pub enum Reserved {
    /// There is room.
    Room(Room),
    /// Not yet, but there will be.
    Later(Turn),
    /// There is none for one more body of this connection.
    Refused,
}

/// A place among those who wait for room; it is given up when this goes.
pub struct Turn {
    number: u64,
    given: Receiver<Room>,
    arrivals: Arc<Arrivals>,
}

/// Who has room and who waits for it.
pub(in crate::broker) struct Arrivals {
    state: Mutex<State>,
    bytes_max: u64,
}

#[derive(Default)]
struct State {
    last_number: u64,
    held_bytes: u64,
    held: FxHashMap<u64, Held>,
    /// Bytes that each connection has, of those that have any.
    clients: FxHashMap<u64, u64>,
    waiting: VecDeque<Waiting>,
    /// Messages fill the memory: who waits goes on waiting.
    is_shut: bool,
}

struct Held {
    client: u64,
    bytes: u64,
    /// Since when somebody waits for it.
    wanted_ms: Option<u64>,
}

struct Waiting {
    number: u64,
    client: u64,
    bytes: u64,
    is_worker: bool,
    give: Sender<Room>,
}

impl Arrivals {
    pub(in crate::broker) fn new(bytes_max: u64) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), bytes_max })
    }

    fn reserve(
        self: &Arc<Self>,
        client: u64,
        bytes: u64,
        is_worker: impl Fn() -> bool,
    ) -> Reserved {
        let mut state = self.state.lock();
        state.last_number += 1;
        let number = state.last_number;
        let arrivals = Arc::clone(self);
        let has = state.clients.get(&client).copied();
        let is_worker = has.is_none() && state.is_shut && is_worker();
        let fits = match has {
            None => {
                state.may_begin(is_worker)
                    && state.waiting.iter().all(|one| !state.may_begin(one.is_worker))
                    && state.has_room(bytes, self.bytes_max)
            }
            Some(has) => {
                has + bytes <= self.bytes_max / CLIENT_SHARE
                    && state.has_room(bytes, self.bytes_max)
            }
        };
        if fits {
            state.give(number, client, bytes);
            return Reserved::Room(Room { number, arrivals });
        }
        if has.is_some() {
            return Reserved::Refused;
        }
        let (give, given) = async_channel::bounded(1);
        state.waiting.push_back(Waiting { number, client, bytes, is_worker, give });
        Reserved::Later(Turn { number, given, arrivals })
    }

    /// Gives room to those whose turn has come.
    fn serve(self: &Arc<Self>) {
        loop {
            let mut state = self.state.lock();
            let Some(place) = state.waiting.iter().position(|one| state.may_begin(one.is_worker))
            else {
                return;
            };
            if !state.has_room(state.waiting[place].bytes, self.bytes_max) {
                return;
            }
            let Some(Waiting { number, client, bytes, give, .. }) = state.waiting.remove(place)
            else {
                return;
            };
            state.give(number, client, bytes);
            drop(state);
            // Who does not wait any more lets it go at once, and it comes back.
            drop(give.try_send(Room { number, arrivals: Arc::clone(self) }));
        }
    }

    /// Lets nobody begin, or again whoever fits; `is_full` tells whether messages fill the memory.
    pub(in crate::broker) fn shut_while(self: &Arc<Self>, is_full: impl FnOnce() -> bool) {
        let mut state = self.state.lock();
        state.is_shut = is_full();
        drop(state);
        self.serve();
    }

    /// Looks again who of those that wait while nobody begins is a worker.
    fn note_workers(self: &Arc<Self>, is_worker: impl Fn(u64) -> bool) {
        let mut state = self.state.lock();
        if !state.is_shut || state.waiting.is_empty() {
            return;
        }
        state.waiting.iter_mut().for_each(|one| one.is_worker = is_worker(one.client));
        drop(state);
        self.serve();
    }

    /// The connections whose bodies have kept others waiting for as long as they may.
    fn overdue(&self, now_ms: u64, ms_max: u64) -> Vec<u64> {
        let mut state = self.state.lock();
        let is_wanted = !state.is_shut && !state.waiting.is_empty();
        let mut overdue = Vec::new();
        for held in state.held.values_mut() {
            if !is_wanted {
                held.wanted_ms = None;
            } else if now_ms.saturating_sub(*held.wanted_ms.get_or_insert(now_ms)) >= ms_max {
                overdue.push(held.client);
            }
        }
        overdue
    }
}

impl State {
    /// Whether a body fits. One always does: else nobody might ever begin.
    fn has_room(&self, bytes: u64, bytes_max: u64) -> bool {
        self.held_bytes == 0 || self.held_bytes + bytes <= bytes_max
    }

    fn may_begin(&self, is_worker: bool) -> bool {
        is_worker || !self.is_shut
    }

    fn give(&mut self, number: u64, client: u64, bytes: u64) {
        self.held_bytes += bytes;
        *self.clients.entry(client).or_default() += bytes;
        self.held.insert(number, Held { client, bytes, wanted_ms: None });
    }

    fn take_back(&mut self, number: u64) {
        let Some(Held { client, bytes, .. }) = self.held.remove(&number) else { return };
        self.held_bytes -= bytes;
        if let Some(has) = self.clients.get_mut(&client) {
            *has -= bytes;
            if *has == 0 {
                self.clients.remove(&client);
            }
        }
    }
}

impl Client {
    /// Asks for room for a body of this size.
    pub fn reserve(&self, bytes: u64) -> Reserved {
        self.broker.arrivals.reserve(self.id, bytes, || self.may_finish_body())
    }

    /// Whether a body of this connection is read though memory is short.
    fn may_finish_body(&self) -> bool {
        self.broker.alarms.has_room_for_workers() && self.outbox.has_unacked()
    }
}

impl Broker {
    /// Closes connections whose bodies do not come while others wait for their room. Called a few times a second.
    pub fn check_arrivals(&self, now_ms: u64) {
        let ms_max = self.config.alarms.arriving_ms_max;
        self.arrivals.note_workers(|client| {
            self.clients.get(&client).is_some_and(|client| client.may_finish_body())
        });
        for client in self.arrivals.overdue(now_ms, ms_max) {
            if let Some(client) = self.clients.get(&client) {
                let text = format!(
                    "the body of a message did not come within {ms_max} ms while others waited"
                );
                client.close(Refusal::new(RefusalKind::Exhausted, text));
            }
        }
    }
}

impl Turn {
    /// Waits for the room.
    pub async fn wait(self) -> Option<Room> {
        self.given.recv().await.ok()
    }

    /// The room, if it has come.
    pub fn take(&self) -> Option<Room> {
        self.given.try_recv().ok()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.arrivals.state.lock();
        let waiting = state.waiting.len();
        state.waiting.retain(|one| one.number != self.number);
        let has_given_up = state.waiting.len() < waiting;
        drop(state);
        // It may have been the first of those that may begin.
        if has_given_up {
            self.arrivals.serve();
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.arrivals.state.lock().take_back(self.number);
        self.arrivals.serve();
    }
}

impl std::fmt::Debug for Room {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Room").field("number", &self.number).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Turn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Turn").field("number", &self.number).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nobody() -> bool {
        false
    }

    fn room(reserved: Reserved) -> Room {
        match reserved {
            Reserved::Room(room) => room,
            other => panic!("{other:?}"),
        }
    }

    fn later(reserved: Reserved) -> Turn {
        match reserved {
            Reserved::Later(turn) => turn,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_body_always_fits_and_the_next_waits_its_turn() {
        let arrivals = Arrivals::new(100);
        let first = room(arrivals.reserve(1, 1000, nobody));
        let (second, third) =
            (later(arrivals.reserve(2, 60, nobody)), later(arrivals.reserve(3, 30, nobody)));
        let fourth = later(arrivals.reserve(4, 60, nobody));
        assert!(second.take().is_none());
        drop(first);
        let (second, _third) = (second.take().unwrap(), third.take().unwrap());
        assert!(fourth.take().is_none());
        drop(second);
        assert!(fourth.take().is_some());
    }

    #[test]
    fn a_connection_with_a_body_under_way_is_refused_another_rather_than_made_to_wait() {
        let arrivals = Arrivals::new(400);
        let _first = room(arrivals.reserve(1, 40, nobody));
        let second = room(arrivals.reserve(1, 60, nobody));
        assert!(matches!(arrivals.reserve(1, 1, nobody), Reserved::Refused));
        drop(second);
        let _third = room(arrivals.reserve(1, 60, nobody));
        let _other = room(arrivals.reserve(2, 300, nobody));
        drop(_third);
        assert!(matches!(arrivals.reserve(1, 60, nobody), Reserved::Room(_)));
    }

    #[test]
    fn who_goes_away_gives_up_its_turn_and_its_room() {
        let arrivals = Arrivals::new(100);
        let first = room(arrivals.reserve(1, 80, nobody));
        let second = later(arrivals.reserve(2, 50, nobody));
        let third = later(arrivals.reserve(3, 20, nobody));
        drop(second);
        assert!(third.take().is_some());
        let fourth = later(arrivals.reserve(4, 100, nobody));
        drop(first);
        // It came, and nobody looked.
        drop(fourth);
        assert_eq!(arrivals.state.lock().held_bytes, 0);
        assert!(arrivals.state.lock().clients.is_empty());
    }

    #[test]
    fn nobody_begins_while_messages_fill_the_memory() {
        let arrivals = Arrivals::new(100);
        arrivals.shut_while(|| true);
        let first = later(arrivals.reserve(1, 10, nobody));
        assert!(first.take().is_none());
        arrivals.shut_while(|| false);
        assert!(first.take().is_some());
    }

    #[test]
    fn workers_begin_while_messages_fill_the_memory_and_overtake_those_who_may_not() {
        let arrivals = Arrivals::new(100);
        arrivals.shut_while(|| true);
        let first = later(arrivals.reserve(1, 10, nobody));
        let second = room(arrivals.reserve(2, 80, || true));
        let third = later(arrivals.reserve(3, 80, || true));
        let fourth = later(arrivals.reserve(4, 10, nobody));
        drop(second);
        let _third = third.take().unwrap();
        assert!(first.take().is_none() && fourth.take().is_none());
        // One that waits may be given messages meanwhile.
        arrivals.note_workers(|client| client == 4);
        assert!(first.take().is_none() && fourth.take().is_some());
        arrivals.shut_while(|| false);
        assert!(first.take().is_some());
    }

    #[test]
    fn only_a_body_that_others_wait_for_is_ever_late() {
        let arrivals = Arrivals::new(100);
        let _slow = room(arrivals.reserve(1, 100, nobody));
        assert_eq!(arrivals.overdue(0, 10), [0; 0]);
        assert_eq!(arrivals.overdue(1000, 10), [0; 0]);
        let waiting = later(arrivals.reserve(2, 100, nobody));
        assert_eq!(arrivals.overdue(2000, 10), [0; 0]);
        assert_eq!(arrivals.overdue(2009, 10), [0; 0]);
        assert_eq!(arrivals.overdue(2010, 10), [1]);
        drop(waiting);
        assert_eq!(arrivals.overdue(2020, 10), [0; 0]);
        let _waiting = later(arrivals.reserve(2, 100, nobody));
        assert_eq!(arrivals.overdue(2021, 10), [0; 0]);
    }
}
