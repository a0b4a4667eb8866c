//! Metrics for Prometheus.

use super::Api;
use super::reply::{Outcome, Reply};
use super::request::Request;

/// `GET /metrics`.
pub(super) fn get(api: &Api, _: &Request, rest: &[&str]) -> Outcome {
    let _ = (api, rest);
    Err(Reply::no_object())
}
