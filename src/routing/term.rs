//! Field values as RabbitMQ prints them in error texts: in Erlang's notation, on one line.

use std::fmt::{self, Display, Write};

use crate::wire::Value;

/// Something to print in Erlang's notation.
pub enum Term<'a> {
    /// A field value without its type.
    Value(&'a Value),
    /// A string of bytes.
    Binary(&'a [u8]),
}

impl Display for Term<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Term::Binary(bytes) => binary(bytes, f),
            Term::Value(value) => self::value(value, f),
        }
    }
}

fn value(value: &Value, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match value {
        Value::Bool(flag) => write!(f, "{flag}"),
        Value::I8(n) => write!(f, "{n}"),
        Value::U8(n) => write!(f, "{n}"),
        Value::I16(n) | Value::I16Standard(n) => write!(f, "{n}"),
        Value::U16(n) => write!(f, "{n}"),
        Value::I32(n) => write!(f, "{n}"),
        Value::U32(n) => write!(f, "{n}"),
        Value::I64(n) | Value::I64Standard(n) => write!(f, "{n}"),
        Value::Timestamp(n) => write!(f, "{n}"),
        Value::F32(x) => float(f64::from(*x), f),
        Value::F64(x) => float(*x, f),
        Value::Decimal { scale, value } => write!(f, "{{{scale},{value}}}"),
        Value::LongStr(bytes) | Value::Bytes(bytes) => binary(bytes, f),
        Value::Void => f.write_str("undefined"),
        Value::Array(members) => list(members.iter(), f, |member, f| {
            write!(f, "{{{},{}}}", member.type_name(), Term::Value(member))
        }),
        Value::Table(table) => list(table.iter(), f, |(name, member), f| {
            let name = Term::Binary(name.as_bytes());
            write!(f, "{{{name},{},{}}}", member.type_name(), Term::Value(member))
        }),
    }
}

fn list<T>(
    members: impl Iterator<Item = T>,
    f: &mut fmt::Formatter<'_>,
    print: impl Fn(T, &mut fmt::Formatter<'_>) -> fmt::Result,
) -> fmt::Result {
    f.write_char('[')?;
    for (at, member) in members.enumerate() {
        if at > 0 {
            f.write_char(',')?;
        }
        print(member, f)?;
    }
    f.write_char(']')
}

/// Erlang writes a point even before an exponent.
fn float(x: f64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let text = format!("{x:?}");
    match text.split_once('e') {
        Some((digits, exponent)) if !digits.contains('.') => write!(f, "{digits}.0e{exponent}"),
        _ => f.write_str(&text),
    }
}

/// Text where the bytes can be read as UTF-8, or else as Latin-1; otherwise their numbers.
fn binary(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if let Ok(text) = std::str::from_utf8(bytes)
        && text.chars().all(is_printable)
    {
        return match (text.is_empty(), text.is_ascii()) {
            (true, _) => f.write_str("<<>>"),
            (false, true) => write!(f, "<<{}>>", Quoted(text)),
            (false, false) => write!(f, "<<{}/utf8>>", Quoted(text)),
        };
    }
    if bytes.iter().all(|byte| is_printable(char::from(*byte))) {
        let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
        return write!(f, "<<{}>>", Quoted(&text));
    }
    f.write_str("<<")?;
    for (at, byte) in bytes.iter().enumerate() {
        let separator = if at == 0 { "" } else { "," };
        write!(f, "{separator}{byte}")?;
    }
    f.write_str(">>")
}

fn is_printable(c: char) -> bool {
    matches!(c, ' '..='~' | '\u{8}'..='\r' | '\u{1b}' | '\u{a0}'..)
}

struct Quoted<'a>(&'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\u{8}' => f.write_str("\\b")?,
                '\t' => f.write_str("\\t")?,
                '\n' => f.write_str("\\n")?,
                '\u{b}' => f.write_str("\\v")?,
                '\u{c}' => f.write_str("\\f")?,
                '\r' => f.write_str("\\r")?,
                '\u{1b}' => f.write_str("\\e")?,
                _ => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use crate::wire::Table;

    use super::*;

    #[test]
    fn bytes_print_as_text_where_they_can_be_read() {
        let check = |bytes: &[u8], expected: &str| {
            assert_eq!(Term::Binary(bytes).to_string(), expected, "{bytes:?}");
        };
        check(b"", "<<>>");
        check(b"foo", r#"<<"foo">>"#);
        check(b"ALL ~", r#"<<"ALL ~">>"#);
        check(b"a'b\"c\\d", r#"<<"a'b\"c\\d">>"#);
        check(b"a\tb\rc\x0bd\x08e\x0cf\x1bg\n", r#"<<"a\tb\rc\vd\be\ff\eg\n">>"#);
        check("café".as_bytes(), r#"<<"café"/utf8>>"#);
        check("日本".as_bytes(), r#"<<"日本"/utf8>>"#);
        check(b"caf\xe9", r#"<<"café">>"#);
        check(b"a\x00", "<<97,0>>");
        check(b"a\x7f", "<<97,127>>");
        check(b"\x80", "<<128>>");
        check(b"\xc2\x80", "<<194,128>>");
        check(b"\xff\x01\n", "<<255,1,10>>");
    }

    #[test]
    fn values_print_in_erlangs_notation() {
        let check = |value: Value, name: &str, expected: &str| {
            assert_eq!(value.type_name(), name);
            assert_eq!(Term::Value(&value).to_string(), expected);
        };
        let table = |pairs: &[(&str, Value)]| {
            pairs.iter().map(|(name, value)| (*name, value.clone())).collect::<Table>()
        };
        check(Value::Bool(true), "bool", "true");
        check(Value::I8(-1), "byte", "-1");
        check(Value::U8(5), "unsignedbyte", "5");
        check(Value::I16(5), "short", "5");
        check(Value::U16(5), "unsignedshort", "5");
        check(Value::I32(7), "signedint", "7");
        check(Value::U32(7), "unsignedint", "7");
        check(Value::I64(-5), "long", "-5");
        check(Value::Timestamp(9), "timestamp", "9");
        check(Value::Void, "void", "undefined");
        check(Value::LongStr(b"all".to_vec()), "longstr", r#"<<"all">>"#);
        check(Value::Bytes(b"all".to_vec()), "binary", r#"<<"all">>"#);
        check(Value::F32(0.1), "float", "0.10000000149011612");
        check(Value::F64(1.5), "double", "1.5");
        check(Value::F64(-0.0), "double", "-0.0");
        check(Value::F64(1e100), "double", "1.0e100");
        check(Value::F64(1e-5), "double", "1.0e-5");
        check(Value::F64(123456789.0), "double", "123456789.0");
        check(Value::Decimal { scale: 2, value: 5 }, "decimal", "{2,5}");
        check(Value::Array(vec![]), "array", "[]");
        check(
            Value::Array(vec![Value::I32(1), Value::Void]),
            "array",
            "[{signedint,1},{void,undefined}]",
        );
        let inner = Value::Table(table(&[("c", Value::I64(1))]));
        let outer = table(&[("a", Value::LongStr(b"x".to_vec())), ("b", inner)]);
        let text = r#"[{<<"a">>,longstr,<<"x">>},{<<"b">>,table,[{<<"c">>,long,1}]}]"#;
        check(Value::Table(outer), "table", text);
    }
}
