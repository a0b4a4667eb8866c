//! Headers bindings one by one: modes, prefixes, values; and how few of them a message meets.

use super::super::tests::{HASH, Queue, table, text};
use super::super::{Bindings, Kind};
use super::*;

fn is_routed(arguments: &Table, headers: Option<&Table>) -> bool {
    let mut bindings = Bindings::new(Kind::Headers, HASH);
    bindings.bind("", arguments, Queue(1)).unwrap();
    let mut search = Search::new(u64::MAX);
    bindings.route("", headers, &mut search);
    !search.found.is_empty()
}

fn check(mode: &str, arguments: &[(&str, Value)], headers: &[(&str, Value)], expected: bool) {
    let mut arguments = arguments.to_vec();
    if !mode.is_empty() {
        arguments.insert(arguments.len() / 2, ("x-match", text(mode)));
    }
    let (arguments, headers) = (table(&arguments), table(headers));
    assert_eq!(is_routed(&arguments, Some(&headers)), expected, "{arguments:?} {headers:?}");
    if headers.is_empty() {
        assert_eq!(is_routed(&arguments, None), expected, "{arguments:?} without headers");
    }
}

#[test]
fn all_is_what_an_absent_x_match_means() {
    for mode in ["", "all", "all-with-x"] {
        let wanted = [("a", text("1")), ("b", text("2"))];
        check(mode, &wanted, &[("a", text("1"))], false);
        check(mode, &wanted, &[("b", text("9"))], false);
        check(mode, &wanted, &[("a", text("1")), ("b", text("9"))], false);
        check(mode, &wanted, &[("b", text("2")), ("c", text("3")), ("a", text("1"))], true);
        check(mode, &wanted, &[], false);
    }
}

#[test]
fn any_needs_one_header() {
    for mode in ["any", "any-with-x"] {
        let wanted = [("a", text("1")), ("b", text("2"))];
        check(mode, &wanted, &[("a", text("1"))], true);
        check(mode, &wanted, &[("a", text("9")), ("b", text("2"))], true);
        check(mode, &wanted, &[("b", text("1"))], false);
        check(mode, &wanted, &[], false);
    }
}

#[test]
fn asking_for_nothing_matches_everything_under_all_and_nothing_under_any() {
    for headers in [&[][..], &[("a", text("1"))], &[("x-match", text("any"))]] {
        check("", &[], headers, true);
        check("all", &[], headers, true);
        check("all-with-x", &[], headers, true);
        check("any", &[], headers, false);
        check("any-with-x", &[], headers, false);
    }
}

#[test]
fn x_names_count_only_with_x() {
    for name in ["x-", "x-a", "x-death"] {
        let wanted = [(name, text("1"))];
        check("all", &wanted, &[], true);
        check("all", &wanted, &[(name, text("2"))], true);
        check("any", &wanted, &[(name, text("1"))], false);
        check("all-with-x", &wanted, &[], false);
        check("all-with-x", &wanted, &[(name, text("2"))], false);
        check("all-with-x", &wanted, &[(name, text("1"))], true);
        check("any-with-x", &wanted, &[(name, text("2"))], false);
        check("any-with-x", &wanted, &[(name, text("1"))], true);
    }
    for name in ["x", "x_a", "X-a"] {
        check("all", &[(name, text("1"))], &[(name, text("2"))], false);
        check("any", &[(name, text("1"))], &[(name, text("1"))], true);
    }
    let mixed = [("x-a", text("1")), ("a", text("1"))];
    check("all", &mixed, &[("a", text("1"))], true);
    check("all", &mixed, &[("x-a", text("1"))], false);
    check("any", &mixed, &[("x-a", text("1"))], false);
    check("any-with-x", &mixed, &[("x-a", text("1"))], true);
    check("all-with-x", &mixed, &[("a", text("1"))], false);
}

#[test]
fn a_void_argument_asks_for_presence_only() {
    for header in [text("1"), Value::I32(1), Value::Void, Value::Bool(false), Value::Array(vec![])]
    {
        for mode in ["all", "any"] {
            check(mode, &[("h", Value::Void)], &[("h", header.clone())], true);
            check(mode, &[("h", Value::Void)], &[("g", header.clone())], false);
        }
    }
    check("all", &[("h", text(""))], &[("h", Value::Void)], false);
    check(
        "all",
        &[("h", Value::Void), ("i", text("1"))],
        &[("h", text("x")), ("i", text("1"))],
        true,
    );
    check("all", &[("h", Value::Void), ("i", text("1"))], &[("i", text("1"))], false);
}

#[test]
fn numbers_match_across_widths_but_not_across_kinds() {
    let integers = [
        Value::I8(1),
        Value::U8(1),
        Value::I16(1),
        Value::I16Standard(1),
        Value::U16(1),
        Value::I32(1),
        Value::U32(1),
        Value::I64(1),
        Value::I64Standard(1),
        Value::Timestamp(1),
    ];
    let floats = [Value::F32(1.0), Value::F64(1.0)];
    let texts = [text("1"), Value::Bytes(b"1".to_vec())];
    let alone = |value: Value| vec![value];
    let families = [
        integers.to_vec(),
        floats.to_vec(),
        texts.to_vec(),
        alone(Value::Bool(true)),
        alone(Value::Bool(false)),
        alone(Value::Decimal { scale: 0, value: 1 }),
        alone(Value::Decimal { scale: 1, value: 10 }),
        alone(Value::Array(vec![Value::I32(1)])),
        alone(Value::Array(vec![Value::I8(1)])),
        alone(Value::Array(vec![Value::Void])),
        alone(Value::Table(table(&[("a", Value::I32(1))]))),
        vec![Value::Array(vec![]), Value::Table(table(&[]))],
    ];
    for (one, wanted_family) in families.iter().enumerate() {
        for (other, header_family) in families.iter().enumerate() {
            for wanted in wanted_family {
                for header in header_family {
                    for mode in ["all", "any"] {
                        let headers = [("h", header.clone())];
                        check(mode, &[("h", wanted.clone())], &headers, one == other);
                    }
                }
            }
        }
    }
}

#[test]
fn values_are_compared_exactly() {
    let check = |wanted: Value, header: Value, expected| {
        check("all", &[("h", wanted)], &[("h", header)], expected);
    };
    check(Value::F64(0.0), Value::F64(-0.0), false);
    check(Value::F32(0.1), Value::F64(0.1), false);
    check(Value::F32(0.1), Value::F32(0.1), true);
    check(Value::I64(-1), Value::Timestamp(u64::MAX), false);
    check(Value::Timestamp(u64::MAX), Value::Timestamp(u64::MAX), true);
    check(text("\u{fffd}"), Value::LongStr(vec![0xff, 0xfe]), false);
    check(Value::LongStr(vec![0xff, 0xfe]), Value::LongStr(vec![0xff, 0xfe]), true);
    let numbers = |numbers: &[i32]| Value::Array(numbers.iter().copied().map(Value::I32).collect());
    check(numbers(&[1, 2]), numbers(&[1, 2]), true);
    check(numbers(&[1, 2]), numbers(&[2, 1]), false);
    let one = Value::Table(table(&[("a", Value::I32(1)), ("b", Value::I32(2))]));
    let other = Value::Table(table(&[("b", Value::I32(2)), ("a", Value::I32(1))]));
    check(one.clone(), one.clone(), true);
    check(one, other, false);
}

#[test]
fn x_match_must_be_one_of_four_words() {
    let check = |value: Value, expected: &str| {
        let mut bindings = Bindings::new(Kind::Headers, HASH);
        let arguments = table(&[("x-match", value.clone()), ("a", text("1"))]);
        let error = bindings.bind("", &arguments, Queue(1)).unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert!(bindings.is_empty() && bindings.iter().next().is_none());
        assert!(!bindings.unbind("", &arguments, &Queue(1)));
        for kind in [Kind::Direct, Kind::Fanout, Kind::Topic] {
            assert!(Bindings::new(kind, HASH).bind("", &arguments, Queue(1)).is_ok());
        }
    };
    let expected = "expected all, any, all-with-x, or any-with-x";
    check(text("foo"), &format!(r#"Invalid x-match field value <<"foo">>; {expected}"#));
    check(text("ALL"), &format!(r#"Invalid x-match field value <<"ALL">>; {expected}"#));
    check(text(""), &format!("Invalid x-match field value <<>>; {expected}"));
    check(Value::I32(7), "Invalid x-match field type signedint (value 7); expected longstr");
    check(Value::Bool(true), "Invalid x-match field type bool (value true); expected longstr");
    check(Value::Void, "Invalid x-match field type void (value undefined); expected longstr");
    let bytes = Value::Bytes(b"all".to_vec());
    check(bytes, r#"Invalid x-match field type binary (value <<"all">>); expected longstr"#);
}

#[test]
fn a_header_that_came_twice_counts_with_its_first_value() {
    for mode in ["all", "any"] {
        let headers = [("h", text("1")), ("g", text("x")), ("h", text("2"))];
        check(mode, &[("h", text("1"))], &headers, true);
        check(mode, &[("h", text("2"))], &headers, false);
    }
}

fn search(index: &HeaderIndex<Queue>, headers: &Table, steps_max: u64) -> Search<Queue> {
    let mut search = Search::new(steps_max);
    index.route(Some(headers), &mut search);
    search
}

#[test]
fn bindings_stand_under_the_header_that_tells_most_of_them() {
    let mut index = HeaderIndex::new(HASH);
    let arguments = |n| Arc::new(table(&[("format", text("pdf")), ("tenant", Value::I32(n))]));
    let bound: Vec<_> = (0..1000).map(arguments).collect();
    for (n, arguments) in bound.iter().enumerate() {
        index.insert(arguments, &Queue(n as u64)).unwrap();
    }
    let headers = table(&[("format", text("pdf")), ("tenant", Value::I32(700))]);
    let search = search(&index, &headers, u64::MAX);
    assert_eq!(search.found.iter().map(|queue| queue.0).collect::<Vec<_>>(), [700]);
    assert!(search.steps.taken() < 12, "{} steps", search.steps.taken());
    for (n, arguments) in bound.iter().enumerate() {
        index.remove(arguments, n as u64);
    }
    assert!(!index.needs_headers());
}

#[test]
fn bindings_of_one_queue_that_ask_for_nothing_are_looked_at_once() {
    let mut index = HeaderIndex::new(HASH);
    let bound: Vec<_> = (0..1000).map(|n| Arc::new(table(&[("x-n", Value::I32(n))]))).collect();
    for arguments in &bound {
        index.insert(arguments, &Queue(1)).unwrap();
    }
    let looked = search(&index, &Table::new(), u64::MAX);
    assert_eq!((looked.found.len(), looked.steps.taken()), (1, 1));
    for (removed, arguments) in bound.iter().enumerate() {
        assert_eq!(search(&index, &Table::new(), u64::MAX).found.len(), 1, "{removed}");
        index.remove(arguments, 1);
    }
    assert!(search(&index, &Table::new(), u64::MAX).found.is_empty());
}

#[test]
fn a_search_ends_at_its_limit_however_long_the_values() {
    let mut index = HeaderIndex::new(HASH);
    // Tables all stand in one place, and are compared whole.
    let long = |n: i32| Value::Table(table(&[("a", text(&"x".repeat(10_000))), ("b", n.into())]));
    for n in 0..100 {
        let arguments = Arc::new(table(&[("h", long(n))]));
        index.insert(&arguments, &Queue(n as u64)).unwrap();
    }
    let headers = table(&[("h", long(-1))]);
    let all = search(&index, &headers, u64::MAX);
    assert!(all.found.is_empty() && all.steps.taken() > 100 * 39, "{}", all.steps.taken());
    let ended = search(&index, &headers, 500);
    assert!(ended.steps.are_too_many() && ended.steps.taken() < 600, "{}", ended.steps.taken());
}

#[test]
fn only_bindings_that_share_a_header_are_looked_at() {
    let mut index = HeaderIndex::new(HASH);
    for n in 0..1000 {
        let arguments = Arc::new(table(&[("tenant", Value::I32(n)), ("v", Value::Void)]));
        index.insert(&arguments, &Queue(n as u64)).unwrap();
    }
    let slot = index.slot("tenant", &Value::I64(7));
    assert_eq!(index.by_header.get(&slot).map(|there| there.list.len()), Some(1));
    let headers = table(&[("v", text("x")), ("tenant", Value::I8(7))]);
    let search = search(&index, &headers, u64::MAX);
    assert_eq!(search.found.iter().map(|queue| queue.0).collect::<Vec<_>>(), [7]);
}

#[test]
fn removing_every_binding_empties_the_index() {
    let mut index = HeaderIndex::new(HASH);
    let mut inserted = Vec::new();
    for n in 0..100 {
        let mode = ["all", "any", "all-with-x", "any-with-x"][n % 4];
        let mut arguments = vec![("x-match", text(mode))];
        for name in ["a", "b", "x-c"].iter().take(n % 5) {
            let value = if n % 3 == 0 { Value::Void } else { Value::I64((n % 7) as i64) };
            arguments.push((name, value));
        }
        let arguments = super::super::canonical_arguments(&table(&arguments));
        index.insert(&arguments, &Queue(n as u64 / 2)).unwrap();
        inserted.push((arguments, n as u64 / 2));
    }
    assert!(index.needs_headers());
    for (arguments, id) in inserted.iter().rev() {
        index.remove(arguments, *id);
    }
    assert!(!index.needs_headers() && index.unconditional.list.is_empty());
    assert_eq!(index.presences, 0);
}
