//! Messages as the bytes that publish them, made once and sent again and again: method, header and body frames of
//! many messages in one buffer, so that one write carries as many as may go.

use crate::wire::{self, Method, Properties, basic};

/// What the messages of a publisher's channels take together, unless a single round of routing keys takes more.
const RINGS_BYTES: usize = 256 * 1024;

/// What one channel's messages take at least.
const RING_BYTES_MIN: usize = 16 * 1024;

/// One round of routing keys may take this much.
const ROUND_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The time that a message was sent at stands here in its body, in nanoseconds of the machine's monotonic clock.
const STAMP_BYTES: usize = 8;

/// A body of at least this many bytes carries a time, and behind it the number of the run.
pub(super) const STAMPED_BYTES_MIN: usize = 16;

/// What all messages of a publisher have in common.
pub(super) struct Pattern<'a> {
    /// The exchange that they are published to.
    pub exchange: &'a str,
    /// The routing keys, which are used in turn.
    pub keys: &'a [String],
    /// Channels that share the publisher's memory.
    pub channels: u16,
    /// Bytes in a body.
    pub body_bytes: usize,
    /// Delivery mode 2.
    pub persistent: bool,
    /// To be returned when it reaches no queue.
    pub mandatory: bool,
    /// Stands in the bodies, so that only this run's times are believed.
    pub run: u64,
}

/// A ring of messages for one channel.
pub(super) struct Template {
    bytes: Vec<u8>,
    /// Where each message ends.
    ends: Vec<usize>,
    /// How far before its end each message's body begins; `None` when bodies are too short for a time.
    body_to_end: Option<usize>,
    next: usize,
}

/// Messages that follow each other in a ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunk {
    first: usize,
    /// How many messages they are.
    pub count: usize,
    start: usize,
    end: usize,
}

impl Template {
    /// Prepares messages for a channel.
    ///
    /// # Errors
    ///
    /// Too many routing keys for bodies of that size.
    pub fn new(pattern: &Pattern<'_>, channel: u16, frame_bytes_max: u32) -> Result<Self, String> {
        let mut properties = Vec::new();
        let delivery_mode = Some(if pattern.persistent { 2 } else { 1 });
        Properties { delivery_mode, ..Properties::default() }.encode(&mut properties);
        let mut body = vec![b'x'; pattern.body_bytes];
        if body.len() >= STAMPED_BYTES_MIN {
            body[..STAMP_BYTES].fill(0);
            body[STAMP_BYTES..STAMPED_BYTES_MIN].copy_from_slice(&pattern.run.to_be_bytes());
        }
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        let mut body_to_end = None;
        let ring_bytes = (RINGS_BYTES / usize::from(pattern.channels.max(1))).max(RING_BYTES_MIN);
        while bytes.len() < ring_bytes {
            for key in pattern.keys {
                Method::BasicPublish(basic::Publish {
                    exchange: pattern.exchange,
                    routing_key: key,
                    mandatory: pattern.mandatory,
                    immediate: false,
                })
                .encode_frame(channel, &mut bytes);
                let header_at = bytes.len();
                let header_bytes = wire::FRAME_OVERHEAD_BYTES + 12 + properties.len();
                let class_id = basic::CLASS_ID;
                let most = frame_bytes_max;
                wire::encode_content(&mut bytes, channel, class_id, &properties, &body, most);
                ends.push(bytes.len());
                let body_at = header_at + header_bytes + wire::FRAME_OVERHEAD_BYTES - 1;
                body_to_end = (body.len() >= STAMPED_BYTES_MIN).then(|| bytes.len() - body_at);
                if bytes.len() > ROUND_BYTES_MAX && pattern.keys.len() > 1 {
                    return Err(format!(
                        "{} routing keys with bodies of {} bytes take too much memory; \
                         lower --size or the number of keys",
                        pattern.keys.len(),
                        pattern.body_bytes
                    ));
                }
            }
        }
        Ok(Self { bytes, ends, body_to_end, next: 0 })
    }

    /// The next messages: at least one, at most `count_max`, and no more bytes than `bytes_max` unless the first
    /// alone is larger.
    pub fn take(&mut self, count_max: usize, bytes_max: usize) -> Chunk {
        let first = self.next;
        let start = if first == 0 { 0 } else { self.ends[first - 1] };
        let fitting = self.ends[first..].partition_point(|&end| end - start <= bytes_max);
        let count = fitting.min(count_max).max(1);
        let end = self.ends[first + count - 1];
        self.next = (first + count) % self.ends.len();
        Chunk { first, count, start, end }
    }

    /// Writes the time into the bodies of a chunk, from what `time_of` says of each, counted from 0.
    pub fn stamp(&mut self, chunk: Chunk, time_of: impl Fn(usize) -> u64) {
        let Some(body_to_end) = self.body_to_end else { return };
        for (place, &end) in self.ends[chunk.first..chunk.first + chunk.count].iter().enumerate() {
            let at = end - body_to_end;
            self.bytes[at..at + STAMP_BYTES].copy_from_slice(&time_of(place).to_be_bytes());
        }
    }

    /// The bytes that publish a chunk.
    pub fn bytes(&self, chunk: Chunk) -> &[u8] {
        &self.bytes[chunk.start..chunk.end]
    }
}

/// The time in the head of a body, when this run put it there.
#[inline]
pub(super) fn stamp_of(head: &[u8; STAMPED_BYTES_MIN], run: u64) -> Option<u64> {
    let (stamp, of_run) = head.split_at(STAMP_BYTES);
    (of_run == run.to_be_bytes())
        .then(|| stamp.iter().fold(0, |number, &byte| (number << 8) | u64::from(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Frame;

    fn template(keys: &[&str], body_bytes: usize) -> Template {
        let keys: Vec<String> = keys.iter().map(|&key| key.to_owned()).collect();
        let pattern = Pattern {
            exchange: "x",
            keys: &keys,
            channels: 1,
            body_bytes,
            persistent: true,
            mandatory: false,
            run: 42,
        };
        Template::new(&pattern, 3, 4096).unwrap()
    }

    /// Key, body length and time of each message in a chunk.
    fn read(template: &Template, chunk: Chunk) -> Vec<(String, usize, Option<u64>)> {
        let mut bytes = template.bytes(chunk);
        let mut messages: Vec<(String, usize, Option<u64>)> = Vec::new();
        while let Some((frame, taken)) = wire::next_frame(bytes, 4096).unwrap() {
            match frame {
                Frame::Method { channel: 3, method: Method::BasicPublish(publish) } => {
                    messages.push((publish.routing_key.to_owned(), 0, None));
                }
                Frame::Body { payload, .. } => {
                    let last = messages.last_mut().unwrap();
                    if last.1 == 0 {
                        last.2 = payload.first_chunk().and_then(|head| stamp_of(head, 42));
                    }
                    last.1 += payload.len();
                }
                _ => {}
            }
            bytes = &bytes[taken..];
        }
        assert!(bytes.is_empty());
        messages
    }

    #[test]
    fn a_chunk_is_whole_messages_with_their_keys_in_turn_and_their_times() {
        let mut template = template(&["a", "b", "c"], 16);
        let chunk = template.take(4, usize::MAX);
        template.stamp(chunk, |place| 100 + place as u64);
        let expected = [("a", 100), ("b", 101), ("c", 102), ("a", 103)];
        let expected = expected.map(|(key, time)| (key.to_owned(), 16, Some(time)));
        assert_eq!(read(&template, chunk), expected);
        let chunk = template.take(1, 1);
        assert_eq!(read(&template, chunk)[0].0, "b");
    }

    #[test]
    fn a_body_above_the_frame_limit_is_split_and_still_carries_its_time() {
        let mut template = template(&["k"], 10_000);
        let chunk = template.take(2, usize::MAX);
        template.stamp(chunk, |_| 7);
        assert_eq!(read(&template, chunk), vec![("k".to_owned(), 10_000, Some(7)); 2]);
    }

    #[test]
    fn short_bodies_carry_no_time() {
        for bytes in [0, 1, 15] {
            let mut template = template(&["k"], bytes);
            let chunk = template.take(1, usize::MAX);
            template.stamp(chunk, |_| 7);
            assert_eq!(read(&template, chunk), [("k".to_owned(), bytes, None)]);
        }
    }

    #[test]
    fn a_ring_begins_again_at_its_end() {
        let mut template = template(&["a", "b"], 100);
        let all = template.ends.len();
        assert_eq!(template.take(usize::MAX, usize::MAX).count, all);
        let chunk = template.take(1, usize::MAX);
        assert_eq!(read(&template, chunk)[0].0, "a");
    }
}
