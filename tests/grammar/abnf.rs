//! What `grammar/frames.abnf` says of table values is what `wire` accepts.

use std::collections::BTreeMap;

use leveret::wire::Table;

#[test]
fn the_table_tags_of_the_grammar_are_those_that_are_read() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/grammar/frames.abnf");
    let text = std::fs::read_to_string(path).unwrap();
    let written: BTreeMap<u8, usize> = text.lines().filter_map(tag).collect();
    let read: BTreeMap<u8, usize> =
        (0..=u8::MAX).filter_map(|tag| Some((tag, value_bytes(tag)?))).collect();
    assert_eq!(written, read);
    assert_eq!(written.len(), 19);
}

/// Tag and smallest size of the value that a line of the rule `value` describes.
fn tag(line: &str) -> Option<(u8, usize)> {
    let rule = line.split(';').next()?;
    let (_, rest) = rule.split_once("%s\"")?;
    let (tag, parts) = rest.split_once('"')?;
    let sizes = parts.split_whitespace().map(|part| match part {
        "OCTET" => 1,
        "short" => 2,
        "long" | "long-string" | "array" | "table" => 4,
        "longlong" | "timestamp" => 8,
        other => panic!("{other} in a value"),
    });
    Some((tag.bytes().next()?, sizes.sum()))
}

/// How many zero octets make a value of this tag, when there is such a tag.
fn value_bytes(tag: u8) -> Option<usize> {
    (0..=16).find(|&count| {
        let payload = [&[1, b'k', tag], vec![0; count].as_slice()].concat();
        Table::parse(&payload).is_ok()
    })
}
