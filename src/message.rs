//! An immutable message: exchange, routing key, properties as received, body. It is shared by every queue
//! and delivery that carries it, and counted, so that the broker knows how much memory messages hold.

mod sizes;
mod stored;

use std::sync::atomic::{AtomicUsize, Ordering};

pub use self::sizes::{SIZE_BOUNDS_BYTES, Sizes};
pub use self::stored::{AckMode, LoadedMessage, Position, Run, StoredMessage};

/// How many threads can count messages without sharing a counter.
const SHARES: usize = 16;

/// Stacks of threads lie at least so many bytes apart, as a power of two.
const STACK_BITS: u32 = 21;

/// How much memory the messages of one broker hold, their overhead included: the sum of what each thread has added
/// and taken away, wrapping, since a message is often made by one thread and dropped by another. Every message refers
/// to the count that it is part of.
pub struct Memory {
    shares: [Share; SHARES],
}

/// One counter, alone in its cache line: threads that publish at once would else take the line from each other for
/// every message.
#[repr(align(128))]
struct Share(AtomicUsize);

impl Memory {
    /// Nothing is held yet.
    pub const fn new() -> Self {
        Self { shares: [const { Share(AtomicUsize::new(0)) }; SHARES] }
    }

    /// A count for as long as the process lives: 2 KiB that are never given back.
    pub fn leaked() -> &'static Self {
        Box::leak(Box::new(Self::new()))
    }

    /// Bytes that all live messages hold at this moment. The memory alarm compares this with its limit, because
    /// resident memory also counts what the allocator keeps for later and so never falls in time.
    pub fn held_bytes(&self) -> usize {
        let shares = self.shares.iter();
        let sum =
            shares.fold(0_usize, |sum, share| sum.wrapping_add(share.0.load(Ordering::Relaxed)));
        // The counters are not read at one moment: the sum may miss a message that a later one takes away.
        if sum > isize::MAX as usize { 0 } else { sum }
    }

    /// Counts so many bytes that are no message's, but are held for clients as well, until what this gives goes.
    pub fn hold(&'static self, bytes: usize) -> Held {
        Held::new(self, bytes)
    }

    /// The counter of this thread, told by where its stack lies: threads that run at once mostly have one each, and
    /// where two share one, the sum is right none the less.
    fn share(&self) -> &AtomicUsize {
        let here = 0_u8;
        let stack = std::ptr::from_ref(&here).addr() >> STACK_BITS;
        &self.shares[stack % SHARES].0
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Memory").field("held_bytes", &self.held_bytes()).finish()
    }
}

/// What a message costs beside its text: the structure itself, its reference counts, the allocator's
/// rounding, and its slot in a queue.
const OVERHEAD_BYTES: usize = std::mem::size_of::<Message>() + 64;

/// A share of the bytes that messages hold. It is given back when this goes.
#[derive(Debug)]
pub struct Held {
    memory: &'static Memory,
    bytes: usize,
}

impl Held {
    fn new(memory: &'static Memory, bytes: usize) -> Self {
        memory.share().fetch_add(bytes, Ordering::Relaxed);
        Self { memory, bytes }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.memory.share().fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// What the broker itself needs to know of a message's properties, read once when it is published.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Facts {
    /// `delivery-mode` was 2: the message survives a restart in a durable queue.
    pub persistent: bool,
    /// `priority`, 0 when absent.
    pub priority: u8,
    /// `expiration` in milliseconds, when present.
    pub expiration_ms: Option<u64>,
    /// When the broker accepted the message, in milliseconds since the Unix epoch.
    pub accepted_ms: u64,
    /// The broker made it out of a message that died: what its headers tell of deaths is the broker's own word.
    pub dead_letter: bool,
}

/// A published message. The exchange's name, routing key, properties and body stand in one allocation, in this order.
// The name is copied, and not shared with the exchange: threads that make and let go of messages would take the count of
// a shared one from each other for every message.
pub struct Message {
    data: Box<[u8]>,
    ends: Ends,
    facts: Facts,
    held: Held,
}

/// Where the parts of a message end in its allocation; the body reaches to its end.
#[derive(Debug, Clone, Copy)]
struct Ends {
    exchange: u32,
    routing_key: u32,
    properties: u32,
}

impl Message {
    /// Builds a message from its parts in one copy. It counts in `memory` until it goes.
    pub fn new(
        memory: &'static Memory,
        exchange: &str,
        routing_key: &str,
        properties: &[u8],
        body: &[u8],
        facts: Facts,
    ) -> Self {
        let (mut data, ends) = head(exchange, routing_key, properties, body.len());
        data.extend_from_slice(body);
        Self {
            // Counted once, not by parts: this is the way of most messages.
            held: Held::new(memory, data.len() + OVERHEAD_BYTES),
            data: data.into_boxed_slice(),
            ends,
            facts,
        }
    }

    /// The exchange it was published to; empty for the default exchange.
    pub fn exchange(&self) -> &str {
        // The bytes came from a `str`, so this never falls back.
        std::str::from_utf8(self.exchange_bytes()).unwrap_or_default()
    }

    /// The same as bytes.
    pub fn exchange_bytes(&self) -> &[u8] {
        &self.data[..self.ends.exchange as usize]
    }

    /// The routing key it was published with, at most 255 bytes.
    pub fn routing_key(&self) -> &str {
        // Likewise.
        std::str::from_utf8(self.routing_key_bytes()).unwrap_or_default()
    }

    /// The same as bytes.
    pub fn routing_key_bytes(&self) -> &[u8] {
        &self.data[self.ends.exchange as usize..self.ends.routing_key as usize]
    }

    /// The property flags and list, byte for byte as published (specification 4.2.6.1).
    pub fn properties(&self) -> &[u8] {
        &self.data[self.ends.routing_key as usize..self.ends.properties as usize]
    }

    /// The body, possibly empty.
    pub fn body(&self) -> &[u8] {
        &self.data[self.ends.properties as usize..]
    }

    /// What the broker read from the properties.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The broker accepts it now: its time to live begins.
    pub fn accept(&mut self, now_ms: u64) {
        self.facts.accepted_ms = now_ms;
    }

    /// Bytes that this message holds in memory, its overhead included.
    pub fn held(&self) -> usize {
        self.held.bytes
    }

    /// What it counts in.
    pub fn memory(&self) -> &'static Memory {
        self.held.memory
    }
}

/// All but the body, with room for so many bytes of it.
fn head(
    exchange: &str,
    routing_key: &str,
    properties: &[u8],
    body_bytes: usize,
) -> (Vec<u8>, Ends) {
    let head_bytes = exchange.len() + routing_key.len() + properties.len();
    let mut data = Vec::with_capacity(head_bytes + body_bytes);
    data.extend_from_slice(exchange.as_bytes());
    data.extend_from_slice(routing_key.as_bytes());
    data.extend_from_slice(properties);
    let ends = Ends {
        exchange: exchange.len() as u32,
        routing_key: (exchange.len() + routing_key.len()) as u32,
        properties: head_bytes as u32,
    };
    (data, ends)
}

impl std::fmt::Debug for Message {
    /// Never shows the body or the properties: a message's contents do not belong in a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Message")
            .field("exchange", &self.exchange())
            .field("routing_key", &self.routing_key())
            .field("body_bytes", &self.body().len())
            .field("facts", &self.facts)
            .finish()
    }
}

/// A message whose body is still arriving. It counts as held when it is whole: else messages that nobody lets finish
/// would be what holds them up. Memory is taken as the body's frames come, never ahead of them by more than
/// `RESERVE_BYTES_MAX`, whatever size the header declared.
#[derive(Debug)]
pub struct Builder {
    memory: &'static Memory,
    data: Vec<u8>,
    ends: Ends,
    facts: Facts,
}

/// How much of a declared body size is allocated before any of the body was seen.
const RESERVE_BYTES_MAX: usize = 128 * 1024;

impl Builder {
    /// Starts a message. `body_bytes` is the size that the content header declared.
    pub fn new(
        memory: &'static Memory,
        exchange: &str,
        routing_key: &str,
        properties: &[u8],
        body_bytes: usize,
        facts: Facts,
    ) -> Self {
        let reserved = body_bytes.min(RESERVE_BYTES_MAX);
        let (data, ends) = head(exchange, routing_key, properties, reserved);
        Self { memory, data, ends, facts }
    }

    /// Appends the next part of the body.
    pub fn push(&mut self, part: &[u8]) {
        self.data.extend_from_slice(part);
    }

    /// Bytes of body received so far.
    pub fn body_bytes(&self) -> usize {
        self.data.len() - self.ends.properties as usize
    }

    /// The finished message.
    pub fn finish(self) -> Message {
        Message {
            held: Held::new(self.memory, self.data.len() + OVERHEAD_BYTES),
            data: self.data.into_boxed_slice(),
            ends: self.ends,
            facts: self.facts,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static MEMORY: Memory = Memory::new();

    #[test]
    fn a_message_gives_back_its_parts() {
        let message = Message::new(&MEMORY, "x", "a.b", &[0x10, 0, 2], b"body", Facts::default());
        assert_eq!(message.exchange(), "x");
        assert_eq!(message.routing_key(), "a.b");
        assert_eq!(message.properties(), &[0x10, 0, 2]);
        assert_eq!(message.body(), b"body");
    }

    #[test]
    fn a_declared_size_alone_takes_little_memory() {
        let builder = Builder::new(&MEMORY, "", "k", &[], 1 << 40, Facts::default());
        assert!(builder.data.capacity() <= RESERVE_BYTES_MAX + 1);
    }

    #[test]
    fn a_message_counts_all_of_itself_once_it_is_whole() {
        let mut builder = Builder::new(&MEMORY, "x", "k", &[1, 2], 4, Facts::default());
        builder.push(b"bo");
        builder.push(b"dy");
        assert_eq!(builder.finish().held(), OVERHEAD_BYTES + 8);
    }

    #[test]
    fn each_count_has_its_own_messages_whichever_thread_made_them_or_lets_them_go() {
        let (one, other) = (Memory::leaked(), Memory::leaked());
        let make = |memory| Message::new(memory, "x", "k", &[], b"body", Facts::default());
        let message = make(one);
        let elsewhere = std::thread::spawn(move || (make(other), make(other))).join().unwrap();
        assert_eq!(one.held_bytes(), message.held());
        assert_eq!(other.held_bytes(), 2 * message.held());
        std::thread::spawn(move || drop((message, elsewhere.0))).join().unwrap();
        assert_eq!((one.held_bytes(), other.held_bytes()), (0, elsewhere.1.held()));
    }

    #[test]
    fn a_log_line_never_shows_the_body() {
        let message = Message::new(&MEMORY, "x", "k", &[], b"secret", Facts::default());
        assert!(!format!("{message:?}").contains("secret"));
    }
}
