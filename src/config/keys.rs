//! The names of all keys and sections, and which of them a mistyped name most likely meant.

use std::path::PathBuf;

use toml::{Table, Value};

use super::{Config, Password};

/// A name that may stand in `broker.toml`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Key {
    /// The name with its section, as in `amqp.listen`.
    pub path: String,
    /// Its default, which also says what kind of value it takes. A section's is a table.
    pub default: Value,
}

/// Every section and key, sections before their keys.
pub(super) fn known() -> Vec<Key> {
    let mut shown = Config { definitions: Some(PathBuf::new()), ..Config::default() };
    shown.admin.url = Some(String::new());
    shown.tls.certificate = Some(PathBuf::new());
    shown.tls.key = Some(PathBuf::new());
    shown.tls.client_ca = Some(PathBuf::new());
    shown.admin.password = Some(Password::new(""));
    let mut keys = Vec::new();
    collect(&table_of(&shown), "", &mut keys);
    keys
}

/// A configuration as the table that its file would hold.
pub(super) fn table_of(config: &Config) -> Table {
    // The only way to fail is a path that is not UTF-8, and such a path can only come from the command line,
    // which is applied last.
    Table::try_from(config).unwrap_or_default()
}

fn collect(table: &Table, section: &str, keys: &mut Vec<Key>) {
    for (name, value) in table {
        let path = join(section, name);
        keys.push(Key { path: path.clone(), default: value.clone() });
        if let Value::Table(inner) = value {
            collect(inner, &path, keys);
        }
    }
}

/// A key's path from its section, empty at the top, and its name there.
pub(super) fn join(section: &str, name: &str) -> String {
    if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") }
}

/// The known name that a mistyped one is nearest to, if one is near enough to be worth naming. The right
/// name in the wrong section counts as nearest of all.
pub fn nearest<'a>(
    mistyped: &str,
    known: impl Iterator<Item = &'a str> + Clone,
) -> Option<&'a str> {
    let name = last_part(mistyped);
    if let Some(elsewhere) = known.clone().find(|path| last_part(path) == name) {
        return Some(elsewhere);
    }
    let near_enough = name.chars().count() / 3 + 1;
    known
        .map(|path| (distance(name, last_part(path)), distance(mistyped, path), path))
        .min_by_key(|&(by_name, by_path, _)| (by_name, by_path))
        .filter(|&(by_name, ..)| by_name <= near_enough)
        .map(|(.., path)| path)
}

fn last_part(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

/// How many letters must be put in, taken out or changed to turn one text into the other (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (above, letter) in from.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], above + 1);
        for (column, &other) in to.iter().enumerate() {
            let changed = diagonal + usize::from(letter != other);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}
