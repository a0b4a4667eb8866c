//! The session target: two connections to one broker, played from the input. The first byte says how far the first
//! one has come already, and with its highest bit that a channel which is closed is opened again at once; then follow
//! frames, which are gathered, and orders in between:
//!
//! | order | what it does |
//! |---|---|
//! | `a0` | the gathered bytes reach the session |
//! | `a1` | the other connection goes on |
//! | `a2` | the peer stops reading, or reads again |
//! | `a3 n` | time passes, and timers run |
//! | `a4` | the socket is lost; the next bytes come on a new one |
//! | `a5 n` | the gathered bytes arrive in pieces of n + 1 |
//! | `a6` | an operator closes the connection |
//! | `a7 n` | the client settles something that it has unacknowledged |
//! | `a8` | the client opens its channel again, if it was closed |
//! | anything else | a byte of a frame |

mod opening;
mod side;
mod world;

use std::sync::{Mutex, PoisonError};

use super::random::Random;
use super::{language, story};
use opening::OPENINGS;
use world::{Closed, WORLD, World};

/// Only one input is played at a time: the count of bytes that messages hold is the process's.
pub static ALONE: Mutex<()> = Mutex::new(());

/// Milliseconds that pass, by the low bits of the octet behind the order.
const PASSING_MS: [u64; 8] = [0, 1, 2, 10, 1_000, 1_001, 60_000, 3_600_000];

/// The bit of the first byte that opens channels again.
const REOPENS: u8 = 0x80;

/// One step of an input.
#[derive(Debug)]
enum Item<'a> {
    Bytes(&'a [u8]),
    Receive,
    Switch,
    StopReading,
    Pass(u64),
    Lose,
    Pieces(usize),
    Close,
    Settle(u8),
    Reopen,
}

/// Runs an input.
pub fn run(input: &[u8]) {
    let Some((&opening, mut rest)) = input.split_first() else { return };
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    WORLD.with_borrow_mut(|world| {
        let world = world.get_or_insert_with(World::new);
        let closed = if opening & REOPENS == 0 { Closed::Stays } else { Closed::Reopens };
        world.begin(usize::from(opening & !REOPENS) % OPENINGS, closed);
        while let Some((item, used)) = next_item(rest) {
            play(world, &item);
            rest = &rest[used..];
        }
        world.end();
    });
}

fn play(world: &mut World, item: &Item<'_>) {
    match item {
        Item::Bytes(bytes) => world.gather(bytes),
        Item::Receive => world.receive(None),
        Item::Pieces(bytes) => world.receive(Some(*bytes)),
        Item::Switch => world.switch(),
        Item::StopReading => world.stop_reading(),
        Item::Pass(ms) => world.pass(*ms),
        Item::Lose => world.lose(),
        Item::Close => world.close(),
        Item::Settle(choice) => world.settle(*choice),
        Item::Reopen => world.reopen(),
    }
}

/// The next step, and its bytes in the input.
fn next_item(input: &[u8]) -> Option<(Item<'_>, usize)> {
    let (&first, rest) = input.split_first()?;
    let number = rest.first().copied().unwrap_or_default();
    let with_number = input.len().min(2);
    let item = match first {
        0xa0 => (Item::Receive, 1),
        0xa1 => (Item::Switch, 1),
        0xa2 => (Item::StopReading, 1),
        0xa3 => (Item::Pass(PASSING_MS[usize::from(number % 8)]), with_number),
        0xa4 => (Item::Lose, 1),
        0xa5 => (Item::Pieces(usize::from(number) + 1), with_number),
        0xa6 => (Item::Close, 1),
        0xa7 => (Item::Settle(number), with_number),
        0xa8 => (Item::Reopen, 1),
        1 | 2 | 3 | 8 => {
            let bytes = language::frame_bytes(input);
            (Item::Bytes(&input[..bytes]), bytes)
        }
        _ => (Item::Bytes(&input[..1]), 1),
    };
    Some(item)
}

/// Changes an input: in its frames, or in its orders; or tells another story altogether.
pub fn change(input: &mut Vec<u8>, random: &mut Random) {
    if random.once_in(8) {
        *input = story(random);
        return;
    }
    let opening = input.first().copied().unwrap_or_else(|| random.within(0..256) as u8);
    let mut items: Vec<Vec<u8>> = Vec::new();
    let mut rest = input.get(1..).unwrap_or_default();
    while let Some((_, used)) = next_item(rest) {
        items.push(rest[..used].to_vec());
        rest = &rest[used..];
    }
    for _ in 0..random.within(1..9) {
        if random.once_in(3) {
            let at = random.within(0..items.len() as u64 + 1) as usize;
            items.insert(at, order(random));
        } else {
            language::change_frames(&mut items, random);
        }
    }
    let opening = if random.once_in(16) { random.within(0..256) as u8 } else { opening };
    *input = [vec![opening], items.concat()].concat();
}

/// Two connections at work that make few mistakes.
fn story(random: &mut Random) -> Vec<u8> {
    let mut input = vec![REOPENS | random.within(3..6) as u8];
    for _ in 0..random.within(5..40) {
        if random.once_in(3) {
            input.extend(order(random));
        } else {
            input.extend(story::line(random, 1).concat());
        }
    }
    input
}

fn order(random: &mut Random) -> Vec<u8> {
    let number = random.within(0..256) as u8;
    match random.within(0..24) {
        0..8 => vec![0xa0],
        8..10 => vec![0xa1],
        10 => vec![0xa2],
        11..13 => vec![0xa3, number % 8],
        13 => vec![if number < 200 { 0xa4 } else { 0xa6 }],
        14 => vec![0xa5, number % 40],
        15..18 => vec![0xa8],
        _ => vec![0xa7, number],
    }
}
