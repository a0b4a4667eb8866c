//! A listing of the management API, asked for page by page, so that no answer grows with what the broker holds.

use serde_json::Value;

use super::client::{Client, Fault};
use super::path::Path;

/// Entries of one page: as many as RabbitMQ allows.
const PAGE_ENTRIES: usize = 500;
/// Pages of one listing: more entries than any broker holds.
const PAGES_MAX: usize = 100_000;

/// Hands each page's entries on, in the broker's order. What is made or deleted meanwhile may be there or not.
///
/// # Errors
///
/// What went wrong with a page, or with what was done with it.
pub(super) fn each<E: From<Fault>>(
    client: &Client,
    path: &Path,
    mut take: impl FnMut(Vec<Value>) -> Result<(), E>,
) -> Result<(), E> {
    let size = PAGE_ENTRIES.to_string();
    for page in 1..=PAGES_MAX {
        let path = path.clone().with("page", &page.to_string()).with("page_size", &size);
        let answer = match client.get(&path) {
            // So much was deleted since the last page that this one is not there any more.
            Err(Fault::Senseless(_)) if page > 1 => return Ok(()),
            answer => answer?,
        };
        match answer {
            // A listing that this broker does not cut into pages.
            Value::Array(all) => return take(all),
            Value::Object(mut fields) => {
                let pages = fields.get("page_count").and_then(Value::as_u64).unwrap_or(1);
                if let Some(Value::Array(items)) = fields.remove("items") {
                    take(items)?;
                }
                if page as u64 >= pages {
                    return Ok(());
                }
            }
            _ => return Ok(()),
        }
    }
    Ok(())
}

/// All entries at once.
///
/// # Errors
///
/// What went wrong with a page.
pub(super) fn all(client: &Client, path: &Path) -> Result<Vec<Value>, Fault> {
    let mut found = Vec::new();
    each(client, path, |mut page| {
        found.append(&mut page);
        Ok::<(), Fault>(())
    })?;
    Ok(found)
}
