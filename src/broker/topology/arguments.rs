//! Queue arguments (`x-message-ttl` and the like): validation with RabbitMQ's texts, their meaning, and the
//! comparison when a queue is declared again.

use std::sync::Arc;

use crate::broker::refusal::Refusal;
use crate::broker::resource::Resource;
use crate::broker::topology::equivalence;
use crate::config::Limits;
use crate::queue::{Options, Overflow};
use crate::wire::{SHORTSTR_BYTES_MAX, Table, Value};

/// Longest time to live or expiry in milliseconds: ten years, as in RabbitMQ.
pub const EXPIRY_MS_MAX: u64 = 10 * 365 * 24 * 60 * 60 * 1000;

/// How often a quorum queue returns a message before it is dead-lettered, when nothing else is said.
const QUORUM_DELIVERY_LIMIT: u32 = 20;

/// Arguments that are compared when a queue is declared again. Others are ignored.
const COMPARED: &[&str] = &[
    "x-expires",
    "x-message-ttl",
    "x-dead-letter-exchange",
    "x-dead-letter-routing-key",
    "x-max-length",
    "x-max-length-bytes",
    "x-max-priority",
    "x-overflow",
    "x-single-active-consumer",
    "x-delivery-limit",
];

/// What RabbitMQ acts on and this broker does not: refused rather than ignored.
const NOT_SUPPORTED: &[&str] = &["x-consumer-timeout", "x-max-age"];

/// Queue types as clients name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum QueueKind {
    /// `classic`.
    #[default]
    Classic,
    /// `quorum`: durable, every message persistent, with a delivery limit.
    Quorum,
}

impl QueueKind {
    fn module(self) -> &'static str {
        match self {
            Self::Classic => "rabbit_classic_queue",
            Self::Quorum => "rabbit_quorum_queue",
        }
    }
}

/// Where dead letters of a queue go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetterTarget {
    /// The exchange.
    pub exchange: Arc<str>,
    /// The routing key; without one each message keeps its own.
    pub routing_key: Option<Arc<str>>,
}

/// What the arguments of a queue say.
#[derive(Debug, Clone, Default)]
pub struct QueueSettings {
    /// Classic or quorum.
    pub kind: QueueKind,
    /// Limits and expiry.
    pub options: Options,
    /// Where dead letters go.
    pub dead_letter: Option<DeadLetterTarget>,
    /// The arguments as they were given.
    pub arguments: Table,
}

/// The properties of a declaration that a queue type may refuse.
#[derive(Debug, Clone, Copy)]
pub struct DeclaredAs {
    /// The `durable` bit.
    pub durable: bool,
    /// The `exclusive` bit.
    pub exclusive: bool,
    /// The `auto-delete` bit.
    pub auto_delete: bool,
}

/// Reads and checks the arguments of a queue declaration.
///
/// # Errors
/// Precondition failed with RabbitMQ's text for the first argument that is wrong.
pub fn parse(
    arguments: &Table,
    declared: DeclaredAs,
    name: &Resource<'_>,
) -> Result<QueueSettings, Refusal> {
    let check = Check { arguments, name };
    if let Some(argument) = NOT_SUPPORTED.iter().find(|key| arguments.get(key).is_some()) {
        return Err(check.invalid(argument, "\"not supported by this broker\""));
    }
    let kind = check.kind()?;
    check.suits(kind, declared)?;
    check.ignored()?;
    let options = Options {
        expires_ms: check.expiry("x-expires", Zero::Refused)?,
        message_ttl_ms: check.expiry("x-message-ttl", Zero::Allowed)?,
        length_max: check.size("x-max-length")?,
        length_bytes_max: check.size("x-max-length-bytes")?,
        overflow: check.overflow()?,
        priority_max: check.priority()?,
        single_active_consumer: check.single_active_consumer()?,
        delivery_limit: check.delivery_limit(kind)?,
        window: None,
    };
    let dead_letter = check.dead_letter()?;
    Ok(QueueSettings { kind, options, dead_letter, arguments: arguments.clone() })
}

/// Whether arguments are small enough to be kept, whatever they are for.
///
/// # Errors
/// One line that names the limit.
pub fn expect_size(arguments: &Table, limits: &Limits) -> Result<(), String> {
    let most = limits.arguments_bytes_max;
    match arguments.held_bytes() {
        bytes if bytes > most => Err(format!(
            "the arguments take {bytes} bytes of memory, more than limits.arguments_bytes_max ({most})"
        )),
        _ => Ok(()),
    }
}

/// Compares the arguments of a queue that exists with those of a new declaration.
///
/// # Errors
/// Precondition failed for the first argument that differs.
pub fn compare(current: &Table, received: &Table, name: &Resource<'_>) -> Result<(), Refusal> {
    for key in COMPARED {
        equivalence::argument(key, current.get(key), received.get(key), name)?;
    }
    let classic = Value::LongStr(b"classic".to_vec());
    let kind = |table: &Table| table.get("x-queue-type").unwrap_or(&classic).clone();
    equivalence::argument("x-queue-type", Some(&kind(current)), Some(&kind(received)), name)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Zero {
    Allowed,
    Refused,
}

struct Check<'a> {
    arguments: &'a Table,
    name: &'a Resource<'a>,
}

impl Check<'_> {
    fn invalid(&self, key: &str, why: impl std::fmt::Display) -> Refusal {
        let text = format!("invalid arg '{key}' for {}: {why}", self.name);
        Refusal::precondition_failed(text)
    }

    fn integer(&self, key: &str) -> Result<Option<i64>, Refusal> {
        let Some(value) = self.arguments.get(key) else { return Ok(None) };
        match value.as_int() {
            Some(number) => Ok(Some(number)),
            None => {
                Err(self
                    .invalid(key, format_args!("\"expected integer, got {}\"", value.type_name())))
            }
        }
    }

    fn size(&self, key: &str) -> Result<Option<u64>, Refusal> {
        match self.integer(key)? {
            Some(number) => match u64::try_from(number) {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(self.invalid(key, format_args!("{{value_negative,{number}}}"))),
            },
            None => Ok(None),
        }
    }

    fn expiry(&self, key: &str, zero: Zero) -> Result<Option<u64>, Refusal> {
        match self.size(key)? {
            Some(0) if zero == Zero::Refused => Err(self.invalid(key, "{value_zero,0}")),
            Some(ms) if ms > EXPIRY_MS_MAX => {
                Err(self.invalid(key, format_args!("{{value_too_large,{ms}}}")))
            }
            other => Ok(other),
        }
    }

    fn priority(&self) -> Result<Option<u8>, Refusal> {
        const KEY: &str = "x-max-priority";
        let Some(number) = self.size(KEY)? else { return Ok(None) };
        match u8::try_from(number) {
            Ok(priority) => Ok(Some(priority)),
            Err(_) => Err(self.invalid(KEY, format_args!("{{max_value_exceeded,{number}}}"))),
        }
    }

    fn string(&self, key: &str) -> Result<Option<&str>, Refusal> {
        let Some(value) = self.arguments.get(key) else { return Ok(None) };
        match value.as_str() {
            Some(text) => Ok(Some(text)),
            None => {
                Err(self.invalid(key, format_args!("{{unacceptable_type,{}}}", value.type_name())))
            }
        }
    }

    fn overflow(&self) -> Result<Overflow, Refusal> {
        const KEY: &str = "x-overflow";
        match self.string(KEY)? {
            None | Some("drop-head") => Ok(Overflow::DropHead),
            Some("reject-publish") => Ok(Overflow::RejectPublish),
            Some("reject-publish-dlx") => Ok(Overflow::RejectPublishDlx),
            Some(_) => Err(self.invalid(KEY, "invalid_overflow")),
        }
    }

    fn single_active_consumer(&self) -> Result<bool, Refusal> {
        const KEY: &str = "x-single-active-consumer";
        match self.arguments.get(KEY) {
            None => Ok(false),
            Some(Value::Bool(active)) => Ok(*active),
            Some(other) => {
                Err(self.invalid(KEY, format_args!("{{unacceptable_type,{}}}", other.type_name())))
            }
        }
    }

    fn delivery_limit(&self, kind: QueueKind) -> Result<Option<u32>, Refusal> {
        const KEY: &str = "x-delivery-limit";
        match self.integer(KEY)? {
            None if kind == QueueKind::Quorum => Ok(Some(QUORUM_DELIVERY_LIMIT)),
            None | Some(-1) => Ok(None),
            Some(number) => match u32::try_from(number) {
                Ok(limit) => Ok(Some(limit)),
                Err(_) => Err(self.invalid(KEY, format_args!("{{value_negative,{number}}}"))),
            },
        }
    }

    fn dead_letter(&self) -> Result<Option<DeadLetterTarget>, Refusal> {
        const EXCHANGE: &str = "x-dead-letter-exchange";
        const KEY: &str = "x-dead-letter-routing-key";
        let exchange = match self.arguments.get(EXCHANGE) {
            None => None,
            Some(value) => match value.as_str() {
                Some(name) => Some(Arc::<str>::from(name)),
                None => {
                    let kind = value.type_name();
                    let text =
                        format!("invalid type '{kind}' for arg '{EXCHANGE}' in {}", self.name);
                    return Err(Refusal::precondition_failed(text));
                }
            },
        };
        let routing_key = self.string(KEY)?.map(Arc::<str>::from);
        for (key, name) in [(EXCHANGE, &exchange), (KEY, &routing_key)] {
            if name.as_ref().is_some_and(|name| name.len() > SHORTSTR_BYTES_MAX) {
                return Err(
                    self.invalid(key, format_args!("longer than {SHORTSTR_BYTES_MAX} bytes"))
                );
            }
        }
        match (exchange, routing_key) {
            (None, Some(_)) => Err(self.invalid(KEY, "routing_key_but_no_dlx_defined")),
            (None, None) => Ok(None),
            (Some(exchange), routing_key) => Ok(Some(DeadLetterTarget { exchange, routing_key })),
        }
    }

    fn kind(&self) -> Result<QueueKind, Refusal> {
        const KEY: &str = "x-queue-type";
        match self.string(KEY)? {
            None | Some("classic") => Ok(QueueKind::Classic),
            Some("quorum") => Ok(QueueKind::Quorum),
            Some(other) => {
                Err(self.invalid(KEY, format_args!("\"unsupported queue type '{other}'\"")))
            }
        }
    }

    /// Whether a queue type can be declared with these properties and arguments.
    fn suits(&self, kind: QueueKind, declared: DeclaredAs) -> Result<(), Refusal> {
        let foreign: &[&str] = match kind {
            QueueKind::Classic => &["x-delivery-limit", "x-quorum-initial-group-size"],
            QueueKind::Quorum => {
                let refused = [
                    (!declared.durable, "non-durable"),
                    (declared.exclusive, "exclusive-owner"),
                    (declared.auto_delete, "auto-delete"),
                ];
                if let Some((_, property)) = refused.iter().find(|(given, _)| *given) {
                    let text = format!("invalid property '{property}' for {}", self.name);
                    return Err(Refusal::precondition_failed(text));
                }
                &["x-max-priority", "x-queue-mode"]
            }
        };
        match foreign.iter().find(|key| self.arguments.get(key).is_some()) {
            None => Ok(()),
            Some(key) => {
                let (name, module) = (self.name, kind.module());
                let text = format!("invalid arg '{key}' for {name} of queue type {module}");
                Err(Refusal::precondition_failed(text))
            }
        }
    }

    /// Arguments without effect here, as in RabbitMQ on one node, but checked as it checks them.
    fn ignored(&self) -> Result<(), Refusal> {
        for key in ["x-max-in-memory-length", "x-max-in-memory-bytes"] {
            self.size(key)?;
        }
        match self.string("x-queue-mode")? {
            None | Some("default" | "lazy") => {}
            Some(_) => return Err(self.invalid("x-queue-mode", "invalid_queue_mode")),
        }
        match self.string("x-dead-letter-strategy")? {
            None | Some("at-most-once" | "at-least-once") => Ok(()),
            Some(_) => Err(self.invalid("x-dead-letter-strategy", "invalid_dlx_strategy")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::refusal::RefusalKind;

    const CLASSIC: DeclaredAs = DeclaredAs { durable: false, exclusive: false, auto_delete: false };

    fn table(entries: &[(&str, Value)]) -> Table {
        entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
    }

    fn text(value: &str) -> Value {
        Value::LongStr(value.as_bytes().to_vec())
    }

    fn check_refused(entries: &[(&str, Value)], expected: &str) {
        let name = Resource::queue("q", "/");
        let refusal = parse(&table(entries), CLASSIC, &name).unwrap_err();
        assert_eq!(refusal.text, expected);
        assert_eq!(refusal.kind, RefusalKind::PreconditionFailed);
    }

    #[test]
    fn a_wrong_argument_is_refused_with_its_text() {
        let of =
            |key: &str, why: &str| format!("invalid arg '{key}' for queue 'q' in vhost '/': {why}");
        let rows: &[(&str, Value, &str)] = &[
            ("x-message-ttl", Value::I32(-1), "{value_negative,-1}"),
            ("x-message-ttl", text("10"), "\"expected integer, got longstr\""),
            ("x-expires", Value::I32(0), "{value_zero,0}"),
            ("x-expires", Value::I64(1 << 40), "{value_too_large,1099511627776}"),
            ("x-max-length", Value::I64(-2), "{value_negative,-2}"),
            ("x-max-priority", Value::I32(256), "{max_value_exceeded,256}"),
            ("x-overflow", text("drop-tail"), "invalid_overflow"),
            ("x-overflow", Value::I32(1), "{unacceptable_type,signedint}"),
            ("x-dead-letter-routing-key", text("k"), "routing_key_but_no_dlx_defined"),
            ("x-single-active-consumer", text("yes"), "{unacceptable_type,longstr}"),
            ("x-queue-type", text("stream"), "\"unsupported queue type 'stream'\""),
            ("x-consumer-timeout", Value::I32(1), "\"not supported by this broker\""),
        ];
        for (key, value, why) in rows {
            check_refused(&[(key, value.clone())], &of(key, why));
        }
    }

    #[test]
    fn a_dead_letter_exchange_is_named_by_a_string() {
        check_refused(
            &[("x-dead-letter-exchange", Value::I32(1))],
            "invalid type 'signedint' for arg 'x-dead-letter-exchange' in queue 'q' in vhost '/'",
        );
    }

    #[test]
    fn a_quorum_queue_is_durable_and_has_a_delivery_limit() {
        let arguments = table(&[("x-queue-type", text("quorum"))]);
        let name = Resource::queue("q", "/");
        let refusal = parse(&arguments, CLASSIC, &name).unwrap_err();
        assert_eq!(refusal.text, "invalid property 'non-durable' for queue 'q' in vhost '/'");
        let durable = DeclaredAs { durable: true, ..CLASSIC };
        let settings = parse(&arguments, durable, &name).unwrap();
        assert_eq!(settings.options.delivery_limit, Some(QUORUM_DELIVERY_LIMIT));
    }

    #[test]
    fn integers_of_different_widths_are_equal_in_a_second_declaration() {
        let name = Resource::queue("q", "/");
        let current = table(&[("x-max-length", Value::I32(5))]);
        assert!(compare(&current, &table(&[("x-max-length", Value::I64(5))]), &name).is_ok());
        let refusal = compare(&current, &table(&[]), &name).unwrap_err();
        assert_eq!(
            refusal.text,
            "inequivalent arg 'x-max-length' for queue 'q' in vhost '/': received none but current is \
             the value '5' of type 'signedint'"
        );
    }

    #[test]
    fn unknown_arguments_are_neither_checked_nor_compared() {
        let name = Resource::queue("q", "/");
        let other = table(&[("x-colour", text("blue"))]);
        assert!(parse(&other, CLASSIC, &name).is_ok());
        assert!(compare(&table(&[]), &other, &name).is_ok());
    }
}
