//! All kinds of exchange against a plain list of bindings, and the rules of binding and unbinding.

use std::collections::BTreeSet;

use proptest::prelude::*;

use crate::wire::Value;

use super::arguments::{MatchMode, Quantity, same_table, satisfies};
use super::words::words;
use super::*;

pub const HASH: KeyHash = KeyHash::new([5, 6]);

/// A destination for tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue(pub u64);

impl Destination for Queue {
    fn id(&self) -> u64 {
        self.0
    }
}

pub fn table(pairs: &[(&str, Value)]) -> Table {
    pairs.iter().map(|(name, value)| (*name, value.clone())).collect()
}

pub fn text(text: &str) -> Value {
    Value::LongStr(text.as_bytes().to_vec())
}

fn bytes(table: &Table) -> Vec<u8> {
    let mut bytes = Vec::new();
    table.encode(&mut bytes);
    bytes
}

fn nothing() -> Table {
    table(&[])
}

fn route(bindings: &Bindings<Queue>, key: &str, headers: Option<&Table>) -> Vec<u64> {
    let mut search = Search::new(u64::MAX);
    bindings.route(key, headers, &mut search);
    search.found.iter().map(|queue| queue.0).collect()
}

const KINDS: [Kind; 4] = [Kind::Direct, Kind::Fanout, Kind::Topic, Kind::Headers];

#[test]
fn a_kind_is_known_by_its_name() {
    for kind in KINDS {
        assert_eq!(kind.as_str().parse(), Ok(kind));
        assert_eq!(kind.to_string(), kind.as_str());
        assert_eq!(Bindings::<Queue>::new(kind, HASH).kind(), kind);
    }
    for name in ["", "Direct", "x-delayed-message"] {
        assert_eq!(name.parse::<Kind>(), Err(UnknownKind));
    }
}

#[test]
fn direct_compares_whole_keys() {
    let mut bindings = Bindings::new(Kind::Direct, HASH);
    for (key, id) in [("a", 1), ("a", 2), ("b", 1), ("", 3), ("*", 4), ("a.#", 5)] {
        bindings.bind(key, &nothing(), Queue(id)).unwrap();
    }
    assert_eq!(route(&bindings, "a", None), [1, 2]);
    assert_eq!(route(&bindings, "b", None), [1]);
    assert_eq!(route(&bindings, "", None), [3]);
    assert_eq!(route(&bindings, "a.b", None), [0; 0]);
    assert!(bindings.unbind("a", &nothing(), &Queue(1)));
    assert_eq!(route(&bindings, "a", None), [2]);
    assert_eq!(route(&bindings, "b", None), [1]);
}

#[test]
fn fanout_ignores_the_key() {
    let mut bindings = Bindings::new(Kind::Fanout, HASH);
    for (key, id) in [("a", 1), ("b", 1), ("", 2)] {
        bindings.bind(key, &nothing(), Queue(id)).unwrap();
    }
    assert_eq!(route(&bindings, "anything", None), [1, 2]);
    assert!(bindings.unbind("a", &nothing(), &Queue(1)));
    assert_eq!(route(&bindings, "a", None), [1, 2]);
    assert!(bindings.unbind("b", &nothing(), &Queue(1)));
    assert_eq!(route(&bindings, "b", None), [2]);
}

#[test]
fn a_destination_is_reached_once_however_many_bindings_match() {
    for kind in KINDS {
        let mut bindings = Bindings::new(kind, HASH);
        for n in 0..5 {
            let arguments = table(&[("x-n", Value::I32(n))]);
            for key in ["a.b", "#", "*.b", "a.#"] {
                assert_eq!(bindings.bind(key, &arguments, Queue(1)), Ok(Bound::New));
            }
        }
        assert_eq!(bindings.len(), 20);
        assert_eq!(route(&bindings, "a.b", None), [1], "{kind}");
        let mut search = Search::new(u64::MAX);
        search.found.push(&Queue(9));
        search.found.push(&Queue(1));
        bindings.route("a.b", None, &mut search);
        assert_eq!(search.found.len(), 2, "what is there already stays and counts");
    }
}

#[test]
fn bindings_that_differ_in_their_arguments_alone_are_told_apart_however_many() {
    for kind in KINDS {
        let mut bindings = Bindings::new(kind, HASH);
        let arguments = |n: i32| table(&[("n", Value::I32(n))]);
        for n in 0..100 {
            assert_eq!(bindings.bind("k", &arguments(n), Queue(1)), Ok(Bound::New));
            assert_eq!(bindings.bind("k", &arguments(n), Queue(1)), Ok(Bound::AlreadyThere));
        }
        assert_eq!((bindings.len(), bindings.iter().count()), (100, 100));
        let headers = arguments(99);
        for n in 0..100 {
            assert_eq!(route(&bindings, "k", Some(&headers)), [1], "{kind} without {n}");
            assert!(bindings.contains("k", &arguments(n), &Queue(1)));
            assert!(bindings.unbind("k", &arguments(n), &Queue(1)), "{kind} {n}");
            assert!(!bindings.unbind("k", &arguments(n), &Queue(1)), "{kind} {n}");
        }
        assert!(bindings.is_empty() && route(&bindings, "k", Some(&headers)).is_empty());
    }
}

#[test]
fn a_binding_is_its_key_arguments_and_destination() {
    for kind in KINDS {
        let mut bindings = Bindings::new(kind, HASH);
        let mut bind = |key: &str, pairs: &[(&str, Value)], id, expected| {
            let arguments = table(pairs);
            assert_eq!(bindings.bind(key, &arguments, Queue(id)), Ok(expected), "{kind} {pairs:?}");
        };
        let (one, two) = (Value::I32(1), Value::I32(2));
        bind("k", &[], 1, Bound::New);
        bind("k", &[], 1, Bound::AlreadyThere);
        bind("k", &[], 2, Bound::New);
        bind("other", &[], 1, Bound::New);
        bind("k", &[("a", one.clone())], 1, Bound::New);
        bind("k", &[("a", Value::I64(1))], 1, Bound::New);
        bind("k", &[("a", Value::I64Standard(1))], 1, Bound::AlreadyThere);
        bind("k", &[("a", Value::F64(f64::NAN))], 1, Bound::New);
        bind("k", &[("a", Value::F64(f64::NAN))], 1, Bound::AlreadyThere);
        bind("k", &[("a", text("1"))], 1, Bound::New);
        bind("k", &[("a", Value::Bytes(b"1".to_vec()))], 1, Bound::New);
        bind("k", &[("b", two.clone()), ("a", one.clone())], 1, Bound::New);
        bind("k", &[("a", one.clone()), ("b", two.clone())], 1, Bound::AlreadyThere);
        bind("k", &[("x-match", text("all")), ("a", one.clone())], 1, Bound::New);
        let nested = |pairs: &[(&str, Value)]| [("t", Value::Table(table(pairs)))];
        let (a, b) = (("a", one), ("b", two));
        bind("k", &nested(&[a.clone(), b.clone()]), 1, Bound::New);
        bind("k", &nested(&[b, a]), 1, Bound::New);
        assert_eq!(bindings.len(), 12);
        assert_eq!(bindings.iter().count(), 12);
    }
}

#[test]
fn tables_that_make_the_same_binding_give_the_same_bytes() {
    let check = |one: &[(&str, Value)], other: &[(&str, Value)], expected: bool| {
        let [one, other] = [one, other].map(|pairs| canonical_arguments(&table(pairs)));
        assert_eq!(bytes(&one) == bytes(&other), expected, "{one:?} {other:?}");
        assert_eq!(same_table(&one, &other), expected, "{one:?} {other:?}");
        assert_eq!(bytes(&canonical_arguments(&one)), bytes(&one));
    };
    let (a, b) = (("a", Value::I16(1)), ("b", Value::F64(f64::NAN)));
    check(&[a.clone(), b.clone()], &[b.clone(), a.clone()], true);
    check(std::slice::from_ref(&a), &[("a", Value::I16Standard(1))], true);
    check(std::slice::from_ref(&a), &[("a", Value::I64Standard(1))], false);
    let array = |value| [("t", Value::Array(vec![value]))];
    check(&array(Value::I64(1)), &array(Value::I64Standard(1)), true);
    let nested = |pairs: &[(&str, Value)]| [("t", Value::Table(table(pairs)))];
    check(&nested(&[("a", Value::I64(1))]), &nested(&[("a", Value::I64Standard(1))]), true);
    check(&nested(&[a.clone(), b.clone()]), &nested(&[b, a]), false);
}

#[test]
fn only_headers_exchanges_with_conditions_need_headers() {
    for kind in KINDS {
        let mut bindings = Bindings::new(kind, HASH);
        bindings.bind("k", &nothing(), Queue(1)).unwrap();
        assert!(!bindings.needs_headers());
        bindings.bind("k", &table(&[("a", Value::Void)]), Queue(1)).unwrap();
        assert_eq!(bindings.needs_headers(), kind == Kind::Headers);
        bindings.unbind("k", &table(&[("a", Value::Void)]), &Queue(1));
        assert!(!bindings.needs_headers());
    }
}

#[test]
fn a_thousand_destinations_on_one_key_come_and_go() {
    for kind in KINDS {
        let mut bindings = Bindings::new(kind, HASH);
        for id in 0..1000 {
            bindings.bind("k", &nothing(), Queue(id)).unwrap();
        }
        assert_eq!(route(&bindings, "k", None).len(), 1000);
        for id in 0..1000 {
            assert_eq!(bindings.remove_destination(&Queue(id)), 1);
            assert!(!route(&bindings, "k", None).contains(&id));
        }
        assert!(bindings.is_empty());
    }
}

/// Bindings as a plain list.
struct Model {
    kind: Kind,
    bindings: Vec<(String, Table, u64)>,
}

impl Model {
    fn position(&self, key: &str, arguments: &Table, id: u64) -> Option<usize> {
        self.bindings.iter().position(|(bound_key, bound_arguments, bound_id)| {
            bound_key == key
                && *bound_id == id
                && same_table(
                    &canonical_arguments(bound_arguments),
                    &canonical_arguments(arguments),
                )
        })
    }

    fn route(&self, key: &str, headers: &Table) -> BTreeSet<u64> {
        let matching = self.bindings.iter().filter(|(bound, arguments, _)| match self.kind {
            Kind::Direct => bound == key,
            Kind::Fanout => true,
            Kind::Topic => {
                let (bound, key): (Vec<&str>, Vec<&str>) =
                    (words(bound).collect(), words(key).collect());
                topic_matches(&bound, &key)
            }
            Kind::Headers => headers_match(arguments, headers),
        });
        matching.map(|(_, _, id)| *id).collect()
    }
}

fn topic_matches(pattern: &[&str], key: &[&str]) -> bool {
    match pattern.split_first() {
        None => key.is_empty(),
        Some((&"#", rest)) => (0..=key.len()).any(|taken| topic_matches(rest, &key[taken..])),
        Some((word, rest)) => key.split_first().is_some_and(|(first, key)| {
            (*word == "*" || word == first) && topic_matches(rest, key)
        }),
    }
}

fn headers_match(arguments: &Table, headers: &Table) -> bool {
    let mode = MatchMode::of(arguments).unwrap();
    let mut compared = arguments.iter().filter(|(name, _)| mode.compares(name));
    let holds = |(name, wanted): (&str, &Value)| {
        headers.get(name).is_some_and(|header| satisfies(wanted, header))
    };
    match mode.quantity {
        Quantity::All => compared.all(holds),
        Quantity::Any => compared.any(holds),
    }
}

#[derive(Debug, Clone)]
enum Change {
    Bind(String, Table, u64),
    Unbind(String, Table, u64),
    /// Unbinds one of those that are there.
    UnbindNth(prop::sample::Index),
    RemoveDestination(u64),
}

fn keys() -> impl Strategy<Value = String> {
    prop::collection::vec("[ab*#]|", 0..4).prop_map(|words| words.join("."))
}

fn values() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        Value::Void,
        Value::I8(1),
        Value::I64(1),
        Value::F64(1.0),
        text("1"),
        Value::Bytes(b"1".to_vec()),
        Value::Bool(true),
        Value::Array(vec![]),
        Value::Array(vec![Value::I8(1)]),
    ])
}

fn tables() -> impl Strategy<Value = Table> {
    let names = prop::sample::subsequence(vec!["c", "a", "x-b"], 0..=3);
    let mode =
        prop::option::of(prop::sample::select(vec!["all", "any", "all-with-x", "any-with-x"]));
    (names, prop::collection::vec(values(), 3), mode).prop_map(|(names, values, mode)| {
        let mut pairs: Vec<(&str, Value)> = names.into_iter().zip(values).collect();
        pairs.extend(mode.map(|mode| ("x-match", text(mode))));
        table(&pairs)
    })
}

fn changes() -> impl Strategy<Value = Change> {
    prop_oneof![
        6 => (keys(), tables(), 0u64..6).prop_map(|(key, table, id)| Change::Bind(key, table, id)),
        1 => (keys(), tables(), 0u64..6).prop_map(|(key, table, id)| Change::Unbind(key, table, id)),
        3 => any::<prop::sample::Index>().prop_map(Change::UnbindNth),
        1 => (0u64..6).prop_map(Change::RemoveDestination),
    ]
}

fn apply(change: Change, bindings: &mut Bindings<Queue>, model: &mut Model) {
    match change {
        Change::Bind(key, arguments, id) => {
            let bound = bindings.bind(&key, &arguments, Queue(id)).unwrap();
            let is_new = model.position(&key, &arguments, id).is_none();
            assert_eq!(bound == Bound::New, is_new);
            if is_new {
                model.bindings.push((key, arguments, id));
            }
        }
        Change::Unbind(key, arguments, id) => {
            let position = model.position(&key, &arguments, id);
            assert_eq!(bindings.unbind(&key, &arguments, &Queue(id)), position.is_some());
            position.map(|position| model.bindings.remove(position));
        }
        Change::UnbindNth(nth) if !model.bindings.is_empty() => {
            let (key, arguments, id) = model.bindings.remove(nth.index(model.bindings.len()));
            assert!(bindings.unbind(&key, &arguments, &Queue(id)));
        }
        Change::UnbindNth(_) => {}
        Change::RemoveDestination(id) => {
            let first = bindings.remove_some(&Queue(id), 2);
            let there = model.bindings.iter().filter(|(_, _, bound)| *bound == id).count();
            assert_eq!(first, there.min(2));
            assert_eq!(bindings.len(), model.bindings.len() - first);
            let removed = first + bindings.remove_destination(&Queue(id));
            let before = model.bindings.len();
            model.bindings.retain(|(_, _, bound)| *bound != id);
            assert_eq!(removed, before - model.bindings.len());
        }
    }
}

proptest! {
    #[test]
    fn every_kind_agrees_with_a_plain_list_of_bindings(
        kind in prop::sample::select(KINDS.to_vec()),
        changes in prop::collection::vec(changes(), 0..40),
        messages in prop::collection::vec((keys(), tables()), 1..4),
    ) {
        let mut bindings = Bindings::new(kind, HASH);
        let mut model = Model { kind, bindings: Vec::new() };
        for change in changes {
            apply(change, &mut bindings, &mut model);
            prop_assert_eq!(bindings.len(), model.bindings.len());
            prop_assert_eq!(bindings.is_empty(), model.bindings.is_empty());
            for (key, headers) in &messages {
                let routed = route(&bindings, key, Some(headers));
                let once: BTreeSet<u64> = routed.iter().copied().collect();
                prop_assert_eq!(routed.len(), once.len());
                prop_assert_eq!(once, model.route(key, headers), "{} {:?}", key, headers);
                let unread = route(&bindings, key, None);
                prop_assert!(bindings.needs_headers() || unread == routed);
            }
        }
        prop_assert_eq!(bindings.iter().count(), model.bindings.len());
        for binding in bindings.iter() {
            let id = binding.destination.0;
            prop_assert!(model.position(&binding.key, &binding.arguments, id).is_some());
        }
    }
}
