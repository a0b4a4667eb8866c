//! Metrics for Prometheus, with the names that RabbitMQ's dashboards ask for, and some of our own. No login is
//! needed, as RabbitMQ's own metrics port has none.
//!
//! `/metrics` sums everything up, `/metrics/per-object` has a series for each queue, and `/metrics/detailed` the
//! families and virtual hosts that are asked for.

mod detailed;
mod exposition;
mod figures;
mod queues;
mod scrape;

use super::Api;
use super::reply::Reply;
use super::request::Request;

use exposition::{CONTENT_TYPE, Family, Labels, end, written};

pub(super) use scrape::Scrape;

/// Where names of the detailed endpoint begin, as in RabbitMQ.
const DETAILED: &str = "rabbitmq_detailed_";

/// Where other names begin.
const PLAIN: &str = "rabbitmq_";

/// What somebody is given who asks for metrics.
pub(super) enum Metrics {
    /// Text, which others may be given too.
    Summed(Vec<u8>),
    /// What is written while it is sent.
    Scrape(Scrape),
}

/// Whether all readers of this path are given the same.
pub(super) fn is_summed(request: &Request) -> bool {
    request.path.len() == 1
}

/// `GET /metrics`, `/metrics/per-object`, `/metrics/detailed`.
///
/// # Errors
/// 404 for another path, 400 when too many names are asked for, 500 when the metrics cannot be written.
pub(super) fn get(api: &Api, request: &Request) -> Result<Metrics, Reply> {
    let path: Vec<&str> = request.path.iter().skip(1).map(String::as_str).collect();
    match path.as_slice() {
        [] => {
            let mut families = figures::families(api, "aggregated");
            families.extend(queues::summed(api));
            let text = written(families).and_then(|text| Ok(text + &end()?));
            text.map(|text| Metrics::Summed(text.into_bytes()))
                .map_err(|error| Reply::failed(&format!("the metrics cannot be written: {error}")))
        }
        ["per-object"] => {
            let mut scrape = Scrape::new(figures::families(api, "per-object"));
            queues::of_each(api, PLAIN, &queues::Wanted::everything(), &mut scrape);
            Ok(Metrics::Scrape(scrape))
        }
        ["detailed"] => Ok(Metrics::Scrape(detailed::families(api, request)?)),
        _ => Err(Reply::no_object()),
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
