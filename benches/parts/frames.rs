//! Frames in and out: what a publisher sends, what a consumer gets, and acknowledgements.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use leveret::wire::{self, Method, Properties, basic};

const FRAME_BYTES_MAX: u32 = 131_072;
const MESSAGES: u64 = 1000;
const BODY_BYTES: &[usize] = &[16, 1024];

/// Reads what a publisher sends, and what a consumer acknowledges.
pub fn parsing(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parsing");
    group.throughput(Throughput::Elements(MESSAGES));
    for &body_bytes in BODY_BYTES {
        let input = repeated(|out| publish(out, &vec![b'x'; body_bytes]));
        group.bench_with_input(BenchmarkId::new("publish", body_bytes), &input, |bench, input| {
            bench.iter(|| frames(black_box(input)));
        });
    }
    let input = repeated(|out| {
        Method::BasicAck(basic::Ack { delivery_tag: 1, multiple: false }).encode_frame(1, out);
    });
    group.bench_with_input("ack", &input, |bench, input| bench.iter(|| frames(black_box(input))));
    group.finish();
}

/// Writes what a consumer gets, and confirms.
pub fn encoding(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encoding");
    group.throughput(Throughput::Elements(MESSAGES));
    let mut out = Vec::with_capacity(4 * 1024 * 1024);
    for &body_bytes in BODY_BYTES {
        let body = vec![b'x'; body_bytes];
        group.bench_with_input(BenchmarkId::new("deliver", body_bytes), &body, |bench, body| {
            bench.iter(|| {
                out.clear();
                for tag in 0..MESSAGES {
                    deliver(&mut out, tag, black_box(body));
                }
                out.len()
            });
        });
    }
    group.bench_function("confirm", |bench| {
        bench.iter(|| {
            out.clear();
            for delivery_tag in 0..MESSAGES {
                let ack = basic::Ack { delivery_tag, multiple: false };
                Method::BasicAck(black_box(ack)).encode_frame(1, &mut out);
            }
            out.len()
        });
    });
    group.finish();
}

fn frames(mut input: &[u8]) -> usize {
    let mut count = 0;
    while let Some((frame, bytes)) = wire::next_frame(input, FRAME_BYTES_MAX).unwrap() {
        black_box(&frame);
        input = &input[bytes..];
        count += 1;
    }
    count
}

fn repeated(mut write: impl FnMut(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    for _ in 0..MESSAGES {
        write(&mut out);
    }
    out
}

fn publish(out: &mut Vec<u8>, body: &[u8]) {
    let (exchange, routing_key) = ("orders", "orders.payment.completed");
    Method::BasicPublish(basic::Publish {
        exchange,
        routing_key,
        mandatory: false,
        immediate: false,
    })
    .encode_frame(1, out);
    content(out, body);
}

fn deliver(out: &mut Vec<u8>, delivery_tag: u64, body: &[u8]) {
    Method::BasicDeliver(basic::Deliver {
        consumer_tag: "amq.ctag-abcdefghijklmnopqrstuv",
        delivery_tag,
        redelivered: false,
        exchange: "orders",
        routing_key: "orders.payment.completed",
    })
    .encode_frame(1, out);
    content(out, body);
}

fn content(out: &mut Vec<u8>, body: &[u8]) {
    let mut properties = Vec::new();
    Properties { delivery_mode: Some(2), ..Properties::default() }.encode(&mut properties);
    wire::encode_content(out, 1, basic::CLASS_ID, &properties, body, FRAME_BYTES_MAX);
}
