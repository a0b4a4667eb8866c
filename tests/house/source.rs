//! A Rust file as the rules look at it: its code without comments and literals, its functions, and which
//! of its lines are tests.

use std::ops::Range;

/// One Rust file of the repository.
pub struct Source {
    /// Its path from the repository's root, with `/`.
    pub path: String,
    /// Its text as it stands.
    pub text: String,
    /// Its text with comments and the contents of literals blanked out, byte for byte.
    pub code: String,
    /// Functions, in order.
    pub functions: Vec<Function>,
    inline_modules: Vec<Range<usize>>,
    test_parts: Vec<Range<usize>>,
}

/// One function with a body.
pub struct Function {
    pub name: String,
    /// The number of its line.
    pub line: usize,
    /// Lines from its name to its closing brace.
    pub lines: usize,
}

impl Source {
    pub fn new(path: String, text: String) -> Self {
        let code = mask(&text);
        let functions = functions(&code);
        let inline_modules = bodies(&code, "mod").collect();
        let is_test_file = path.starts_with("tests/")
            || path.starts_with("benches/")
            || path.ends_with("/tests.rs")
            || path.contains("/tests/");
        let whole = 0..text.len();
        let test_parts = if is_test_file { vec![whole] } else { test_modules(&code) };
        Self { path, text, code, functions, inline_modules, test_parts }
    }

    /// The number of the line at a place of the text.
    pub fn line_of(&self, at: usize) -> usize {
        line_of(&self.code, at)
    }

    /// Whether a place of the text belongs to tests.
    pub fn is_test(&self, at: usize) -> bool {
        self.test_parts.iter().any(|part| part.contains(&at))
    }

    /// How many inline modules enclose a place of the text.
    pub fn inline_depth(&self, at: usize) -> usize {
        self.inline_modules.iter().filter(|body| body.contains(&at)).count()
    }

    /// Where a word stands in the code, whole and outside comments and literals.
    pub fn words<'a>(&'a self, word: &'a str) -> impl Iterator<Item = usize> + 'a {
        words(&self.code, word)
    }
}

/// Where a word stands in a text as a whole word.
pub fn words<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_part = |byte: Option<&u8>| byte.is_some_and(|&b| b.is_ascii_alphanumeric() || b == b'_');
    text.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        let bytes = text.as_bytes();
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        !is_part(before) && !is_part(bytes.get(at + word.len()))
    })
}

fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()[..at].iter().filter(|&&byte| byte == b'\n').count() + 1
}

/// The code from one brace to the one that closes it, both included.
fn braced(code: &str, open: usize) -> Range<usize> {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' if depth <= 1 => return open..at + 1,
            b'}' => depth -= 1,
            _ => {}
        }
    }
    open..code.len()
}

/// The bodies that follow a keyword and a name, as in `mod name { … }`.
fn bodies<'a>(code: &'a str, keyword: &'a str) -> impl Iterator<Item = Range<usize>> + 'a {
    words(code, keyword).filter_map(move |at| {
        let open = at + code[at..].find(['{', ';'])?;
        code[open..].starts_with('{').then(|| braced(code, open))
    })
}

fn test_modules(code: &str) -> Vec<Range<usize>> {
    let attributes = code.match_indices("#[cfg(test)]").chain(code.match_indices("#[test]"));
    attributes
        .filter_map(|(at, _)| {
            let open = at + code[at..].find(['{', ';'])?;
            code[open..].starts_with('{').then(|| at..braced(code, open).end)
        })
        .collect()
}

fn functions(code: &str) -> Vec<Function> {
    let is_name = |letter: char| letter.is_alphanumeric() || letter == '_';
    words(code, "fn")
        .filter_map(|at| {
            let rest = code[at + 2..].trim_start();
            let name: String = rest.chars().take_while(|&letter| is_name(letter)).collect();
            if name.is_empty() {
                return None;
            }
            let open = body_of(code, at)?;
            let end = braced(code, open).end;
            let line = line_of(code, at);
            Some(Function { name, line, lines: line_of(code, end - 1) - line + 1 })
        })
        .collect()
}

/// Where the body of a function begins; none when it is only declared. Brackets are stepped over, because an
/// array type holds a `;`.
fn body_of(code: &str, function: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(function) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth = depth.saturating_sub(1),
            b'{' if depth == 0 => return Some(at),
            b';' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

/// Blanks out comments and the contents of string, byte and character literals; line ends stay.
fn mask(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = literal_or_comment_end(text, at);
        if end > at {
            let kept = bytes[at..end].iter().map(|&byte| if byte == b'\n' { byte } else { b' ' });
            code.splice(at..end, kept);
            at = end;
        } else {
            at += 1;
        }
    }
    String::from_utf8(code).unwrap()
}

/// Where the comment or literal that begins here ends; here, when none begins.
fn literal_or_comment_end(text: &str, at: usize) -> usize {
    if !text.is_char_boundary(at) {
        return at;
    }
    let rest = &text[at..];
    let after_name = at > 0 && {
        let before = text.as_bytes()[at - 1];
        before.is_ascii_alphanumeric() || before == b'_'
    };
    if rest.starts_with("//") {
        return at + rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return at + block_comment_length(rest);
    }
    let raw = rest.strip_prefix('b').unwrap_or(rest);
    if !after_name
        && let Some(raw) = raw.strip_prefix('r')
        && let hashes = raw.len() - raw.trim_start_matches('#').len()
        && raw[hashes..].starts_with('"')
    {
        let close = format!("\"{}", "#".repeat(hashes));
        let body = &raw[hashes + 1..];
        let length = body.find(&close).map_or(body.len(), |found| found + close.len());
        return text.len() - body.len() + length;
    }
    match rest.as_bytes()[0] {
        b'"' => at + 1 + escaped_length(&rest[1..], b'"'),
        b'\'' => at + character_length(rest),
        _ => at,
    }
}

fn block_comment_length(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        let pair = text.as_bytes().get(at..at + 2);
        match pair {
            Some(b"/*") => depth += 1,
            Some(b"*/") => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// Bytes up to and with the closing quote.
fn escaped_length(text: &str, quote: u8) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            _ if byte == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of a character literal, or 0 for a lifetime.
fn character_length(text: &str) -> usize {
    let mut letters = text.char_indices().skip(1);
    match (letters.next(), letters.next()) {
        (Some((_, '\\')), _) => 1 + escaped_length(&text[1..], b'\''),
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 0,
    }
}

#[test]
fn code_is_what_is_neither_comment_nor_literal() {
    let check = |text: &str, expected: &str| {
        let code = mask(text);
        assert_eq!(code.len(), text.len());
        assert_eq!(code.split_whitespace().collect::<Vec<_>>().join(" "), expected, "{text}");
    };
    check("a // b\nc", "a c");
    check("a /* b /* c */ d */ e", "a e");
    check(r#"f("x \" y", 'z', '\'', b"w")"#, "f( , , , b )");
    check(r##"f(r#"x " y"#, br"z")"##, "f( , )");
    check("fn f<'a>(x: &'a str) {}", "fn f<'a>(x: &'a str) {}");
    check("'é' 'x", "'x");
}

#[test]
fn a_function_is_as_long_as_from_its_name_to_its_closing_brace() {
    let text = "trait T { fn declared(x: [u8; 2]); }\nfn long(x: [u8; 2]) {\n  let s = \"}\";\n}\n";
    let source = Source::new("src/x.rs".to_owned(), text.to_owned());
    let found: Vec<_> =
        source.functions.iter().map(|f| (f.name.as_str(), f.line, f.lines)).collect();
    assert_eq!(found, [("long", 2, 3)]);
}
