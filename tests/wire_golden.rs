//! Golden bytes: frames as other implementations put them on the wire, written out by hand.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use leveret::wire::{
    FRAME_BYTES_MIN, Frame, Method, Properties, PropertiesView, Table, Value, access, basic,
    channel, confirm, connection, encode_content, encode_heartbeat, exchange, next_frame, queue,
    tx,
};

const LIMIT: u32 = 131_072;

/// The method on the channel is these bytes, both ways.
fn check(channel: u16, method: Method<'_>, bytes: &[u8]) {
    let mut out = Vec::new();
    method.encode_frame(channel, &mut out);
    assert_eq!(out.escape_ascii().to_string(), bytes.escape_ascii().to_string());
    let (frame, consumed) = next_frame(bytes, LIMIT).unwrap().unwrap();
    assert_eq!(frame, Frame::Method { channel, method });
    assert_eq!(consumed, bytes.len());
}

#[test]
fn connection_start_offers_mechanisms_and_capabilities() {
    let capabilities = Table::from_iter([("basic.nack", true)]);
    let mut server_properties = Table::from_iter([("product", "Leveret")]);
    server_properties.insert("capabilities", capabilities);
    let start = connection::Start {
        version_major: 0,
        version_minor: 9,
        server_properties,
        mechanisms: b"PLAIN AMQPLAIN",
        locales: b"en_US",
    };
    check(
        0,
        Method::ConnectionStart(start),
        b"\x01\0\0\0\0\0\x58\0\x0a\0\x0a\0\x09\
          \0\0\0\x33\x07productS\0\0\0\x07Leveret\x0ccapabilitiesF\0\0\0\x0d\x0abasic.nackt\x01\
          \0\0\0\x0ePLAIN AMQPLAIN\0\0\0\x05en_US\xce",
    );
}

#[test]
fn connection_start_ok_logs_in() {
    let start_ok = connection::StartOk {
        client_properties: Table::from_iter([("product", "p")]),
        mechanism: "PLAIN",
        response: b"\0guest\0guest",
        locale: "en_US",
    };
    check(
        0,
        Method::ConnectionStartOk(start_ok),
        b"\x01\0\0\0\0\0\x32\0\x0a\0\x0b\0\0\0\x0e\x07productS\0\0\0\x01p\
          \x05PLAIN\0\0\0\x0c\0guest\0guest\x05en_US\xce",
    );
}

#[test]
fn the_connection_is_tuned_opened_blocked_and_closed() {
    let tune = connection::Tune { channel_max: 2047, frame_max: 131_072, heartbeat: 60 };
    check(
        0,
        Method::ConnectionTune(tune),
        b"\x01\0\0\0\0\0\x0c\0\x0a\0\x1e\x07\xff\0\x02\0\0\0\x3c\xce",
    );
    let open = connection::Open { virtual_host: "/" };
    check(0, Method::ConnectionOpen(open), b"\x01\0\0\0\0\0\x08\0\x0a\0\x28\x01/\0\0\xce");
    check(0, Method::ConnectionOpenOk(connection::OpenOk), b"\x01\0\0\0\0\0\x05\0\x0a\0\x29\0\xce");
    let blocked = connection::Blocked { reason: "low on memory" };
    check(
        0,
        Method::ConnectionBlocked(blocked),
        b"\x01\0\0\0\0\0\x12\0\x0a\0\x3c\x0dlow on memory\xce",
    );
    let update = connection::UpdateSecret { new_secret: b"s", reason: "r" };
    check(
        0,
        Method::ConnectionUpdateSecret(update),
        b"\x01\0\0\0\0\0\x0b\0\x0a\0\x46\0\0\0\x01s\x01r\xce",
    );
    let close = connection::Close {
        reply_code: 320,
        reply_text: "CONNECTION_FORCED",
        class_id: 0,
        method_id: 0,
    };
    check(
        0,
        Method::ConnectionClose(close),
        b"\x01\0\0\0\0\0\x1c\0\x0a\0\x32\x01\x40\x11CONNECTION_FORCED\0\0\0\0\xce",
    );
}

#[test]
fn a_channel_is_opened_and_closed() {
    check(1, Method::ChannelOpen(channel::Open), b"\x01\0\x01\0\0\0\x05\0\x14\0\x0a\0\xce");
    check(
        1,
        Method::ChannelOpenOk(channel::OpenOk),
        b"\x01\0\x01\0\0\0\x08\0\x14\0\x0b\0\0\0\0\xce",
    );
    let close =
        channel::Close { reply_code: 404, reply_text: "NOT_FOUND", class_id: 60, method_id: 40 };
    check(
        1,
        Method::ChannelClose(close),
        b"\x01\0\x01\0\0\0\x14\0\x14\0\x28\x01\x94\x09NOT_FOUND\0\x3c\0\x28\xce",
    );
}

#[test]
fn an_old_client_asks_for_access() {
    let request = access::Request {
        realm: "/data",
        exclusive: false,
        passive: true,
        active: true,
        write: true,
        read: true,
    };
    check(1, Method::AccessRequest(request), b"\x01\0\x01\0\0\0\x0b\0\x1e\0\x0a\x05/data\x1e\xce");
    let ok = access::RequestOk { ticket: 1 };
    check(1, Method::AccessRequestOk(ok), b"\x01\0\x01\0\0\0\x06\0\x1e\0\x0b\0\x01\xce");
}

#[test]
fn exchanges_are_declared_and_unbound() {
    let declare = exchange::Declare {
        exchange: "x",
        kind: "topic",
        passive: false,
        durable: true,
        auto_delete: false,
        internal: true,
        no_wait: false,
        arguments: Table::from_iter([("alternate-exchange", "y")]),
    };
    check(
        1,
        Method::ExchangeDeclare(declare),
        b"\x01\0\x01\0\0\0\x2c\0\x28\0\x0a\0\0\x01x\x05topic\x0a\
          \0\0\0\x19\x12alternate-exchangeS\0\0\0\x01y\xce",
    );
    check(1, Method::ExchangeUnbindOk(exchange::UnbindOk), b"\x01\0\x01\0\0\0\x04\0\x28\0\x33\xce");
}

#[test]
fn queues_are_declared_bound_and_deleted() {
    let declare = queue::Declare {
        queue: "q",
        passive: false,
        durable: true,
        exclusive: false,
        auto_delete: true,
        no_wait: false,
        arguments: Table::from_iter([("x-max-length", 5)]),
    };
    check(
        1,
        Method::QueueDeclare(declare),
        b"\x01\0\x01\0\0\0\x1f\0\x32\0\x0a\0\0\x01q\x0a\0\0\0\x12\x0cx-max-lengthI\0\0\0\x05\xce",
    );
    let ok = queue::DeclareOk { queue: "q", message_count: 3, consumer_count: 1 };
    check(
        1,
        Method::QueueDeclareOk(ok),
        b"\x01\0\x01\0\0\0\x0e\0\x32\0\x0b\x01q\0\0\0\x03\0\0\0\x01\xce",
    );
    let bind = queue::Bind {
        queue: "q",
        exchange: "x",
        routing_key: "a.*",
        no_wait: false,
        arguments: Table::new(),
    };
    check(
        1,
        Method::QueueBind(bind),
        b"\x01\0\x01\0\0\0\x13\0\x32\0\x14\0\0\x01q\x01x\x03a.*\0\0\0\0\0\xce",
    );
    let unbind =
        queue::Unbind { queue: "q", exchange: "x", routing_key: "k", arguments: Table::new() };
    check(
        1,
        Method::QueueUnbind(unbind),
        b"\x01\0\x01\0\0\0\x10\0\x32\0\x32\0\0\x01q\x01x\x01k\0\0\0\0\xce",
    );
    let delete = queue::Delete { queue: "q", if_unused: false, if_empty: true, no_wait: false };
    check(1, Method::QueueDelete(delete), b"\x01\0\x01\0\0\0\x09\0\x32\0\x28\0\0\x01q\x02\xce");
}

#[test]
fn messages_are_published_returned_and_delivered() {
    let publish =
        basic::Publish { exchange: "x", routing_key: "a.b", mandatory: true, immediate: false };
    check(
        1,
        Method::BasicPublish(publish),
        b"\x01\0\x01\0\0\0\x0d\0\x3c\0\x28\0\0\x01x\x03a.b\x01\xce",
    );
    let returned = basic::Return {
        reply_code: 312,
        reply_text: "NO_ROUTE",
        exchange: "x",
        routing_key: "a.b",
    };
    check(
        1,
        Method::BasicReturn(returned),
        b"\x01\0\x01\0\0\0\x15\0\x3c\0\x32\x01\x38\x08NO_ROUTE\x01x\x03a.b\xce",
    );
    let deliver = basic::Deliver {
        consumer_tag: "t",
        delivery_tag: 7,
        redelivered: true,
        exchange: "x",
        routing_key: "a.b",
    };
    check(
        258,
        Method::BasicDeliver(deliver),
        b"\x01\x01\x02\0\0\0\x15\0\x3c\0\x3c\x01t\0\0\0\0\0\0\0\x07\x01\x01x\x03a.b\xce",
    );
    let got = basic::GetOk {
        delivery_tag: 7,
        redelivered: false,
        exchange: "x",
        routing_key: "a.b",
        message_count: 4,
    };
    check(
        1,
        Method::BasicGetOk(got),
        b"\x01\0\x01\0\0\0\x17\0\x3c\0\x47\0\0\0\0\0\0\0\x07\0\x01x\x03a.b\0\0\0\x04\xce",
    );
    check(1, Method::BasicGetEmpty(basic::GetEmpty), b"\x01\0\x01\0\0\0\x05\0\x3c\0\x48\0\xce");
}

#[test]
fn messages_are_consumed_and_settled() {
    let qos = basic::Qos { prefetch_size: 0, prefetch_count: 10, global: true };
    check(1, Method::BasicQos(qos), b"\x01\0\x01\0\0\0\x0b\0\x3c\0\x0a\0\0\0\0\0\x0a\x01\xce");
    let consume = basic::Consume {
        queue: "q",
        consumer_tag: "t",
        no_local: false,
        no_ack: true,
        exclusive: false,
        no_wait: false,
        arguments: Table::new(),
    };
    check(
        1,
        Method::BasicConsume(consume),
        b"\x01\0\x01\0\0\0\x0f\0\x3c\0\x14\0\0\x01q\x01t\x02\0\0\0\0\xce",
    );
    let ack = basic::Ack { delivery_tag: 7, multiple: true };
    check(1, Method::BasicAck(ack), b"\x01\0\x01\0\0\0\x0d\0\x3c\0\x50\0\0\0\0\0\0\0\x07\x01\xce");
    let nack = basic::Nack { delivery_tag: 7, multiple: false, requeue: true };
    check(
        1,
        Method::BasicNack(nack),
        b"\x01\0\x01\0\0\0\x0d\0\x3c\0\x78\0\0\0\0\0\0\0\x07\x02\xce",
    );
    let reject = basic::Reject { delivery_tag: 7, requeue: true };
    check(
        1,
        Method::BasicReject(reject),
        b"\x01\0\x01\0\0\0\x0d\0\x3c\0\x5a\0\0\0\0\0\0\0\x07\x01\xce",
    );
    let cancel = basic::Cancel { consumer_tag: "t", no_wait: true };
    check(1, Method::BasicCancel(cancel), b"\x01\0\x01\0\0\0\x07\0\x3c\0\x1e\x01t\x01\xce");
    let recover = basic::Recover { requeue: true };
    check(1, Method::BasicRecover(recover), b"\x01\0\x01\0\0\0\x05\0\x3c\0\x6e\x01\xce");
}

#[test]
fn confirms_and_transactions_are_selected() {
    let select = confirm::Select { no_wait: true };
    check(1, Method::ConfirmSelect(select), b"\x01\0\x01\0\0\0\x05\0\x55\0\x0a\x01\xce");
    check(1, Method::TxCommit(tx::Commit), b"\x01\0\x01\0\0\0\x04\0\x5a\0\x14\xce");
}

const ALL_PROPERTIES: &[u8] = b"\xff\xfc\x0atext/plain\x01e\0\0\0\x07\x01kI\0\0\0\x01\x02\x03\
                                \x01c\x01r\x0560000\x01m\0\0\0\0\0\0\0\x01\x01t\x01u\x01a\x01z";

#[test]
fn content_is_a_header_and_a_body() {
    let mut out = Vec::new();
    encode_content(&mut out, 1, basic::CLASS_ID, ALL_PROPERTIES, b"hello", FRAME_BYTES_MIN);
    let header = b"\x02\0\x01\0\0\0\x44\0\x3c\0\0\0\0\0\0\0\0\0\x05";
    let body = b"\x03\0\x01\0\0\0\x05hello\xce";
    assert_eq!(out, [header, ALL_PROPERTIES, b"\xce", body].concat());
}

#[test]
fn all_fourteen_properties_stand_in_their_order() {
    let view = PropertiesView::parse(ALL_PROPERTIES).unwrap();
    let expected = PropertiesView {
        content_type: Some("text/plain"),
        content_encoding: Some("e"),
        headers: Some(b"\x01kI\0\0\0\x01"),
        delivery_mode: Some(2),
        priority: Some(3),
        correlation_id: Some("c"),
        reply_to: Some("r"),
        expiration: Some("60000"),
        message_id: Some("m"),
        timestamp: Some(1),
        message_type: Some("t"),
        user_id: Some("u"),
        app_id: Some("a"),
        cluster_id: Some("z"),
    };
    assert_eq!(view, expected);
    assert_eq!(view.headers_table().unwrap(), Some(Table::from_iter([("k", Value::I32(1))])));
    let mut out = Vec::new();
    Properties::try_from(&view).unwrap().encode(&mut out);
    assert_eq!(out, ALL_PROPERTIES);
}

#[test]
fn a_heartbeat_is_eight_bytes() {
    let mut out = Vec::new();
    encode_heartbeat(&mut out);
    assert_eq!(out, b"\x08\0\0\0\0\0\0\xce");
}
