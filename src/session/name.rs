//! Names of queues and exchanges as clients give them where they declare, bind or delete them. RabbitMQ takes carriage
//! returns and line feeds out of them there, and so they cannot be in a name.

use std::borrow::Cow;

/// A name without line ends.
pub(super) fn on_one_line(name: &str) -> Cow<'_, str> {
    let is_line_end = |letter| matches!(letter, '\r' | '\n');
    if name.contains(is_line_end) {
        Cow::Owned(name.replace(is_line_end, ""))
    } else {
        Cow::Borrowed(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_are_taken_out() {
        assert_eq!(on_one_line("sa\nque\r\nue\n"), "saqueue");
        assert_eq!(on_one_line("\r\n"), "");
        assert!(matches!(on_one_line("queue"), Cow::Borrowed("queue")));
    }
}
