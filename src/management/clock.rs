//! The time of day, and how RabbitMQ writes it.

pub(super) use crate::clock::now_ms;

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
