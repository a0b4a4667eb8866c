//! The documentation says what is so: every command and program in it is run, every output compared, every key of the
//! configuration explained, and the test behind every claim is there.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

mod docs {
    pub mod configuration;
    pub mod page;
    pub mod reader;
}

use std::path::Path;

use docs::page::{Mark, Page};
use docs::reader::Reader;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

macro_rules! pages {
    ($($name:ident: $path:literal)*) => {
        const PAGES: &[&str] = &[$($path),*];
        mod page {
            $(
                #[test]
                fn $name() {
                    super::Reader::follow($path);
                }
            )*
        }
    };
}

pages! {
    readme: "README.md"
    index: "docs/README.md"
    routing: "docs/routing.md"
    queues: "docs/queues.md"
    acknowledgement: "docs/acknowledgement.md"
    confirms: "docs/confirms.md"
    transactions: "docs/transactions.md"
    dead_letters: "docs/dead-letters.md"
    access: "docs/access.md"
    tls: "docs/tls.md"
    bench: "docs/bench.md"
    management: "docs/management.md"
    configuration: "docs/configuration.md"
    admin: "docs/admin.md"
    compatibility: "docs/compatibility.md"
    storage_format: "docs/storage-format.md"
}

#[test]
fn every_page_is_followed_and_in_the_index() {
    let index = Page::read("docs/README.md").text;
    for entry in std::fs::read_dir(Path::new(ROOT).join("docs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(PAGES.contains(&format!("docs/{name}").as_str()), "nobody follows docs/{name}");
        assert!(
            name == "README.md" || index.contains(&format!("]({name})")),
            "{name} is not listed"
        );
    }
}

#[test]
fn every_page_has_something_to_run() {
    for path in PAGES.iter().filter(|path| !path.ends_with("compatibility.md")) {
        let runs = |language: &str| ["python", "sh", "toml"].contains(&language);
        let page = Page::read(path);
        let found = page.blocks.iter().any(|one| one.mark == Mark::None && runs(&one.language));
        assert!(found, "{path} has nothing to run");
    }
}

/// A link whose text is a name in backquotes and whose target is Rust names a test, a function or a key in that file.
#[test]
fn the_test_behind_each_claim_is_there() {
    let mut missing = Vec::new();
    for path in PAGES {
        let page = Page::read(path);
        let folder = Path::new(ROOT).join(path);
        for (name, rest) in page.text.split("[`").skip(1).filter_map(|rest| rest.split_once("`]("))
        {
            let target = rest.split(')').next().unwrap_or_default();
            if !target.ends_with(".rs") {
                continue;
            }
            let source = std::fs::read_to_string(folder.with_file_name("").join(target));
            if !source.is_ok_and(|text| names(&text, name)) {
                missing.push(format!("{path}: {target} has no {name}"));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

fn names(source: &str, name: &str) -> bool {
    source.split(|letter: char| !letter.is_alphanumeric() && letter != '_').any(|word| word == name)
}
