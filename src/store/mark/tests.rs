//! Tests of the mark's layouts.

use proptest::prelude::*;

use super::*;

fn marks() -> impl Strategy<Value = Mark> {
    type Parts = (u32, u64, Option<[u8; 4]>, (u64, u64, u64), bool, bool);
    any::<Parts>().prop_map(|(segment, offset, fingerprint, counts, closed, updating)| {
        let (queue_id_max, entries, definitions) = counts;
        let position = LogPosition { segment, offset };
        Mark { position, fingerprint, queue_id_max, entries, definitions, closed, updating }
    })
}

proptest! {
    #[test]
    fn a_mark_comes_back_as_it_was(mark in marks()) {
        prop_assert_eq!(Mark::decode(&mark.encode()), Ok(mark));
    }

    #[test]
    fn a_mark_that_is_cut_makes_no_sense(mark in marks()) {
        let bytes = mark.encode();
        for length in 0..bytes.len() {
            prop_assert_eq!(Mark::decode(&bytes[..length]), Err(Undecoded::Senseless));
        }
    }

    #[test]
    fn a_later_mark_is_never_damage(version in 3_u8.., rest in prop::collection::vec(any::<u8>(), 0..40)) {
        let bytes = [&[0, version][..], &rest].concat();
        prop_assert!(matches!(Mark::decode(&bytes), Err(Undecoded::Unknown(_))));
        let bytes = [&[0, 2, version | 8][..], &rest].concat();
        prop_assert!(matches!(Mark::decode(&bytes), Err(Undecoded::Unknown(_))));
    }
}

#[test]
fn a_mark_of_format_1_is_read() {
    // Segment 3, offset 300, fingerprint, queue 7, 200 messages, 4 definitions, closed.
    let bytes = [3, 0xac, 2, 1, 9, 8, 7, 6, 7, 0xc8, 1, 4, 1, 0];
    let mark = Mark {
        position: LogPosition { segment: 3, offset: 300 },
        fingerprint: Some([9, 8, 7, 6]),
        queue_id_max: 7,
        entries: 200,
        definitions: 4,
        closed: true,
        updating: false,
    };
    assert_eq!(Mark::decode(&bytes), Ok(mark));
}
