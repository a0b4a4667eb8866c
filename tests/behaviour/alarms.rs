//! What publishers meet when memory or the disk runs short.

use std::thread;

use leveret::wire::{self, Frame, Method, Properties, basic, channel, queue, tx};

use super::client::*;
use super::own_queue::A_WHILE;
use crate::support::raw::{Incoming, parse, show};
use crate::support::server::Server;

#[track_caller]
fn blocked(client: &mut Client) -> String {
    let frame = client.answer("connection.blocked");
    let Frame::Method { channel: 0, method: Method::ConnectionBlocked(blocked) } = parse(&frame)
    else {
        panic!("not on channel 0: {}", show(&Incoming::Frame(frame)))
    };
    blocked.reason.to_owned()
}

#[test]
fn a_publisher_is_blocked_while_the_disk_is_nearly_full() {
    let server = Server::start_with("[alarms]\ndisk_free_bytes_min = 1000000000000\n");
    let mut publisher = Client::open(&local(server.port()));
    assert!(nothing_within(&mut publisher, A_WHILE), "only those that publish are told");
    publisher.queue("q", &[]);
    publisher.put("q", "x");
    assert_eq!(blocked(&mut publisher), "low on disk");
    // Others go on.
    let mut other = Client::open(&local(server.port()));
    other.queue("other", &[]);
    other.consume("q", "c");
    other.cancel("c");
}

#[test]
fn a_publisher_is_blocked_until_memory_is_free_again() {
    let server = Server::start_with("[alarms]\nmemory_bytes_max = 200000\n");
    let mut publisher = Client::open(&local(server.port()));
    let mut consumer = Client::open(&local(server.port()));
    publisher.queue("q", &[]);
    let body = "x".repeat(1000);
    for _ in 0..400 {
        publisher.put("q", &body);
    }
    assert_eq!(blocked(&mut publisher), "low on memory");
    // What a blocked publisher sends waits in its socket.
    publisher.put("q", "after all");
    let mut last = String::new();
    consumer.consume("q", "c");
    while last != "after all" {
        let message = consumer.delivered();
        consumer.ack(message.tag);
        last = message.body;
    }
    publisher.answer("connection.unblocked");
    publisher.queue("q", &[]);
}

/// How many bytes of messages the brokers of these tests may hold.
const LIMIT_BYTES: usize = 500_000;

fn short_of_memory() -> Server {
    Server::start_with(&format!("[alarms]\nmemory_bytes_max = {LIMIT_BYTES}\n"))
}

/// Method and header of a message whose body is to follow.
fn begin(client: &mut Client, channel: u16, queue: &str, body_bytes: usize) {
    let publish =
        basic::Publish { exchange: "", routing_key: queue, mandatory: false, immediate: false };
    client.raw.send(channel, &Method::BasicPublish(publish));
    let (mut header, mut properties) = (Vec::new(), Vec::new());
    Properties::default().encode(&mut properties);
    let class = basic::CLASS_ID;
    wire::encode_content_header(&mut header, channel, class, &properties, body_bytes as u64);
    client.raw.bytes(&header);
}

/// A part of a message's body.
fn part(client: &mut Client, channel: u16, bytes: usize) {
    let mut frame = Vec::new();
    wire::encode_body_head(&mut frame, channel, bytes as u32);
    frame.resize(frame.len() + bytes, b'x');
    frame.push(wire::FRAME_END);
    client.raw.bytes(&frame);
}

fn is_confirmed(client: &mut Client, queue: &str) {
    client.select_confirms();
    client.put(queue, "x");
    client.answer("basic.ack");
}

/// Acknowledges what it is given until the memory is not short any more.
#[track_caller]
fn makes_room(worker: &mut Client) {
    for _ in 0..20 {
        let tag = worker.delivered().tag;
        worker.ack(tag);
    }
    worker.answer("connection.unblocked");
}

/// Publishes until memory is short and the broker reads no further message of this client.
fn fill(client: &mut Client, queue: &str) {
    let body = "x".repeat(10_000);
    for _ in 0..=LIMIT_BYTES / body.len() {
        client.put(queue, &body);
    }
}

#[test]
fn large_messages_that_begin_at_once_all_arrive() {
    let server = short_of_memory();
    let mut consumer = Client::open(&local(server.port()));
    consumer.queue("q", &[]);
    consumer.consume("q", "c");
    let half = 100_000;
    let mut publishers: Vec<Client> = (0..8)
        .map(|_| {
            let mut publisher = Client::open(&local(server.port()));
            publisher.select_confirms();
            begin(&mut publisher, 1, "q", 2 * half);
            part(&mut publisher, 1, half);
            publisher
        })
        .collect();
    for publisher in &mut publishers {
        part(publisher, 1, half);
    }
    for _ in &publishers {
        let message = consumer.delivered();
        assert_eq!(message.body.len(), 2 * half);
        consumer.ack(message.tag);
    }
    for publisher in &mut publishers {
        publisher.answer("basic.ack");
    }
}

#[test]
fn bodies_that_never_end_hold_nobody_back() {
    let server = short_of_memory();
    let mut hoarder = Client::open(&local(server.port()));
    hoarder.queue("q", &[]);
    for number in 2..30 {
        hoarder.raw.open_channel(number);
    }
    for number in 2..30 {
        begin(&mut hoarder, number, "q", 16_000_000);
        part(&mut hoarder, number, 100_000);
    }
    // One body always has room; for more the channel is closed.
    let text = "no memory for 16000000 bytes beside what is arriving already";
    for number in 3..30 {
        let frame = hoarder.answer("channel.close");
        let Frame::Method { channel, method: Method::ChannelClose(close) } = parse(&frame) else {
            panic!("{}", show(&Incoming::Frame(frame)))
        };
        assert_eq!((channel, close.reply_code), (number, 311));
        assert_eq!(close.reply_text, format!("CONTENT_TOO_LARGE - {text}"));
        hoarder.raw.send(number, &Method::ChannelCloseOk(channel::CloseOk));
    }
    let mut other = Client::open(&local(server.port()));
    is_confirmed(&mut other, "q");
    part(&mut hoarder, 2, 100_000);
    hoarder.queue("q", &[]);
}

#[test]
fn a_body_that_does_not_come_gives_its_room_to_others() {
    let server = Server::start_with(
        "[alarms]\nmemory_bytes_max = 500000\narriving_bytes_max = 150000\narriving_ms_max = 300\n",
    );
    let mut slow = Client::open(&local(server.port()));
    slow.queue("q", &[]);
    begin(&mut slow, 1, "q", 100_000);
    part(&mut slow, 1, 1000);
    slow.raw.open_channel(2);
    let mut other = Client::open(&local(server.port()));
    other.select_confirms();
    begin(&mut other, 1, "q", 100_000);
    part(&mut other, 1, 100_000);
    slow.connection_closed(
        506,
        "RESOURCE_ERROR - the body of a message did not come within 300 ms while others waited",
    );
    other.answer("basic.ack");
}

#[test]
fn a_held_publisher_that_goes_away_gives_back_its_transaction() {
    let server = short_of_memory();
    let mut publisher = Client::open(&local(server.port()));
    publisher.queue("q", &[]);
    let mut other = Client::open(&local(server.port()));
    // It is told why before its transaction is given up, which holds what the memory is short of.
    for _ in 0..30 {
        other.put("q", &"x".repeat(10_000));
    }
    other.queue("q", &[]);
    publisher.call(&Method::TxSelect(tx::Select));
    fill(&mut publisher, "q");
    blocked(&mut publisher);
    // From here on the broker does not read it.
    publisher.put("q", "x");
    other.queue("q", &[]);
    drop(publisher);
    is_confirmed(&mut other, "q");
}

#[test]
fn a_held_worker_that_goes_away_gives_back_its_jobs() {
    let server = short_of_memory();
    let mut publisher = Client::open(&local(server.port()));
    publisher.queue("jobs", &[]);
    publisher.queue("results", &[]);
    let mut worker = Client::open(&local(server.port()));
    worker.put("results", "r");
    worker.consume("jobs", "c");
    fill(&mut publisher, "jobs");
    blocked(&mut worker);
    worker.put("results", "r");
    let first = worker.delivered();
    drop(worker);
    let mut other = Client::open(&local(server.port()));
    other.consume("jobs", "c");
    let again = other.delivered();
    assert!(again.redelivered && !first.redelivered);
}

#[test]
fn a_publisher_that_has_to_wait_is_heard_up_to_its_next_message() {
    let server = short_of_memory();
    let mut publisher = Client::open(&local(server.port()));
    publisher.queue("jobs", &[]);
    publisher.queue("results", &[]);
    let mut worker = Client::open(&local(server.port()));
    worker.put("results", "r");
    worker.consume("jobs", "c");
    fill(&mut publisher, "jobs");
    blocked(&mut worker);
    // It has all of them, and nobody else can make room.
    for _ in 0..10 {
        let tag = worker.delivered().tag;
        worker.ack(tag);
    }
    worker.answer("connection.unblocked");
    is_confirmed(&mut worker, "results");
}

/// A worker that has all messages there are, while memory is short.
fn a_worker_with_everything(server: &Server) -> Client {
    let mut publisher = Client::open(&local(server.port()));
    publisher.queue("jobs", &[]);
    publisher.queue("results", &[]);
    let mut worker = Client::open(&local(server.port()));
    worker.put("results", "r");
    worker.consume("jobs", "c");
    fill(&mut publisher, "jobs");
    blocked(&mut worker);
    worker
}

#[test]
fn a_worker_that_publishes_before_it_acknowledges_does_not_wait_behind_itself() {
    let server = short_of_memory();
    let mut worker = a_worker_with_everything(&server);
    for _ in 0..40 {
        worker.put("results", "r");
        let tag = worker.delivered().tag;
        worker.ack(tag);
    }
    worker.answer("connection.unblocked");
    is_confirmed(&mut worker, "results");
}

#[test]
fn a_worker_that_waits_for_the_confirm_of_a_large_result_gets_it() {
    let server = short_of_memory();
    let mut worker = a_worker_with_everything(&server);
    worker.select_confirms();
    begin(&mut worker, 1, "results", 100_000);
    part(&mut worker, 1, 100_000);
    worker.answer("basic.ack");
    makes_room(&mut worker);
}

#[test]
fn a_worker_that_acknowledges_nothing_publishes_no_more_than_its_share() {
    let server = short_of_memory();
    let mut worker = a_worker_with_everything(&server);
    for _ in 0..20 {
        worker.put("results", &"r".repeat(10_000));
    }
    while worker.raw.next_within(A_WHILE).is_some() {}
    let mut other = Client::open(&local(server.port()));
    // One had been put before the memory was short.
    let results = other.counts("results").0 - 1;
    assert!((1..=3).contains(&results), "{results}");
}

#[test]
fn a_held_publisher_that_is_given_messages_later_can_acknowledge_them() {
    let server = short_of_memory();
    let mut publisher = Client::open(&local(server.port()));
    publisher.queue("jobs", &[]);
    publisher.queue("results", &[]);
    let mut first = Client::open(&local(server.port()));
    first.consume("jobs", "c");
    let mut second = Client::open(&local(server.port()));
    second.put("results", "r");
    fill(&mut publisher, "jobs");
    blocked(&mut second);
    for _ in 0..50 {
        first.delivered();
    }
    second.consume("jobs", "c");
    second.put("results", "r");
    assert!(nothing_within(&mut second, A_WHILE));
    drop(first);
    makes_room(&mut second);
}

#[test]
fn a_transaction_that_alone_fills_the_memory_is_refused() {
    let server = short_of_memory();
    let mut publisher = Client::open(&local(server.port()));
    publisher.queue("q", &[]);
    publisher.call(&Method::TxSelect(tx::Select));
    fill(&mut publisher, "q");
    blocked(&mut publisher);
    publisher.put("q", "one more");
    let frame = publisher.answer("channel.close");
    let Frame::Method { channel: 1, method: Method::ChannelClose(close) } = parse(&frame) else {
        panic!("{}", show(&Incoming::Frame(frame)))
    };
    let text =
        "memory is short, and what transactions have not committed is all that can be given up";
    assert_eq!(
        (close.reply_code, close.reply_text),
        (311, &*format!("CONTENT_TOO_LARGE - {text}"))
    );
    let mut other = Client::open(&local(server.port()));
    is_confirmed(&mut other, "q");
    assert_eq!(other.counts("q").0, 1);
}

#[test]
fn a_held_publisher_that_falls_silent_is_missed() {
    let server = short_of_memory();
    let login = Login { heartbeat_s: 1, ..GUEST };
    let mut silent = Client::log_in(&local(server.port()), login).unwrap();
    silent.queue("q", &[]);
    let mut alive = Client::log_in(&local(server.port()), login).unwrap();
    fill(&mut Client::open(&local(server.port())), "q");
    for publisher in [&mut silent, &mut alive] {
        publisher.put("q", "x");
        blocked(publisher);
        publisher.put("q", "x");
    }
    let limit = std::time::Duration::from_secs(20);
    let dropped =
        thread::spawn(move || server.log_line_with("missed heartbeats", limit).map(|_| server));
    while !dropped.is_finished() {
        alive.raw.bytes(&[8, 0, 0, 0, 0, 0, 0, 0xce]);
        // A heartbeat of the broker's comes twice a second.
        alive.raw.next();
    }
    let server = dropped.join().unwrap().unwrap();
    assert_eq!(server.log().matches("missed heartbeats").count(), 1);
}

#[test]
fn what_consumers_hold_unacknowledged_does_not_stop_publishers() {
    const MESSAGES: usize = 600;
    let server = Server::start_with(
        "[alarms]\nmemory_bytes_max = 10000000\n\
         [store]\nqueue_window_messages = 16\nqueue_window_bytes = 200000\n",
    );
    let mut publisher = Client::open(&local(server.port()));
    publisher.declare(queue::Declare { durable: true, ..a_queue("deep") });
    publisher.queue("other", &[]);
    publisher.select_confirms();
    let body = "x".repeat(40_000);
    for _ in 0..MESSAGES {
        publisher.publish("", "deep", &persistent(), &body);
        publisher.answer("basic.ack");
    }

    let mut holder = Client::open(&local(server.port()));
    holder.consume("deep", "holder");
    let mut held = 0;
    while held < MESSAGES
        && let Some(Incoming::Frame(frame)) = holder.raw.next_within(A_WHILE)
    {
        held += usize::from(matches!(parse(&frame), Frame::Body { .. }));
    }
    assert!(held < MESSAGES, "24 MB were handed out where 10 MB are allowed");
    publisher.put("other", "x");
    publisher.answer("basic.ack");
    // What it held goes to others when it goes, and nobody waits for an acknowledgement of its.
    let mut other = Client::open(&local(server.port()));
    other.consume("deep", "other");
    holder.close();
    for _ in 0..MESSAGES {
        let message = other.delivered();
        other.ack(message.tag);
    }
}
