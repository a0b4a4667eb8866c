//! Definitions.
use super::call::Call;
use super::reply::{Outcome, Reply};
pub(super) fn export(call: &Call<'_>) -> Outcome {
    call.caller.expect_administrator()?;
    Err(Reply::no_object())
}
pub(super) fn import(call: &Call<'_>) -> Outcome {
    export(call)
}
pub(super) fn export_vhost(call: &Call<'_>) -> Outcome {
    export(call)
}
pub(super) fn import_vhost(call: &Call<'_>) -> Outcome {
    export(call)
}
