//! The log: one line for each event on standard error, with the time in UTC and the level.

use std::borrow::Cow;
use std::io::Write;

/// What is logged when `RUST_LOG` says nothing. The index's library tells much of itself.
const DEFAULT_FILTER: &str = "info,sled=warn";

/// Starts logging to standard error. `RUST_LOG` chooses what is logged.
pub(super) fn start() {
    let choice = env_logger::Env::default().default_filter_or(DEFAULT_FILTER);
    let started = env_logger::Builder::from_env(choice)
        .format(|line, record| {
            let time = line.timestamp_millis();
            let text = record.args().to_string();
            writeln!(line, "{time} {:<5} {}", record.level(), on_one_line(&text))
        })
        .try_init();
    // The only way to fail is that someone else set up a log before, which then serves as well.
    drop(started);
}

/// A text without line ends and other control characters, which are shown escaped, so that no name chosen by a
/// client can forge a line.
pub(super) fn on_one_line(text: &str) -> Cow<'_, str> {
    if !text.chars().any(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut line = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() {
            line.extend(letter.escape_default());
        } else {
            line.push(letter);
        }
    }
    Cow::Owned(line)
}

#[cfg(test)]
mod tests {
    use super::on_one_line;

    #[test]
    fn no_text_takes_more_than_one_line() {
        let check = |text: &str, expected: &str| assert_eq!(on_one_line(text), expected);
        check("user 'guest' from 127.0.0.1", "user 'guest' from 127.0.0.1");
        check("a\nb\r\tc\u{1b}[31m", "a\\nb\\r\\tc\\u{1b}[31m");
        check("Überbär 日本", "Überbär 日本");
    }
}
