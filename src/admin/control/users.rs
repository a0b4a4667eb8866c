//! Users, permissions and virtual hosts: who may come in, and what they may do where.

use serde_json::{Value, json};

use super::client::{Client, Fault};
use super::column::words;
use super::password;
use super::path::Path;
use super::terminal::say;
use super::topology::no_vhost;
use crate::admin::failure::Failure;

/// Adds a user.
///
/// # Errors
///
/// That there is one already, or what the broker says.
pub(super) fn add(client: &Client, name: &str, tags: &[String]) -> Result<(), Failure> {
    let path = Path::new(&["users", name]);
    match client.get(&path) {
        Ok(_) => {
            return Err(format!(
                "there is a user '{name}' already; `leveret admin change-password` gives it another password"
            )
            .into());
        }
        Err(Fault::NotFound(_)) => {}
        Err(fault) => return Err(fault.into()),
    }
    let password = password::new_one(name)?;
    client.put(&path, &json!({"password": password, "tags": tags.join(",")}))?;
    say(&format!(
        "user '{name}' added; `leveret admin set-permissions` lets it into a virtual host"
    ))
}

/// Gives a user another password; its tags stay.
///
/// # Errors
///
/// That there is no such user, or what the broker says.
pub(super) fn change_password(client: &Client, name: &str) -> Result<(), Failure> {
    let path = Path::new(&["users", name]);
    let user = client.get(&path).map_err(|fault| no_user(fault, name))?;
    let password = password::new_one(name)?;
    let tags = words(&user["tags"]).replace(", ", ",");
    client.put(&path, &json!({"password": password, "tags": tags}))?;
    say(&format!("user '{name}' has another password"))
}

/// Sets what a user may do in a virtual host.
///
/// # Errors
///
/// Which of the two is missing, a pattern that is none, or what the broker says.
pub(super) fn set_permissions(
    client: &Client,
    (vhost, user): (&str, &str),
    [configure, write, read]: [&str; 3],
) -> Result<(), Failure> {
    let body = json!({"configure": configure, "write": write, "read": read});
    // RabbitMQ answers 400 where one of them is missing, so they are looked for first.
    exist(client, vhost, user)?;
    client.put(&Path::new(&["permissions", vhost, user]), &body)?;
    say(&format!(
        "user '{user}' may configure '{configure}', write '{write}' and read '{read}' in virtual host '{vhost}'"
    ))
}

/// Takes a user's permissions in a virtual host away.
///
/// # Errors
///
/// Which of the two is missing, that there are none, or what the broker says.
pub(super) fn clear_permissions(client: &Client, vhost: &str, user: &str) -> Result<(), Failure> {
    exist(client, vhost, user)?;
    client.delete(&Path::new(&["permissions", vhost, user])).map_err(|fault| {
        fault.about(
            &format!("permission of user '{user}' in virtual host '{vhost}'"),
            "`leveret admin permissions` lists those there are",
        )
    })?;
    say(&format!("user '{user}' has no permissions in virtual host '{vhost}' any more"))
}

fn exist(client: &Client, vhost: &str, user: &str) -> Result<(), Failure> {
    client.get(&Path::new(&["users", user])).map_err(|fault| no_user(fault, user))?;
    client.get(&Path::new(&["vhosts", vhost])).map_err(|fault| no_vhost(client, fault, vhost))?;
    Ok(())
}

/// Adds a virtual host, in which the user that is logged in may do everything.
///
/// # Errors
///
/// What the broker says.
pub(super) fn add_vhost(client: &Client, name: &str) -> Result<(), Failure> {
    let path = Path::new(&["vhosts", name]);
    if client.get(&path).is_ok() {
        return say(&format!("virtual host '{name}' was there already"));
    }
    client.put(&path, &json!({}))?;
    say(&format!("virtual host '{name}' added; user '{}' may do everything in it", client.user))
}

/// A user that is not there.
pub(super) fn no_user(fault: Fault, name: &str) -> Failure {
    fault.about(&format!("user '{name}'"), "`leveret admin users` lists those there are")
}

/// Closes a connection.
///
/// # Errors
///
/// That there is none or more than one of that name, or what the broker says.
pub(super) fn close(client: &Client, wanted: &str, reason: &str) -> Result<(), Failure> {
    // It travels as a header, which ends with its line.
    if reason.contains(|letter: char| letter.is_ascii_control()) {
        return Err(Failure::Usage(format!(
            "--reason must be one line without control characters, not {reason:?}"
        )));
    }
    let all = super::pages::all(client, &Path::new(&["connections"]))?;
    let name_of = |connection: &Value| words(&connection["name"]);
    let exact = all.iter().find(|connection| name_of(connection) == wanted);
    let alike =
        || all.iter().filter(|connection| is_called(connection, wanted)).collect::<Vec<_>>();
    let found = match exact {
        Some(connection) => vec![connection],
        None => alike(),
    };
    let name = match found.as_slice() {
        [one] => name_of(one),
        [] => {
            return Err(format!(
                "there is no connection '{wanted}'; `leveret admin connections` lists those there are"
            )
            .into());
        }
        several => {
            return Err(format!(
                "{} connections are called '{wanted}'; say which by its name in `leveret admin connections`",
                several.len()
            )
            .into());
        }
    };
    client.delete_because(&Path::new(&["connections", &name]), reason).map_err(|fault| {
        fault.about(
            &format!("connection '{name}' any more"),
            "`leveret admin connections` lists those there are",
        )
    })?;
    say(&format!("connection '{name}' closed"))
}

/// Whether a connection goes by its client's address, or by the name that its client gave it.
fn is_called(connection: &Value, wanted: &str) -> bool {
    let peer = format!("{}:{}", words(&connection["peer_host"]), words(&connection["peer_port"]));
    let given =
        [&connection["user_provided_name"], &connection["client_properties"]["connection_name"]];
    peer == wanted || given.into_iter().any(|name| name == wanted)
}
