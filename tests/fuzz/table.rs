//! The table target: the first byte says whether what follows is a table's payload or a message's properties.

use leveret::wire::{ContentHeader, Properties, PropertiesView, TABLE_DEPTH_MAX, Table, Value};

use super::language;
use super::random::Random;

const BASIC: u16 = 60;

/// Runs an input.
pub fn run(input: &[u8]) {
    let Some((kind, bytes)) = input.split_first() else { return };
    if kind % 2 == 0 {
        a_table_survives(bytes);
    } else {
        properties_survive(bytes);
    }
}

/// Changes an input: new, or in one octet.
pub fn change(input: &mut Vec<u8>, random: &mut Random) {
    if input.len() > 1 && !random.once_in(3) {
        language::change_octet(&mut input[1..], random);
        return;
    }
    let kind = random.within(0..2) as u8;
    let made = if kind == 0 { language::table(random, 0) } else { language::properties(random) };
    if input.len() > 1 && input[0].is_multiple_of(2) && kind == 0 {
        input.extend(made);
    } else {
        *input = [&[kind], &made[..]].concat();
    }
}

fn a_table_survives(payload: &[u8]) {
    let table = Table::parse(payload);
    // A header's table is only checked, never built: the two have to agree.
    let flags = [&[0x20, 0][..], &(payload.len() as u32).to_be_bytes(), payload].concat();
    let header = [&BASIC.to_be_bytes()[..], &[0; 10], &flags].concat();
    let checked = ContentHeader::parse(&header);
    assert_eq!(table.is_ok(), checked.is_ok(), "{table:?} {checked:?}");
    let Ok(table) = table else { return };
    assert!(depth(&table) <= TABLE_DEPTH_MAX);
    let once = table.to_bytes();
    let again = Table::parse(&once).expect("our own table");
    assert_eq!(again.to_bytes(), once);
    assert_eq!(again.len(), table.len());
    let mut whole = Vec::new();
    table.encode(&mut whole);
    assert_eq!(whole[4..], once);
    for (name, value) in table.iter() {
        assert!(table.contains(name));
        value_is_readable(value);
    }
    changes_as_a_map_does(table);
}

fn value_is_readable(value: &Value) {
    let _all_of_these_answer = (value.as_int(), value.as_bool(), value.as_str(), value.type_name());
    assert!(!format!("{value:?}").is_empty());
}

fn changes_as_a_map_does(mut table: Table) {
    let names: Vec<String> = table.iter().map(|(name, _)| name.to_owned()).collect();
    table.insert("a", 1);
    assert_eq!(table.get("a"), Some(&Value::I32(1)));
    for name in &names {
        table.remove(name);
        assert!(!table.contains(name));
    }
    assert!(table.len() <= 1);
}

fn depth(table: &Table) -> usize {
    1 + table.iter().map(|(_, value)| depth_of(value)).max().unwrap_or(0)
}

fn depth_of(value: &Value) -> usize {
    match value {
        Value::Table(table) => depth(table),
        Value::Array(items) => 1 + items.iter().map(depth_of).max().unwrap_or(0),
        _ => 0,
    }
}

fn properties_survive(bytes: &[u8]) {
    let Ok(view) = PropertiesView::parse(bytes) else { return };
    let owned = Properties::try_from(&view).expect("a view was checked whole");
    assert_eq!(view.headers.is_some(), owned.headers.is_some());
    let mut once = Vec::new();
    owned.encode(&mut once);
    let view = PropertiesView::parse(&once).expect("our own properties");
    let mut again = Vec::new();
    Properties::try_from(&view).expect("our own properties").encode(&mut again);
    assert_eq!(again, once);
    assert!(owned.headers.is_some() || once == bytes, "without a table there is one form only");
}
