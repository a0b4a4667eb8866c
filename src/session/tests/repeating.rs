//! Messages that begin like the one before are only compared with it: what comes of them must be the same as if each
//! of their frames had come alone, which is never compared.

use super::*;

/// Above the number of messages in one conversation.
const MESSAGES_MAX: usize = 24;

/// One publish out of few, so that repetitions are frequent.
#[derive(Debug, Clone, Copy)]
struct Sent {
    channel: u16,
    key: &'static str,
    properties: &'static [u8],
    body: &'static [u8],
    mandatory: bool,
}

impl Sent {
    /// Its frames, each by itself.
    fn frames(self) -> Vec<Vec<u8>> {
        let Self { channel, key, properties, body, mandatory } = self;
        let publish =
            basic::Publish { exchange: "", routing_key: key, mandatory, immediate: false };
        let mut content = Vec::new();
        wire::encode_content(&mut content, channel, basic::CLASS_ID, properties, body, 4096);
        let mut frames = vec![frame(channel, &Method::BasicPublish(publish))];
        while let Some(bytes) = wire::frame_bytes_needed(&content) {
            let rest = content.split_off(bytes);
            frames.push(std::mem::replace(&mut content, rest));
        }
        frames
    }
}

fn sent() -> impl Strategy<Value = Sent> {
    let channel = prop::sample::select(vec![1, 2]);
    let key = prop::sample::select(vec!["q", "q", "p", "nowhere"]);
    // Nothing; delivery-mode 2; priority 3.
    let properties: Vec<&[u8]> = vec![&[0, 0], &[0, 0], &[0x10, 0, 2], &[0x08, 0, 3]];
    let properties = prop::sample::select(properties);
    let body = prop::sample::select(vec![&b"one"[..], b"two", b"four", b""]);
    (channel, key, properties, body, prop::bool::weighted(0.2)).prop_map(
        |(channel, key, properties, body, mandatory)| Sent {
            channel,
            key,
            properties,
            body,
            mandatory,
        },
    )
}

/// What is heard when these pieces are said, and both queues are emptied then.
fn heard(place: &Place, pieces: &[Vec<u8>]) -> Vec<u8> {
    let mut talk = place.open();
    talk.say(&frame(2, &Method::ChannelOpen(channel::Open)));
    talk.say(&declare("q"));
    talk.say(&declare("p"));
    talk.hear();
    let mut heard = Vec::new();
    for piece in pieces {
        assert_eq!(talk.say(piece), Ended::More);
        heard.extend(talk.hear_bytes());
    }
    for _ in 0..MESSAGES_MAX {
        talk.say(&[get("q"), get("p")].concat());
        heard.extend(talk.hear_bytes());
    }
    talk.session.end("the test is over", NOW_MS);
    heard
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_message_like_the_one_before_is_published_like_any_other(
        messages in prop::collection::vec((sent(), 1..4_usize), 1..MESSAGES_MAX / 3),
    ) {
        let place = Place::new();
        let messages: Vec<Sent> =
            messages.into_iter().flat_map(|(sent, times)| vec![sent; times]).collect();
        let frames: Vec<Vec<u8>> = messages.iter().flat_map(|sent| sent.frames()).collect();
        let whole: Vec<Vec<u8>> = messages.iter().map(|sent| sent.frames().concat()).collect();
        let alone = heard(&place, &frames);
        prop_assert_eq!(&heard(&place, &whole), &alone);
    }
}

const SENT: Sent =
    Sent { channel: 1, key: "q", properties: &[0, 0], body: b"one", mandatory: false };

#[test]
fn a_message_is_not_repeated_on_a_channel_that_was_opened_again() {
    let place = Place::new();
    let mut talk = place.open();
    let message = SENT.frames().concat();
    talk.say(&declare("q"));
    talk.say(&[message.clone(), message.clone()].concat());
    talk.say(&get("nowhere"));
    // Sent before the client knows that its channel is closed.
    talk.say(&message);
    talk.say(&frame(1, &Method::ChannelCloseOk(channel::CloseOk)));
    talk.hear();
    assert_eq!(talk.say(&message), Ended::More);
    assert_eq!(talk.hear(), ["0 connection.close"], "channel 1 is not open");
}

#[test]
fn a_message_is_not_repeated_to_an_exchange_that_is_gone() {
    let place = Place::new();
    let mut talk = place.open();
    let exchange = wire::exchange::Declare {
        exchange: "x",
        kind: "fanout",
        passive: false,
        durable: false,
        auto_delete: false,
        internal: false,
        no_wait: false,
        arguments: wire::Table::new(),
    };
    talk.say(&frame(1, &Method::ExchangeDeclare(exchange)));
    let publish =
        basic::Publish { exchange: "x", routing_key: "", mandatory: false, immediate: false };
    let mut message = frame(1, &Method::BasicPublish(publish));
    wire::encode_content(&mut message, 1, basic::CLASS_ID, &[0, 0], b"one", 4096);
    talk.say(&[message.clone(), message.clone()].concat());
    let delete = wire::exchange::Delete { exchange: "x", if_unused: false, no_wait: false };
    talk.say(&frame(1, &Method::ExchangeDelete(delete)));
    talk.hear();
    talk.say(&message);
    assert_eq!(talk.hear(), ["1 channel.close"]);
}

#[test]
fn a_repeated_message_with_a_wrong_end_is_refused() {
    let place = Place::new();
    let mut talk = place.open();
    let mut message = SENT.frames().concat();
    talk.say(&[declare("q"), message.clone()].concat());
    talk.hear();
    *message.last_mut().unwrap() = 0;
    talk.say(&message);
    assert_eq!(talk.hear(), ["0 connection.close"]);
}
