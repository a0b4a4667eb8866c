//! Text in columns: how wide it is, where it is cut, and what is shown in place of letters that would move the
//! cursor.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// What stands for the part that was cut off.
const ELLIPSIS: char = '…';

/// A text without control characters, which are shown escaped: no name that a client has chosen can play with
/// the terminal.
pub(super) fn escaped(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_shown_escaped) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for letter in text.chars() {
        if is_shown_escaped(letter) {
            shown.extend(letter.escape_default());
        } else {
            shown.push(letter);
        }
    }
    Cow::Owned(shown)
}

/// Controls, and the marks that turn the direction of writing around.
fn is_shown_escaped(letter: char) -> bool {
    letter.is_control() || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// How many columns a text takes.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// A text that takes at most so many columns; where it was cut stands an ellipsis.
pub(super) fn fitted(text: &str, columns: usize) -> Cow<'_, str> {
    if text.width() <= columns {
        return Cow::Borrowed(text);
    }
    let mut shown = String::new();
    let mut used = 1;
    for letter in text.chars() {
        used += letter.width().unwrap_or(0);
        if used > columns {
            break;
        }
        shown.push(letter);
    }
    if columns > 0 {
        shown.push(ELLIPSIS);
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::{escaped, fitted, width};

    #[test]
    fn a_text_that_is_too_wide_is_cut() {
        let check = |text: &str, columns: usize, expected: &str| {
            let shown = fitted(text, columns);
            assert_eq!(shown, expected);
            assert!(width(&shown) <= columns);
        };
        check("orders", 6, "orders");
        check("orders", 5, "orde…");
        check("orders", 1, "…");
        check("orders", 0, "");
        check("日本語", 6, "日本語");
        check("日本語", 5, "日本…");
        check("日本語", 4, "日…");
    }

    #[test]
    fn nothing_moves_the_cursor() {
        assert_eq!(escaped("a\u{1b}[2Jb\nc"), "a\\u{1b}[2Jb\\nc");
        assert_eq!(escaped("\u{202e}txt"), "\\u{202e}txt");
        assert_eq!(escaped("Ünï 日本"), "Ünï 日本");
    }
}
