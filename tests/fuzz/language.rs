//! What a client says, made up from `grammar/amqp-0-9-1.toml`: frames of methods with plausible arguments, content,
//! field tables; and how a sequence of frames is changed. A small vocabulary makes names meet.

use std::sync::LazyLock;

use super::model::{Class, Field, Grammar, Kind, Method, Sender};
use super::random::Random;
use super::story;

/// A frame with its head and end, whole or not.
pub type Bytes = Vec<u8>;

const FRAME_HEAD_BYTES: usize = 7;
const BASIC: u16 = 60;
const PUBLISH: u16 = 40;

static GRAMMAR: LazyLock<Grammar> = LazyLock::new(|| {
    toml::from_str(include_str!("../../grammar/amqp-0-9-1.toml"))
        .expect("the grammar is well formed")
});

const QUEUES: &[&str] = &["q", "r", "d", "t", "", "amq.x", "amq.rabbitmq.reply-to", "Ω"];
const EXCHANGES: &[&str] =
    &["", "e", "x", "h", "amq.direct", "amq.topic", "amq.fanout", "amq.headers", "amq.y", "none"];
const KINDS: &[&str] = &["direct", "fanout", "topic", "headers", "direct", "x-none", ""];
const KEYS: &[&str] =
    &["q", "r", "d", "", "a", "a.b", "a..b", "*", "#", "a.#", "*.b", "#.#.b", "t"];
const TAGS: &[&str] = &["c", "c2", ""];
const NUMBERS: &[i64] =
    &[0, 1, 2, 3, 10, 255, 256, 1000, 65_535, i32::MAX as i64, -1, i64::MAX, i64::MIN, 1 << 53];

/// Arguments of queues, exchanges, consumers, bindings, and headers of messages.
const NAMES: &[&str] = &[
    "x-message-ttl",
    "x-expires",
    "x-max-length",
    "x-max-length-bytes",
    "x-overflow",
    "x-dead-letter-exchange",
    "x-dead-letter-routing-key",
    "x-max-priority",
    "x-single-active-consumer",
    "x-queue-type",
    "x-delivery-limit",
    "x-priority",
    "x-match",
    "alternate-exchange",
    "x-death",
    "x-delivery-count",
    "CC",
    "BCC",
    "a",
    "b",
];
const WORDS: &[&str] = &[
    "drop-head",
    "reject-publish",
    "reject-publish-dlx",
    "classic",
    "quorum",
    "all",
    "any",
    "all-with-x",
    "any-with-x",
    "e",
    "x",
    "",
    "q",
    "d",
    "amq.fanout",
    "a.b",
    "guest",
];

/// One of these.
pub fn pick<'a, T: ?Sized>(random: &mut Random, from: &[&'a T]) -> &'a T {
    from[random.within(0..from.len() as u64) as usize]
}

fn number(random: &mut Random) -> i64 {
    let at = random.within(0..NUMBERS.len() as u64) as usize;
    if random.once_in(3) { random.within(0..20) as i64 } else { NUMBERS[at] }
}

fn coin(random: &mut Random) -> bool {
    random.once_in(2)
}

/// A frame with a right head and end.
pub fn frame(kind: u8, channel: u16, payload: &[u8]) -> Bytes {
    let size = (payload.len() as u32).to_be_bytes();
    [&[kind], &channel.to_be_bytes()[..], &size, payload, b"\xce"].concat()
}

/// What a client may say next: mostly something sensible, or else any method, with content if it has any.
pub fn phrase(random: &mut Random) -> Vec<Bytes> {
    if !random.once_in(4) {
        return story::line(random, 1);
    }
    let channel = if random.once_in(12) { random.within(0..4) as u16 } else { 1 };
    if random.once_in(4) {
        return publish(random, channel);
    }
    let (class, method) = some_method(random);
    let connection = class.name == "connection";
    let channel = if connection && !random.once_in(8) { 0 } else { channel };
    let mut frames = vec![frame(1, channel, &method_payload(random, class, method))];
    if method.content {
        frames.extend(content(random, channel));
    }
    frames
}

fn publish(random: &mut Random, channel: u16) -> Vec<Bytes> {
    let class = GRAMMAR.class.iter().find(|class| class.id == BASIC).expect("class basic");
    let method = class.method.iter().find(|one| one.id == PUBLISH).expect("basic.publish");
    let mut frames = vec![frame(1, channel, &method_payload(random, class, method))];
    frames.extend(content(random, channel));
    frames
}

/// Any method; seldom one that only a server sends, or one that ends the connection.
fn some_method(random: &mut Random) -> (&'static Class, &'static Method) {
    let methods: Vec<_> = GRAMMAR.methods().collect();
    loop {
        let (class, method) = methods[random.within(0..methods.len() as u64) as usize];
        let seldom = method.from == Sender::Server || class.name == "connection";
        if !seldom || random.once_in(20) {
            return (class, method);
        }
    }
}

fn method_payload(random: &mut Random, class: &Class, method: &Method) -> Bytes {
    let mut out = [class.id.to_be_bytes(), method.id.to_be_bytes()].concat();
    for group in method.groups() {
        if group[0].kind == Kind::Bit {
            out.push(bits(random, group));
        } else {
            argument(random, class, &group[0], &mut out);
        }
    }
    out
}

/// Flags are mostly clear, as in real life; `passive` and the like would end most declarations.
fn bits(random: &mut Random, fields: &[Field]) -> u8 {
    let mut octet = 0;
    for (at, field) in fields.iter().enumerate() {
        let often =
            matches!(&*field.name, "durable" | "mandatory" | "multiple" | "requeue" | "active");
        if if often { coin(random) } else { random.once_in(8) } {
            octet |= 1 << at;
        }
    }
    octet
}

fn argument(random: &mut Random, class: &Class, field: &Field, out: &mut Bytes) {
    match field.kind {
        Kind::Bit => {}
        Kind::Octet => out.push(number(random) as u8),
        Kind::Short => out.extend((number(random) as u16).to_be_bytes()),
        Kind::Long if field.name == "prefetch-size" => out.extend([0; 4]),
        Kind::Long => out.extend((number(random) as u32).to_be_bytes()),
        Kind::Longlong | Kind::Timestamp => out.extend((number(random) as u64).to_be_bytes()),
        Kind::Shortstr => short_string(out, name(random, class, &field.name)),
        Kind::Longstr => long_string(out, pick(random, WORDS).as_bytes()),
        Kind::Table => {
            let payload = if coin(random) { Vec::new() } else { table(random, 0) };
            long_string(out, &payload);
        }
    }
}

fn name(random: &mut Random, class: &Class, field: &str) -> &'static str {
    match field {
        "queue" => pick(random, QUEUES),
        "exchange" | "source" | "destination" => pick(random, EXCHANGES),
        "type" => pick(random, KINDS),
        "routing-key" => pick(random, KEYS),
        "consumer-tag" => pick(random, TAGS),
        "virtual-host" => "/",
        _ if class.name == "connection" => pick(random, &["PLAIN", "AMQPLAIN", "en_US", ""]),
        _ => pick(random, WORDS),
    }
}

fn short_string(out: &mut Bytes, text: &str) {
    out.push(text.len() as u8);
    out.extend(text.as_bytes());
}

fn long_string(out: &mut Bytes, bytes: &[u8]) {
    out.extend((bytes.len() as u32).to_be_bytes());
    out.extend(bytes);
}

/// The payload of a field table.
pub fn table(random: &mut Random, depth: usize) -> Bytes {
    let mut out = Vec::new();
    for _ in 0..random.within(0..5) {
        short_string(&mut out, pick(random, NAMES));
        value(random, depth, &mut out);
    }
    out
}

fn value(random: &mut Random, depth: usize, out: &mut Bytes) {
    let tags = if depth < 3 { b"tbBsuUIilLfdDSSSSSxTVAF" } else { b"tbBsuUIilLfdDSSSSSxTVSS" };
    let tag = tags[random.within(0..tags.len() as u64) as usize];
    let number = number(random);
    out.push(tag);
    match tag {
        b't' | b'b' | b'B' => out.push(number as u8),
        b's' | b'u' | b'U' => out.extend((number as u16).to_be_bytes()),
        b'I' | b'i' | b'f' => out.extend((number as u32).to_be_bytes()),
        b'l' | b'L' | b'd' | b'T' => out.extend((number as u64).to_be_bytes()),
        b'D' => out.extend([&[number as u8], &(number as u32).to_be_bytes()[..]].concat()),
        b'S' => long_string(out, pick(random, WORDS).as_bytes()),
        b'x' => long_string(out, &(number as u64).to_be_bytes()),
        b'F' => long_string(out, &table(random, depth + 1)),
        b'A' => {
            let mut items = Vec::new();
            for _ in 0..random.within(0..4) {
                value(random, depth + 1, &mut items);
            }
            long_string(out, &items);
        }
        _ => {}
    }
}

/// Property flags and list.
pub fn properties(random: &mut Random) -> Bytes {
    let class = GRAMMAR.class.iter().find(|class| class.id == BASIC).expect("class basic");
    let mut flags = 0_u16;
    let mut list = Vec::new();
    for (at, field) in class.property.iter().enumerate() {
        let wanted = match &*field.name {
            "headers" | "delivery-mode" => coin(random),
            "expiration" | "reply-to" | "priority" => random.once_in(4),
            _ => random.once_in(16),
        };
        if !wanted {
            continue;
        }
        flags |= 0x8000 >> at;
        match &*field.name {
            "delivery-mode" => list.push(random.within(0..4) as u8),
            "expiration" => {
                short_string(&mut list, pick(random, &["0", "1", "1000", "x", "-1", ""]))
            }
            "reply-to" => short_string(&mut list, pick(random, QUEUES)),
            "user-id" => short_string(&mut list, pick(random, &["guest", "other"])),
            _ => argument(random, class, field, &mut list),
        }
    }
    [&flags.to_be_bytes()[..], &list].concat()
}

/// A content header and its body, which mostly fit each other.
pub fn content(random: &mut Random, channel: u16) -> Vec<Bytes> {
    let body_bytes = pick(random, &[&0_usize, &1, &5, &300]);
    let mut parts = vec![*body_bytes];
    if random.once_in(4) {
        parts = vec![body_bytes / 2, body_bytes - body_bytes / 2];
    }
    let declared = if random.once_in(16) { number(random) as u64 } else { *body_bytes as u64 };
    let class_id = if random.once_in(32) { 10 } else { BASIC };
    let head = [&class_id.to_be_bytes()[..], &[0, 0], &declared.to_be_bytes(), &properties(random)];
    let mut frames = vec![frame(2, channel, &head.concat())];
    frames.extend(parts.iter().filter(|part| **part > 0).map(|part| {
        let fill = random.within(0..256) as u8;
        frame(3, channel, &vec![fill; *part])
    }));
    frames
}

/// Cuts bytes where their frames say that they end. What is no whole frame is one piece.
pub fn frames_of(bytes: &[u8]) -> Vec<Bytes> {
    let mut frames = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (frame, after) = rest.split_at(frame_bytes(rest));
        frames.push(frame.to_vec());
        rest = after;
    }
    frames
}

/// Bytes of the frame at the head, or all there are. At least 1 of a buffer that is not empty.
pub fn frame_bytes(bytes: &[u8]) -> usize {
    let Some([a, b, c, d]) = bytes.get(3..FRAME_HEAD_BYTES) else { return bytes.len() };
    let payload = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
    bytes.len().min(payload.saturating_add(FRAME_HEAD_BYTES + 1))
}

/// One change to a sequence of frames.
pub fn change_frames(frames: &mut Vec<Bytes>, random: &mut Random) {
    let at = random.within(0..frames.len() as u64 + 1) as usize;
    if at == frames.len() || random.once_in(2) {
        // Nothing comes between a method and its content, save seldom.
        let belongs = |frame: &Bytes| matches!(frame.first(), Some(2 | 3));
        let after = frames[at..].iter().take_while(|frame| belongs(frame)).count();
        let at = if random.once_in(16) { at } else { at + after };
        frames.splice(at..at, phrase(random));
        return;
    }
    match random.within(0..12) {
        0 | 6..9 => drop(frames.remove(at)),
        1 => frames.insert(at, frames[at].clone()),
        2 => {
            let other = random.within(0..frames.len() as u64) as usize;
            frames.swap(at, other);
        }
        3 => {
            let channel = random.within(0..4) as u8;
            if let Some(octet) = frames[at].get_mut(2) {
                *octet = channel;
            }
        }
        4 => {
            let end = random.within(0..frames[at].len() as u64 + 1) as usize;
            frames[at].truncate(end);
        }
        5 => {
            frames.splice(at..=at, phrase(random));
        }
        9 => change_octet(&mut frames[at], random),
        _ => {
            let head = frames[at].len().min(FRAME_HEAD_BYTES + 4);
            let end = frames[at].len().saturating_sub(1).max(head);
            change_octet(&mut frames[at][head..end], random);
        }
    }
}

/// Another octet at one place.
pub fn change_octet(bytes: &mut [u8], random: &mut Random) {
    if bytes.is_empty() {
        return;
    }
    let at = random.within(0..bytes.len() as u64) as usize;
    bytes[at] = match random.within(0..4) {
        0 => bytes[at].wrapping_add(1),
        1 => bytes[at].wrapping_sub(1),
        2 => bytes[at] ^ (1 << random.within(0..8)),
        _ => random.within(0..256) as u8,
    };
}
