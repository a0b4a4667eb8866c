//! Field tables: every type there and back, nested; the same reading as `amq-protocol-types`; lengths that
//! lie, tags that nobody defined, and nesting without end.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use amq_protocol_types::parsing::parse_field_table;
use amq_protocol_types::{AMQPValue, FieldTable};
use leveret::wire::{ContentHeader, ReplyCode, TABLE_DEPTH_MAX, Table, Value};
use proptest::collection::vec;
use proptest::prelude::*;

fn encoded(table: &Table) -> Vec<u8> {
    let mut out = Vec::new();
    table.encode(&mut out);
    out
}

fn one(value: Value) -> Table {
    Table::from_iter([("k", value)])
}

#[test]
fn every_type_is_written_with_its_tag_and_read_back() {
    let check = |value: Value, bytes: &[u8], name: &str| {
        let payload = [b"\x01k".as_slice(), bytes].concat();
        let whole = [&(payload.len() as u32).to_be_bytes(), payload.as_slice()].concat();
        assert_eq!(encoded(&one(value.clone())), whole, "{value:?}");
        assert_eq!(value.type_name(), name);
        assert_eq!(Table::parse(&payload).unwrap(), one(value));
    };
    check(Value::Bool(true), b"t\x01", "bool");
    check(Value::I8(-2), b"b\xfe", "byte");
    check(Value::U8(254), b"B\xfe", "unsignedbyte");
    check(Value::I16(-2), b"s\xff\xfe", "short");
    check(Value::I16Standard(-2), b"U\xff\xfe", "short");
    check(Value::U16(65_534), b"u\xff\xfe", "unsignedshort");
    check(Value::I32(-2), b"I\xff\xff\xff\xfe", "signedint");
    check(Value::U32(7), b"i\x00\x00\x00\x07", "unsignedint");
    check(Value::I64(-2), b"l\xff\xff\xff\xff\xff\xff\xff\xfe", "long");
    check(Value::I64Standard(7), b"L\x00\x00\x00\x00\x00\x00\x00\x07", "long");
    check(Value::F32(1.0), b"f\x3f\x80\x00\x00", "float");
    check(Value::F64(1.0), b"d\x3f\xf0\x00\x00\x00\x00\x00\x00", "double");
    check(Value::Decimal { scale: 2, value: -314 }, b"D\x02\xff\xff\xfe\xc6", "decimal");
    check(Value::LongStr(b"hi".into()), b"S\x00\x00\x00\x02hi", "longstr");
    check(Value::Bytes(b"\x00\xff".into()), b"x\x00\x00\x00\x02\x00\xff", "binary");
    check(Value::Array(vec![Value::Void]), b"A\x00\x00\x00\x01V", "array");
    check(Value::Timestamp(9), b"T\x00\x00\x00\x00\x00\x00\x00\x09", "timestamp");
    check(Value::Table(one(Value::Void)), b"F\x00\x00\x00\x03\x01kV", "table");
    check(Value::Void, b"V", "void");
}

#[test]
fn any_octet_but_zero_is_true() {
    assert_eq!(Table::parse(b"\x01kt\x07").unwrap().get("k"), Some(&Value::Bool(true)));
    assert_eq!(Table::parse(b"\x01kt\x00").unwrap().get("k"), Some(&Value::Bool(false)));
}

#[test]
fn an_integer_of_any_width_is_a_number_and_nothing_else_is() {
    let check = |value: Value, expected| assert_eq!(value.as_int(), expected, "{value:?}");
    check(Value::I8(-1), Some(-1));
    check(Value::U8(255), Some(255));
    check(Value::I16(-1), Some(-1));
    check(Value::U16(65_535), Some(65_535));
    check(Value::I32(-1), Some(-1));
    check(Value::U32(u32::MAX), Some(4_294_967_295));
    check(Value::I64(i64::MIN), Some(i64::MIN));
    check(Value::I64Standard(i64::MAX), Some(i64::MAX));
    check(Value::Timestamp(1), None);
    check(Value::Bool(true), None);
    check(Value::F64(1.0), None);
    check(Value::from("1"), None);
}

#[test]
fn a_table_keeps_order_and_gives_the_first_of_a_name() {
    let mut table = Table::parse(b"\x01bB\x01\x01aB\x02\x01bB\x03").unwrap();
    assert_eq!(table.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["b", "a", "b"]);
    assert_eq!(table.get("b"), Some(&Value::U8(1)));
    table.insert("b", 9);
    assert_eq!(table.get("b"), Some(&Value::I32(9)));
    assert_eq!(table.remove("b"), Some(Value::I32(9)));
    assert_eq!(table, Table::from_iter([("a", Value::U8(2))]));
    table.insert("c", "text");
    assert_eq!(table.get("c").and_then(Value::as_str), Some("text"));
    assert_eq!((table.len(), table.is_empty(), table.contains("d")), (2, false, false));
}

#[test]
fn a_malformed_table_is_refused_with_its_code() {
    let check = |payload: &[u8], code: ReplyCode| {
        assert_eq!(Table::parse(payload).unwrap_err().code, code, "{payload:?}");
        assert_eq!(header_check(payload), Err(code), "{payload:?}");
    };
    let frame_error = ReplyCode::FrameError;
    check(b"\x05k", frame_error);
    check(b"\x01k", frame_error);
    check(b"\x01kZ", frame_error);
    check(b"\x01kI\x00", frame_error);
    check(b"\x01kS\xff\xff\xff\xffabc", frame_error);
    check(b"\x01kA\x00\x00\x00\x02V", frame_error);
    check(b"\x01kA\x00\x00\x00\x01I", frame_error);
    check(b"\x01kF\x00\x00\x00\x04\x01kI\x00\x00\x00\x00\x00", frame_error);
    check(b"\x01\xffV", frame_error);
    check(&nested(b'A', TABLE_DEPTH_MAX), ReplyCode::SyntaxError);
    check(&nested(b'F', TABLE_DEPTH_MAX), ReplyCode::SyntaxError);
    check(&nested(b'A', 20_000), ReplyCode::SyntaxError);
}

#[test]
fn a_table_nested_to_the_limit_is_read() {
    for tag in [b'A', b'F'] {
        let payload = nested(tag, TABLE_DEPTH_MAX - 1);
        assert_eq!(encoded(&Table::parse(&payload).unwrap())[4..], payload);
        assert_eq!(header_check(&payload), Ok(()));
    }
}

/// A table's payload with this many arrays or tables inside one another.
fn nested(tag: u8, levels: usize) -> Vec<u8> {
    let mut value = b"V".to_vec();
    for _ in 0..levels {
        let inner = if tag == b'F' { [b"\x01k", value.as_slice()].concat() } else { value };
        value = [&[tag], (inner.len() as u32).to_be_bytes().as_slice(), &inner].concat();
    }
    [b"\x01k", value.as_slice()].concat()
}

/// What a content header with these headers and nothing else is taken for.
fn header_check(headers: &[u8]) -> Result<(), ReplyCode> {
    let length = (headers.len() as u32).to_be_bytes();
    let head = b"\x00\x3c\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x20\x00";
    let payload = [head.as_slice(), &length, headers].concat();
    ContentHeader::parse(&payload).map(drop).map_err(|error| error.code)
}

fn value() -> impl Strategy<Value = Value> {
    let bytes = || vec(any::<u8>(), 0..20);
    let scalar = prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<i8>().prop_map(Value::I8),
        any::<u8>().prop_map(Value::U8),
        any::<i16>().prop_map(Value::I16),
        any::<i16>().prop_map(Value::I16Standard),
        any::<u16>().prop_map(Value::U16),
        any::<i32>().prop_map(Value::I32),
        any::<u32>().prop_map(Value::U32),
        any::<i64>().prop_map(Value::I64),
        any::<i64>().prop_map(Value::I64Standard),
        any::<f32>().prop_map(Value::F32),
        any::<f64>().prop_map(Value::F64),
        (any::<u8>(), any::<i32>()).prop_map(|(scale, value)| Value::Decimal { scale, value }),
        bytes().prop_map(Value::LongStr),
        bytes().prop_map(Value::Bytes),
        any::<u64>().prop_map(Value::Timestamp),
        Just(Value::Void),
    ];
    scalar.prop_recursive(4, 48, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::Array),
            vec(("\\PC{0,12}", inner), 0..6)
                .prop_map(|entries| Value::Table(entries.into_iter().collect())),
        ]
    })
}

/// Tables whose names differ: the oracle keeps one value for a name.
fn table() -> impl Strategy<Value = Table> {
    let entries = prop::collection::btree_map("\\PC{0,12}", value(), 0..8);
    entries.prop_map(Table::from_iter)
}

/// Whether the oracle holds the same value.
fn same(ours: &Value, oracle: &AMQPValue) -> bool {
    match (ours, oracle) {
        (Value::Bool(a), AMQPValue::Boolean(b)) => a == b,
        (Value::I8(a), AMQPValue::ShortShortInt(b)) => a == b,
        (Value::U8(a), AMQPValue::ShortShortUInt(b)) => a == b,
        (Value::I16(a) | Value::I16Standard(a), AMQPValue::ShortInt(b)) => a == b,
        (Value::U16(a), AMQPValue::ShortUInt(b)) => a == b,
        (Value::I32(a), AMQPValue::LongInt(b)) => a == b,
        (Value::U32(a), AMQPValue::LongUInt(b)) => a == b,
        (Value::I64(a) | Value::I64Standard(a), AMQPValue::LongLongInt(b)) => a == b,
        (Value::F32(a), AMQPValue::Float(b)) => a.to_bits() == b.to_bits(),
        (Value::F64(a), AMQPValue::Double(b)) => a.to_bits() == b.to_bits(),
        (Value::Decimal { scale, value }, AMQPValue::DecimalValue(b)) => {
            *scale == b.scale && *value == b.value.cast_signed()
        }
        (Value::LongStr(a), AMQPValue::LongString(b)) => a == b.as_bytes(),
        (Value::Bytes(a), AMQPValue::ByteArray(b)) => a == b.as_slice(),
        (Value::Timestamp(a), AMQPValue::Timestamp(b)) => a == b,
        (Value::Void, AMQPValue::Void) => true,
        (Value::Array(a), AMQPValue::FieldArray(b)) => {
            let b = b.as_slice();
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Table(a), AMQPValue::FieldTable(b)) => same_table(a, b),
        _ => false,
    }
}

/// The oracle keeps the last value of a name that comes twice.
fn same_table(ours: &Table, oracle: &FieldTable) -> bool {
    let ours: std::collections::BTreeMap<_, _> = ours.iter().collect();
    let oracle = oracle.inner();
    ours.len() == oracle.len()
        && ours.iter().all(|(name, value)| oracle.get(*name).is_some_and(|b| same(value, b)))
}

proptest! {
    #[test]
    fn a_table_comes_back_byte_for_byte(table in table()) {
        let bytes = encoded(&table);
        let again = Table::parse(&bytes[4..]).unwrap();
        prop_assert_eq!(encoded(&again), bytes);
    }

    #[test]
    fn the_oracle_reads_what_is_written(table in table()) {
        let bytes = encoded(&table);
        let (rest, oracle) = parse_field_table(bytes.as_slice()).unwrap();
        prop_assert!(rest.is_empty());
        prop_assert!(same_table(&table, &oracle), "{:?} {:?}", table, oracle);
    }

    /// Damaged at one place, a table is either refused by both or read alike.
    #[test]
    fn the_oracle_agrees_on_damaged_tables(table in table(), place in any::<usize>(), octet in any::<u8>()) {
        let mut bytes = encoded(&table);
        if bytes.len() > 4 {
            let place = 4 + place % (bytes.len() - 4);
            bytes[place] = octet;
        }
        match (Table::parse(&bytes[4..]), parse_field_table(bytes.as_slice())) {
            (Ok(ours), Ok((_, oracle))) => prop_assert!(same_table(&ours, &oracle)),
            (Err(_), Err(_)) => {}
            (ours, oracle) => prop_assert!(false, "{:?} {:?}", ours, oracle),
        }
    }

    /// Checking the headers when they arrive and reading them later never disagree.
    #[test]
    fn headers_that_pass_the_check_can_be_read(table in table(), place in any::<usize>(), octet in any::<u8>()) {
        let mut payload = encoded(&table).split_off(4);
        if !payload.is_empty() {
            let place = place % payload.len();
            payload[place] = octet;
        }
        let read = Table::parse(&payload).map(drop).map_err(|error| error.code);
        prop_assert_eq!(header_check(&payload), read);
    }

    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        let read = Table::parse(&bytes).map(drop).map_err(|error| error.code);
        prop_assert_eq!(header_check(&bytes), read);
    }
}
