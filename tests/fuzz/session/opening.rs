//! How connections begin, so that inputs need not get everything right before anything happens.

use leveret::wire::{
    Method, PROTOCOL_HEADER, Table, basic, channel, confirm, connection, exchange, queue, tx,
};

/// How many there are; each goes further than the one before, and the last two say how messages are published.
pub const OPENINGS: usize = 6;

/// The one that a second connection has.
pub const SECOND: usize = 4;

/// What the client sends first.
pub fn bytes(opening: usize) -> Vec<u8> {
    let mut out = Vec::new();
    if opening >= 1 {
        out.extend(PROTOCOL_HEADER);
    }
    if opening >= 2 {
        log_in(&mut out);
    }
    if opening >= 3 {
        declare(&mut out);
    }
    if opening == 4 {
        Method::ConfirmSelect(confirm::Select { no_wait: false }).encode_frame(1, &mut out);
        consume(&mut out);
    } else if opening == 5 {
        Method::TxSelect(tx::Select).encode_frame(1, &mut out);
    }
    out
}

/// One of the ways to settle a delivery of channel 1.
pub fn settlement(delivery_tag: u64, choice: u8) -> Vec<u8> {
    let (multiple, requeue) = (choice & 4 != 0, choice & 64 != 0);
    let method = match choice & 3 {
        0 | 1 => Method::BasicAck(basic::Ack { delivery_tag, multiple }),
        2 => Method::BasicNack(basic::Nack { delivery_tag, multiple, requeue }),
        _ => Method::BasicReject(basic::Reject { delivery_tag, requeue }),
    };
    let mut out = Vec::new();
    method.encode_frame(1, &mut out);
    out
}

/// Channel 1 after the broker has closed it.
pub fn again() -> Vec<u8> {
    let mut out = Vec::new();
    Method::ChannelCloseOk(channel::CloseOk).encode_frame(1, &mut out);
    Method::ChannelOpen(channel::Open).encode_frame(1, &mut out);
    consume(&mut out);
    out
}

fn log_in(out: &mut Vec<u8>) {
    let mut capabilities = Table::new();
    for name in ["consumer_cancel_notify", "connection.blocked", "authentication_failure_close"] {
        capabilities.insert(name, true);
    }
    let start_ok = connection::StartOk {
        client_properties: Table::from_iter([("capabilities", capabilities)]),
        mechanism: "PLAIN",
        response: b"\0guest\0guest",
        locale: "en_US",
    };
    Method::ConnectionStartOk(start_ok).encode_frame(0, out);
    let tune_ok = connection::TuneOk { channel_max: 4, frame_max: 4096, heartbeat: 0 };
    Method::ConnectionTuneOk(tune_ok).encode_frame(0, out);
    Method::ConnectionOpen(connection::Open { virtual_host: "/" }).encode_frame(0, out);
}

/// A durable queue `q` whose dead letters go to the exchange `e`, which leads to the queue `d`; and a queue `r`.
fn declare(out: &mut Vec<u8>) {
    Method::ChannelOpen(channel::Open).encode_frame(1, out);
    let exchange = exchange::Declare {
        exchange: "e",
        kind: "topic",
        passive: false,
        durable: true,
        auto_delete: false,
        internal: false,
        no_wait: false,
        arguments: Table::new(),
    };
    Method::ExchangeDeclare(exchange).encode_frame(1, out);
    let letters = Table::from_iter([("x-dead-letter-exchange", "e")]);
    for (name, arguments) in [("d", Table::new()), ("r", Table::new()), ("q", letters)] {
        let queue = queue::Declare {
            queue: name,
            passive: false,
            durable: name != "r",
            exclusive: false,
            auto_delete: false,
            no_wait: false,
            arguments,
        };
        Method::QueueDeclare(queue).encode_frame(1, out);
    }
    let bind = queue::Bind {
        queue: "d",
        exchange: "e",
        routing_key: "#",
        no_wait: false,
        arguments: Table::new(),
    };
    Method::QueueBind(bind).encode_frame(1, out);
    let qos = basic::Qos { prefetch_size: 0, prefetch_count: 2, global: false };
    Method::BasicQos(qos).encode_frame(1, out);
}

fn consume(out: &mut Vec<u8>) {
    let consume = basic::Consume {
        queue: "q",
        consumer_tag: "c",
        no_local: false,
        no_ack: false,
        exclusive: false,
        no_wait: false,
        arguments: Table::new(),
    };
    Method::BasicConsume(consume).encode_frame(1, out);
}
