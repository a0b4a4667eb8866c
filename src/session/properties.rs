//! What a published message's properties mean to the broker: persistence, priority, expiration, who sent it,
//! further routing keys, and where replies go. They are kept as they came, unless one of them must change.

use crate::broker::EXPIRY_MS_MAX;
use crate::fault::Fault;
use crate::message::Facts;
use crate::wire::{Properties, PropertiesView, ReplyCode, Table};

/// The pseudo-queue that a requester names in `reply-to` to get its replies directly.
pub(super) const REPLY_QUEUE: &str = "amq.rabbitmq.reply-to";

/// `delivery-mode` of a message that survives a restart.
const PERSISTENT: u8 = 2;

const EXPIRATION_MS_MAX: i128 = EXPIRY_MS_MAX as i128;

/// Who publishes.
pub struct Sender<'a> {
    /// The user's name.
    pub user: &'a str,
    /// Whether the user may name another in `user-id`.
    pub is_impersonator: bool,
    /// Where direct replies to its channel go.
    pub reply_address: Option<&'a str>,
}

/// What was read.
#[derive(Debug, PartialEq)]
pub struct Read {
    /// What the broker itself needs to know.
    pub facts: Facts,
    /// From the CC and BCC headers.
    pub extra_keys: Vec<String>,
    /// The properties that go on with the message, where they differ from those that came.
    pub rewritten: Option<Vec<u8>>,
}

impl Read {
    /// Of properties that go on as they came and name no further keys.
    pub fn unchanged(facts: Facts) -> Self {
        Self { facts, extra_keys: Vec::new(), rewritten: None }
    }

    /// Whether they go on as they came and name no further keys, whoever publishes them.
    pub fn is_unchanged(&self) -> bool {
        self.extra_keys.is_empty() && self.rewritten.is_none()
    }
}

/// Reads and checks properties.
///
/// # Errors
/// Channel 406 with RabbitMQ's texts, or a connection fault when they are not properties at all.
pub fn read(encoded: &[u8], sender: &Sender<'_>, now_ms: u64) -> Result<Read, Fault> {
    let view = PropertiesView::parse(encoded)?;
    if let Some(user) = view.user_id
        && user != sender.user
        && !sender.is_impersonator
    {
        return Err(refused(format!(
            "user_id property set to '{user}' but authenticated user was '{}'",
            sender.user
        )));
    }
    let facts = Facts {
        persistent: view.delivery_mode == Some(PERSISTENT),
        priority: view.priority.unwrap_or(0),
        expiration_ms: view.expiration.map(expiration_ms).transpose()?,
        accepted_ms: now_ms,
        dead_letter: false,
    };
    let mut read = Read::unchanged(facts);
    let asks_for_replies = view.reply_to == Some(REPLY_QUEUE);
    let copies = view.headers.is_some_and(may_name_copies);
    if !asks_for_replies && !copies {
        return Ok(read);
    }
    let mut properties = Properties::try_from(&view)?;
    let mut changed = false;
    if asks_for_replies {
        let Some(address) = sender.reply_address else {
            return Err(refused("fast reply consumer does not exist".to_owned()));
        };
        properties.reply_to = Some(address.to_owned());
        changed = true;
    }
    if let Some(headers) = &mut properties.headers {
        routing_keys(headers, "CC", &mut read.extra_keys)?;
        routing_keys(headers, "BCC", &mut read.extra_keys)?;
        changed |= headers.remove("BCC").is_some();
    }
    if changed {
        let mut rewritten = Vec::with_capacity(encoded.len() + 64);
        properties.encode(&mut rewritten);
        read.rewritten = Some(rewritten);
    }
    Ok(read)
}

/// Whether encoded headers can have an entry `CC` or `BCC`: most have none, and are then never decoded.
fn may_name_copies(headers: &[u8]) -> bool {
    headers.windows(3).any(|window| window == b"\x02CC")
        || headers.windows(4).any(|window| window == b"\x03BCC")
}

fn routing_keys(headers: &Table, name: &str, keys: &mut Vec<String>) -> Result<(), Fault> {
    let Some(value) = headers.get(name) else { return Ok(()) };
    let Some(values) = value.as_array() else {
        let kind = value.type_name();
        return Err(refused(format!(
            "invalid message: {{unacceptable_type_in_header,\"{name}\",{kind}}}"
        )));
    };
    keys.extend(values.iter().filter_map(|value| value.as_str()).map(str::to_owned));
    Ok(())
}

fn expiration_ms(text: &str) -> Result<u64, Fault> {
    let digits_from = usize::from(text.starts_with(['-', '+']));
    let digits = text[digits_from..].bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at(digits_from + digits);
    let why = if digits == 0 {
        "no_integer".to_owned()
    } else if !rest.is_empty() {
        format!("{{leftover_string,\"{rest}\"}}")
    } else {
        // Digits that overflow even this are too many in either direction.
        let most = if number.starts_with('-') { i128::MIN } else { i128::MAX };
        match number.parse().unwrap_or(most) {
            ms @ 0..=EXPIRATION_MS_MAX => return Ok(ms as u64),
            ..0 => format!("{{value_negative,{number}}}"),
            _ => format!("{{value_too_large,{}}}", number.trim_start_matches('+')),
        }
    };
    Err(refused(format!("invalid expiration '{text}': {why}")))
}

fn refused(text: String) -> Fault {
    Fault::channel(ReplyCode::PreconditionFailed, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Value;

    const SENDER: Sender<'_> =
        Sender { user: "guest", is_impersonator: false, reply_address: None };

    fn encoded(properties: &Properties) -> Vec<u8> {
        let mut out = Vec::new();
        properties.encode(&mut out);
        out
    }

    fn check_expiration(text: &str, expected: Result<u64, &str>) {
        let properties = Properties { expiration: Some(text.to_owned()), ..Properties::default() };
        let got = read(&encoded(&properties), &SENDER, 5);
        let got = got.map(|read| read.facts.expiration_ms.unwrap()).map_err(|fault| fault.text);
        let expected = expected.map_err(|why| format!("invalid expiration '{text}': {why}"));
        assert_eq!(got, expected);
    }

    #[test]
    fn an_expiration_is_a_number_of_milliseconds_as_text() {
        check_expiration("0", Ok(0));
        check_expiration("60000", Ok(60_000));
        check_expiration("+7", Ok(7));
        check_expiration("315360000000", Ok(315_360_000_000));
        check_expiration("315360000001", Err("{value_too_large,315360000001}"));
        check_expiration("-1", Err("{value_negative,-1}"));
        check_expiration("abc", Err("no_integer"));
        check_expiration("", Err("no_integer"));
        check_expiration("-", Err("no_integer"));
        check_expiration("12s", Err("{leftover_string,\"s\"}"));
    }

    #[test]
    fn properties_that_need_no_change_stay_as_they_came() {
        let properties = Properties {
            delivery_mode: Some(2),
            priority: Some(9),
            user_id: Some("guest".to_owned()),
            headers: Some([("x", Value::U8(3))].into_iter().collect()),
            ..Properties::default()
        };
        let facts = Facts { persistent: true, priority: 9, accepted_ms: 5, ..Facts::default() };
        assert_eq!(
            read(&encoded(&properties), &SENDER, 5),
            Ok(Read { facts, extra_keys: Vec::new(), rewritten: None })
        );
    }

    #[test]
    fn a_user_id_is_that_of_the_login() {
        let properties = Properties { user_id: Some("other".to_owned()), ..Properties::default() };
        let fault = read(&encoded(&properties), &SENDER, 5).unwrap_err();
        let text = "user_id property set to 'other' but authenticated user was 'guest'";
        assert_eq!(fault.text, text);
        let deputy = Sender { is_impersonator: true, ..SENDER };
        assert!(read(&encoded(&properties), &deputy, 5).is_ok());
    }

    #[test]
    fn copies_add_routing_keys_and_blind_ones_leave_the_headers() {
        let keys = |keys: &[&str]| Value::Array(keys.iter().map(|key| (*key).into()).collect());
        let cc = ("CC", keys(&["a", "b"]));
        let properties = Properties {
            headers: Some([cc.clone(), ("BCC", keys(&["c"]))].into_iter().collect()),
            ..Properties::default()
        };
        let got = read(&encoded(&properties), &SENDER, 5).unwrap();
        assert_eq!(got.extra_keys, ["a", "b", "c"]);
        let seen =
            Properties { headers: Some([cc].into_iter().collect()), ..Properties::default() };
        assert_eq!(got.rewritten, Some(encoded(&seen)));
    }

    #[test]
    fn a_copies_header_is_an_array() {
        let properties = Properties {
            headers: Some([("CC", "a")].into_iter().collect()),
            ..Properties::default()
        };
        let fault = read(&encoded(&properties), &SENDER, 5).unwrap_err();
        let text = "invalid message: {unacceptable_type_in_header,\"CC\",longstr}";
        assert_eq!(fault.text, text);
    }

    #[test]
    fn a_request_for_direct_replies_names_the_channels_address() {
        let properties =
            Properties { reply_to: Some(REPLY_QUEUE.to_owned()), ..Properties::default() };
        let fault = read(&encoded(&properties), &SENDER, 5).unwrap_err();
        assert_eq!(fault.text, "fast reply consumer does not exist");
        let requester = Sender { reply_address: Some("address"), ..SENDER };
        let got = read(&encoded(&properties), &requester, 5).unwrap();
        let seen = Properties { reply_to: Some("address".to_owned()), ..Properties::default() };
        assert_eq!(got.rewritten, Some(encoded(&seen)));
    }
}
