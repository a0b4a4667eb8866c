//! What tests do with a queue again and again.

use std::time::{Duration, Instant};

use leveret::wire::{Frame, Method, queue};

use super::client::{Client, Message};
use crate::support::raw::parse;

/// Long enough for what should not happen to have happened.
pub const A_WHILE: Duration = Duration::from_millis(300);

/// Another broker may need this long until a message that it confirmed can be fetched.
const LATENESS_MAX: Duration = Duration::from_secs(10);
const ASK_AGAIN: Duration = Duration::from_millis(10);

/// Fetches a message that is there, or on its way.
#[track_caller]
pub fn wait_for(client: &mut Client, queue: &str) -> Message {
    let until = Instant::now() + LATENESS_MAX;
    loop {
        if let Some(message) = client.get(queue) {
            return message;
        }
        assert!(Instant::now() < until, "nothing comes to '{queue}'");
        std::thread::sleep(ASK_AGAIN);
    }
}

/// Waits until a queue holds this many messages.
#[track_caller]
pub fn wait_until_it_holds(client: &mut Client, queue: &str, messages: u32) {
    let until = Instant::now() + LATENESS_MAX;
    loop {
        let (held, _) = client.counts(queue);
        if held == messages {
            return;
        }
        assert!(Instant::now() < until, "'{queue}' holds {held}, not {messages}");
        std::thread::sleep(ASK_AGAIN);
    }
}

/// Waits until a queue is gone. It is asked after with messages, because whoever declares or fetches uses it.
#[track_caller]
pub fn wait_until_gone(client: &mut Client, queue: &str) {
    let until = Instant::now() + LATENESS_MAX;
    loop {
        client.publish_mandatory("", queue, "are you there?");
        if client.returned_at_once() {
            return;
        }
        assert!(Instant::now() < until, "'{queue}' is still there");
        std::thread::sleep(ASK_AGAIN);
    }
}

/// Purges a queue and answers how many messages were ready.
#[track_caller]
pub fn purge(client: &mut Client, queue: &str) -> u32 {
    let frame = client.call(&Method::QueuePurge(queue::Purge { queue, no_wait: false }));
    let Frame::Method { method: Method::QueuePurgeOk(ok), .. } = parse(&frame) else {
        panic!("purge-ok was checked")
    };
    ok.message_count
}

/// Deletes a queue and answers how many messages were ready.
#[track_caller]
pub fn delete(client: &mut Client, queue: &str) -> u32 {
    let delete = queue::Delete { queue, if_unused: false, if_empty: false, no_wait: false };
    let frame = client.call(&Method::QueueDelete(delete));
    let Frame::Method { method: Method::QueueDeleteOk(ok), .. } = parse(&frame) else {
        panic!("delete-ok was checked")
    };
    ok.message_count
}
