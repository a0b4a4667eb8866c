//! Writes what spans the classes: the enumeration of all methods, the reply codes, the frame constants, and
//! the list of generated modules.

use std::fmt::Write;

use crate::model::{Closes, Grammar, camel};

/// The text of `generated/mod.rs`.
pub fn modules(grammar: &Grammar) -> String {
    let mut text = String::from(
        "//! The protocol as `grammar/amqp-0-9-1.toml` has it. Not written by hand: change the grammar.\n\n",
    );
    let mut names: Vec<_> = grammar.class.iter().map(|class| class.name.as_str()).collect();
    names.extend(["constant", "method", "properties", "reply_code"]);
    names.sort_unstable();
    text += "mod codec;\n\n";
    for name in names {
        let _ = writeln!(text, "pub mod {name};");
    }
    text
}

/// The text of `generated/codec/mod.rs`.
pub fn codec_modules(grammar: &Grammar) -> String {
    let mut text = String::from("//! Parsers and encoders of the methods' arguments.\n\n");
    let mut names: Vec<_> = grammar.class.iter().map(|class| class.name.as_str()).collect();
    names.sort_unstable();
    for name in names {
        let _ = writeln!(text, "pub(super) mod {name};");
    }
    text
}

/// The text of `generated/method.rs`.
pub fn methods(grammar: &Grammar) -> String {
    let mut classes: Vec<_> = grammar.class.iter().map(|class| class.name.as_str()).collect();
    classes.sort_unstable();
    let classes = classes.join(", ");
    let mut text = format!(
        "//! Every method of the protocol in one enumeration.

        use crate::wire::error::Flaw;
        use crate::wire::field::{{self, Parsed}};
        use crate::wire::generated::{{codec, {classes}}};
        use crate::wire::method::MethodFacts;

        /// A method with its arguments, which borrow from the buffer that it was read from.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Method<'a> {{
        "
    );
    for (class, method) in grammar.methods() {
        let lifetime = if method.borrows() { "<'a>" } else { "" };
        let _ = writeln!(
            text,
            "/// `{0}.{1}`.\n{2}({0}::{3}{lifetime}),",
            class.name,
            method.name,
            class.variant(method),
            method.type_name(),
        );
    }
    text += "}\n";
    method_functions(&mut text, grammar);
    text
}

fn method_functions(text: &mut String, grammar: &Grammar) {
    *text += "
        /// Reads the arguments of the method with these numbers.
        #[inline]
        pub(in crate::wire) fn parse_arguments(
            class_id: u16,
            method_id: u16,
            input: &[u8],
        ) -> Parsed<'_, Method<'_>> {
            match class_id {
        ";
    for class in &grammar.class {
        let _ = writeln!(
            text,
            "{0}::CLASS_ID => codec::{0}::parse_method(method_id, input),",
            class.name
        );
    }
    *text += "_ => field::fail(Flaw::UnknownMethod),\n}\n}\n";
    *text += "
        impl Method<'_> {
            #[inline]
            pub(in crate::wire) fn facts(&self) -> &'static MethodFacts {
                match self {
        ";
    for (class, method) in grammar.methods() {
        let variant = class.variant(method);
        let _ = writeln!(
            text,
            "Method::{variant}(_) => &{}::{}::FACTS,",
            class.name,
            method.type_name()
        );
    }
    *text += "}\n}\n
        #[inline]
        pub(in crate::wire) fn encode_arguments(&self, out: &mut Vec<u8>) {
            match self {
        ";
    for (class, method) in grammar.methods() {
        let _ = writeln!(text, "Method::{}(m) => m.encode(out),", class.variant(method));
    }
    *text += "}\n}\n}\n";
}

/// The text of `generated/reply_code.rs`.
pub fn reply_codes(grammar: &Grammar) -> String {
    let mut text = String::from(
        "//! Reply codes (specification 1.2) with their names, and what each of them closes.

        use crate::wire::error::Scope;

        /// Why a channel or connection is closed, or a message returned.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u16)]
        pub enum ReplyCode {
        ",
    );
    for code in &grammar.code {
        let name = camel(&code.name);
        let _ = writeln!(text, "/// {}\n{name} = {},", code.doc, code.code);
    }
    text += "}\n
        impl ReplyCode {
            /// The number on the wire.
            #[inline]
            pub const fn code(self) -> u16 {
                self as u16
            }

            /// The code that has this number.
            pub const fn from_code(code: u16) -> Option<Self> {
                match code {
        ";
    for code in &grammar.code {
        let _ = writeln!(text, "{} => Some(ReplyCode::{}),", code.code, camel(&code.name));
    }
    text += "_ => None,\n}\n}\n
            /// The name that begins a reply text.
            pub const fn name(self) -> &'static str {
                match self {
        ";
    for code in &grammar.code {
        let _ = writeln!(text, "ReplyCode::{} => \"{}\",", camel(&code.name), code.name);
    }
    text += "}\n}\n
            /// What it closes, unless it happens on channel 0, where that is always the connection.
            pub const fn closes(self) -> Scope {
                match self {
        ";
    let of_channel = grammar.code.iter().filter(|code| code.closes == Closes::Channel);
    let names: Vec<_> =
        of_channel.map(|code| format!("ReplyCode::{}", camel(&code.name))).collect();
    let _ = writeln!(text, "{} => Scope::Channel,", names.join(" | "));
    text += "_ => Scope::Connection,\n}\n}\n}\n";
    text
}

/// The text of `generated/constant.rs`.
pub fn constants(grammar: &Grammar) -> String {
    let mut text = String::from("//! Numbers of the frame layer (specification 4.2.3).\n");
    for constant in &grammar.constant {
        let _ = writeln!(
            text,
            "\n/// {}\npub const {}: {} = {};",
            constant.doc, constant.name, constant.kind, constant.value
        );
    }
    text
}
