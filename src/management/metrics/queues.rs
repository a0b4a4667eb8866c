//! Metrics of queues: summed up, or a series for each.

use std::sync::Arc;

use super::super::{Api, clock};
use super::figures::OWN;
use super::scrape::Scrape;
use super::{Family, Labels, PLAIN, labels};
use crate::broker::{QueueFigures, QueueRef};

/// Which groups of metrics and which virtual hosts are wanted.
pub(super) struct Wanted {
    groups: Option<Vec<String>>,
    vhosts: Option<Vec<String>>,
}

impl Wanted {
    /// All of them.
    pub fn everything() -> Self {
        Self { groups: None, vhosts: None }
    }

    /// Those groups, in those virtual hosts; in all when none is named.
    pub fn groups(groups: Vec<String>, vhosts: Vec<String>) -> Self {
        Self { groups: Some(groups), vhosts: (!vhosts.is_empty()).then_some(vhosts) }
    }

    /// Whether a group is.
    pub fn has(&self, group: &str) -> bool {
        self.groups.as_ref().is_none_or(|groups| groups.iter().any(|one| one == group))
    }

    /// Whether a virtual host is.
    pub fn has_vhost(&self, vhost: &str) -> bool {
        self.vhosts.as_ref().is_none_or(|vhosts| vhosts.iter().any(|one| one == vhost))
    }
}

/// A metric of a queue: its group, name, help, and how it is read.
struct Metric {
    group: &'static str,
    name: &'static str,
    help: &'static str,
    read: Read,
}

enum Read {
    Gauge(fn(&QueueFigures) -> u64),
    Counter(fn(&QueueFigures) -> u64),
}

use Read::{Counter, Gauge};

const METRICS: &[Metric] = &[
    Metric {
        group: "queue_coarse_metrics",
        name: "queue_messages_ready",
        help: "Messages ready to be delivered to consumers",
        read: Gauge(|one| one.counts.ready),
    },
    Metric {
        group: "queue_coarse_metrics",
        name: "queue_messages_unacked",
        help: "Messages delivered to consumers but not yet acknowledged",
        read: Gauge(|one| one.counts.unacknowledged),
    },
    Metric {
        group: "queue_coarse_metrics",
        name: "queue_messages",
        help: "Sum of ready and unacknowledged messages",
        read: Gauge(|one| one.counts.ready + one.counts.unacknowledged),
    },
    Metric {
        group: "queue_consumer_count",
        name: "queue_consumers",
        help: "Consumers on a queue",
        read: Gauge(|one| one.counts.consumers),
    },
    Metric {
        group: "queue_metrics",
        name: "queue_messages_bytes",
        help: "Size in bytes of ready and unacknowledged messages",
        read: Gauge(|one| one.counts.ready_bytes + one.counts.unacknowledged_bytes),
    },
    Metric {
        group: "queue_metrics",
        name: "queue_messages_ready_bytes",
        help: "Size in bytes of ready messages",
        read: Gauge(|one| one.counts.ready_bytes),
    },
    Metric {
        group: "queue_metrics",
        name: "queue_messages_unacked_bytes",
        help: "Size in bytes of all unacknowledged messages",
        read: Gauge(|one| one.counts.unacknowledged_bytes),
    },
    Metric {
        group: "queue_delivery_metrics",
        name: "queue_messages_published",
        help: "Messages that came into a queue",
        read: Counter(|one| one.totals.published),
    },
    Metric {
        group: "queue_delivery_metrics",
        name: "queue_messages_delivered_ack",
        help: "Messages delivered from a queue to consumers with manual acknowledgement",
        read: Counter(|one| one.totals.delivered),
    },
    Metric {
        group: "queue_delivery_metrics",
        name: "queue_messages_delivered",
        help: "Messages delivered from a queue to consumers with automatic acknowledgement",
        read: Counter(|one| one.totals.delivered_automatic),
    },
    Metric {
        group: "queue_delivery_metrics",
        name: "queue_get_ack",
        help: "Messages got from a queue with manual acknowledgement",
        read: Counter(|one| one.totals.got),
    },
    Metric {
        group: "queue_delivery_metrics",
        name: "queue_get",
        help: "Messages got from a queue with automatic acknowledgement",
        read: Counter(|one| one.totals.got_automatic),
    },
    Metric {
        group: "queue_delivery_metrics",
        name: "queue_get_empty",
        help: "Times basic.get fetched no message from a queue",
        read: Counter(|one| one.totals.got_empty),
    },
    Metric {
        group: "queue_delivery_metrics",
        name: "queue_messages_redelivered",
        help: "Messages redelivered from a queue to consumers",
        read: Counter(|one| one.totals.redelivered),
    },
    Metric {
        group: "queue_delivery_metrics",
        name: "queue_messages_acked",
        help: "Messages acknowledged by consumers on a queue",
        read: Counter(|one| one.totals.acknowledged),
    },
];

const AGE_GROUP: &str = "queue_metrics";
const AGE_NAME: &str = "queue_oldest_message_age_seconds";
const AGE_HELP: &str = "Age of the oldest ready message";

impl Metric {
    fn family(&self, prefix: &str) -> Family {
        match self.read {
            Gauge(_) => Family::gauge(prefix, self.name, self.help),
            Counter(_) => Family::counter(prefix, self.name, self.help),
        }
    }

    fn value(&self, figures: &QueueFigures) -> u64 {
        match self.read {
            Gauge(read) | Counter(read) => read(figures),
        }
    }
}

fn queues(api: &Api, wanted: &Wanted) -> impl Iterator<Item = QueueRef> {
    let vhosts = api.broker.vhost_names().into_iter();
    let vhosts = vhosts.filter(|vhost| wanted.has_vhost(vhost));
    vhosts.flat_map(|vhost| api.broker.queues(&vhost))
}

fn age_seconds(figures: &QueueFigures, now_ms: u64) -> Option<f64> {
    figures.oldest_ms.map(|ms| now_ms.saturating_sub(ms) as f64 / 1000.0)
}

/// One series for all queues together; of ages the highest. Counters are of the queues that there are.
pub(super) fn summed(api: &Api) -> Vec<Family> {
    let now_ms = clock::now_ms();
    let mut sums = vec![0; METRICS.len()];
    let mut oldest = 0.0_f64;
    for queue in queues(api, &Wanted::everything()) {
        let figures = queue.figures();
        for (sum, metric) in sums.iter_mut().zip(METRICS) {
            *sum += metric.value(&figures);
        }
        oldest = oldest.max(age_seconds(&figures, now_ms).unwrap_or(0.0));
    }
    let families = METRICS.iter().zip(sums).map(|(metric, sum)| metric.family(PLAIN).of(sum));
    families.chain([Family::gauge(OWN, AGE_NAME, AGE_HELP).measured(oldest)]).collect()
}

/// The virtual host and the name of a queue.
type QueueName = (Arc<str>, Arc<str>);

/// A series for each queue that there still is when it is written.
pub(super) fn of_each(api: &Api, prefix: &str, wanted: &Wanted, scrape: &mut Scrape) {
    let now_ms = clock::now_ms();
    let mut metrics = METRICS.iter().filter(|metric| wanted.has(metric.group)).peekable();
    if metrics.peek().is_none() {
        return;
    }
    let names = queues(api, wanted)
        .map(|queue| (Arc::clone(queue.vhost_name()), Arc::clone(queue.name())))
        .collect();
    let names = scrape.snapshot(names);
    for metric in metrics {
        scrape.each(metric.family(prefix), &names, move |api, names, family| {
            for_each_queue(api, names, |name, figures| {
                family.push(&queue_labels(name), metric.value(figures));
            });
        });
    }
    if wanted.has(AGE_GROUP) {
        let ages = Family::gauge(OWN, AGE_NAME, AGE_HELP);
        scrape.each(ages, &names, move |api, names, family| {
            for_each_queue(api, names, |name, figures| {
                if let Some(age) = age_seconds(figures, now_ms) {
                    family.push_measured(&queue_labels(name), age);
                }
            });
        });
    }
}

fn for_each_queue(
    api: &Api,
    names: &[QueueName],
    mut found: impl FnMut(&QueueName, &QueueFigures),
) {
    for name in names {
        if let Some(queue) = api.broker.queue(&name.0, &name.1) {
            found(name, &queue.figures());
        }
    }
}

fn queue_labels((vhost, queue): &QueueName) -> Labels {
    labels([("vhost", vhost), ("queue", queue)])
}
