//! Exchanges, queues and bindings by the hundred thousand, in shapes that no sane client builds: they come and go
//! without taking the broker along.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "topology/desk.rs"]
mod desk;

#[path = "topology/definitions.rs"]
mod definitions;

use std::sync::Arc;

use desk::Desk;
use leveret::broker::{ExchangeRef, bindings_from};
use leveret::config::Config;

/// Long enough to overflow any stack, were it followed by recursion.
const CHAIN: usize = 100_000;

fn room_for_the_chain(config: &mut Config) {
    config.limits.exchanges_per_vhost_max = CHAIN + 16;
}

/// A chain of exchanges that ends at a queue.
fn chain(desk: &Desk) {
    for number in 0..CHAIN {
        desk.auto_delete_exchange(&name(number));
    }
    for number in 1..CHAIN {
        desk.bind_exchange(&name(number - 1), &name(number));
    }
    desk.queue("end");
    desk.bind_queue(&name(CHAIN - 1), "end");
}

fn name(number: usize) -> String {
    format!("x{number}")
}

#[test]
fn a_chain_of_auto_delete_exchanges_goes_with_the_queue_at_its_end() {
    let desk = Desk::open_with(room_for_the_chain);
    chain(&desk);
    let before = desk.exchange_count();
    desk.delete_queue("end");
    assert!(desk.exchange_count() > before - 2000, "no turn does all of it");
    assert!(desk.run_errands() > CHAIN / 2000);
    assert_eq!(desk.exchange_count(), before - CHAIN);
}

#[test]
fn who_holds_the_head_of_a_chain_that_has_gone_holds_nothing_else() {
    let desk = Desk::open_with(room_for_the_chain);
    chain(&desk);
    let held: ExchangeRef = desk.client.target(&name(0)).unwrap();
    let before = desk.exchange_count();
    for number in 0..CHAIN {
        desk.delete_exchange(&name(number));
    }
    desk.run_errands();
    assert_eq!(desk.exchange_count(), before - CHAIN);
    drop(held);
}

#[test]
fn a_virtual_host_goes_with_a_chain_in_it() {
    let desk = Desk::open_with(room_for_the_chain);
    chain(&desk);
    drop(desk.broker.delete_vhost("/", desk::now_ms()).unwrap());
    assert_eq!(desk.broker.vhost_names().len(), 0);
}

#[test]
fn a_broker_that_is_dropped_leaves_nothing_behind() {
    let desk = Desk::open_with(room_for_the_chain);
    chain(&desk);
    desk.bind_exchange(&name(CHAIN - 1), &name(0));
    let exchange = Arc::downgrade(&desk.client.target(&name(7)).unwrap());
    let queue = Arc::downgrade(&desk.broker.queue("/", "end").unwrap());
    let broker = Arc::downgrade(&desk.broker);
    desk.end();
    assert!(broker.upgrade().is_none(), "somebody holds the broker");
    assert!(exchange.upgrade().is_none(), "an exchange is left");
    assert!(queue.upgrade().is_none(), "a queue is left");
}

#[test]
fn a_queue_with_a_hundred_thousand_bindings_loses_them_in_slices() {
    let desk = Desk::open_with(|_| ());
    desk.queue("q");
    for number in 0..CHAIN {
        desk.bind_queue_by("amq.topic", "q", &format!("k{number}.#"));
    }
    let exchange = desk.broker.exchange("/", "amq.topic").unwrap();
    desk.delete_queue("q");
    assert!(bindings_from(&exchange).len() > CHAIN - 2000, "no turn does all of it");
    assert!(desk.run_errands() > CHAIN / 2000);
    assert_eq!(bindings_from(&exchange).len(), 0);
}

#[test]
fn one_queue_may_be_bound_to_as_many_exchanges_as_there_are() {
    let desk = Desk::open_with(room_for_the_chain);
    desk.queue("q");
    let exchanges = 0..CHAIN;
    for number in exchanges.clone() {
        desk.auto_delete_exchange(&name(number));
        desk.bind_queue(&name(number), "q");
    }
    let before = desk.exchange_count();
    for number in exchanges.step_by(2) {
        desk.delete_exchange(&name(number));
    }
    desk.delete_queue("q");
    desk.run_errands();
    assert_eq!(desk.exchange_count(), before - CHAIN);
}
