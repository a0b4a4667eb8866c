//! Tests of segments: names, heads, and finding records past damage.

use proptest::prelude::*;

use super::*;
use crate::store::record::encode;

const MARKER: Marker = [1, 2, 3, 4];

fn some_records() -> (Vec<u8>, Vec<usize>) {
    let mut bytes = Vec::new();
    let mut starts = Vec::new();
    for position in 0..20_u64 {
        starts.push(bytes.len());
        let record = Record::Returned { queue: 1, position: position << position, count: 9 };
        encode(&record, MARKER, &mut bytes).unwrap();
    }
    starts.push(bytes.len());
    (bytes, starts)
}

/// Where records were found, and the gaps.
fn scanned(bytes: &[u8]) -> (Vec<usize>, Vec<Gap>) {
    let mut found = Vec::new();
    let gaps = scan(bytes, 0, MARKER, &mut |offset, _, _| found.push(offset));
    (found, gaps.unwrap())
}

#[test]
fn a_name_stands_for_its_segment() {
    let path = segment_path(Path::new("/x"), 17);
    assert_eq!(path, Path::new("/x/00000000000000000017.log"));
    assert_eq!(segment_of("00000000000000000017.log"), Some(17));
    for name in ["17.log", "00000000000000000017.new", "0000000000000000001x.log", "", ".log"] {
        assert_eq!(segment_of(name), None, "{name}");
    }
}

#[test]
fn a_head_belongs_to_its_segment_alone() {
    let head = encode_head(5, MARKER);
    assert_eq!(decode_head(5, &head), Ok(MARKER));
    assert_eq!(decode_head(6, &head), Err(Undecoded::Senseless));
    assert_eq!(decode_head(5, &head[..23]), Err(Undecoded::Senseless));
    for bit in 0..head.len() * 8 {
        let mut flipped = head;
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(decode_head(5, &flipped), Err(Undecoded::Senseless), "bit {bit}");
    }
}

#[test]
fn heads_of_every_version_up_to_ours_are_read_and_no_others() {
    for version in 1..=VERSION {
        assert_eq!(decode_head(5, &encode_head_of(version, 5, MARKER)), Ok(MARKER));
    }
    assert_eq!(decode_head(5, &encode_head_of(0, 5, MARKER)), Err(Undecoded::Senseless));
    for version in [VERSION + 1, u32::MAX] {
        let decoded = decode_head(5, &encode_head_of(version, 5, MARKER));
        assert!(matches!(decoded, Err(Undecoded::Unknown(unknown)) if unknown.found == version));
    }
}

#[test]
fn the_last_segment_is_known_in_every_version_up_to_ours() {
    let check =
        |content: &str, expected| assert_eq!(decode_last_begun(content.as_bytes()), expected);
    check("17\n", Ok(17));
    check(&encode_last_begun(17), Ok(17));
    for noise in ["", "x", "1 17", "-1", "2 x", "2 17 1"] {
        check(noise, Err(Undecoded::Senseless));
    }
    let (what, number) = ("the number of the last segment", None);
    check("3 17 more\n", Err(Unknown { what, number, found: 3, known: 2 }.into()));
}

/// A frame of a kind that there is not, with a right sum.
fn unknown_frame() -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(&Record::Returned { queue: 1, position: 1, count: 1 }, MARKER, &mut bytes).unwrap();
    bytes[12] = 31;
    let sum = crc32c::crc32c(&bytes[12..]);
    bytes[8..12].copy_from_slice(&sum.to_le_bytes());
    bytes
}

#[test]
fn a_record_of_a_later_version_is_not_skipped() {
    let (bytes, starts) = some_records();
    for (place, start) in starts.iter().enumerate() {
        let mut newer = bytes.clone();
        newer.splice(start..start, unknown_frame());
        let scanned = scan(&newer, 0, MARKER, &mut |_, _, _| {});
        assert!(matches!(scanned, Err(Unknown { number: Some(31), .. })), "before {place}");
        // Damage before it does not hide it.
        if place > 0 {
            newer[starts[place - 1] + 6] ^= 1;
            assert!(scan(&newer, 0, MARKER, &mut |_, _, _| {}).is_err(), "before {place}");
        }
    }
}

#[test]
fn a_record_of_a_later_version_is_no_damage_to_who_reads_it_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = segment_path(directory.path(), 1);
    let bytes = [&encode_head(1, MARKER)[..], &unknown_frame()].concat();
    std::fs::write(&path, bytes).unwrap();
    let disk = crate::store::disk::LocalDisk::new(1 << 20);
    let mut reader = open_segment(&disk, directory.path(), 1).unwrap().unwrap();
    let error = reader.find(SEGMENT_HEAD_BYTES as u32).unwrap_err();
    assert_eq!(Newer::of(&error).unwrap().path, path);
}

#[test]
fn whatever_bit_is_flipped_all_other_records_are_found() {
    let (bytes, starts) = some_records();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let hit = starts.iter().rposition(|start| *start <= bit / 8).unwrap();
        let mut expected = starts[..20].to_vec();
        let offset = expected.remove(hit);
        let gap = Gap { offset, bytes: starts[hit + 1] - offset, at_end: hit == 19 };
        assert_eq!(scanned(&flipped), (expected, vec![gap]), "bit {bit}");
    }
}

#[test]
fn wherever_a_segment_ends_its_whole_records_are_found() {
    let (bytes, starts) = some_records();
    for length in 0..bytes.len() {
        let whole = starts.iter().filter(|start| **start <= length).count() - 1;
        let (found, gaps) = scanned(&bytes[..length]);
        assert_eq!(found, starts[..whole]);
        let torn = length - starts[whole];
        let expected =
            (torn > 0).then_some(Gap { offset: starts[whole], bytes: torn, at_end: true });
        assert_eq!(gaps, Vec::from_iter(expected));
    }
}

#[test]
fn a_hole_of_zeros_is_skipped() {
    let (bytes, starts) = some_records();
    let mut holed = bytes;
    holed[starts[3] + 2..starts[7] + 1].fill(0);
    let (found, gaps) = scanned(&holed);
    assert_eq!(found.len(), 15);
    let bytes = starts[8] - starts[3];
    assert_eq!(gaps, [Gap { offset: starts[3], bytes, at_end: false }]);
}

#[test]
fn a_record_within_a_body_is_not_taken_for_one() {
    let mut inner = Vec::new();
    encode(&Record::Returned { queue: 1, position: 1, count: 1 }, [9; 4], &mut inner).unwrap();
    let mut bytes = vec![0; 7];
    bytes.extend(inner);
    let (found, gaps) = scanned(&bytes);
    assert!(found.is_empty());
    assert_eq!(gaps.len(), 1);
}

proptest! {
    #[test]
    fn whatever_is_written_over_a_segment_what_is_found_was_there(
        damage in prop::collection::vec((0..500_usize, prop::collection::vec(any::<u8>(), 0..40)), 0..6),
    ) {
        let (mut bytes, starts) = some_records();
        for (at, noise) in damage {
            let at = at.min(bytes.len());
            let end = (at + noise.len()).min(bytes.len());
            bytes.splice(at..end, noise);
        }
        let (found, gaps) = scanned(&bytes);
        prop_assert!(found.len() < starts.len());
        prop_assert!(found.is_sorted() && gaps.iter().all(|gap| gap.bytes > 0));
    }
}
