//! Those who throw messages away: a queue is purged, another deleted and declared anew, again and again.

use std::io;

use super::load::{Clock, Outcome};
use super::topology::{DELETED, PURGED, declare_deleted};
use crate::support::peer::Peer;
use crate::support::random::Random;

/// A queue is cleared when it holds so many messages at most.
const DEPTH_MAX: u64 = 300;

/// A stretch of time in which a queue lost its messages, or could get none.
#[derive(Clone, Copy, Debug)]
pub struct Clearing {
    pub queue: &'static str,
    pub begun: u64,
    /// Nothing when nobody knows.
    pub ended: Option<u64>,
}

/// Purges until the connection ends, which is an error.
pub fn purge(
    port: u16,
    mut random: Random,
    clock: &Clock,
    outcome: &mut Outcome,
) -> io::Result<String> {
    let mut peer = Peer::connect(port)?;
    loop {
        wait_for_some(&mut peer, PURGED, &mut random)?;
        let clearing = begin(outcome, PURGED, clock.tick());
        peer.purge(PURGED)?;
        outcome.clearings[clearing].ended = Some(clock.tick());
    }
}

/// Deletes and declares until the connection ends, which is an error.
pub fn delete(
    port: u16,
    mut random: Random,
    clock: &Clock,
    outcome: &mut Outcome,
) -> io::Result<String> {
    // Nobody knows what an earlier round has left, nor does anybody when the broker is gone before this one came to it.
    let mut clearing = begin(outcome, DELETED, 0);
    let mut peer = Peer::connect(port)?;
    loop {
        outcome.deleted_is_there = None;
        declare_deleted(&mut peer)?;
        outcome.deleted_is_there = Some(true);
        outcome.clearings[clearing].ended = Some(clock.tick());
        wait_for_some(&mut peer, DELETED, &mut random)?;
        outcome.deleted_is_there = None;
        clearing = begin(outcome, DELETED, clock.tick());
        peer.delete_queue(DELETED)?;
        outcome.deleted_is_there = Some(false);
        if random.once_in(3) {
            wait_while_gone(clock, &mut peer, &mut random)?;
        }
    }
}

/// Notes that a queue is about to be cleared, and answers where.
fn begin(outcome: &mut Outcome, queue: &'static str, begun: u64) -> usize {
    outcome.clearings.push(Clearing { queue, begun, ended: None });
    outcome.clearings.len() - 1
}

fn wait_for_some(peer: &mut Peer, queue: &str, random: &mut Random) -> io::Result<()> {
    let wanted = random.within(0..DEPTH_MAX);
    while u64::from(peer.depth(queue)?) < wanted {}
    Ok(())
}

/// Leaves the queue deleted while the others do something.
fn wait_while_gone(clock: &Clock, peer: &mut Peer, random: &mut Random) -> io::Result<()> {
    let until = clock.tick() + random.within(0..DEPTH_MAX);
    while clock.tick() < until {
        // Ends when the broker is gone.
        peer.depth(PURGED)?;
    }
    Ok(())
}
