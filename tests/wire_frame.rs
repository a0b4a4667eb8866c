//! Cutting frames off a buffer: nothing waits for bytes that will be refused, everything malformed has its
//! code, and no bytes whatever make it panic.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use leveret::wire::{
    ContentHeader, FRAME_BYTES_MIN, FRAME_OVERHEAD_BYTES, Frame, HeaderCheck, Method,
    PROTOCOL_HEADER, Properties, PropertiesView, ReplyCode, Table, WireError, basic, body_frame,
    encode_content, encode_heartbeat, frame_bytes_needed, next_frame, protocol_header,
};
use proptest::collection::vec;
use proptest::prelude::*;

const LIMIT: u32 = FRAME_BYTES_MIN;

fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let size = (payload.len() as u32).to_be_bytes();
    [&[kind], &channel.to_be_bytes()[..], &size, payload, b"\xce"].concat()
}

#[test]
fn a_protocol_header_is_judged_by_its_first_wrong_byte() {
    let check = |bytes: &[u8], expected| assert_eq!(protocol_header(bytes), expected, "{bytes:?}");
    check(b"", HeaderCheck::NeedMore);
    check(b"AMQP", HeaderCheck::NeedMore);
    check(b"AMQP\0\0\x09", HeaderCheck::NeedMore);
    check(&PROTOCOL_HEADER, HeaderCheck::Ok);
    check(b"AMQP\0\0\x09\x01\x01\0", HeaderCheck::Ok);
    check(b"AMQP\x01\x01\0\x09", HeaderCheck::Ok);
    check(b"AMQP\0\x01\0\0", HeaderCheck::Wrong);
    check(b"AMQP\x03", HeaderCheck::Wrong);
    check(b"AMQP\0\0\x09\x02", HeaderCheck::Wrong);
    check(b"AMQP\x01\x01\x08\0", HeaderCheck::Wrong);
    check(b"GET / HTTP/1.1", HeaderCheck::Wrong);
    check(b"\x16", HeaderCheck::Wrong);
}

#[test]
fn a_malformed_frame_is_refused_with_its_code() {
    let check = |bytes: &[u8], code: ReplyCode, channel: Option<u16>| {
        let error = next_frame(bytes, LIMIT).expect_err("malformed");
        assert_eq!((error.code, error.channel), (code, channel), "{bytes:?}");
        assert!(!error.text.is_empty() && error.text.len() < 200);
    };
    let frame_error = ReplyCode::FrameError;
    check(b"\x00", frame_error, None);
    check(b"\x04\0\x01", frame_error, None);
    check(b"GET / HTTP", frame_error, None);
    check(b"\x01\0\x01\0\x01\0\0", frame_error, Some(1));
    check(b"\x03\0\x02\xff\xff\xff\xff", frame_error, Some(2));
    check(b"\x03\0\x01\0\0\0\x02hi\xcd", frame_error, Some(1));
    check(b"\x08\0\0\0\0\0\0\0", frame_error, Some(0));
    check(&frame(8, 0, b"x"), frame_error, Some(0));
    check(&frame(1, 1, b""), frame_error, Some(1));
    check(&frame(1, 1, b"\0\x3c\0"), frame_error, Some(1));
    check(&frame(1, 1, b"\0\x3c\0\x28\0\0\x05x"), frame_error, Some(1));
    check(&frame(1, 1, b"\0\x3c\0\x28\0\0\x02\xff\xfe\0\0"), frame_error, Some(1));
    check(&frame(1, 1, b"\0\x32\0\x0a\0\0\x01q\0\0\0\0\x09\x01k"), frame_error, Some(1));
    check(&frame(1, 1, b"\0\x32\0\x0a\0\0\x01q\0\0\0\0\x03\x01kZ"), frame_error, Some(1));
    check(&frame(1, 1, b"\0\x3c\0\xff"), ReplyCode::CommandInvalid, Some(1));
    check(&frame(1, 7, b"\x03\xe7\0\x0a"), ReplyCode::CommandInvalid, Some(7));
    check(&frame(2, 1, b"\0\x3c\0\0\0\0\0\0\0\0\0"), frame_error, Some(1));
    check(&frame(2, 1, b"\0\x3c\0\x01\0\0\0\0\0\0\0\0\0\0"), frame_error, Some(1));
    check(&frame(2, 1, b"\0\x3c\0\0\0\0\0\0\0\0\0\0\0"), frame_error, Some(1));
}

#[test]
fn an_error_names_the_method_at_fault() {
    let bytes = frame(1, 3, b"\0\x3c\0\x28\0\0");
    let error = next_frame(&bytes, LIMIT).unwrap_err();
    assert_eq!((error.class_id, error.method_id, error.channel), (60, 40, Some(3)));
    assert_eq!(error.to_string(), "FRAME_ERROR - truncated arguments");
}

#[test]
fn malformed_properties_are_a_frame_error() {
    let check = |properties: &[u8]| {
        let error = PropertiesView::parse(properties).expect_err("malformed");
        assert_eq!(error.code, ReplyCode::FrameError, "{properties:?}");
        let header = [b"\0\x3c\0\0\0\0\0\0\0\0\0\0", properties].concat();
        assert_eq!(ContentHeader::parse(&header).unwrap_err().code, ReplyCode::FrameError);
    };
    check(b"");
    check(b"\x80");
    check(b"\x80\0");
    check(b"\x80\0\x05text");
    check(b"\x80\0\x01\xff");
    check(b"\x10\0");
    check(b"\0\x40\0\0\0\0\0\0\0");
    check(b"\0\0\0");
    check(b"\0\x01");
    check(b"\0\x02");
    check(b"\x20\0\0\0\0\x09\x01kV");
    check(b"\x20\0\0\0\0\x02\x01k");
    check(b"\x20\0\xff\xff\xff\xff");
}

#[test]
fn the_properties_of_another_class_are_left_to_the_session() {
    let header = ContentHeader::parse(b"\0\x32\0\0\0\0\0\0\0\0\0\x09whatever").unwrap();
    assert_eq!((header.class_id, header.body_size), (50, 9));
}

#[test]
fn a_frame_of_exactly_the_limit_is_taken_and_one_more_byte_is_not() {
    // The payload alone counts, as in RabbitMQ.
    let bytes = frame(3, 1, &vec![7; LIMIT as usize]);
    assert_eq!(next_frame(&bytes, LIMIT).unwrap().unwrap().1, bytes.len());
    let whole = body_frame(&bytes, 1, LIMIT as usize, LIMIT).unwrap();
    assert_eq!(whole.1, bytes.len());
    let bytes = frame(3, 1, &vec![7; LIMIT as usize + 1]);
    assert!(next_frame(&bytes[..7], LIMIT).is_err());
    assert_eq!(body_frame(&bytes, 1, LIMIT as usize + 1, LIMIT), None);
}

#[test]
fn a_frame_in_parts_is_waited_for() {
    let bytes = frame(1, 1, b"\0\x3c\0\x28\0\0\x01x\x01k\0");
    for length in 0..bytes.len() {
        assert_eq!(next_frame(&bytes[..length], LIMIT), Ok(None));
        let needed = (length >= 7).then_some(bytes.len());
        assert_eq!(frame_bytes_needed(&bytes[..length]), needed);
    }
}

#[test]
fn a_body_is_split_at_the_limit_and_an_empty_one_has_no_frame() {
    let check = |body_bytes: usize, parts: &[usize]| {
        let mut out = Vec::new();
        encode_content(&mut out, 5, basic::CLASS_ID, &[0, 0], &vec![9; body_bytes], LIMIT);
        let (head, mut rest) = cut(&out);
        let header = ContentHeader {
            class_id: basic::CLASS_ID,
            body_size: body_bytes as u64,
            properties: &[0, 0],
        };
        assert_eq!(head, Frame::Header { channel: 5, header });
        let mut sizes = Vec::new();
        while !rest.is_empty() {
            let (frame, after) = cut(rest);
            let Frame::Body { channel: 5, payload } = frame else { panic!("{frame:?}") };
            sizes.push(payload.len());
            rest = after;
        }
        assert_eq!(sizes, parts);
    };
    check(0, &[]);
    check(1, &[1]);
    check(4088, &[4088]);
    check(4089, &[4088, 1]);
    check(9000, &[4088, 4088, 824]);
}

fn cut(bytes: &[u8]) -> (Frame<'_>, &[u8]) {
    let (frame, consumed) = next_frame(bytes, LIMIT).unwrap().unwrap();
    (frame, &bytes[consumed..])
}

#[test]
fn a_limit_below_the_smallest_still_makes_frames() {
    let mut out = Vec::new();
    encode_content(&mut out, 1, basic::CLASS_ID, &[0, 0], b"body", 0);
    assert!(out.ends_with(&frame(3, 1, b"body")));
}

#[test]
fn a_text_too_long_for_a_short_string_is_cut_at_a_character() {
    let text = format!("{}\u{20ac}", "x".repeat(254));
    let close = leveret::wire::channel::Close {
        reply_code: 404,
        reply_text: &text,
        class_id: 0,
        method_id: 0,
    };
    let mut out = Vec::new();
    Method::ChannelClose(close).encode_frame(1, &mut out);
    let (Frame::Method { method: Method::ChannelClose(read), .. }, _) = cut(&out) else {
        panic!("not a close")
    };
    assert_eq!(read.reply_text, "x".repeat(254));
}

/// Some frames of every type, one after another.
fn stream() -> Vec<u8> {
    let mut out = Vec::new();
    let declare = leveret::wire::queue::Declare {
        queue: "orders",
        passive: false,
        durable: true,
        exclusive: false,
        auto_delete: false,
        no_wait: false,
        arguments: Table::from_iter([("x-queue-type", "quorum")]),
    };
    Method::QueueDeclare(declare).encode_frame(1, &mut out);
    let publish =
        basic::Publish { exchange: "x", routing_key: "a.b", mandatory: false, immediate: false };
    Method::BasicPublish(publish).encode_frame(1, &mut out);
    let mut properties = Vec::new();
    Properties {
        content_type: Some("text/plain".into()),
        headers: Some(Table::from_iter([("retries", 3)])),
        delivery_mode: Some(2),
        timestamp: Some(1),
        ..Properties::default()
    }
    .encode(&mut properties);
    encode_content(&mut out, 1, basic::CLASS_ID, &properties, b"body", LIMIT);
    encode_heartbeat(&mut out);
    out
}

/// Cuts frames until the bytes end or are refused; every frame takes a part of the buffer.
fn read_all(mut bytes: &[u8]) -> Result<usize, WireError> {
    let mut count = 0;
    while let Some((_, consumed)) = next_frame(bytes, LIMIT)? {
        assert!((FRAME_OVERHEAD_BYTES..=bytes.len().min(LIMIT as usize)).contains(&consumed));
        bytes = &bytes[consumed..];
        count += 1;
    }
    Ok(count)
}

#[test]
fn a_stream_of_frames_is_read_to_its_end() {
    assert_eq!(read_all(&stream()), Ok(5));
}

/// Properties with any of the fourteen set.
fn properties() -> impl Strategy<Value = Properties> {
    let text = || prop::option::of("\\PC{0,20}");
    let texts = (text(), text(), text(), text(), text());
    let more_texts = (text(), text(), text(), text(), text());
    let numbers = (any::<Option<u8>>(), any::<Option<u8>>(), any::<Option<u64>>());
    let headers = prop::option::of(vec(("\\PC{0,8}", any::<i32>()), 0..4));
    (texts, more_texts, numbers, headers).prop_map(|(a, b, numbers, headers)| Properties {
        content_type: a.0,
        content_encoding: a.1,
        correlation_id: a.2,
        reply_to: a.3,
        expiration: a.4,
        message_id: b.0,
        message_type: b.1,
        user_id: b.2,
        app_id: b.3,
        cluster_id: b.4,
        delivery_mode: numbers.0,
        priority: numbers.1,
        timestamp: numbers.2,
        headers: headers.map(Table::from_iter),
    })
}

proptest! {
    #[test]
    fn properties_come_back_as_they_were(properties in properties()) {
        let mut bytes = Vec::new();
        properties.encode(&mut bytes);
        let view = PropertiesView::parse(&bytes).unwrap();
        prop_assert_eq!(Properties::try_from(&view).unwrap(), properties);
    }

    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..300)) {
        let _ = read_all(&bytes);
        let _ = PropertiesView::parse(&bytes);
        let _ = ContentHeader::parse(&bytes);
        let _ = Method::parse(&bytes);
    }

    #[test]
    fn random_payloads_in_whole_frames_never_panic(
        kind in prop::sample::select(vec![1u8, 2, 3, 8]),
        class_id in prop::sample::select(vec![10u16, 20, 30, 40, 50, 60, 85, 90]),
        method_id in prop::sample::select(vec![10u16, 11, 20, 30, 40, 50, 60, 70, 71, 80]),
        rest in vec(any::<u8>(), 0..200),
    ) {
        let head = [class_id.to_be_bytes(), method_id.to_be_bytes()].concat();
        let _ = read_all(&frame(kind, 1, &[head, rest].concat()));
    }

    #[test]
    fn a_damaged_stream_never_panics(
        damage in vec((any::<usize>(), any::<u8>()), 1..4),
        length in any::<prop::sample::Index>(),
    ) {
        let mut bytes = stream();
        for (place, octet) in damage {
            let place = place % bytes.len();
            bytes[place] = octet;
        }
        let _ = read_all(&bytes);
        let _ = read_all(&bytes[..length.index(bytes.len())]);
    }

    /// A header that was accepted has properties that can be read in full.
    #[test]
    fn an_accepted_header_has_readable_properties(place in any::<usize>(), octet in any::<u8>()) {
        let mut properties = Vec::new();
        Properties { headers: Some(Table::from_iter([("a", "b")])), ..Properties::default() }
            .encode(&mut properties);
        let place = place % properties.len();
        properties[place] = octet;
        let header = [b"\0\x3c\0\0\0\0\0\0\0\0\0\0".as_slice(), &properties].concat();
        if let Ok(header) = ContentHeader::parse(&header) {
            let view = PropertiesView::parse(header.properties).unwrap();
            prop_assert!(view.headers_table().is_ok());
        }
    }
}
