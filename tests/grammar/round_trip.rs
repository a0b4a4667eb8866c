//! Every method of the grammar, with random arguments: written here field by field as the grammar says,
//! read and written again by `wire`, and the same bytes must come back.

use leveret::wire::{Method as Wire, ReplyCode, Sender as WireSender};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::model::{Class, Field, Grammar, Kind, Method, Sender};

#[test]
fn every_method_comes_back_byte_for_byte() {
    for_every_method(|_, _, bytes| {
        let mut out = Vec::new();
        Wire::parse(bytes).expect("well formed").encode(&mut out);
        assert_eq!(out, bytes);
    });
}

#[test]
fn every_method_has_the_numbers_and_facts_of_the_grammar() {
    for_every_method(|class, method, bytes| {
        let wire = Wire::parse(bytes).expect("well formed");
        assert_eq!(wire.name(), format!("{}.{}", class.name, method.name));
        assert_eq!((wire.class_id(), wire.method_id()), (class.id, method.id));
        assert_eq!(wire.is_sync(), !method.replies.is_empty());
        assert_eq!(wire.has_content(), method.content);
        let sender = match method.from {
            Sender::Client => WireSender::Client,
            Sender::Server => WireSender::Server,
            Sender::Both => WireSender::Both,
        };
        assert_eq!(wire.sender(), sender);
    });
}

#[test]
fn a_method_cut_short_anywhere_is_a_frame_error() {
    for_every_method(|_, _, bytes| {
        for length in 0..bytes.len() {
            let error = Wire::parse(&bytes[..length]).expect_err("cut short");
            assert_eq!(error.code, ReplyCode::FrameError, "{length} of {bytes:?}");
        }
    });
}

#[test]
fn bytes_after_the_last_argument_are_a_frame_error() {
    for_every_method(|class, method, bytes| {
        let error = Wire::parse(&[bytes, &[0]].concat()).expect_err("too long");
        assert_eq!(error.code, ReplyCode::FrameError);
        assert_eq!((error.class_id, error.method_id), (class.id, method.id));
    });
}

#[test]
fn a_method_that_the_grammar_lacks_is_an_invalid_command() {
    let grammar = Grammar::load();
    for class_id in (0..=120).chain([u16::MAX]) {
        for method_id in (0..=130).chain([u16::MAX]) {
            let known = grammar.methods().any(|(c, m)| (c.id, m.id) == (class_id, method_id));
            let bytes = [class_id.to_be_bytes(), method_id.to_be_bytes()].concat();
            let code = Wire::parse(&bytes).map_err(|error| error.code);
            let refused = code == Err(ReplyCode::CommandInvalid);
            assert_eq!(refused, !known, "{class_id}, {method_id}");
        }
    }
}

#[test]
fn a_reply_code_is_found_by_its_number() {
    for code in Grammar::load().code {
        let wire = ReplyCode::from_code(code.code).expect("known");
        assert_eq!((wire.code(), wire.name()), (code.code, code.name.as_str()));
        assert_eq!(format!("{:?}", wire.closes()), format!("{:?}", code.closes));
    }
    assert_eq!(ReplyCode::from_code(200), None);
}

#[test]
fn no_secret_is_shown_by_debug() {
    let secret = b"hush-hush".as_slice();
    let grammar = Grammar::load();
    let secretive = |method: &Method| method.fields.iter().any(|field| field.secret);
    for (class, method) in grammar.methods().filter(|(_, method)| secretive(method)) {
        let mut bytes = [class.id.to_be_bytes(), method.id.to_be_bytes()].concat();
        for field in &method.fields {
            match field.kind {
                Kind::Longstr => bytes.extend([&9u32.to_be_bytes(), secret].concat()),
                Kind::Shortstr => bytes.push(0),
                Kind::Table => bytes.extend([0; 4]),
                other => panic!("{other:?} beside a secret"),
            }
        }
        let shown = format!("{:?}", Wire::parse(&bytes).expect("well formed"));
        assert!(!shown.contains("hush") && !shown.contains("104, 117"), "{shown}");
    }
}

fn for_every_method(rule: impl Fn(&Class, &Method, &[u8])) {
    let grammar = Grammar::load();
    for (class, method) in grammar.methods() {
        let mut runner = TestRunner::new(Config { cases: 24, ..Config::default() });
        let checked = runner.run(&payload(class, method), |bytes| {
            rule(class, method, &bytes);
            Ok(())
        });
        checked.unwrap_or_else(|error| panic!("{}.{}: {error}", class.name, method.name));
    }
}

/// Payloads of the method's frame.
fn payload(class: &Class, method: &Method) -> BoxedStrategy<Vec<u8>> {
    let head = [class.id.to_be_bytes(), method.id.to_be_bytes()].concat();
    let groups: Vec<_> = method.groups().into_iter().map(field_group).collect();
    groups.prop_map(move |parts| [head.clone(), parts.concat()].concat()).boxed()
}

fn field_group(group: &[Field]) -> BoxedStrategy<Vec<u8>> {
    let bytes = |count| vec(any::<u8>(), count).boxed();
    match group[0].kind {
        Kind::Bit => {
            let open = |(index, field): (usize, &Field)| u8::from(!field.reserved) << index;
            let mask: u8 = group.iter().enumerate().map(open).sum();
            any::<u8>().prop_map(move |octet| vec![octet & mask]).boxed()
        }
        kind if group[0].reserved => Just(vec![0; empty_bytes(kind)]).boxed(),
        Kind::Octet => bytes(1),
        Kind::Short => bytes(2),
        Kind::Long => bytes(4),
        Kind::Longlong | Kind::Timestamp => bytes(8),
        Kind::Shortstr => short_string().boxed(),
        Kind::Longstr => vec(any::<u8>(), 0..40).prop_map(sized).boxed(),
        Kind::Table => vec(entry(), 0..5).prop_map(|entries| sized(entries.concat())).boxed(),
    }
}

/// Bytes that a reserved field takes when it is zero or empty.
fn empty_bytes(kind: Kind) -> usize {
    match kind {
        Kind::Shortstr | Kind::Octet => 1,
        Kind::Short => 2,
        Kind::Longstr | Kind::Table | Kind::Long => 4,
        other => panic!("no reserved field is a {other:?}"),
    }
}

fn short_string() -> impl Strategy<Value = Vec<u8>> {
    "\\PC{0,20}".prop_map(|text| [vec![text.len() as u8], text.into_bytes()].concat())
}

fn sized(bytes: Vec<u8>) -> Vec<u8> {
    [(bytes.len() as u32).to_be_bytes().to_vec(), bytes].concat()
}

fn entry() -> impl Strategy<Value = Vec<u8>> {
    (short_string(), value()).prop_map(|(name, value)| [name, value].concat())
}

/// A table value: its tag, and as many bytes as the tag asks for.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let plain = |tag: u8, count: usize| {
        vec(any::<u8>(), count).prop_map(move |bytes| [vec![tag], bytes].concat())
    };
    let scalar =
        prop_oneof![
            any::<bool>().prop_map(|value| vec![b't', value.into()]),
            Just(vec![b'V']),
            prop::sample::select(b"bB".to_vec()).prop_flat_map(move |tag| plain(tag, 1)),
            prop::sample::select(b"sUu".to_vec()).prop_flat_map(move |tag| plain(tag, 2)),
            prop::sample::select(b"Iif".to_vec()).prop_flat_map(move |tag| plain(tag, 4)),
            prop::sample::select(b"lLdT".to_vec()).prop_flat_map(move |tag| plain(tag, 8)),
            plain(b'D', 5),
            (prop::sample::select(b"Sx".to_vec()), vec(any::<u8>(), 0..20))
                .prop_map(|(tag, bytes)| [vec![tag], sized(bytes)].concat()),
        ];
    scalar.prop_recursive(3, 16, 4, |inner| {
        let named = (short_string(), inner.clone()).prop_map(|(name, v)| [name, v].concat());
        prop_oneof![
            vec(inner, 0..4).prop_map(|values| [vec![b'A'], sized(values.concat())].concat()),
            vec(named, 0..4).prop_map(|entries| [vec![b'F'], sized(entries.concat())].concat()),
        ]
    })
}
