//! The time of day, and how RabbitMQ writes it.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since the Unix epoch.
pub(super) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_millis() as u64
}

/// A time as `2026-11-25T12:32:24.445+00:00`; empty when it is outside of what can be written.
pub(super) fn written(ms: u64) -> String {
    let time = i64::try_from(ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    time.map_or_else(String::new, |time| time.strftime("%Y-%m-%dT%H:%M:%S%.3f+00:00").to_string())
}

#[cfg(test)]
mod tests {
    use super::written;

    #[test]
    fn a_time_is_written_as_rabbitmq_does() {
        assert_eq!(written(1_795_609_944_445), "2026-11-25T12:32:24.445+00:00");
        assert_eq!(written(0), "1970-01-01T00:00:00.000+00:00");
        assert_eq!(written(u64::MAX), "");
    }
}
