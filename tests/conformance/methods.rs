//! Methods and steps as short as rows want them.

use leveret::wire::{
    Method, Properties, Table, Value, basic, channel, confirm, connection, exchange, queue, tx,
};

use super::row::Step;

/// No arguments.
pub fn none() -> Table {
    Table::new()
}

/// Arguments.
pub fn table<const N: usize>(entries: [(&str, Value); N]) -> Table {
    entries.into_iter().collect()
}

pub fn send(channel: u16, method: Method<'static>) -> Step {
    Step::Send(channel, method)
}

pub fn get(channel: u16, method: Method<'static>) -> Step {
    Step::Method(channel, method)
}

/// A request and its reply on channel 1.
pub fn call(request: Method<'static>, reply: Method<'static>) -> Step {
    Step::All(vec![send(1, request), get(1, reply)])
}

/// A request on channel 1, and the error that closes the channel.
pub fn refused(request: Method<'static>, code: u16, text: &'static str) -> Step {
    let at = (request.class_id(), request.method_id());
    Step::All(vec![send(1, request), Step::ChannelClosed(1, code, text, at)])
}

/// A request on channel 1, and the error that closes the connection.
pub fn fatal(request: Method<'static>, code: u16, text: &'static str) -> Step {
    let at = (request.class_id(), request.method_id());
    Step::All(vec![send(1, request), Step::Closed(code, text, at)])
}

pub fn open(channel: u16) -> Step {
    Step::All(vec![
        send(channel, Method::ChannelOpen(channel::Open)),
        get(channel, Method::ChannelOpenOk(channel::OpenOk)),
    ])
}

/// Shows that a channel is open and has nothing more to say.
pub fn is_open(channel: u16) -> Step {
    Step::All(vec![
        send(channel, Method::ChannelFlow(channel::Flow { active: true })),
        get(channel, Method::ChannelFlowOk(channel::FlowOk { active: true })),
    ])
}

pub fn close_channel(channel: u16) -> Step {
    let close = channel::Close { reply_code: 200, reply_text: "", class_id: 0, method_id: 0 };
    Step::All(vec![
        send(channel, Method::ChannelClose(close)),
        get(channel, Method::ChannelCloseOk(channel::CloseOk)),
    ])
}

pub fn connection_open(virtual_host: &'static str) -> Method<'static> {
    Method::ConnectionOpen(connection::Open { virtual_host })
}

/// A queue with nothing set.
pub fn plain(queue: &'static str) -> queue::Declare<'static> {
    queue::Declare {
        queue,
        passive: false,
        durable: false,
        exclusive: false,
        auto_delete: false,
        no_wait: false,
        arguments: none(),
    }
}

/// A durable queue.
pub fn durable(queue: &'static str) -> queue::Declare<'static> {
    queue::Declare { durable: true, ..plain(queue) }
}

/// A durable queue with arguments.
pub fn with<const N: usize>(
    queue: &'static str,
    arguments: [(&str, Value); N],
) -> queue::Declare<'static> {
    queue::Declare { arguments: table(arguments), ..durable(queue) }
}

pub fn declare(declare: queue::Declare<'static>) -> Method<'static> {
    Method::QueueDeclare(declare)
}

pub fn declared(queue: &'static str, message_count: u32, consumer_count: u32) -> Method<'static> {
    Method::QueueDeclareOk(queue::DeclareOk { queue, message_count, consumer_count })
}

/// Declares a durable queue on channel 1.
pub fn queue(name: &'static str) -> Step {
    call(declare(durable(name)), declared(name, 0, 0))
}

/// Shows how many messages and consumers a queue has.
pub fn holds(queue: &'static str, messages: u32, consumers: u32) -> Step {
    let passive = queue::Declare { passive: true, ..plain(queue) };
    Step::Becomes(1, declare(passive), declared(queue, messages, consumers))
}

pub fn bind(queue: &'static str, exchange: &'static str, key: &'static str) -> Method<'static> {
    Method::QueueBind(queue::Bind {
        queue,
        exchange,
        routing_key: key,
        no_wait: false,
        arguments: none(),
    })
}

pub fn bound() -> Method<'static> {
    Method::QueueBindOk(queue::BindOk)
}

pub fn unbind(queue: &'static str, exchange: &'static str, key: &'static str) -> Method<'static> {
    Method::QueueUnbind(queue::Unbind { queue, exchange, routing_key: key, arguments: none() })
}

pub fn unbound() -> Method<'static> {
    Method::QueueUnbindOk(queue::UnbindOk)
}

pub fn delete(queue: &'static str) -> Method<'static> {
    Method::QueueDelete(queue::Delete { queue, if_unused: false, if_empty: false, no_wait: false })
}

pub fn deleted(message_count: u32) -> Method<'static> {
    Method::QueueDeleteOk(queue::DeleteOk { message_count })
}

pub fn purge(queue: &'static str) -> Method<'static> {
    Method::QueuePurge(queue::Purge { queue, no_wait: false })
}

pub fn purged(message_count: u32) -> Method<'static> {
    Method::QueuePurgeOk(queue::PurgeOk { message_count })
}

/// A durable exchange.
pub fn an_exchange(exchange: &'static str, kind: &'static str) -> exchange::Declare<'static> {
    exchange::Declare {
        exchange,
        kind,
        passive: false,
        durable: true,
        auto_delete: false,
        internal: false,
        no_wait: false,
        arguments: none(),
    }
}

pub fn declare_exchange(declare: exchange::Declare<'static>) -> Method<'static> {
    Method::ExchangeDeclare(declare)
}

pub fn exchange_declared() -> Method<'static> {
    Method::ExchangeDeclareOk(exchange::DeclareOk)
}

/// Declares a durable exchange on channel 1.
pub fn exchange(name: &'static str, kind: &'static str) -> Step {
    call(declare_exchange(an_exchange(name, kind)), exchange_declared())
}

pub fn delete_exchange(exchange: &'static str) -> Method<'static> {
    Method::ExchangeDelete(exchange::Delete { exchange, if_unused: false, no_wait: false })
}

pub fn exchange_deleted() -> Method<'static> {
    Method::ExchangeDeleteOk(exchange::DeleteOk)
}

pub fn bind_exchange(
    destination: &'static str,
    source: &'static str,
    routing_key: &'static str,
) -> Method<'static> {
    let arguments = none();
    Method::ExchangeBind(exchange::Bind {
        destination,
        source,
        routing_key,
        no_wait: false,
        arguments,
    })
}

pub fn exchange_bound() -> Method<'static> {
    Method::ExchangeBindOk(exchange::BindOk)
}

/// `basic.publish` alone, without content.
pub fn publishing(exchange: &'static str, routing_key: &'static str) -> basic::Publish<'static> {
    basic::Publish { exchange, routing_key, mandatory: false, immediate: false }
}

/// Publishes a message without properties on channel 1.
pub fn publish(exchange: &'static str, routing_key: &'static str, body: &str) -> Step {
    publish_with(exchange, routing_key, Properties::default(), body)
}

/// Publishes a message on channel 1.
pub fn publish_with(
    exchange: &'static str,
    routing_key: &'static str,
    properties: Properties,
    body: &str,
) -> Step {
    Step::Publish(1, publishing(exchange, routing_key), properties, body.as_bytes().to_vec())
}

/// Publishes a message on channel 1 that comes back when it has nowhere to go.
pub fn publish_mandatory(exchange: &'static str, routing_key: &'static str, body: &str) -> Step {
    let publish = basic::Publish { mandatory: true, ..publishing(exchange, routing_key) };
    Step::Publish(1, publish, Properties::default(), body.as_bytes().to_vec())
}

/// A message without properties, after the method that announces it.
pub fn body(text: &str) -> Step {
    Step::Content(1, Properties::default(), text.as_bytes().to_vec())
}

/// A message that came back as unroutable.
pub fn returned(exchange: &'static str, routing_key: &'static str, text: &str) -> Step {
    let back = basic::Return { reply_code: 312, reply_text: "NO_ROUTE", exchange, routing_key };
    Step::All(vec![get(1, Method::BasicReturn(back)), body(text)])
}

pub fn confirm_select() -> Step {
    let select = Method::ConfirmSelect(confirm::Select { no_wait: false });
    call(select, Method::ConfirmSelectOk(confirm::SelectOk))
}

/// A publisher confirm.
pub fn confirmed(delivery_tag: u64) -> Step {
    get(1, Method::BasicAck(basic::Ack { delivery_tag, multiple: false }))
}

pub fn tx_select() -> Step {
    call(Method::TxSelect(tx::Select), Method::TxSelectOk(tx::SelectOk))
}

pub fn commit() -> Step {
    call(Method::TxCommit(tx::Commit), Method::TxCommitOk(tx::CommitOk))
}

pub fn rollback() -> Step {
    call(Method::TxRollback(tx::Rollback), Method::TxRollbackOk(tx::RollbackOk))
}

/// A consumer that acknowledges.
pub fn consumer(queue: &'static str, consumer_tag: &'static str) -> basic::Consume<'static> {
    basic::Consume {
        queue,
        consumer_tag,
        no_local: false,
        no_ack: false,
        exclusive: false,
        no_wait: false,
        arguments: none(),
    }
}

pub fn consume(consume: basic::Consume<'static>) -> Method<'static> {
    Method::BasicConsume(consume)
}

pub fn consuming(consumer_tag: &'static str) -> Method<'static> {
    Method::BasicConsumeOk(basic::ConsumeOk { consumer_tag })
}

/// Consumes on channel 1 with acknowledgements.
pub fn consume_from(queue: &'static str, tag: &'static str) -> Step {
    call(consume(consumer(queue, tag)), consuming(tag))
}

pub fn cancel(consumer_tag: &'static str) -> Method<'static> {
    Method::BasicCancel(basic::Cancel { consumer_tag, no_wait: false })
}

pub fn cancelled(consumer_tag: &'static str) -> Method<'static> {
    Method::BasicCancelOk(basic::CancelOk { consumer_tag })
}

/// A delivery from queue `q` through the default exchange, without properties.
pub fn delivery(consumer_tag: &'static str, delivery_tag: u64, text: &str) -> Step {
    deliver(consumer_tag, delivery_tag, text, false)
}

/// As [`delivery`], for a message that was delivered before.
pub fn redelivery(consumer_tag: &'static str, delivery_tag: u64, text: &str) -> Step {
    deliver(consumer_tag, delivery_tag, text, true)
}

fn deliver(consumer_tag: &'static str, delivery_tag: u64, text: &str, redelivered: bool) -> Step {
    let deliver =
        basic::Deliver { consumer_tag, delivery_tag, redelivered, exchange: "", routing_key: "q" };
    Step::All(vec![get(1, Method::BasicDeliver(deliver)), body(text)])
}

pub fn fetch(queue: &'static str) -> Method<'static> {
    Method::BasicGet(basic::Get { queue, no_ack: false })
}

/// Fetches a message from queue `q`, published through the default exchange without properties.
pub fn fetched(delivery_tag: u64, remaining: u32, text: &str) -> Step {
    fetched_as(delivery_tag, remaining, text, false)
}

/// As [`fetched`], for a message that was delivered before.
pub fn fetched_again(delivery_tag: u64, remaining: u32, text: &str) -> Step {
    fetched_as(delivery_tag, remaining, text, true)
}

fn fetched_as(delivery_tag: u64, message_count: u32, text: &str, redelivered: bool) -> Step {
    let got =
        basic::GetOk { delivery_tag, redelivered, exchange: "", routing_key: "q", message_count };
    Step::All(vec![call(fetch("q"), Method::BasicGetOk(got)), body(text)])
}

/// Finds a queue empty.
pub fn empty(queue: &'static str) -> Step {
    call(fetch(queue), Method::BasicGetEmpty(basic::GetEmpty))
}

pub fn ack(delivery_tag: u64) -> Method<'static> {
    Method::BasicAck(basic::Ack { delivery_tag, multiple: false })
}

pub fn ack_through(delivery_tag: u64) -> Method<'static> {
    Method::BasicAck(basic::Ack { delivery_tag, multiple: true })
}

pub fn nack_through(delivery_tag: u64) -> Method<'static> {
    Method::BasicNack(basic::Nack { delivery_tag, multiple: true, requeue: true })
}

pub fn requeue(delivery_tag: u64) -> Method<'static> {
    Method::BasicReject(basic::Reject { delivery_tag, requeue: true })
}

pub fn discard(delivery_tag: u64) -> Method<'static> {
    Method::BasicReject(basic::Reject { delivery_tag, requeue: false })
}

pub fn qos(prefetch_count: u16) -> Step {
    let qos = basic::Qos { prefetch_size: 0, prefetch_count, global: false };
    call(Method::BasicQos(qos), Method::BasicQosOk(basic::QosOk))
}

/// A whole frame of any kind.
pub fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![kind];
    frame.extend_from_slice(&channel.to_be_bytes());
    frame.extend_from_slice(&(payload.len() as u32).to_be_bytes());
    frame.extend_from_slice(payload);
    frame.push(0xce);
    frame
}

/// A content header of any class.
pub fn header(class_id: u16, body_size: u64) -> Step {
    let mut payload = class_id.to_be_bytes().to_vec();
    payload.extend_from_slice(&[0, 0]);
    payload.extend_from_slice(&body_size.to_be_bytes());
    payload.extend_from_slice(&[0, 0]);
    Step::Bytes(frame(2, 1, &payload))
}

/// A body frame on channel 1.
pub fn part(text: &str) -> Step {
    Step::Bytes(frame(3, 1, text.as_bytes()))
}
