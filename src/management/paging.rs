//! Lists: sorted, filtered by name, cut into pages and columns, as the query asks. Without any of that the objects
//! are written straight out.

use std::cmp::Ordering;

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

/// A page, in RabbitMQ's words.
#[derive(Serialize)]
struct Page<T> {
    filtered_count: usize,
    item_count: usize,
    items: T,
    page: usize,
    page_count: usize,
    page_size: usize,
    total_count: usize,
}

/// Which page is wanted.
struct Wanted {
    page: usize,
    size: usize,
    name: Option<Regex>,
}

/// Answers a list. `keys` come in their natural order; `name` is what a filter looks at, and `show` makes the
/// object of a key, where no sorting asks for all of them only for what is answered.
pub(super) fn list<K, T: Serialize>(
    request: &Request,
    mut keys: Vec<K>,
    name: impl Fn(&K) -> &str,
    mut show: impl FnMut(K) -> T,
) -> Outcome {
    let columns = request.query("columns").map(Columns::parse);
    let sort = request.query("sort").filter(|path| !path.is_empty());
    let reversed = request.asks("sort_reverse");
    let wanted = wanted(request)?;
    let total_count = keys.len();
    if let Some(Wanted { name: Some(pattern), .. }) = &wanted {
        keys.retain(|key| pattern.is_match(name(key)));
    }
    if sort.is_none() && columns.is_none() {
        if reversed {
            keys.reverse();
        }
        return match wanted {
            None => Ok(Reply::json(&keys.into_iter().map(show).collect::<Vec<_>>())),
            Some(wanted) => {
                let filtered_count = keys.len();
                let keys = cut(keys, &wanted, total_count)?;
                let items: Vec<T> = keys.into_iter().map(show).collect();
                Ok(Reply::json(&page(&wanted, items.len(), filtered_count, total_count, items)))
            }
        };
    }
    let mut value = |key: K| serde_json::to_value(show(key)).unwrap_or(Value::Null);
    let filtered_count = keys.len();
    let mut items: Vec<Value> = match sort {
        Some(path) => sorted(keys.into_iter().map(value).collect(), path, reversed),
        None => {
            if reversed {
                keys.reverse();
            }
            if let Some(wanted) = &wanted {
                keys = cut(keys, wanted, total_count)?;
            }
            keys.into_iter().map(&mut value).collect()
        }
    };
    if let (Some(wanted), Some(_)) = (&wanted, sort) {
        items = cut(items, wanted, total_count)?;
    }
    if let Some(columns) = columns {
        items = items.into_iter().map(|item| columns.of(item)).collect();
    }
    Ok(match wanted {
        None => Reply::json(&items),
        Some(wanted) => {
            Reply::json(&page(&wanted, items.len(), filtered_count, total_count, items))
        }
    })
}

/// One object, in the wanted columns.
pub(super) fn object(request: &Request, object: &impl Serialize) -> Outcome {
    let Some(columns) = request.query("columns") else { return Ok(Reply::json(object)) };
    let value = serde_json::to_value(object).unwrap_or(Value::Null);
    Ok(Reply::json(&Columns::parse(columns).of(value)))
}

fn page<T>(
    wanted: &Wanted,
    item_count: usize,
    filtered_count: usize,
    total_count: usize,
    items: T,
) -> Page<T> {
    Page {
        filtered_count,
        item_count,
        items,
        page: wanted.page,
        page_count: filtered_count.div_ceil(wanted.size),
        page_size: wanted.size,
        total_count,
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

fn cut<T>(items: Vec<T>, wanted: &Wanted, total_count: usize) -> Result<Vec<T>, Reply> {
    let (page, size) = (wanted.page, wanted.size);
    let first = (page - 1).saturating_mul(size);
    if page > 1 && first >= items.len() {
        let reason =
            format!("Page out of range, page: {page} page size: {size}, len: {total_count}");
        return Err(Reply::error(StatusCode::BAD_REQUEST, "page_out_of_range", &reason));
    }
    Ok(items.into_iter().skip(first).take(size).collect())
}

fn sorted(mut items: Vec<Value>, path: &str, reversed: bool) -> Vec<Value> {
    items.sort_by(|one, other| {
        let order = compare(columns::at(one, path), columns::at(other, path));
        if reversed { order.reverse() } else { order }
    });
    items
}

/// What is missing comes first, then numbers, then texts; anything else counts as equal.
fn compare(one: Option<&Value>, other: Option<&Value>) -> Ordering {
    let rank = |value: Option<&Value>| match value {
        None | Some(Value::Null) => 0,
        Some(Value::Number(_)) => 1,
        Some(Value::Bool(_)) => 2,
        Some(Value::String(_)) => 3,
        Some(_) => 4,
    };
    match (one, other) {
        (Some(Value::Number(one)), Some(Value::Number(other))) => {
            let (one, other) = (one.as_f64(), other.as_f64());
            one.partial_cmp(&other).unwrap_or(Ordering::Equal)
        }
        (Some(Value::String(one)), Some(Value::String(other))) => one.cmp(other),
        (Some(Value::Bool(one)), Some(Value::Bool(other))) => one.cmp(other),
        _ => rank(one).cmp(&rank(other)),
    }
}
