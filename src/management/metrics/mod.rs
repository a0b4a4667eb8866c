//! Metrics for Prometheus, with the names that RabbitMQ's dashboards ask for, and some of our own. No login is
//! needed, as RabbitMQ's own metrics port has none.
//!
//! `/metrics` sums everything up, `/metrics/per-object` has a series for each queue, and `/metrics/detailed` the
//! families and virtual hosts that are asked for.

mod detailed;
mod exposition;
mod figures;
mod queues;

use super::Api;
use super::reply::{Outcome, Reply};
use super::request::Request;

use exposition::{CONTENT_TYPE, Family, Labels, exposed};

/// Where names of the detailed endpoint begin, as in RabbitMQ.
const DETAILED: &str = "rabbitmq_detailed_";

/// Where other names begin.
const PLAIN: &str = "rabbitmq_";

/// `GET /metrics`, `/metrics/per-object`, `/metrics/detailed`.
pub(super) fn get(api: &Api, request: &Request) -> Outcome {
    let path: Vec<&str> = request.path.iter().skip(1).map(String::as_str).collect();
    let families = match path.as_slice() {
        [] => {
            let mut families = figures::families(api, "aggregated");
            families.extend(queues::summed(api));
            families
        }
        ["per-object"] => {
            let mut families = figures::families(api, "per-object");
            families.extend(queues::of_each(api, PLAIN, &queues::Wanted::everything()));
            families
        }
        ["detailed"] => detailed::families(api, request)?,
        _ => return Err(Reply::no_object()),
    };
    match exposed(families) {
        Ok(text) => Ok(Reply::text(CONTENT_TYPE, text)),
        Err(error) => Err(Reply::failed(&format!("the metrics cannot be written: {error}"))),
    }
}

/// The same without a body.
pub(super) fn head() -> Reply {
    Reply::text(CONTENT_TYPE, String::new())
}

/// Labels with their values. The library does not escape them, which the format asks for.
fn labels<const N: usize>(pairs: [(&'static str, &str); N]) -> Labels {
    pairs.into_iter().map(|(name, value)| (name, escaped(value))).collect()
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
