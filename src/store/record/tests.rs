//! Tests of the journal's records as bytes.

use proptest::prelude::*;
use smallvec::smallvec;

use super::*;
use crate::message::Memory;
use crate::store::operation::VhostRecord;

static MEMORY: Memory = Memory::new();

const MARKER: Marker = [0xde, 0xad, 0xbe, 0xef];

fn frame_of(record: &Record<'_>) -> Vec<u8> {
    let mut buffer = Vec::new();
    encode(record, MARKER, &mut buffer).unwrap();
    buffer
}

fn round_trip(record: &Record<'_>) {
    let bytes = frame_of(record);
    let frame = Frame::first(&bytes, MARKER).unwrap();
    assert_eq!(frame.bytes(), bytes.len());
    assert_eq!(frame.decode().as_ref(), Ok(record));
}

fn places() -> impl Strategy<Value = Vec<Place>> {
    let place = any::<(u64, u64)>().prop_map(|(queue, position)| Place { queue, position });
    prop::collection::vec(place, 0..5)
}

fn facts() -> impl Strategy<Value = Facts> {
    any::<(bool, u8, Option<u64>, u64, bool)>().prop_map(
        |(persistent, priority, expiration_ms, accepted_ms, dead_letter)| Facts {
            persistent,
            priority,
            expiration_ms,
            accepted_ms,
            dead_letter,
        },
    )
}

proptest! {
    #[test]
    fn an_enqueue_comes_back_as_it_was(
        places in places(),
        facts in facts(),
        exchange in ".{0,60}",
        routing_key in ".{0,60}",
        properties in prop::collection::vec(any::<u8>(), 0..300),
        body in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let message = Message::new(&MEMORY, &exchange, &routing_key, &properties, &body, facts);
        let record = Record::Enqueue { places: places.into(), message: Parts::from(&message) };
        round_trip(&record);
        let bytes = frame_of(&record);
        let Some(Ok(Record::Enqueue { message: parts, .. })) =
            Frame::first(&bytes, MARKER).map(|frame| frame.decode())
        else {
            panic!("not an enqueue")
        };
        let again = parts.to_message(&MEMORY);
        prop_assert_eq!(Parts::from(&again), Parts::from(&message));
    }

    #[test]
    fn a_settle_comes_back_as_sorted_runs(queue: u64, positions in prop::collection::vec(0..200_u64, 0..60)) {
        let runs = runs_of(&positions);
        let mut sorted = positions.clone();
        sorted.sort_unstable();
        sorted.dedup();
        let covered: Vec<u64> = runs.iter().flat_map(|run| run.first..=run.last()).collect();
        prop_assert_eq!(covered, sorted);
        prop_assert!(runs.windows(2).all(|pair| pair[0].last() + 1 < pair[1].first));
        round_trip(&Record::Settle { queue, runs });
    }

    #[test]
    fn the_small_records_come_back_as_they_were(queue: u64, position: u64, count: u32, floors in places()) {
        round_trip(&Record::Returned { queue, position, count });
        round_trip(&Record::Floors(floors));
    }

    #[test]
    fn noise_is_never_a_frame_and_never_a_panic(mut noise in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Frame::first(&noise, MARKER).is_none());
        if noise.len() > 4 {
            noise[..4].copy_from_slice(&MARKER);
            prop_assert!(Frame::first(&noise, MARKER).is_none());
        }
    }

    #[test]
    fn what_a_later_version_wrote_is_never_damage(kind: u8, payload in prop::collection::vec(any::<u8>(), 0..100)) {
        let (number, version) = (kind & 31, (kind >> 5) + 1);
        let decoded = Frame { kind, payload: &payload }.decode();
        if version > newest(number) {
            let (what, found) = ("a record of kind", version.into());
            let known = newest(number).into();
            let unknown = Unknown { what, number: Some(number.into()), found, known };
            prop_assert_eq!(decoded, Err(unknown.into()));
        }
    }

    #[test]
    fn a_message_of_which_more_is_said_is_not_read(flags in 8..=255_u8, rest in prop::collection::vec(any::<u8>(), 0..100)) {
        let payload = [&[1, 1, 2, flags][..], &rest].concat();
        let decoded = Frame { kind: ENQUEUE, payload: &payload }.decode();
        prop_assert!(matches!(decoded, Err(Undecoded::Unknown(_))));
    }

    #[test]
    fn noise_in_a_sound_frame_is_never_a_panic(kind in 0..8_u8, payload in prop::collection::vec(any::<u8>(), 0..100)) {
        let _decoded = Frame { kind, payload: &payload }.decode();
    }
}

#[test]
fn the_topology_comes_back_as_it_was() {
    let changes = [
        Change::PutVhost(VhostRecord { name: "/".into() }),
        Change::DeleteQueue { vhost: "/".into(), name: "q".into(), id: u64::MAX },
    ];
    round_trip(&Record::Topology(Cow::Borrowed(&changes)));
    round_trip(&Record::Topology(Cow::Borrowed(&[])));
}

#[test]
fn runs_reach_to_the_last_position() {
    let runs = runs_of(&[u64::MAX, 0, u64::MAX - 1]);
    let expected: SmallVec<[Run; 2]> =
        smallvec![Run { first: 0, count: 1 }, Run { first: u64::MAX - 1, count: 2 }];
    assert_eq!(runs, expected);
    round_trip(&Record::Settle { queue: 1, runs });
}

#[test]
fn the_bytes_are_those_of_format_1() {
    let settle = Record::Settle { queue: 300, runs: smallvec![Run { first: 5, count: 2 }] };
    let bytes = frame_of(&settle);
    assert_eq!(bytes[..8], [0xde, 0xad, 0xbe, 0xef, 5, 0, 0, 0]);
    assert_eq!(bytes[12..], [2, 0xac, 2, 1, 5, 2]);
    let facts = Facts {
        persistent: true,
        priority: 4,
        expiration_ms: Some(10),
        accepted_ms: 129,
        dead_letter: true,
    };
    let message = Message::new(&MEMORY, "x", "key", &[0x10, 0, 2], b"body", facts);
    let places = smallvec![Place { queue: 1, position: 2 }];
    let bytes = frame_of(&Record::Enqueue { places, message: Parts::from(&message) });
    let mut expected = vec![1, 1, 1, 2, 7, 4, 0x81, 1, 10, 1];
    expected.extend(b"x\x03key\x03\x10\x00\x02body");
    assert_eq!(bytes[12..], expected);
    let sum = crc32c::crc32c(&expected);
    assert_eq!(bytes[8..12], sum.to_le_bytes());
}

#[test]
fn every_flipped_bit_is_noticed() {
    let message = Message::new(&MEMORY, "x", "key", &[0x10, 0, 2], b"body", Facts::default());
    let places = smallvec![Place { queue: 1, position: 2 }];
    let bytes = frame_of(&Record::Enqueue { places, message: Parts::from(&message) });
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(Frame::first(&flipped, MARKER).is_none(), "bit {bit}");
    }
}

#[test]
fn a_frame_that_is_cut_is_no_frame() {
    let bytes = frame_of(&Record::Returned { queue: 1, position: 2, count: 3 });
    for length in 0..bytes.len() {
        assert!(Frame::first(&bytes[..length], MARKER).is_none());
    }
}
