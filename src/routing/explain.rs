//! Why a binding matches a message or not, in words. Whether it does is asked of the matcher that routes; only the
//! reason is found out here.

use super::arguments::{MatchMode, Quantity, satisfies};
use super::term::Term;
use super::words::words;
use super::{Bindings, Destination, KeyHash, Kind, Search};
use crate::wire::{Table, Value};

/// Why a binding does not match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch(pub String);

/// The one destination of the one binding that is asked about.
#[derive(Clone, PartialEq, Eq)]
struct Here;

impl Destination for Here {
    fn id(&self) -> u64 {
        0
    }
}

/// Says in a short sentence why a binding with this key and these arguments matches a message.
///
/// # Errors
/// The sentence that says why it does not.
pub fn explain(
    kind: Kind,
    binding_key: &str,
    arguments: &Table,
    key: &str,
    headers: &Table,
) -> Result<String, Mismatch> {
    // There is one binding only: nothing falls together.
    let mut bindings = Bindings::new(kind, KeyHash::new([0, 0]));
    if let Err(error) = bindings.bind(binding_key, arguments, Here) {
        return Err(Mismatch(error.to_string()));
    }
    let mut search = Search::new(u64::MAX);
    bindings.route(key, Some(headers), &mut search);
    let matched = !search.found.is_empty();
    let reason = match kind {
        Kind::Direct if matched => "the routing key is the binding key".to_owned(),
        Kind::Direct => format!("the binding key is \"{binding_key}\""),
        Kind::Fanout => "a fanout exchange sends to every binding".to_owned(),
        Kind::Topic if matched => format!("the pattern \"{binding_key}\" matches"),
        Kind::Topic => topic(binding_key, key),
        Kind::Headers => of_headers(arguments, headers, matched),
    };
    if matched { Ok(reason) } else { Err(Mismatch(reason)) }
}

/// The first word that differs, for a pattern that does not match.
fn topic(pattern: &str, key: &str) -> String {
    let wanted: Vec<&str> = words(pattern).collect();
    let found: Vec<&str> = words(key).collect();
    for (at, word) in wanted.iter().enumerate() {
        match (*word, found.get(at)) {
            ("#", _) => return behind_many(&wanted[at..], &found[at.min(found.len())..]),
            ("*", Some(_)) => {}
            ("*", None) => {
                return format!("word {} is missing, the pattern wants any word there", at + 1);
            }
            (wanted, Some(found)) if wanted == *found => {}
            (wanted, Some(found)) => {
                return format!("word {} is \"{found}\", the pattern wants \"{wanted}\"", at + 1);
            }
            (wanted, None) => {
                return format!("word {} is missing, the pattern wants \"{wanted}\"", at + 1);
            }
        }
    }
    let (found, wanted) = (found.len(), wanted.len());
    format!("the routing key has {found} words, the pattern wants {wanted}")
}

/// What is wrong behind a `#`: counted from the end, because it may stand for any number of words.
fn behind_many(wanted: &[&str], found: &[&str]) -> String {
    let behind = wanted.iter().skip(1).filter(|word| **word != "#").count();
    if found.len() < behind {
        return format!("the pattern wants at least {behind} words behind \"#\"");
    }
    let pairs = wanted.iter().rev().zip(found.iter().rev());
    for (wanted, found) in pairs.take_while(|(wanted, _)| **wanted != "#") {
        if *wanted != "*" && wanted != found {
            return format!("the word \"{found}\" stands where the pattern wants \"{wanted}\"");
        }
    }
    format!("nothing behind \"#\" matches \"{}\"", wanted[1..].join("."))
}

fn of_headers(arguments: &Table, headers: &Table, matched: bool) -> String {
    let Ok(mode) = MatchMode::of(arguments) else { return "x-match is not known".to_owned() };
    let compared: Vec<(&str, &Value)> =
        arguments.iter().filter(|(name, _)| mode.compares(name)).collect();
    let agrees = |(name, value): &(&str, &Value)| {
        headers.get(name).is_some_and(|header| satisfies(value, header))
    };
    match (mode.quantity, matched) {
        (Quantity::All, true) if compared.is_empty() => "the binding asks for nothing".to_owned(),
        (Quantity::All, true) => "every header that it asks for is there".to_owned(),
        (Quantity::Any, true) => match compared.iter().find(|one| agrees(one)) {
            Some((name, _)) => format!("the header \"{name}\" is what it asks for"),
            None => "a header is what it asks for".to_owned(),
        },
        (Quantity::Any, false) => "none of the headers is what it asks for".to_owned(),
        (Quantity::All, false) => match compared.iter().find(|one| !agrees(one)) {
            Some((name, value)) => match headers.get(name) {
                None => format!("the header \"{name}\" is missing"),
                Some(header) => format!(
                    "the header \"{name}\" is {}, the binding wants {}",
                    shown(header),
                    shown(value)
                ),
            },
            None => "the headers are not what it asks for".to_owned(),
        },
    }
}

/// A value as people write it.
fn shown(value: &Value) -> String {
    match value.as_str() {
        Some(text) => format!("\"{text}\""),
        None => Term::Value(value).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: Kind, binding_key: &str, key: &str, expected: Result<&str, &str>) {
        let got = explain(kind, binding_key, &Table::new(), key, &Table::new());
        let expected = expected.map(str::to_owned).map_err(|why| Mismatch(why.to_owned()));
        assert_eq!(got, expected, "{binding_key} and {key}");
    }

    #[test]
    fn a_topic_mismatch_names_the_word() {
        let wants = |text| Err(text);
        let topic = |pattern, key, expected| check(Kind::Topic, pattern, key, expected);
        topic("orders.*", "orders.paid", Ok("the pattern \"orders.*\" matches"));
        topic(
            "orders.refund",
            "orders.payment",
            wants("word 2 is \"payment\", the pattern wants \"refund\""),
        );
        topic("a.b", "a", wants("word 2 is missing, the pattern wants \"b\""));
        topic("a.*", "a", wants("word 2 is missing, the pattern wants any word there"));
        topic("a", "a.b.c", wants("the routing key has 3 words, the pattern wants 1"));
        topic("#.z", "a.b", wants("the word \"b\" stands where the pattern wants \"z\""));
        topic("a.#.b.c", "a.c", wants("the pattern wants at least 2 words behind \"#\""));
        topic("#", "", Ok("the pattern \"#\" matches"));
    }

    #[test]
    fn direct_and_fanout_say_what_they_compare() {
        check(Kind::Direct, "k", "k", Ok("the routing key is the binding key"));
        check(Kind::Direct, "k", "x", Err("the binding key is \"k\""));
        check(Kind::Fanout, "", "x", Ok("a fanout exchange sends to every binding"));
    }

    #[test]
    fn a_headers_mismatch_names_the_header() {
        let check = |arguments: &[(&str, &str)], headers: &[(&str, &str)], expected: &str| {
            let table = |pairs: &[(&str, &str)]| pairs.iter().copied().collect::<Table>();
            let got = explain(Kind::Headers, "", &table(arguments), "", &table(headers));
            assert_eq!(got.unwrap_or_else(|Mismatch(why)| why), expected);
        };
        let wanted = [("format", "pdf"), ("x-match", "all")];
        check(&wanted, &[("format", "pdf")], "every header that it asks for is there");
        check(&wanted, &[], "the header \"format\" is missing");
        check(
            &wanted,
            &[("format", "zip")],
            "the header \"format\" is \"zip\", the binding wants \"pdf\"",
        );
        let any = [("a", "1"), ("b", "2"), ("x-match", "any")];
        check(&any, &[("b", "2")], "the header \"b\" is what it asks for");
        check(&any, &[("b", "3")], "none of the headers is what it asks for");
        check(&[("x-match", "all")], &[], "the binding asks for nothing");
    }
}
