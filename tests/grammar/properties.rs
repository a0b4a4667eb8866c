//! Writes the message properties: a view that borrows, an owned form, and how both relate to bytes.

use std::fmt::Write;

use crate::model::{Class, Field, Grammar, Kind};

/// The highest flag bit, which stands for the first property.
const FIRST_BIT: usize = 15;

/// The text of `generated/properties.rs`, not yet formatted.
pub fn file(grammar: &Grammar) -> String {
    let class = grammar
        .class
        .iter()
        .find(|class| !class.property.is_empty())
        .expect("one class has properties");
    let mut text = String::from(
        "//! Properties of a message (specification 4.2.6.1): sixteen flags, then those whose flag is set.

        use crate::wire::error::{Flaw, WireError};
        use crate::wire::field;
        use crate::wire::table::Table;

        ",
    );
    let known: usize = (0..class.property.len()).map(|index| 1 << (FIRST_BIT - index)).sum();
    let _ = writeln!(
        text,
        "/// Every flag that stands for a property.\nconst FLAGS: u16 = {known:#06x};"
    );
    view(&mut text, class);
    owned(&mut text, class);
    text
}

fn view(text: &mut String, class: &Class) {
    *text += "
        /// Properties as they stand in a content header, borrowed from it.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct PropertiesView<'a> {
        ";
    for property in &class.property {
        let (kind, doc) = match property.kind {
            Kind::Table => ("&'a [u8]", format!("{} The table's payload.", property.doc)),
            kind => (kind.rust(), property.doc.clone()),
        };
        let _ = writeln!(text, "/// {doc}\npub {}: Option<{kind}>,", property.property_ident());
    }
    *text += "}\n
        impl<'a> PropertiesView<'a> {
            /// Reads property flags and list, as a content header holds them.
            ///
            /// # Errors
            /// 501 when they are cut short or have bytes after them, when a flag is set that stands for no
            /// property, when a short string is not UTF-8, or when the headers are malformed; 502 when the
            /// headers are nested too deeply.
            #[inline]
            pub fn parse(properties: &'a [u8]) -> Result<Self, WireError> {
                Ok(Self::parse_flaw(properties)?)
            }

            /// The headers as a table, when there are any.
            ///
            /// # Errors
            /// Those of [`Table::parse`]; none for a view that [`PropertiesView::parse`] made.
            pub fn headers_table(&self) -> Result<Option<Table>, WireError> {
                self.headers.map(Table::parse).transpose()
            }

            pub(in crate::wire) fn parse_flaw(properties: &'a [u8]) -> Result<Self, Flaw> {
                let mut view = Self::default();
                let (mut input, flags) = field::short(properties)?;
                if flags & !FLAGS != 0 {
                    return Err(Flaw::PropertyFlag);
                }
        ";
    for (index, property) in class.property.iter().enumerate() {
        parse_property(text, index, property);
    }
    *text += "field::end(input)?;\nOk(view)\n}\n}\n";
}

fn parse_property(text: &mut String, index: usize, property: &Field) {
    let name = property.property_ident();
    let flag = 1 << (FIRST_BIT - index);
    let function = match property.kind {
        Kind::Table => "longstr",
        kind => kind.function(),
    };
    let _ = writeln!(text, "if flags & {flag:#06x} != 0 {{");
    let _ = writeln!(text, "let (rest, value) = field::{function}(input)?;");
    if property.kind == Kind::Table {
        *text += "Table::check_flaw(value)?;\n";
    }
    let _ = writeln!(text, "(input, view.{name}) = (rest, Some(value));\n}}");
}

fn owned(text: &mut String, class: &Class) {
    *text += "
        /// Properties that own what they hold, for messages that the broker makes or changes.
        #[derive(Debug, Clone, Default, PartialEq)]
        pub struct Properties {
        ";
    for property in &class.property {
        let kind = match property.kind {
            Kind::Shortstr => "String",
            kind => kind.rust(),
        };
        let name = property.property_ident();
        let _ = writeln!(text, "/// {}\npub {name}: Option<{kind}>,", property.doc);
    }
    *text += "}\n
        impl Properties {
            /// Appends property flags and list, as a content header holds them.
            pub fn encode(&self, out: &mut Vec<u8>) {
                let mut flags = 0;
                let start = out.len();
                field::put_short(out, flags);
        ";
    for (index, property) in class.property.iter().enumerate() {
        let name = property.property_ident();
        let (pattern, value) = match property.kind {
            Kind::Shortstr | Kind::Table => (format!("Some(value) = &self.{name}"), "value"),
            _ => (format!("Some(value) = self.{name}"), "value"),
        };
        let _ = write!(
            text,
            "if let {pattern} {{\nflags |= {:#06x};\nfield::put_{}(out, {value});\n}}\n",
            1 << (FIRST_BIT - index),
            property.kind.function(),
        );
    }
    *text += "out[start..start + 2].copy_from_slice(&u16::to_be_bytes(flags));\n}\n}\n
        impl TryFrom<&PropertiesView<'_>> for Properties {
            type Error = WireError;

            fn try_from(view: &PropertiesView<'_>) -> Result<Self, WireError> {
                Ok(Self {
        ";
    for property in &class.property {
        let name = property.property_ident();
        let _ = match property.kind {
            Kind::Shortstr => writeln!(text, "{name}: view.{name}.map(str::to_owned),"),
            Kind::Table => writeln!(text, "{name}: view.{name}_table()?,"),
            _ => writeln!(text, "{name}: view.{name},"),
        };
    }
    *text += "})\n}\n}\n";
}
