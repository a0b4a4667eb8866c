//! Where a message would go, and for each binding on the way why it matches or not.

use std::sync::Arc;

use crate::broker::Broker;
use crate::broker::topology::exchange_handle::{ExchangeRef, Target};
use crate::broker::topology::reply_address;
use crate::broker::watch::listing::{BindingView, bindings_from};
use crate::routing::{Mismatch, explain};
use crate::store::DestinationKind;
use crate::wire::Table;

/// Where a message would go.
#[derive(Debug, Default)]
pub struct Explanation {
    /// The queues, by name, in order.
    pub queues: Vec<Arc<str>>,
    /// Every binding of the exchange and of those reached from it.
    pub bindings: Vec<Explained>,
    /// The alternate exchange that took the message, if one did.
    pub alternate: Option<Arc<str>>,
}

/// A binding, and whether it matches.
#[derive(Debug)]
pub struct Explained {
    /// The binding.
    pub binding: BindingView,
    /// Whether the message would go this way.
    pub matched: bool,
    /// A short sentence that says why.
    pub reason: String,
}

impl Broker {
    /// Says where a message with this routing key and these headers would go from an exchange. Nothing changes.
    pub fn explain(&self, exchange: &ExchangeRef, key: &str, headers: &Table) -> Explanation {
        let mut explanation = Explanation::default();
        let mut seen = vec![ExchangeRef::clone(exchange)];
        let mut at = 0;
        while let Some(exchange) = seen.get(at).cloned() {
            at += 1;
            let reached = explanation.look(&exchange, key, headers);
            let mut next: Vec<ExchangeRef> =
                reached.exchanges.iter().filter_map(|name| find(&exchange, name)).collect();
            if !reached.anything
                && let Some(alternate) = &exchange.in_force().alternate
                && let Some(other) = find(&exchange, alternate)
            {
                explanation.alternate.get_or_insert_with(|| Arc::clone(alternate));
                next.push(other);
            }
            next.retain(|exchange| !seen.contains(exchange));
            seen.extend(next);
        }
        explanation.queues.sort_unstable();
        explanation.queues.dedup();
        explanation
    }
}

/// What a message reaches from one exchange.
#[derive(Default)]
struct Reached {
    anything: bool,
    exchanges: Vec<Arc<str>>,
}

fn find(exchange: &ExchangeRef, name: &str) -> Option<ExchangeRef> {
    exchange.vhost.exchanges.get(name)
}

impl Explanation {
    fn look(&mut self, exchange: &ExchangeRef, key: &str, headers: &Table) -> Reached {
        let mut reached = Reached::default();
        if exchange.is_default() {
            self.look_at_default(exchange, key, &mut reached);
            return reached;
        }
        for binding in bindings_from(exchange) {
            let mismatch = explain(exchange.kind(), &binding.key, &binding.arguments, key, headers);
            let matched = mismatch.is_ok();
            if matched {
                reached.anything = true;
                match binding.kind {
                    DestinationKind::Queue => self.queues.push(Arc::clone(&binding.destination)),
                    DestinationKind::Exchange => {
                        reached.exchanges.push(Arc::clone(&binding.destination));
                    }
                }
            }
            let reason = mismatch.unwrap_or_else(|Mismatch(reason)| reason);
            self.bindings.push(Explained { binding, matched, reason });
        }
        reached
    }

    fn look_at_default(&mut self, exchange: &ExchangeRef, key: &str, reached: &mut Reached) {
        let Some(Target::Queue(queue)) = Target::find(&exchange.vhost, DestinationKind::Queue, key)
            .filter(|_| !key.starts_with(reply_address::PREFIX))
        else {
            // The binding that there would be, so that there is something to give the reason for.
            let missing = Arc::from(key);
            let binding = BindingView { durable: false, ..implied(exchange, &missing) };
            let reason = "no queue has this name".to_owned();
            return self.bindings.push(Explained { binding, matched: false, reason });
        };
        reached.anything = true;
        self.queues.push(Arc::clone(&queue.name));
        self.bindings.push(Explained {
            binding: BindingView { durable: queue.is_stored(), ..implied(exchange, &queue.name) },
            matched: true,
            reason: "the routing key is the queue's name".to_owned(),
        });
    }
}

/// The binding that the default exchange has for a queue's name.
fn implied(exchange: &ExchangeRef, queue: &Arc<str>) -> BindingView {
    BindingView {
        source: Arc::clone(&exchange.name),
        kind: DestinationKind::Queue,
        destination: Arc::clone(queue),
        key: Arc::clone(queue),
        arguments: Arc::new(Table::new()),
        durable: false,
    }
}
