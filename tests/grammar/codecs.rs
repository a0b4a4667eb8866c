//! Writes the parsers and encoders: one file per class for the arguments of its methods.

use std::fmt::Write;

use crate::model::{Class, Field, Kind, Method};

/// The text of `generated/codec/<class>.rs`, not yet formatted.
pub fn file(class: &Class) -> String {
    let mut text = format!(
        "//! Arguments of the methods of class `{0}`: read from a frame's payload, and written to one.

        use crate::wire::error::Flaw;
        use crate::wire::field::{{self, Parsed}};
        use crate::wire::generated::method::Method;
        use crate::wire::generated::{0}::{{{1}}};
        ",
        class.name,
        class.method.iter().map(Method::type_name).collect::<Vec<_>>().join(", "),
    );
    dispatch(&mut text, class);
    for method in &class.method {
        let lifetime = if method.borrows() { "<'a>" } else { "" };
        let generics = if method.borrows() { "impl<'a>" } else { "impl" };
        let _ = write!(text, "\n{generics} {}{lifetime} {{\n", method.type_name());
        parser(&mut text, method);
        encoder(&mut text, method);
        text += "}\n";
    }
    text
}

fn dispatch(text: &mut String, class: &Class) {
    *text += "
        /// Reads the arguments of the method with this number.
        #[inline]
        pub(in crate::wire) fn parse_method(method_id: u16, input: &[u8]) -> Parsed<'_, Method<'_>> {
            match method_id {
        ";
    for method in &class.method {
        let _ = writeln!(
            text,
            "{name}::METHOD_ID => {name}::parse(input).map(|(rest, m)| (rest, Method::{}(m))),",
            class.variant(method),
            name = method.type_name(),
        );
    }
    *text += "_ => field::fail(Flaw::UnknownMethod),\n}\n}\n";
}

fn parser(text: &mut String, method: &Method) {
    let (input, output) = if method.borrows() {
        ("&'a [u8]", "Parsed<'a, Self>")
    } else {
        ("&[u8]", "Parsed<'_, Self>")
    };
    let _ =
        write!(text, "#[inline]\npub(in crate::wire) fn parse(input: {input}) -> {output} {{\n");
    let mut octets = 0;
    for group in method.groups() {
        if group[0].kind == Kind::Bit {
            octets += 1;
            parse_bits(text, group, octets);
        } else {
            parse_field(text, &group[0]);
        }
    }
    let fields: Vec<_> = method.shown().map(Field::ident).collect();
    if fields.is_empty() {
        *text += "Ok((input, Self))\n}\n";
    } else {
        let _ = write!(text, "Ok((input, Self {{ {} }}))\n}}\n", fields.join(", "));
    }
}

fn parse_field(text: &mut String, field: &Field) {
    let name = if field.reserved { "_".into() } else { field.ident() };
    let _ = writeln!(text, "let (input, {name}) = field::{}(input)?;", field.kind.function());
}

fn parse_bits(text: &mut String, group: &[Field], number: usize) {
    if group.iter().all(|field| field.reserved) {
        *text += "let (input, _) = field::octet(input)?;\n";
        return;
    }
    let bits = if number == 1 { "bits".into() } else { format!("bits_{number}") };
    let _ = writeln!(text, "let (input, {bits}) = field::octet(input)?;");
    for (index, field) in group.iter().enumerate().filter(|(_, field)| !field.reserved) {
        let _ = writeln!(text, "let {} = field::bit({bits}, {index});", field.ident());
    }
}

fn encoder(text: &mut String, method: &Method) {
    let out = if method.fields.is_empty() { "_out" } else { "out" };
    let _ =
        write!(text, "\n#[inline]\npub(in crate::wire) fn encode(&self, {out}: &mut Vec<u8>) {{\n");
    for group in method.groups() {
        let _ = match group[0].kind {
            Kind::Bit => {
                let bits: Vec<_> = group.iter().map(written).collect();
                writeln!(text, "field::put_bits(out, [{}]);", bits.join(", "))
            }
            kind => writeln!(text, "field::put_{}(out, {});", kind.function(), written(&group[0])),
        };
    }
    *text += "}\n";
}

/// The expression for the value that is written.
fn written(field: &Field) -> String {
    match (field.reserved, field.kind) {
        (true, Kind::Bit) => "false".into(),
        (true, Kind::Shortstr) => "\"\"".into(),
        (true, Kind::Longstr) => "b\"\"".into(),
        (true, Kind::Table) => "&Table::new()".into(),
        (true, _) => "0".into(),
        (false, Kind::Table) => format!("&self.{}", field.ident()),
        (false, _) => format!("self.{}", field.ident()),
    }
}
