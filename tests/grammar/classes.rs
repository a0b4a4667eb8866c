//! Writes one file per class: a struct for each method, with its documentation and numbers.

use std::fmt::Write;

use crate::model::{Class, Field, Method, Sender};

/// The text of `generated/<class>.rs`, not yet formatted.
pub fn file(class: &Class) -> String {
    let mut text = format!(
        "//! Class `{}` ({}): {}\n\nuse crate::wire::method::{{MethodFacts, Sender}};\n",
        class.name,
        class.id,
        lower_first(&class.doc)
    );
    if class.method.iter().any(Method::has_table) {
        text += "use crate::wire::table::Table;\n";
    }
    let id = class.id;
    let _ = writeln!(text, "\n/// The class's number.\npub const CLASS_ID: u16 = {id};");
    for method in &class.method {
        declare(&mut text, class, method);
        constants(&mut text, class, method);
        if method.fields.iter().any(|field| field.secret) {
            debug(&mut text, method);
        }
    }
    text
}

fn declare(text: &mut String, class: &Class, method: &Method) {
    let sender = match method.from {
        Sender::Client => "Sent by the client",
        Sender::Server => "Sent by the server",
        Sender::Both => "Sent by either peer",
    };
    let content = if method.content { ", with content" } else { "" };
    let _ = write!(
        text,
        "\n/// `{}.{}`: {}\n///\n/// {sender}{content}",
        class.name,
        method.name,
        lower_first(&method.doc)
    );
    let replies: Vec<_> = method.replies.iter().map(|reply| format!("`{reply}`")).collect();
    if !replies.is_empty() {
        let _ = write!(text, "; answered by {}", replies.join(" or "));
    }
    let _ = write!(text, ".\n#[derive({})]\npub struct ", derives(method));
    let _ = write!(text, "{}{}", method.type_name(), if method.borrows() { "<'a>" } else { "" });
    if method.shown().next().is_none() {
        *text += ";\n";
        return;
    }
    *text += " {\n";
    for field in method.shown() {
        let _ = writeln!(text, "/// {}\npub {}: {},", field.doc, field.ident(), field.kind.rust());
    }
    *text += "}\n";
}

fn derives(method: &Method) -> String {
    let mut derives = vec!["Clone", "PartialEq"];
    if !method.has_table() {
        derives.extend(["Copy", "Eq"]);
    }
    if !method.fields.iter().any(|field| field.secret) {
        derives.push("Debug");
    }
    derives.sort_unstable();
    derives.join(", ")
}

fn constants(text: &mut String, class: &Class, method: &Method) {
    let lifetime = if method.borrows() { "<'_>" } else { "" };
    let replies: Vec<_> =
        method.replies.iter().map(|reply| format!("\"{}.{reply}\"", class.name)).collect();
    let _ = write!(
        text,
        "
        impl {name}{lifetime} {{
            /// The class's number.
            pub const CLASS_ID: u16 = {class_id};
            /// The method's number in its class.
            pub const METHOD_ID: u16 = {method_id};
            /// Class and method.
            pub const NAME: &'static str = \"{class}.{method}\";

            pub(in crate::wire) const FACTS: MethodFacts = MethodFacts {{
                name: Self::NAME,
                class_id: Self::CLASS_ID,
                method_id: Self::METHOD_ID,
                sender: Sender::{sender:?},
                replies: &[{replies}],
                content: {content},
            }};
        }}
        ",
        name = method.type_name(),
        class_id = class.id,
        method_id = method.id,
        class = class.name,
        method = method.name,
        sender = method.from,
        replies = replies.join(", "),
        content = method.content,
    );
}

/// A `Debug` that leaves the secrets out, so that no log line can show them.
fn debug(text: &mut String, method: &Method) {
    let open = |field: &&Field| !field.secret;
    let shown: String = method
        .shown()
        .filter(open)
        .map(|field| format!(".field(\"{0}\", &self.{0})", field.ident()))
        .collect();
    let _ = write!(
        text,
        "
        impl std::fmt::Debug for {name}{lifetime} {{
            /// Leaves out what no log may show.
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {{
                f.debug_struct(\"{name}\"){shown}.finish_non_exhaustive()
            }}
        }}
        ",
        name = method.type_name(),
        lifetime = if method.borrows() { "<'_>" } else { "" },
    );
}

/// A sentence as it continues after a colon.
fn lower_first(sentence: &str) -> String {
    let first = sentence.chars().next().map(|c| c.to_lowercase().to_string());
    let word = sentence.split(' ').next().unwrap_or_default();
    if word.len() > 1 && word.chars().all(char::is_uppercase) {
        return sentence.into();
    }
    first.unwrap_or_default() + sentence.get(1..).unwrap_or_default()
}
