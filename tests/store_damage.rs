//! What a store gives back when its files were damaged: everything that is still there, and a note for
//! what is not.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod store_support;

use std::fs;
use std::path::Path;

use leveret::store::{Events, Options, Store, StoreError, Unreadable};
use store_support::*;
use tempfile::{TempDir, tempdir};

/// A directory as a crash leaves it: ten messages, nothing in the index, each body telling its position.
fn ten_messages() -> TempDir {
    let directory = tempdir().unwrap();
    let (store, _) = open(options(directory.path()));
    commit(&store, vec![queues([1])]).unwrap();
    for position in 0..10 {
        commit(&store, vec![enqueue(&format!("body {position}"), &[(1, position)])]).unwrap();
    }
    crashed(directory.path())
}

/// A directory with many small segments, closed in good order: queue 1 holds 0..100 without each fifth.
fn many_segments() -> TempDir {
    let directory = tempdir().unwrap();
    let (store, _) = open(tiny(directory.path()));
    commit(&store, vec![queues([1])]).unwrap();
    for position in 0..100 {
        commit(&store, vec![enqueue(&format!("body {position}"), &[(1, position)])]).unwrap();
        if position % 5 == 0 {
            commit(&store, vec![settle(1, &[position])]).unwrap();
        }
    }
    store.close();
    directory
}

fn expected_of_many() -> Vec<String> {
    (0..100).filter(|position| position % 5 != 0).map(|p| format!("body {p}")).collect()
}

/// What was written of the last segment, without the room that was reserved.
fn written(directory: &TempDir) -> Vec<u8> {
    let mut bytes = fs::read(segments(directory.path()).pop().unwrap()).unwrap();
    bytes.truncate(*record_starts(&bytes).last().unwrap());
    bytes
}

/// Where each record of a segment begins, and where the last ends.
fn record_starts(bytes: &[u8]) -> Vec<usize> {
    let mut starts = vec![24];
    while let Some(&start) = starts.last()
        && start < bytes.len()
        && bytes[start..start + 4] != [0; 4]
    {
        let length = u32::from_le_bytes(bytes[start + 4..start + 8].try_into().unwrap());
        starts.push(start + 13 + length as usize);
    }
    starts
}

#[test]
fn a_torn_tail_is_cut_at_whichever_byte_it_tears() {
    let source = ten_messages();
    let bytes = written(&source);
    let starts = record_starts(&bytes);
    for length in starts[starts.len() - 3]..bytes.len() {
        let directory = crashed(source.path());
        let segment = segments(directory.path()).pop().unwrap();
        // With room behind it that was reserved, and without.
        let reserved = vec![0; length % 2 * 1000];
        fs::write(&segment, [&bytes[..length], &reserved].concat()).unwrap();
        let whole = starts.iter().filter(|start| **start <= length).count() - 2;
        let (store, recovered) = open(options(directory.path()));
        assert_eq!(bodies(&store, 1).len(), whole, "cut at {length}");
        let torn = !starts.contains(&length);
        assert_eq!(recovered.notes.len(), usize::from(torn), "{:?}", recovered.notes);
        assert!(!torn || recovered.notes[0].contains("torn tail"));
        if length % 5 > 0 {
            continue;
        }
        commit(&store, vec![enqueue("after", &[(1, 100)])]).unwrap();
        let after = crashed(directory.path());
        drop(store);
        for directory in [&directory, &after] {
            let (store, recovered) = open(options(directory.path()));
            assert_eq!(bodies(&store, 1).len(), whole + 1);
            assert_eq!(recovered.notes, Vec::<String>::new());
        }
    }
}

#[test]
fn a_tail_of_zeros_or_noise_is_cut() {
    let noise: Vec<u8> = (0..5000_u32).map(|i| (i * i / 7) as u8 | 1).collect();
    let reserved = vec![0; 100_000];
    for (tail, torn) in
        [(reserved.clone(), 0), (noise.clone(), 5000), ([noise, reserved].concat(), 5000)]
    {
        let directory = ten_messages();
        let segment = segments(directory.path()).pop().unwrap();
        fs::write(&segment, [written(&directory), tail].concat()).unwrap();
        let (store, recovered) = open(options(directory.path()));
        assert_eq!(bodies(&store, 1).len(), 10);
        // Zeros are room that was reserved, and nothing to speak of.
        assert_eq!(recovered.notes.len(), usize::from(torn > 0), "{:?}", recovered.notes);
        assert!(recovered.notes.iter().all(|note| note.contains("torn tail of 5000 bytes")));
    }
}

#[test]
fn a_segment_that_was_only_reserved_is_no_damage() {
    let directory = ten_messages();
    let segment = segments(directory.path()).pop().unwrap();
    let next = segment.with_file_name("00000000000000000002.log");
    fs::write(&next, vec![0; 100_000]).unwrap();
    let (store, recovered) = open(options(directory.path()));
    assert_eq!(bodies(&store, 1).len(), 10);
    assert_eq!(recovered.notes, ["removed journal segment 2, which was never begun"]);
    assert!(!next.exists());
}

#[test]
fn a_flipped_bit_costs_one_record() {
    let source = ten_messages();
    let bytes = written(&source);
    let starts = record_starts(&bytes);
    // The topology comes first; what follows is one message each.
    let (first, last) = (starts[1], starts[starts.len() - 2]);
    for at in (first..bytes.len()).step_by(11) {
        let directory = crashed(source.path());
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        fs::write(segments(directory.path()).pop().unwrap(), flipped).unwrap();
        let damaged = starts.iter().rposition(|start| *start <= at).unwrap() - 1;
        let (store, recovered) = open(options(directory.path()));
        let expected: Vec<String> =
            (0..10).filter(|p| *p != damaged).map(|p| format!("body {p}")).collect();
        assert_eq!(bodies(&store, 1), expected, "flipped at {at}");
        let note = if at >= last { "torn tail" } else { "damaged bytes" };
        assert!(recovered.notes[0].contains(note), "{:?}", recovered.notes);
    }
}

#[test]
fn a_damaged_segment_head_costs_nothing() {
    for at in 0..24 {
        let directory = ten_messages();
        let segment = segments(directory.path()).pop().unwrap();
        let mut bytes = fs::read(&segment).unwrap();
        bytes[at] ^= 0x40;
        fs::write(&segment, bytes).unwrap();
        let (store, recovered) = open(options(directory.path()));
        assert_eq!(bodies(&store, 1).len(), 10);
        assert!(recovered.notes[0].contains("head"), "{:?}", recovered.notes);
    }
}

#[test]
fn a_segment_that_was_never_begun_is_removed() {
    for head in [0, 1, 23, 24] {
        let directory = ten_messages();
        let next = directory.path().join("journal").join(format!("{:020}.log", 2));
        fs::write(&next, vec![0; head]).unwrap();
        let (store, recovered) = open(options(directory.path()));
        assert_eq!(bodies(&store, 1).len(), 10);
        assert!(recovered.notes[0].contains("never begun"), "{:?}", recovered.notes);
        commit(&store, vec![enqueue("after", &[(1, 10)])]).unwrap();
        assert!(!next.exists());
    }
}

fn noise(path: &Path) {
    for entry in fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            noise(&path);
        } else {
            let length = fs::metadata(&path).unwrap().len().min(1 << 20);
            let noise: Vec<u8> = (0..length).map(|i| (i * i * 31 / 7) as u8).collect();
            fs::write(&path, noise).unwrap();
        }
    }
}

/// Spoils a closed directory and expects the store to come back whole from its journal.
fn comes_back(spoil: impl Fn(&Path)) -> Vec<String> {
    let directory = many_segments();
    spoil(directory.path());
    let (store, recovered) = open(tiny(directory.path()));
    assert_eq!(bodies(&store, 1), expected_of_many(), "{:?}", recovered.notes);
    assert!(!recovered.notes.is_empty() && !recovered.clean);
    assert_eq!(recovered.queues.len(), 1);
    drop(store);
    let (store, again) = open(tiny(directory.path()));
    assert_eq!(bodies(&store, 1), expected_of_many());
    assert_eq!(again.notes, Vec::<String>::new());
    // The messages are still the ones of which nobody knows whether they had been delivered.
    assert!(!again.clean);
    recovered.notes
}

#[test]
fn an_index_that_is_gone_is_rebuilt() {
    let notes = comes_back(|directory| fs::remove_dir_all(directory.join("index")).unwrap());
    assert!(notes[0].contains("rebuilt"), "{notes:?}");
}

#[test]
fn an_index_that_was_emptied_is_rebuilt() {
    comes_back(|directory| {
        fs::remove_dir_all(directory.join("index")).unwrap();
        fs::create_dir(directory.join("index")).unwrap();
    });
}

#[test]
fn an_index_full_of_noise_is_moved_aside_and_rebuilt() {
    let notes = comes_back(|directory| noise(&directory.join("index")));
    assert!(notes[0].contains("index.broken-1"), "{notes:?}");
}

#[test]
fn an_index_that_is_a_file_is_moved_aside_and_rebuilt() {
    comes_back(|directory| {
        fs::remove_dir_all(directory.join("index")).unwrap();
        fs::write(directory.join("index"), "noise").unwrap();
    });
}

#[test]
fn an_index_of_another_store_is_moved_aside_and_rebuilt() {
    let other = ten_messages();
    let (store, _) = open(options(other.path()));
    commit(&store, vec![queues([2]), enqueue("x", &[(2, 0)])]).unwrap();
    drop(store);
    let notes = comes_back(|directory| {
        fs::remove_dir_all(directory.join("index")).unwrap();
        fs::rename(other.path().join("index"), directory.join("index")).unwrap();
    });
    assert!(notes.iter().any(|note| note.contains("does not fit")), "{notes:?}");
}

#[test]
fn a_snapshot_that_sled_did_not_finish_is_removed() {
    let directory = many_segments();
    let unfinished = directory.path().join("index").join("snap.00000000.generating");
    fs::write(&unfinished, "half").unwrap();
    let (store, recovered) = open(tiny(directory.path()));
    assert_eq!(bodies(&store, 1), expected_of_many());
    assert_eq!(recovered.notes, Vec::<String>::new());
}

#[test]
fn definitions_that_are_gone_or_noise_are_written_anew() {
    comes_back(|directory| fs::remove_file(directory.join("definitions.json")).unwrap());
    comes_back(|directory| fs::write(directory.join("definitions.json"), "noise").unwrap());
}

#[test]
fn a_format_file_that_is_gone_is_written_anew() {
    comes_back(|directory| fs::remove_file(directory.join("format")).unwrap());
}

#[test]
fn without_index_and_definitions_a_whole_journal_is_enough() {
    let directory = ten_messages();
    fs::remove_dir_all(directory.path().join("index")).unwrap();
    let (store, _) = open(options(directory.path()));
    assert_eq!(bodies(&store, 1).len(), 10);
}

#[test]
fn without_index_and_definitions_part_of_a_journal_is_refused() {
    let directory = many_segments();
    fs::remove_dir_all(directory.path().join("index")).unwrap();
    fs::remove_file(directory.path().join("definitions.json")).unwrap();
    fs::remove_file(&segments(directory.path())[0]).unwrap();
    let error = Store::open(tiny(directory.path()), Events::default()).expect_err("refused");
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    assert!(error.to_string().contains("definitions.json"), "{error}");
}

/// Spoils the journal of a closed directory. Returns what is left of queue 1, after a second start agreed.
fn left_over(
    options_of: fn(&Path) -> Options,
    spoil: impl Fn(&Path),
) -> (Vec<String>, Vec<String>) {
    let directory = many_segments();
    spoil(directory.path());
    let (store, recovered) = open(options_of(directory.path()));
    let left = bodies(&store, 1);
    commit(&store, vec![enqueue("after", &[(1, 1000)])]).unwrap();
    rest(&store);
    let crash = crashed(directory.path());
    drop(store);
    for directory in [&directory, &crash] {
        let (store, again) = open(options_of(directory.path()));
        assert_eq!(again.notes, Vec::<String>::new());
        let mut expected = left.clone();
        expected.push("after".to_owned());
        assert_eq!(bodies(&store, 1), expected);
    }
    (left, recovered.notes)
}

#[test]
fn a_missing_segment_costs_what_it_held() {
    for which in [0, 1, usize::MAX] {
        let (left, notes) = left_over(tiny, |directory| {
            let segments = segments(directory);
            fs::remove_file(&segments[which.min(segments.len() - 1)]).unwrap();
        });
        let expected = expected_of_many();
        assert!(left.len() < expected.len() && left.len() > expected.len() / 2);
        assert!(left.iter().all(|body| expected.contains(body)));
        assert!(notes.iter().any(|note| note.contains("are lost")), "{notes:?}");
    }
}

#[test]
fn a_missing_journal_costs_the_messages_and_keeps_the_definitions() {
    let (left, notes) =
        left_over(tiny, |directory| fs::remove_dir_all(directory.join("journal")).unwrap());
    assert!(left.is_empty());
    assert!(notes.iter().any(|note| note.contains("80 messages are lost")), "{notes:?}");
}

#[test]
fn a_last_segment_cut_before_the_mark_costs_what_was_cut() {
    let (left, notes) = left_over(tiny, |directory| {
        let last = segments(directory).pop().unwrap();
        let bytes = fs::read(&last).unwrap();
        fs::write(&last, &bytes[..bytes.len() / 2]).unwrap();
    });
    assert!(left.len() < 80 && left.len() > 40);
    assert!(notes.iter().any(|note| note.contains("are lost")), "{notes:?}");
}

#[test]
fn a_live_record_that_was_damaged_costs_one_message() {
    let (left, notes) = left_over(tiny, damage_body_3);
    let mut expected = expected_of_many();
    expected.retain(|body| body != "body 3");
    assert_eq!(left, expected);
    // Starting reads no bodies: the damage was met when the message was read.
    assert_eq!(notes, Vec::<String>::new());
}

fn damage_body_3(directory: &Path) {
    let first = segments(directory).remove(0);
    let mut bytes = fs::read(&first).unwrap();
    let at = bytes.windows(6).position(|part| part == b"body 3").unwrap();
    bytes[at] ^= 1;
    fs::write(&first, bytes).unwrap();
}

#[test]
fn a_damaged_message_is_told_once_and_then_forgotten() {
    let directory = many_segments();
    damage_body_3(directory.path());
    let (store, _) = open(tiny(directory.path()));
    let rereads = reread(&store, 1, vec![2, 3, 4]);
    assert_eq!(rereads.len(), 3);
    for reread in rereads {
        match reread {
            Ok(loaded) => assert_ne!(loaded.position, 3),
            Err(unread) => assert_eq!((unread.position, unread.why), (3, Unreadable::Damaged)),
        }
    }
    commit(&store, Vec::new()).unwrap();
    assert_eq!(reread(&store, 1, vec![3]).len(), 0);
    assert_eq!(store.figures().entries, 79);
}
