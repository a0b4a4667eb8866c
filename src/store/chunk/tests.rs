//! Tests of how chunks are packed.

use proptest::prelude::*;

use super::*;

fn entries() -> impl Strategy<Value = Vec<LiveMessage>> {
    let number = || prop_oneof![3 => 0..3_u32, 1 => any::<u32>()];
    let long = || prop_oneof![3 => 0..3_u64, 1 => any::<u64>()];
    let entry = (
        (number(), number(), any::<bool>(), number()),
        (number(), number(), 0..3_u8),
        (long(), proptest::option::of(long()), 1..3_u8),
    );
    prop::collection::vec(entry, 1..64).prop_map(|parts| {
        let mut entries: Vec<LiveMessage> = Vec::new();
        for ((segment, offset, follows, share), (returns, body_bytes, priority), rest) in parts {
            let (accepted_ms, expiration_ms, step) = rest;
            let before = entries.last().copied().unwrap_or(NOTHING);
            let location = if follows { behind(&before) } else { Location { segment, offset } };
            let low = before.low.wrapping_add(step);
            if u64::from(low) < CHUNK_POSITIONS {
                entries.push(LiveMessage {
                    low,
                    priority,
                    location,
                    share,
                    returns,
                    body_bytes,
                    accepted_ms,
                    expiration_ms,
                });
            }
        }
        entries
    })
}

proptest! {
    #[test]
    fn the_index_gives_back_a_chunk_in_every_version(entries in entries()) {
        if entries.is_empty() {
            return Ok(());
        }
        let first_version = encode_chunk(&entries);
        prop_assert_eq!(indexed_entries(&first_version), Ok(entries.clone()));
        for is_packed in [false, true] {
            let mut content = Content { entries: entries.clone(), packed: Box::default() };
            if is_packed {
                content.pack();
            }
            let bytes = content.to_index().unwrap();
            prop_assert_eq!(bytes[0], 0x42);
            prop_assert_eq!(indexed_entries(&bytes), Ok(entries.clone()));
            prop_assert!(bytes.len() <= CHUNK_BYTES_MAX);
        }
    }

    #[test]
    fn a_later_chunk_is_never_damage(first in 64_u8.., rest in prop::collection::vec(any::<u8>(), 0..40)) {
        let bytes = [&[first][..], &rest].concat();
        if first != 0x42 {
            prop_assert!(matches!(indexed_entries(&bytes), Err(Undecoded::Unknown(_))));
        }
    }

    #[test]
    fn what_was_packed_is_unpacked(entries in entries()) {
        prop_assert_eq!(decode_chunk(&encode_chunk(&entries)), Ok(entries));
    }

    #[test]
    fn noise_is_refused_or_makes_entries_in_order(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        if let Ok(entries) = decode_chunk(&bytes) {
            prop_assert!(entries.is_sorted_by(|a, b| a.low < b.low));
            prop_assert!(entries.iter().all(|entry| u64::from(entry.low) < CHUNK_POSITIONS));
        }
    }
}

#[test]
fn an_entry_that_is_like_nothing_is_packed() {
    let entries = vec![LiveMessage { low: 0, ..NOTHING }];
    assert_eq!(decode_chunk(&encode_chunk(&entries)), Ok(entries));
}

#[test]
fn a_run_of_equal_messages_takes_a_few_bytes() {
    let entries: Vec<LiveMessage> = (0..64)
        .map(|low| LiveMessage {
            low,
            location: Location { segment: 70, offset: 10_000_000 + u32::from(low) * 1070 },
            share: 1070,
            body_bytes: 1024,
            accepted_ms: 1_700_000_000_000,
            ..NOTHING
        })
        .collect();
    assert!(encode_chunk(&entries).len() < 25);
}

#[test]
fn no_chunk_is_larger_than_4_kib() {
    let entries: Vec<LiveMessage> = (0..64)
        .map(|low| LiveMessage {
            low,
            priority: low + 1,
            location: Location { segment: u32::from(low % 2).wrapping_neg(), offset: u32::MAX },
            share: u32::MAX - u32::from(low),
            returns: u32::MAX,
            body_bytes: u32::MAX,
            accepted_ms: u64::from(low % 2) << 63,
            expiration_ms: Some(u64::MAX),
        })
        .collect();
    let bytes = encode_chunk(&entries);
    assert!(bytes.len() <= CHUNK_BYTES_MAX);
    assert_eq!(decode_chunk(&bytes), Ok(entries));
}
