//! Deleting and purging: what is lost is counted and said first, then asked for.

use serde_json::Value;

use super::ask::{self, several};
use super::client::{Client, Fault};
use super::options::{Confirmation, Delete, DeleteNamed};
use super::path::Path;
use super::terminal::say;
use super::topology::absent;
use crate::admin::failure::Failure;

/// Deletes something.
///
/// # Errors
///
/// That it is not there, that someone said no, or what the broker says.
pub(super) fn delete(client: &Client, what: &Delete) -> Result<(), Failure> {
    match what {
        Delete::Queue { name, if_empty, if_unused, place, confirmation } => {
            let mut path = Path::new(&["queues", &place.vhost, name]);
            let queue =
                client.get(&path).map_err(|fault| no_queue(client, &place.vhost, name, fault))?;
            let bindings = client.get(&Path::new(&["queues", &place.vhost, name, "bindings"]))?;
            // The default exchange's own binding is no loss.
            let bound = entries(&bindings).filter(|binding| binding["source"] != "").count();
            let what = format!(
                "This deletes queue '{name}' in virtual host '{}' with {}, {} and {}",
                place.vhost,
                several(number(&queue["messages"]), "message"),
                several(number(&queue["consumers"]), "consumer"),
                several(bound as u64, "binding"),
            );
            ask::before(&what, confirmation)?;
            for (wanted, name) in [(if_empty, "if-empty"), (if_unused, "if-unused")] {
                if *wanted {
                    path = path.with(name, "true");
                }
            }
            client.delete(&path).map_err(|fault| no_queue(client, &place.vhost, name, fault))?;
            say(&format!("queue '{name}' deleted"))
        }
        Delete::Exchange { name, if_unused, place, confirmation } => {
            let mut path = Path::new(&["exchanges", &place.vhost, name]);
            let gone = |fault| absent(client, "exchange", "exchanges", &place.vhost, name, fault);
            client.get(&path).map_err(gone)?;
            let ends = ["source", "destination"].map(|end| {
                client.get(&Path::new(&["exchanges", &place.vhost, name, "bindings", end]))
            });
            let [from, to] = ends;
            let bound = entries(&from?).count() + entries(&to?).count();
            let what = format!(
                "This deletes exchange '{name}' in virtual host '{}' with {}",
                place.vhost,
                several(bound as u64, "binding"),
            );
            ask::before(&what, confirmation)?;
            if *if_unused {
                path = path.with("if-unused", "true");
            }
            client.delete(&path).map_err(gone)?;
            say(&format!("exchange '{name}' deleted"))
        }
        Delete::Vhost(named) => delete_vhost(client, named),
        Delete::User(named) => delete_user(client, named),
    }
}

/// Deletes a virtual host with all that is in it.
///
/// # Errors
///
/// As [`delete`].
pub(super) fn delete_vhost(client: &Client, named: &DeleteNamed) -> Result<(), Failure> {
    let name = &named.name;
    let path = Path::new(&["vhosts", name]);
    let gone = |fault: Fault| super::topology::no_vhost(client, fault, name);
    let vhost = client.get(&path).map_err(gone)?;
    let messages = several(number(&vhost["messages"]), "message");
    let what = match counted(client, name) {
        Ok([queues, exchanges, connections]) => format!(
            "This deletes virtual host '{name}' with {}, {messages} and {}, and closes {}",
            several(queues, "queue"),
            several(exchanges, "exchange"),
            several(connections, "connection"),
        ),
        // An administrator may delete also what it may not enter.
        Err(Fault::NotFound(_) | Fault::Forbidden(_)) => format!(
            "This deletes virtual host '{name}' with {messages} and all its queues and exchanges, and closes its \
             connections; user '{}' may not enter it to count them",
            client.user
        ),
        Err(fault) => return Err(fault.into()),
    };
    ask::before(&what, &named.confirmation)?;
    client.delete(&path).map_err(gone)?;
    say(&format!("virtual host '{name}' deleted"))
}

/// How many queues, exchanges and connections a virtual host has.
fn counted(client: &Client, vhost: &str) -> Result<[u64; 3], Fault> {
    let held = |nouns: &str| -> Result<u64, Fault> {
        let first = Path::new(&[nouns, vhost]).with("page", "1").with("page_size", "1");
        Ok(number(&client.get(&first)?["total_count"]))
    };
    let connections = client.get(&Path::new(&["vhosts", vhost, "connections"]))?;
    Ok([held("queues")?, held("exchanges")?, entries(&connections).count() as u64])
}

/// Deletes a user with its permissions.
///
/// # Errors
///
/// As [`delete`].
pub(super) fn delete_user(client: &Client, named: &DeleteNamed) -> Result<(), Failure> {
    let name = &named.name;
    let path = Path::new(&["users", name]);
    let gone = |fault| super::users::no_user(fault, name);
    client.get(&path).map_err(gone)?;
    let permissions = client.get(&Path::new(&["users", name, "permissions"]))?;
    let what = format!(
        "This deletes user '{name}' with permissions in {}",
        several(entries(&permissions).count() as u64, "virtual host"),
    );
    ask::before(&what, &named.confirmation)?;
    client.delete(&path).map_err(gone)?;
    say(&format!("user '{name}' deleted"))
}

/// Drops what is ready in a queue.
///
/// # Errors
///
/// As [`delete`].
pub(super) fn purge(
    client: &Client,
    vhost: &str,
    name: &str,
    confirmation: &Confirmation,
) -> Result<(), Failure> {
    let gone = |fault| no_queue(client, vhost, name, fault);
    let queue = client.get(&Path::new(&["queues", vhost, name])).map_err(gone)?;
    let ready = number(&queue["messages_ready"]);
    let mut what = format!(
        "This drops {} from queue '{name}' in virtual host '{vhost}'",
        several(ready, "ready message"),
    );
    let unacknowledged = number(&queue["messages_unacknowledged"]);
    if unacknowledged > 0 {
        what.push_str(&format!(" ({} stay)", several(unacknowledged, "unacknowledged one")));
    }
    ask::before(&what, confirmation)?;
    client.delete(&Path::new(&["queues", vhost, name, "contents"])).map_err(gone)?;
    say(&format!("queue '{name}' purged of {}", several(ready, "message")))
}

/// A queue that is not there, or whose virtual host is not.
pub(super) fn no_queue(client: &Client, vhost: &str, name: &str, fault: Fault) -> Failure {
    absent(client, "queue", "queues", vhost, name, fault)
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

fn entries(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}
