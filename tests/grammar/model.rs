//! The grammar as read from `grammar/amqp-0-9-1.toml`, and the names that its parts have in Rust.

use serde::Deserialize;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grammar {
    pub constant: Vec<Constant>,
    pub code: Vec<Code>,
    pub class: Vec<Class>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constant {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub value: u32,
    pub doc: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Code {
    pub code: u16,
    pub name: String,
    pub closes: Closes,
    pub doc: String,
}

#[derive(Debug, Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Closes {
    Channel,
    Connection,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Class {
    pub name: String,
    pub id: u16,
    pub doc: String,
    #[serde(default)]
    pub property: Vec<Field>,
    pub method: Vec<Method>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Method {
    pub name: String,
    pub id: u16,
    pub from: Sender,
    #[serde(default)]
    pub replies: Vec<String>,
    #[serde(default)]
    pub content: bool,
    pub doc: String,
    #[serde(default)]
    pub fields: Vec<Field>,
}

#[derive(Debug, Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Sender {
    Client,
    Server,
    Both,
}

#[derive(Debug, Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub struct Field {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: Kind,
    #[serde(default)]
    pub doc: String,
    #[serde(default)]
    pub reserved: bool,
    #[serde(default)]
    pub secret: bool,
}

#[derive(Debug, Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Bit,
    Octet,
    Short,
    Long,
    Longlong,
    Shortstr,
    Longstr,
    Table,
    Timestamp,
}

impl Grammar {
    /// Reads the grammar of this package.
    pub fn load() -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/grammar/amqp-0-9-1.toml");
        let text = std::fs::read_to_string(path).expect("the grammar is there");
        toml::from_str(&text).expect("the grammar is well formed")
    }

    /// Every method with its class.
    pub fn methods(&self) -> impl Iterator<Item = (&Class, &Method)> {
        self.class.iter().flat_map(|class| class.method.iter().map(move |method| (class, method)))
    }
}

impl Method {
    /// Name of its struct: `get-ok` is `GetOk`.
    pub fn type_name(&self) -> String {
        camel(&self.name)
    }

    /// Fields that the struct has.
    pub fn shown(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(|field| !field.reserved)
    }

    /// Whether the struct borrows from what it was read from.
    pub fn borrows(&self) -> bool {
        self.shown().any(|field| matches!(field.kind, Kind::Shortstr | Kind::Longstr))
    }

    pub fn has_table(&self) -> bool {
        self.shown().any(|field| field.kind == Kind::Table)
    }

    /// Fields as they stand on the wire: neighbouring bits together, up to eight in an octet.
    pub fn groups(&self) -> Vec<&[Field]> {
        let both_bits = |a: &Field, b: &Field| a.kind == Kind::Bit && b.kind == Kind::Bit;
        let runs = self.fields.chunk_by(both_bits);
        runs.flat_map(|run| run.chunks(8)).collect()
    }
}

impl Class {
    /// Name of a method's variant: `get-ok` in `basic` is `BasicGetOk`.
    pub fn variant(&self, method: &Method) -> String {
        format!("{}{}", camel(&self.name), method.type_name())
    }
}

impl Field {
    /// Name of the struct's field. `type` is a word of the language.
    pub fn ident(&self) -> String {
        if self.name == "type" { "kind".into() } else { self.name.replace('-', "_") }
    }

    /// Name as a message property, where `type` is the message's.
    pub fn property_ident(&self) -> String {
        if self.name == "type" { "message_type".into() } else { self.ident() }
    }
}

impl Kind {
    /// Type of a method's field.
    pub fn rust(self) -> &'static str {
        match self {
            Kind::Bit => "bool",
            Kind::Octet => "u8",
            Kind::Short => "u16",
            Kind::Long => "u32",
            Kind::Longlong | Kind::Timestamp => "u64",
            Kind::Shortstr => "&'a str",
            Kind::Longstr => "&'a [u8]",
            Kind::Table => "Table",
        }
    }

    /// Name of the function that reads it; with `put_` in front, of the one that writes it.
    pub fn function(self) -> &'static str {
        match self {
            Kind::Bit => "bits",
            Kind::Octet => "octet",
            Kind::Short => "short",
            Kind::Long => "long",
            Kind::Longlong => "longlong",
            Kind::Shortstr => "shortstr",
            Kind::Longstr => "longstr",
            Kind::Table => "table",
            Kind::Timestamp => "timestamp",
        }
    }
}

/// `update-secret` or `UPDATE_SECRET` as `UpdateSecret`.
pub fn camel(name: &str) -> String {
    let words = name.split(['-', '_']);
    words.map(|word| word[..1].to_uppercase() + &word[1..].to_lowercase()).collect()
}

#[test]
fn the_grammar_has_no_number_or_name_twice_and_every_reply_is_a_method() {
    use std::collections::HashSet;
    let grammar = Grammar::load();
    let mut seen = HashSet::new();
    for (class, method) in grammar.methods() {
        assert!(seen.insert((class.id, method.id.to_string())), "{}.{}", class.name, method.id);
        assert!(seen.insert((class.id, method.name.clone())), "{}.{}", class.name, method.name);
        for reply in &method.replies {
            let found = class.method.iter().any(|other| other.name == *reply);
            assert!(
                found,
                "{}.{} is answered by {reply}, which is not there",
                class.name, method.name
            );
        }
    }
    let codes: HashSet<_> = grammar.code.iter().map(|code| code.code).collect();
    assert_eq!(codes.len(), grammar.code.len());
}
