//! What this broker does not have: policies, parameters, limits of users and virtual hosts, topic permissions. Tools
//! that ask are told that there are none; to set one is refused.

use super::call::Call;
use super::reply::{Outcome, Reply};

fn none() -> Outcome {
    Ok(Reply::json(&[(); 0]))
}

/// A list for everybody.
pub(super) fn list(call: &Call<'_>) -> Outcome {
    // Where a virtual host stands in the path, it has to be there.
    if let Some(vhost) = call.parts.first() {
        call.enter(vhost)?;
    }
    none()
}

/// A list for those who may set policies.
pub(super) fn list_for_policymakers(call: &Call<'_>) -> Outcome {
    call.caller.expect_policymaker()?;
    none()
}

/// A list for administrators.
pub(super) fn list_for_administrators(call: &Call<'_>) -> Outcome {
    call.caller.expect_administrator()?;
    none()
}

/// A list of a user's.
pub(super) fn list_for_administrators_of_user(call: &Call<'_>) -> Outcome {
    call.caller.expect_administrator()?;
    call.api.broker.user(call.part(0)).ok_or_else(Reply::no_object)?;
    none()
}

/// One of them: never there.
pub(super) fn show(call: &Call<'_>) -> Outcome {
    call.caller.expect_policymaker()?;
    Err(Reply::no_object())
}

/// Setting a policy.
pub(super) fn put(call: &Call<'_>) -> Outcome {
    call.caller.expect_policymaker()?;
    Err(unsupported("policies", "give the queue its arguments when it is declared"))
}

/// Setting a parameter.
pub(super) fn put_parameter(call: &Call<'_>) -> Outcome {
    call.caller.expect_policymaker()?;
    Err(unsupported("parameters", "see docs/compatibility.md for what there is"))
}

/// Setting a limit of a user or a virtual host.
pub(super) fn put_limit(call: &Call<'_>) -> Outcome {
    call.caller.expect_administrator()?;
    Err(unsupported("limits of users and virtual hosts", "[limits] in broker.toml is for all"))
}

/// Setting a topic permission.
pub(super) fn put_topic_permission(call: &Call<'_>) -> Outcome {
    call.caller.expect_administrator()?;
    Err(unsupported("topic permissions", "permissions to write are for whole exchanges"))
}

fn unsupported(what: &str, instead: &str) -> Reply {
    Reply::bad_request(format!("{what} are not supported yet; {instead}"))
}
