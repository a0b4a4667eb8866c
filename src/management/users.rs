//! Users: RabbitMQ's fields, and hashes that can be carried from one broker to another.

use serde::Deserialize;
use serde_json::json;

use super::call::{Call, deleted, put as answered, wait};
use super::paging;
use super::reply::{Outcome, Reply};
use crate::broker::{hash_password, import_hash, user_to_json};
use crate::store::UserRecord;

/// Users that one request may delete.
const BULK_MAX: usize = 10_000;

/// `GET users`.
pub(super) fn list(call: &Call<'_>) -> Outcome {
    call.caller.expect_administrator()?;
    paging::list(
        call.request,
        call.api.broker.users(),
        |user| &user.name,
        |user| user_to_json(&user),
    )
}

/// `GET users/without-permissions`.
pub(super) fn without_permissions(call: &Call<'_>) -> Outcome {
    call.caller.expect_administrator()?;
    let permissions = call.api.broker.permissions();
    let mut users = call.api.broker.users();
    users.retain(|user| !permissions.iter().any(|permission| permission.user == user.name));
    paging::list(call.request, users, |user| &user.name, |user| user_to_json(&user))
}

/// `GET users/USER`.
pub(super) fn show(call: &Call<'_>) -> Outcome {
    call.caller.expect_administrator()?;
    let user = call.api.broker.user(call.part(0)).ok_or_else(Reply::no_object)?;
    paging::object(call.request, &user_to_json(&user))
}

/// What is said of a user.
#[derive(Debug, Deserialize)]
struct Account {
    password: Option<String>,
    password_hash: Option<String>,
    hashing_algorithm: Option<String>,
    tags: Option<Tags>,
}

/// Tags are a list, or a text with commas.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Tags {
    List(Vec<String>),
    Text(String),
}

impl Tags {
    fn into_list(self) -> Vec<String> {
        match self {
            Self::List(tags) => tags,
            Self::Text(text) => {
                let tags = text.split(',').map(str::trim);
                tags.filter(|tag| !tag.is_empty()).map(str::to_owned).collect()
            }
        }
    }
}

/// `PUT users/USER`. Without password and hash, or with an empty one, the user cannot log in, as in RabbitMQ.
pub(super) fn put(call: &Call<'_>) -> Outcome {
    call.caller.expect_administrator()?;
    let account: Account = call.body()?;
    let tags = account.tags.ok_or_else(|| Reply::bad_request("tags_not_present"))?.into_list();
    let password_hash = match (account.password.as_deref(), account.password_hash.as_deref()) {
        (Some(""), _) => return Err(Reply::bad_request("the password is empty")),
        (Some(password), _) => hash_password(password.as_bytes(), call.api.broker.entropy())
            .map_err(|error| Reply::bad_request(error.to_string()))?,
        (None, None | Some("")) => String::new(),
        (None, Some(hash)) => {
            import_hash(hash, account.hashing_algorithm.as_deref()).map_err(Reply::bad_request)?
        }
    };
    let name = call.part(0).to_owned();
    if name.is_empty() {
        return Err(Reply::bad_request("a user has a name"));
    }
    let record = UserRecord { name, password_hash, tags };
    answered(call.api.broker.put_user(record).map_err(Reply::bad_request)?)
}

/// `DELETE users/USER`.
pub(super) fn delete(call: &Call<'_>) -> Outcome {
    call.caller.expect_administrator()?;
    deleted(call.api.broker.delete_user(call.part(0)))
}

/// The users of a bulk deletion.
#[derive(Debug, Deserialize)]
struct Bulk {
    users: Vec<String>,
}

/// `POST users/bulk-delete`. Those that are not there are passed over.
pub(super) fn bulk_delete(call: &Call<'_>) -> Outcome {
    call.caller.expect_administrator()?;
    let bulk: Bulk = call.body()?;
    if bulk.users.len() > BULK_MAX {
        return Err(Reply::bad_request(format!("at most {BULK_MAX} users at once")));
    }
    for pending in bulk.users.iter().filter_map(|name| call.api.broker.delete_user(name)) {
        wait(pending)?;
    }
    Ok(Reply::done())
}

/// `GET whoami`.
pub(super) fn whoami(call: &Call<'_>) -> Outcome {
    Ok(Reply::json(&json!({
        "name": &*call.caller.user,
        "tags": call.caller.tags,
        "is_internal_user": true,
    })))
}
