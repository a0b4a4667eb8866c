//! Direct reply-to: replies without a queue.

use leveret::wire::{Method, Properties, basic, queue};

use super::client::*;
use super::own_queue::{self, A_WHILE};
use crate::support::broker::{Broker, fresh};

const REPLIES: &str = "amq.rabbitmq.reply-to";

fn requesting() -> basic::Consume<'static> {
    basic::Consume { no_ack: true, ..a_consumer(REPLIES, "replies") }
}

/// A requester that waits for replies, a responder, and the address that a request brought.
fn call() -> (Broker, Client, Client, String) {
    let broker = Broker::start();
    let mut requester = Client::open(&broker.address());
    let mut responder = Client::open(&broker.address());
    let queue = fresh("requests");
    responder.queue(&queue, &[]);
    requester.call(&Method::BasicConsume(requesting()));
    let properties = Properties { reply_to: Some(REPLIES.to_owned()), ..Properties::default() };
    requester.publish("", &queue, &properties, "question");
    let request = own_queue::wait_for(&mut responder, &queue);
    let address = request.properties.reply_to.unwrap();
    assert!(address.starts_with("amq.rabbitmq.reply-to."), "{address}");
    (broker, requester, responder, address)
}

#[test]
fn a_reply_goes_straight_to_the_requester() {
    let (_broker, mut requester, mut responder, address) = call();
    let properties = Properties { correlation_id: Some("7".to_owned()), ..persistent() };
    responder.publish("", &address, &properties, "answer");
    let reply = requester.delivered();
    assert_eq!((&*reply.consumer, reply.redelivered), ("replies", false));
    assert_eq!((&*reply.exchange, &reply.key), ("", &address));
    assert_eq!((reply.properties, &*reply.body), (properties, "answer"));
}

#[test]
fn a_responder_sees_whether_the_requester_waits() {
    let (_broker, requester, mut responder, address) = call();
    let passive = || queue::Declare { passive: true, ..a_queue(&address) };
    assert_eq!(responder.declare(passive()), (address.clone(), 0, 1));
    requester.close();
    let text = format!("NOT_FOUND - no queue '{address}' in vhost '/'");
    responder.refused(&Method::QueueDeclare(passive()), 404, &text);
}

#[test]
fn a_reply_that_nobody_waits_for_is_dropped_or_comes_back() {
    let (broker, requester, mut responder, address) = call();
    requester.close();
    responder.publish("", &address, &Properties::default(), "dropped");
    responder.is_quiet();
    if matches!(broker, Broker::Other(_)) {
        println!(
            "left out: RabbitMQ drops a mandatory reply as well, which tells the responder nothing"
        );
        return;
    }
    responder.publish_mandatory("", &address, "late");
    assert_eq!(responder.returned().body, "late");
}

#[test]
fn a_reply_is_confirmed_and_does_not_come_back() {
    let (_broker, mut requester, mut responder, address) = call();
    responder.select_confirms();
    responder.publish_mandatory("", &address, "answer");
    assert!(responder.confirmed_through(1).is_empty());
    assert_eq!(requester.delivered().body, "answer");
}

#[test]
fn a_cancelled_requester_gets_no_more_replies() {
    let (_broker, mut requester, mut responder, address) = call();
    requester.cancel("replies");
    responder.publish("", &address, &Properties::default(), "late");
    responder.is_quiet();
    assert!(nothing_within(&mut requester, A_WHILE));
}

#[test]
fn a_closed_channel_forgets_its_address() {
    let (_broker, mut requester, mut responder, address) = call();
    let missing = fresh("missing");
    let text = format!("NOT_FOUND - no queue '{missing}' in vhost '/'");
    let get = basic::Get { queue: &missing, no_ack: true };
    requester.refused(&Method::BasicGet(get), 404, &text);
    responder.publish("", &address, &Properties::default(), "late");
    responder.is_quiet();
    assert!(nothing_within(&mut requester, A_WHILE));
    requester.call(&Method::BasicConsume(requesting()));
}

#[test]
fn only_its_own_channel_may_use_the_name() {
    let (_broker, _requester, mut responder, _address) = call();
    let properties = Properties { reply_to: Some(REPLIES.to_owned()), ..Properties::default() };
    responder.publish("", "anything", &properties, "x");
    responder.channel_closed(406, "PRECONDITION_FAILED - fast reply consumer does not exist");
    let acknowledging = basic::Consume { no_ack: false, ..requesting() };
    responder.refused(
        &Method::BasicConsume(acknowledging),
        406,
        "PRECONDITION_FAILED - reply consumer cannot acknowledge",
    );
    responder.call(&Method::BasicConsume(requesting()));
    let second = basic::Consume { consumer_tag: "second", ..requesting() };
    responder.refused(
        &Method::BasicConsume(second),
        406,
        "PRECONDITION_FAILED - reply consumer already set",
    );
}
