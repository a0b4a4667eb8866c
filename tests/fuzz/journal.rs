//! The journal target: a data directory is made from the input and opened. Whatever is in it, opening answers with
//! what can be saved or with an error that says how to mend it, and what was saved is there again the next time.
//!
//! | order | what it does to the directory |
//! |---|---|
//! | `b0 n` | begins the next segment, or one further on |
//! | `b1 kind length(2) payload` | appends a record whose sum is right |
//! | `b2 length bytes` | appends bytes |
//! | `b3 length(2) text` | writes `definitions.json` |
//! | `b4 n` | cuts the last segment's end |
//! | `b5 place(2) bits` | flips bits in the last segment |
//! | `b6` | opens the store and closes it |
//! | `b7 n` | removes a file |
//! | `b8 n` | opens the store, writes through it, and closes it |

mod disk;
mod opening;
mod writing;

use std::sync::PoisonError;

use super::language;
use super::random::Random;
use super::session::ALONE;
use disk::Disk;

/// Opening the index takes its time: more of it in one input shows nothing new.
const OPENINGS_MAX: usize = 3;

/// One step of an input.
enum Item<'a> {
    Begin(u8),
    Record { kind: u8, payload: &'a [u8] },
    Bytes(&'a [u8]),
    Definitions(&'a [u8]),
    Cut(u8),
    Flip { place: u16, bits: u8 },
    Open,
    Remove(u8),
    Write(u8),
}

/// Runs an input. The first byte says whether a broker opens the directory in the end.
pub fn run(input: &[u8]) {
    let Some((&ending, mut rest)) = input.split_first() else { return };
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let disk = Disk::new();
    let mut openings = 0;
    while !rest.is_empty() {
        let (item, used) = next_item(rest);
        rest = &rest[used..];
        match item {
            None => {}
            Some(Item::Begin(gap)) => disk.begin(gap),
            Some(Item::Record { kind, payload }) => disk.append_record(kind, payload),
            Some(Item::Bytes(bytes)) => disk.append(bytes),
            Some(Item::Definitions(text)) => disk.write_definitions(text),
            Some(Item::Cut(bytes)) => disk.cut(bytes.into()),
            Some(Item::Flip { place, bits }) => disk.flip(place.into(), bits),
            Some(Item::Remove(what)) => disk.remove(what),
            Some(Item::Open | Item::Write(_)) if openings == OPENINGS_MAX => {}
            Some(Item::Open) => {
                openings += 1;
                opening::open_twice(disk.path());
            }
            Some(Item::Write(what)) => {
                openings += 1;
                writing::write(disk.path(), what);
            }
        }
    }
    opening::open_twice(disk.path());
    if ending % 2 == 1 {
        opening::open_broker(disk.path());
    }
}

/// The next step and its bytes in the input; a byte that begins none is passed over.
fn next_item(input: &[u8]) -> (Option<Item<'_>>, usize) {
    let long = |head: usize, length: usize| {
        let end = input.len().min(head + length);
        (&input[head.min(end)..end], end)
    };
    match *input {
        [0xb0, gap, ..] => (Some(Item::Begin(gap)), 2),
        [0xb1, kind, high, low, ..] => {
            let (payload, end) = long(4, u16::from_be_bytes([high, low]).into());
            (Some(Item::Record { kind, payload }), end)
        }
        [0xb2, length, ..] => {
            let (bytes, end) = long(2, length.into());
            (Some(Item::Bytes(bytes)), end)
        }
        [0xb3, high, low, ..] => {
            let (text, end) = long(3, u16::from_be_bytes([high, low]).into());
            (Some(Item::Definitions(text)), end)
        }
        [0xb4, bytes, ..] => (Some(Item::Cut(bytes)), 2),
        [0xb5, high, low, bits, ..] => {
            (Some(Item::Flip { place: u16::from_be_bytes([high, low]), bits }), 4)
        }
        [0xb6, ..] => (Some(Item::Open), 1),
        [0xb7, what, ..] => (Some(Item::Remove(what)), 2),
        [0xb8, what, ..] => (Some(Item::Write(what)), 2),
        _ => (None, 1),
    }
}

/// Changes an input: a step more or less, or one octet.
pub fn change(input: &mut Vec<u8>, random: &mut Random) {
    let ending = random.within(0..8) as u8;
    let mut items: Vec<Vec<u8>> = Vec::new();
    let mut rest = input.get(1..).unwrap_or_default();
    while !rest.is_empty() {
        let (item, used) = next_item(rest);
        if item.is_some() {
            items.push(rest[..used].to_vec());
        }
        rest = &rest[used..];
    }
    for _ in 0..random.within(1..4) {
        let at = random.within(0..items.len() as u64 + 1) as usize;
        if at == items.len() || random.once_in(2) {
            items.insert(at, writing::item(random));
        } else if random.once_in(3) {
            items.remove(at);
        } else if random.once_in(3) {
            items.push(items[at].clone());
        } else {
            let after_length = items[at].len().min(4);
            language::change_octet(&mut items[at][after_length..], random);
        }
    }
    *input = [vec![u8::from(ending == 0)], items.concat()].concat();
}
