//! Whose password is verified next. Each verification takes a processor and megabytes of memory, so only some run at
//! once; the others wait, and the addresses that they come from take turns, and the users of one address. Who
//! floods us waits behind itself.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;

use async_channel::{Receiver, Sender};
use parking_lot::Mutex;

/// A verification may run until this goes.
pub(super) struct Permit(Arc<Turns>);

/// A place in the queue, given up when this goes.
pub(super) struct Waiting {
    from: IpAddr,
    user: Arc<str>,
    number: u64,
    called: Receiver<Permit>,
    turns: Arc<Turns>,
}

/// Nobody waits for this verification any more: too many came, and most of them from here.
#[derive(Debug)]
pub(super) struct Dropped;

/// The queue.
pub(super) struct Turns {
    state: Mutex<State>,
    running_max: usize,
    waiting_max: usize,
}

#[derive(Default)]
struct State {
    running: usize,
    waiting: usize,
    last_number: u64,
    addresses: BTreeMap<IpAddr, Address>,
    last_address: Option<IpAddr>,
}

#[derive(Default)]
struct Address {
    users: BTreeMap<Arc<str>, VecDeque<Place>>,
    last_user: Option<Arc<str>>,
    waiting: usize,
}

struct Place {
    number: u64,
    call: Sender<Permit>,
}

impl Turns {
    pub fn new(running_max: usize, waiting_max: usize) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), running_max, waiting_max })
    }

    /// Takes a place.
    pub fn enter(self: &Arc<Self>, from: IpAddr, user: &Arc<str>) -> Waiting {
        let (call, called) = async_channel::bounded(1);
        let mut state = self.state.lock();
        state.last_number += 1;
        let number = state.last_number;
        state.push(from, user, Place { number, call });
        if state.waiting > self.waiting_max {
            state.drop_one();
        }
        drop(state);
        self.serve();
        Waiting { from, user: Arc::clone(user), number, called, turns: Arc::clone(self) }
    }

    /// Calls those whose turn has come.
    fn serve(self: &Arc<Self>) {
        loop {
            let mut state = self.state.lock();
            if state.running >= self.running_max {
                return;
            }
            let Some(place) = state.next() else { return };
            state.running += 1;
            drop(state);
            // Who has gone meanwhile lets it go, and it comes back.
            drop(place.call.try_send(Permit(Arc::clone(self))));
        }
    }
}

impl State {
    fn push(&mut self, from: IpAddr, user: &Arc<str>, place: Place) {
        let address = self.addresses.entry(from).or_default();
        address.users.entry(Arc::clone(user)).or_default().push_back(place);
        address.waiting += 1;
        self.waiting += 1;
    }

    /// The first of the next user of the next address.
    fn next(&mut self) -> Option<Place> {
        let from = after(&self.addresses, self.last_address.as_ref())?;
        self.last_address = Some(from);
        let address = self.addresses.get_mut(&from)?;
        let user = after(&address.users, address.last_user.as_ref())?;
        address.last_user = Some(Arc::clone(&user));
        self.take(from, &user, VecDeque::pop_front)
    }

    /// Gives up the last place of the user with the most, at the address with the most.
    fn drop_one(&mut self) {
        let largest = self.addresses.iter().max_by_key(|(_, address)| address.waiting);
        let Some((&from, address)) = largest else { return };
        let largest = address.users.iter().max_by_key(|(_, places)| places.len());
        let Some(user) = largest.map(|(user, _)| Arc::clone(user)) else { return };
        self.take(from, &user, VecDeque::pop_back);
    }

    fn take(
        &mut self,
        from: IpAddr,
        user: &Arc<str>,
        which: impl FnOnce(&mut VecDeque<Place>) -> Option<Place>,
    ) -> Option<Place> {
        let address = self.addresses.get_mut(&from)?;
        let places = address.users.get_mut(user)?;
        let place = which(places)?;
        if places.is_empty() {
            address.users.remove(user);
        }
        address.waiting -= 1;
        if address.waiting == 0 {
            self.addresses.remove(&from);
        }
        self.waiting -= 1;
        Some(place)
    }
}

/// The key behind this one, and behind the last the first.
fn after<K: Ord + Clone, V>(map: &BTreeMap<K, V>, last: Option<&K>) -> Option<K> {
    let behind = last.and_then(|last| map.range((Excluded(last), Unbounded)).next());
    behind.or_else(|| map.iter().next()).map(|(key, _)| key.clone())
}

impl Waiting {
    /// Waits for the turn.
    pub async fn turn(&self) -> Result<Permit, Dropped> {
        self.called.recv().await.map_err(|_| Dropped)
    }

    /// Waits like [`Waiting::turn`], blocking the thread.
    pub fn turn_blocking(&self) -> Result<Permit, Dropped> {
        self.called.recv_blocking().map_err(|_| Dropped)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let number = self.number;
        self.turns.state.lock().take(self.from, &self.user, |places| {
            let at = places.iter().position(|place| place.number == number)?;
            places.remove(at)
        });
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.state.lock().running -= 1;
        self.0.serve();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enter(turns: &Arc<Turns>, host: u8, user: &str) -> Waiting {
        turns.enter(IpAddr::from([10, 0, 0, host]), &Arc::from(user))
    }

    fn is_called(waiting: &Waiting) -> bool {
        !waiting.called.is_empty()
    }

    #[test]
    fn as_many_run_at_once_as_may() {
        let turns = Turns::new(2, 100);
        let all: Vec<Waiting> = (0..4).map(|_| enter(&turns, 1, "u")).collect();
        assert_eq!(all.iter().map(is_called).collect::<Vec<_>>(), [true, true, false, false]);
        drop(all[1].turn_blocking().unwrap());
        assert!(is_called(&all[2]) && !is_called(&all[3]));
    }

    #[test]
    fn addresses_take_turns_and_so_do_the_users_of_one() {
        let turns = Turns::new(1, 1000);
        let first = enter(&turns, 1, "guest");
        let mut flood: VecDeque<Waiting> = (0..100).map(|_| enter(&turns, 1, "guest")).collect();
        let neighbour = enter(&turns, 1, "other");
        let stranger = enter(&turns, 2, "guest");
        // One of the flood at most goes ahead of either.
        let mut permit = first.turn_blocking().unwrap();
        for _ in 0..3 {
            drop(permit);
            let next = flood.iter().position(is_called);
            let next = next.and_then(|at| flood.remove(at));
            permit = next
                .as_ref()
                .unwrap_or(if is_called(&stranger) { &stranger } else { &neighbour })
                .turn_blocking()
                .unwrap();
        }
        assert_eq!(flood.len(), 99);
        assert!(stranger.turn_blocking_is_over() && neighbour.turn_blocking_is_over());
    }

    impl Waiting {
        fn turn_blocking_is_over(&self) -> bool {
            let state = self.turns.state.lock();
            let places = state.addresses.get(&self.from).and_then(|one| one.users.get(&self.user));
            !places.is_some_and(|places| places.iter().any(|place| place.number == self.number))
        }
    }

    #[test]
    fn where_too_many_wait_those_go_that_most_came_with() {
        let turns = Turns::new(1, 10);
        let _running = enter(&turns, 9, "u").turn_blocking().unwrap();
        let flood: Vec<Waiting> = (0..10).map(|_| enter(&turns, 1, "guest")).collect();
        let honest = enter(&turns, 1, "other");
        assert!(flood[9].called.is_closed() && !flood[8].called.is_closed());
        assert!(!honest.called.is_closed());
    }

    #[test]
    fn who_goes_away_gives_up_its_place() {
        let turns = Turns::new(1, 10);
        let first = enter(&turns, 1, "u");
        let (second, third) = (enter(&turns, 1, "u"), enter(&turns, 1, "u"));
        drop(second);
        // It was called, and nobody looked.
        drop(first);
        assert!(is_called(&third));
        drop(third);
        let state = turns.state.lock();
        assert!(state.addresses.is_empty() && (state.waiting, state.running) == (0, 0));
    }
}
