//! Tests of changes as bytes.

use proptest::prelude::*;

use super::*;
use crate::store::plain::PlainChange;

/// Every kind of change.
fn changes() -> impl Strategy<Value = Vec<Change>> {
    let texts = prop::collection::vec(".{0,40}", 5);
    let parts = (texts, prop::collection::vec(any::<u8>(), 0..300), any::<(u64, bool, bool)>());
    parts.prop_map(|(texts, arguments, (id, first, second))| {
        let text = |at: usize| texts[at].clone();
        let (name, vhost, user) = (text(0), text(1), text(2));
        let binding = BindingRecord {
            vhost: text(0),
            source: text(1),
            destination: text(2),
            destination_kind: if first {
                DestinationKind::Queue
            } else {
                DestinationKind::Exchange
            },
            routing_key: text(3),
            arguments: arguments.clone(),
        };
        let (configure, write, read) = (text(2), text(3), text(4));
        vec![
            Change::PutVhost(VhostRecord { name: text(0) }),
            Change::DeleteVhost { name: text(0) },
            Change::PutUser(UserRecord {
                name: text(0),
                password_hash: text(1),
                tags: texts[2..].to_vec(),
            }),
            Change::DeleteUser { name: text(0) },
            Change::PutPermission(PermissionRecord {
                user: text(0),
                vhost: text(1),
                configure,
                write,
                read,
            }),
            Change::DeletePermission { user, vhost },
            Change::PutExchange(ExchangeRecord {
                vhost: text(0),
                name: text(1),
                kind: text(2),
                auto_delete: first,
                internal: second,
                arguments: arguments.clone(),
            }),
            Change::DeleteExchange { vhost: text(1), name },
            Change::PutQueue(QueueRecord {
                id,
                vhost: text(0),
                name: text(1),
                auto_delete: first,
                arguments,
            }),
            Change::DeleteQueue { vhost: text(0), name: text(1), id },
            Change::PutBinding(binding.clone()),
            Change::DeleteBinding(binding),
        ]
    })
}

fn bytes_of(change: &Change) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_change(change, &mut bytes);
    bytes
}

proptest! {
    #[test]
    fn every_change_comes_back_as_it_was(changes in changes()) {
        for change in changes {
            prop_assert_eq!(lone_change(&bytes_of(&change)), Ok(change));
        }
    }

    #[test]
    fn every_change_of_format_1_comes_back_as_it_was(changes in changes()) {
        for change in changes {
            let bytes = postcard::to_stdvec(&PlainChange::from(&change)).unwrap();
            prop_assert_eq!(lone_change(&bytes), Ok(change));
        }
    }

    #[test]
    fn a_change_that_is_cut_makes_no_sense(changes in changes(), part in 0.0..1.0) {
        for change in changes {
            let bytes = bytes_of(&change);
            let cut = (bytes.len() as f64 * part) as usize;
            prop_assert_eq!(lone_change(&bytes[..cut]), Err(Undecoded::Senseless));
        }
    }

    #[test]
    fn what_a_later_version_wrote_is_never_damage(kind in KIND_MIN.., version: u8, rest in prop::collection::vec(any::<u8>(), 0..100)) {
        let bytes = [&[kind, version][..], &rest].concat();
        if version != VERSION || !(PUT_VHOST..=DELETE_BINDING).contains(&kind) {
            prop_assert!(matches!(lone_change(&bytes), Err(Undecoded::Unknown(_))));
        }
    }

    #[test]
    fn noise_is_never_a_panic(noise in prop::collection::vec(any::<u8>(), 0..100)) {
        let _decoded = lone_change(&noise);
    }
}
