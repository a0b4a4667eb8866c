//! Lists: sorted, filtered by name, cut into pages and columns, as the query asks. Without any of that the objects
//! are written straight out.

use std::cmp::Ordering;
use std::ops::Range;

use hyper::StatusCode;
use regex::{Regex, RegexBuilder};
use serde::Serialize;
use serde_json::Value;

use super::columns::{self, Columns};
use super::reply::{Outcome, Reply};
use super::request::Request;

/// Objects of one page, as in RabbitMQ.
const PAGE_SIZE_MAX: usize = 500;
/// When nothing else is said.
const PAGE_SIZE: usize = 100;
/// Bytes that a compiled pattern may take.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// Which page is wanted.
struct Wanted {
    page: usize,
    size: usize,
    name: Option<Regex>,
}

/// Answers a list. `keys` come in their natural order; `name` is what a filter looks at, and `show` makes the
/// object of a key, where no sorting asks for all of them only for what is answered. Each object is written as soon as
/// it is made, so that a long list takes little more memory than its text.
pub(super) fn list<K, T: Serialize>(
    request: &Request,
    mut keys: Vec<K>,
    name: impl Fn(&K) -> &str,
    show: impl FnMut(K) -> T,
) -> Outcome {
    let columns = request.query("columns").map(Columns::parse);
    let sort = request.query("sort").filter(|path| !path.is_empty());
    let order = if request.asks("sort_reverse") { Order::Reversed } else { Order::Natural };
    let wanted = wanted(request)?;
    let total_count = keys.len();
    if let Some(Wanted { name: Some(pattern), .. }) = &wanted {
        keys.retain(|key| pattern.is_match(name(key)));
    }
    let filtered_count = keys.len();
    let mut objects = match sort {
        None => {
            if order == Order::Reversed {
                keys.reverse();
            }
            Objects::write(cut(keys, wanted.as_ref(), total_count)?, show)?
        }
        Some(path) => {
            let mut objects = Objects::write(keys, show)?;
            objects.sort(path, order);
            objects.places = cut(objects.places, wanted.as_ref(), total_count)?;
            objects
        }
    };
    if let Some(columns) = columns {
        objects = objects.only(&columns)?;
    }
    Ok(match wanted {
        None => Reply::written(objects.list()),
        Some(wanted) => Reply::written(wanted.page(&objects, filtered_count, total_count)),
    })
}

/// One object, in the wanted columns.
pub(super) fn object(request: &Request, object: &impl Serialize) -> Outcome {
    let Some(columns) = request.query("columns") else { return Ok(Reply::json(object)) };
    let text = serde_json::to_vec(object).map_err(|error| unwritten(&error))?;
    Ok(Reply::json(&Columns::parse(columns).of(&text)))
}

fn unwritten(error: &serde_json::Error) -> Reply {
    Reply::failed(&format!("the answer cannot be written: {error}"))
}

/// In which order a list is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Natural,
    Reversed,
}

/// Objects as they are written: one text, and where in it each stands.
#[derive(Default)]
struct Objects {
    text: Vec<u8>,
    places: Vec<Range<usize>>,
}

impl Objects {
    fn write<K, T: Serialize>(keys: Vec<K>, mut show: impl FnMut(K) -> T) -> Result<Self, Reply> {
        let mut objects = Self::default();
        for key in keys {
            objects.push(&show(key))?;
        }
        Ok(objects)
    }

    fn push(&mut self, object: &impl Serialize) -> Result<(), Reply> {
        let begin = self.text.len();
        serde_json::to_writer(&mut self.text, object).map_err(|error| unwritten(&error))?;
        self.places.push(begin..self.text.len());
        Ok(())
    }

    fn sort(&mut self, path: &str, order: Order) {
        let places = std::mem::take(&mut self.places).into_iter();
        let mut keyed: Vec<(Value, Range<usize>)> =
            places.map(|place| (columns::at(&self.text[place.clone()], path), place)).collect();
        keyed.sort_by(|(one, _), (other, _)| match order {
            Order::Natural => compare(one, other),
            Order::Reversed => compare(other, one),
        });
        self.places = keyed.into_iter().map(|(_, place)| place).collect();
    }

    fn only(&self, columns: &Columns) -> Result<Self, Reply> {
        let mut objects = Self::default();
        for place in &self.places {
            objects.push(&columns.of(&self.text[place.clone()]))?;
        }
        Ok(objects)
    }

    /// The objects as a list.
    fn list(&self) -> Vec<u8> {
        let bytes: usize = self.places.iter().map(|place| place.len() + 1).sum();
        let mut list = Vec::with_capacity(bytes + 2);
        list.push(b'[');
        for (at, place) in self.places.iter().enumerate() {
            if at > 0 {
                list.push(b',');
            }
            list.extend_from_slice(&self.text[place.clone()]);
        }
        list.push(b']');
        list
    }
}

impl Wanted {
    /// A page, in RabbitMQ's words.
    fn page(&self, objects: &Objects, filtered_count: usize, total_count: usize) -> Vec<u8> {
        let (page, page_size) = (self.page, self.size);
        let (item_count, page_count) = (objects.places.len(), filtered_count.div_ceil(page_size));
        let mut text = format!(
            "{{\"filtered_count\":{filtered_count},\"item_count\":{item_count},\"page\":{page},\
             \"page_count\":{page_count},\"page_size\":{page_size},\"total_count\":{total_count},\"items\":"
        )
        .into_bytes();
        text.append(&mut objects.list());
        text.push(b'}');
        text
    }
}

/// As in RabbitMQ, `page` alone decides whether there are pages, and only then `name` counts.
fn wanted(request: &Request) -> Result<Option<Wanted>, Reply> {
    let Some(page) = request.query("page") else { return Ok(None) };
    let size = request.query("page_size").map_or(Ok(PAGE_SIZE), str::parse);
    let (Ok(page), Ok(size)) = (page.parse::<usize>(), size) else {
        return Err(Reply::bad_request("Pagination parameters are invalid"));
    };
    if page == 0 || size == 0 || size > PAGE_SIZE_MAX {
        let reason = format!("Invalid pagination parameters: page number {page}, page size {size}");
        let error = "invalid_pagination_parameters";
        return Err(Reply::error(StatusCode::BAD_REQUEST, error, &reason));
    }
    let name = request.query("name").filter(|name| !name.is_empty());
    let name = name.map(|name| pattern(name, request.asks("use_regex"))).transpose()?;
    Ok(Some(Wanted { page, size, name }))
}

/// RabbitMQ compares without regard to case, with a pattern as well as with a part of the name.
fn pattern(name: &str, is_regex: bool) -> Result<Regex, Reply> {
    let text = if is_regex { name.to_owned() } else { regex::escape(name) };
    RegexBuilder::new(&text)
        .case_insensitive(true)
        .size_limit(PATTERN_BYTES_MAX)
        .build()
        .map_err(|_| Reply::bad_request(format!("name '{name}' is not a regular expression")))
}

fn cut<T>(items: Vec<T>, wanted: Option<&Wanted>, total_count: usize) -> Result<Vec<T>, Reply> {
    let Some(Wanted { page, size, .. }) = wanted else { return Ok(items) };
    let first = (page - 1).saturating_mul(*size);
    if *page > 1 && first >= items.len() {
        let reason =
            format!("Page out of range, page: {page} page size: {size}, len: {total_count}");
        return Err(Reply::error(StatusCode::BAD_REQUEST, "page_out_of_range", &reason));
    }
    Ok(items.into_iter().skip(first).take(*size).collect())
}

/// What is missing comes first, then numbers, truth values and texts; anything else counts as equal.
fn compare(one: &Value, other: &Value) -> Ordering {
    let rank = |value: &Value| match value {
        Value::Null => 0,
        Value::Number(_) => 1,
        Value::Bool(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) | Value::Object(_) => 4,
    };
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            let (one, other) = (one.as_f64(), other.as_f64());
            one.partial_cmp(&other).unwrap_or(Ordering::Equal)
        }
        (Value::String(one), Value::String(other)) => one.cmp(other),
        (Value::Bool(one), Value::Bool(other)) => one.cmp(other),
        _ => rank(one).cmp(&rank(other)),
    }
}
