//! The order inside a module: its rooms import downward only, and its files import each other in no circle. A file adds
//! to what encloses it, so imports of a `mod.rs` (or of `x.rs` beside `x/`) from beneath it do not count.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde::Deserialize;

use crate::source::{Source, words};

/// The modules whose inside is watched.
pub const WATCHED: &[&str] =
    &["broker", "management", "net", "outbox", "queue", "routing", "session", "store"];

/// The rooms of a module from the bottom to the top; names in one row may stand beside each other.
pub const ROOMS: &[(&str, &[&[&str]])] = &[(
    "broker",
    &[
        &[
            "refusal",
            "resource",
            "registry",
            "meeting",
            "pending",
            "errands",
            "sink",
            "surroundings",
        ],
        &["accounts"],
        &["topology"],
        &["actor"],
        &["client"],
        &["declaration"],
        &["delivery"],
        &["watch"],
        &["definitions"],
        &["operator"],
    ],
)];

/// An import that may stand for now, with its reason. One that is not needed any more is a fault.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tolerated {
    /// The files without `src/` and `.rs` (or `/mod.rs`).
    from: String,
    to: String,
    reason: String,
}

type Name = Vec<String>;
type Imports = BTreeMap<Name, BTreeSet<Name>>;

/// The files of one module, by their names below it.
pub struct Inside<'a> {
    module: &'a str,
    files: BTreeMap<Name, Source>,
    /// What a file gives out that lies elsewhere.
    given_out: BTreeMap<(Name, String), Name>,
}

impl<'a> Inside<'a> {
    pub fn new(module: &'a str, sources: impl Iterator<Item = Source>) -> Self {
        let prefix = format!("src/{module}");
        let files = sources.filter_map(|source| {
            let below = source.path.strip_prefix(&prefix)?.strip_suffix(".rs")?;
            let below = below.trim_end_matches("/mod");
            let is_ours = below.is_empty() || below.starts_with('/');
            let name = split(below, "/");
            let is_test = name.iter().any(|part| part == "tests");
            (is_ours && !is_test).then_some((name, source))
        });
        let mut inside = Self { module, files: files.collect(), given_out: BTreeMap::new() };
        let mut given_out = BTreeMap::new();
        for (file, source) in &inside.files {
            for used in uses(source).into_iter().filter(|used| used.is_given_out) {
                if let Some(path) = inside.below(file, source, &used) {
                    given_out.insert((file.clone(), used.name), path);
                }
            }
        }
        inside.given_out = given_out;
        inside
    }

    /// The imports between files, without those of what encloses a file.
    fn imports(&self) -> Imports {
        let mut imports = Imports::new();
        for (file, source) in &self.files {
            let paths = uses(source).into_iter().chain(mentions(source));
            let paths = paths.filter_map(|used| self.below(file, source, &used));
            let targets = paths.filter_map(|path| self.home_of(&path, 0));
            let targets = targets.filter(|target| !file.starts_with(target));
            imports.insert(file.clone(), targets.collect());
        }
        imports
    }

    /// A path as it begins below the module; none when it leads out of it.
    fn below(&self, file: &Name, source: &Source, used: &Used) -> Option<Name> {
        let mut here = file.clone();
        here.extend((0..source.inline_depth(used.at)).map(|_| String::new()));
        let mut path = used.path.as_slice();
        match path.first()?.as_str() {
            "crate" => return (path.get(1)? == self.module).then(|| path[2..].to_vec()),
            "self" => path = &path[1..],
            "super" => {
                while path.first().is_some_and(|part| part == "super") {
                    here.pop()?;
                    path = &path[1..];
                }
            }
            first => {
                let child = [file.as_slice(), &[first.to_owned()]].concat();
                self.files.keys().find(|name| name.starts_with(&child))?;
            }
        }
        here.retain(|part| !part.is_empty());
        here.extend(path.iter().cloned());
        Some(here)
    }

    /// The file in which a path ends.
    fn home_of(&self, path: &[String], depth: usize) -> Option<Name> {
        let file = (0..=path.len()).rev().map(|end| path[..end].to_vec());
        let file = file.into_iter().find(|name| self.files.contains_key(name))?;
        let Some(first) = path.get(file.len()) else { return Some(file) };
        match self.given_out.get(&(file.clone(), first.clone())) {
            Some(elsewhere) if depth < 8 => {
                let rest = &path[file.len() + 1..];
                self.home_of(&[elsewhere.as_slice(), rest].concat(), depth + 1)
            }
            _ => Some(file),
        }
    }
}

/// What breaks the order in one module, a line each. Of what may stand for now, what is needed goes into `needed`.
pub fn faults(
    inside: &Inside<'_>,
    tolerated: &[Tolerated],
    needed: &mut BTreeSet<usize>,
) -> Vec<String> {
    let module = inside.module;
    let shown = |name: &Name| format!("{module}/{}", name.join("/"));
    let mut imports = inside.imports();
    let mut faults = Vec::new();
    let rooms = ROOMS.iter().find(|(name, _)| *name == module).map_or(&[][..], |(_, rooms)| *rooms);
    let rank_of = |file: &Name| rooms.iter().position(|row| row.contains(&file[0].as_str()));
    for file in imports.keys().filter(|file| !file.is_empty() && !rooms.is_empty()) {
        if rank_of(file).is_none() {
            faults.push(format!("{} is in no room of tests/house/rooms.rs", shown(file)));
        }
    }
    let is_tangled = |imports: &Imports, from: &Name, to: &Name| {
        let is_upward = !from.is_empty() && rank_of(from) < rank_of(to);
        is_upward || reaches(imports, to, from)
    };
    for (at, one) in tolerated.iter().enumerate() {
        let (from, to) = (split_off(&one.from, module), split_off(&one.to, module));
        let (Some(from), Some(to)) = (from, to) else { continue };
        let is_there = imports.get(&from).is_some_and(|targets| targets.contains(&to));
        if is_there && is_tangled(&imports, &from, &to) {
            needed.insert(at);
        }
    }
    for one in tolerated {
        if let (Some(from), Some(to)) = (split_off(&one.from, module), split_off(&one.to, module))
            && let Some(targets) = imports.get_mut(&from)
        {
            targets.remove(&to);
        }
    }
    for (from, targets) in &imports {
        for to in targets.iter().filter(|to| is_tangled(&imports, from, to)) {
            let how = if reaches(&imports, to, from) { "in a circle" } else { "upward" };
            faults.push(format!("{} imports {} {how}", shown(from), shown(to)));
        }
    }
    faults
}

/// Entries of the list that nothing needs or that say no reason.
pub fn idle(tolerated: &[Tolerated], needed: &BTreeSet<usize>) -> Vec<String> {
    let faulty = tolerated
        .iter()
        .enumerate()
        .filter(|(at, one)| !needed.contains(at) || one.reason.len() < 10);
    let shown = faulty.map(|(_, one)| {
        format!("the import of {} by {} needs no exception, or has no reason", one.to, one.from)
    });
    shown.collect()
}

fn reaches(imports: &Imports, from: &Name, to: &Name) -> bool {
    let mut seen = BTreeSet::new();
    let mut next = vec![from];
    while let Some(file) = next.pop() {
        if file == to {
            return true;
        }
        if seen.insert(file) {
            next.extend(imports.get(file).into_iter().flatten());
        }
    }
    false
}

fn split(text: &str, between: &str) -> Name {
    let parts = text.split(between).map(str::trim).filter(|part| !part.is_empty());
    parts.map(str::to_owned).collect()
}

fn split_off(file: &str, module: &str) -> Option<Name> {
    Some(split(file.strip_prefix(module)?.strip_prefix('/')?, "/"))
}

/// A path that code names, and where.
struct Used {
    at: usize,
    path: Name,
    /// What it is called here.
    name: String,
    is_given_out: bool,
}

/// Where `use` stands outside tests, up to its semicolon.
fn use_items(source: &Source) -> Vec<Range<usize>> {
    let places = source.words("use").filter(|&at| !source.is_test(at));
    let items = places.filter_map(|at| {
        // `use<…>` is no import.
        let rest = source.code[at + 3..].trim_start();
        let is_path = rest.starts_with(|letter: char| letter.is_alphabetic() || letter == '_');
        is_path.then(|| at..at + source.code[at..].find(';').unwrap_or(0))
    });
    items.collect()
}

fn uses(source: &Source) -> Vec<Used> {
    let mut found = Vec::new();
    for item in use_items(source) {
        let line = source.code[..item.start].rsplit('\n').next().unwrap_or_default();
        let mut paths = Vec::new();
        expand(&[], &source.code[item.start + 3..item.end], &mut paths);
        found.extend(paths.into_iter().map(|(path, name)| Used {
            at: item.start,
            path,
            name,
            is_given_out: line.trim_start().starts_with("pub"),
        }));
    }
    found
}

/// The paths of a tree of imports, each with its name.
fn expand(before: &[String], tree: &str, found: &mut Vec<(Name, String)>) {
    let Some((head, group)) = tree.split_once('{') else {
        let (path, name) = tree.split_once(" as ").unwrap_or((tree, ""));
        let mut path = [before, &split(path, "::")].concat();
        if path.len() > 1 && path.last().is_some_and(|part| part == "self") {
            path.pop();
        }
        let name =
            if name.is_empty() { path.last().cloned() } else { Some(name.trim().to_owned()) };
        return found.extend(name.map(|name| (path, name)));
    };
    let before = [before, &split(head, "::")].concat();
    let (mut depth, mut start) = (0_usize, 0);
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            ',' | '}' if depth == 0 => {
                expand(&before, &group[start..at], found);
                start = at + 1;
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
}

/// Paths that stand in the code by themselves.
fn mentions(source: &Source) -> Vec<Used> {
    let items = use_items(source);
    let mut found = Vec::new();
    for root in ["crate", "self", "super"] {
        for at in words(&source.code, root).filter(|&at| !source.is_test(at)) {
            let is_start = !source.code[..at].ends_with("::");
            if is_start && !items.iter().any(|item| item.contains(&at)) {
                let is_path = |letter: char| letter.is_alphanumeric() || "_:".contains(letter);
                let text: String = source.code[at..].chars().take_while(|&c| is_path(c)).collect();
                let path = split(&text, "::");
                if path.len() > 1 {
                    found.push(Used { at, path, name: String::new(), is_given_out: false });
                }
            }
        }
    }
    found
}

#[test]
fn circles_and_ways_upward_are_found_and_what_is_given_out_is_followed() {
    let check = |files: &[(&str, &str)], expected: &[&str]| {
        let sources = files
            .iter()
            .map(|(path, code)| Source::new(format!("src/broker/{path}.rs"), (*code).to_owned()));
        let found = faults(&Inside::new("broker", sources), &[], &mut BTreeSet::new());
        assert_eq!(found, expected, "{files:?}");
    };
    let root = ("mod", "pub use topology::vhost::Vhost;\npub struct Broker;");
    check(&[root, ("accounts/users", "use super::super::Broker;")], &[]);
    check(
        &[root, ("topology/vhost", ""), ("client", "use crate::broker::{Broker, Vhost as V};")],
        &[],
    );
    check(
        &[root, ("topology/vhost", ""), ("accounts/users", "fn f(v: crate::broker::Vhost) {}")],
        &["broker/accounts/users imports broker/topology/vhost upward"],
    );
    check(
        &[
            ("topology/vhost", "use super::gate::{self, Gate};"),
            ("topology/gate", "use super::vhost;"),
        ],
        &[
            "broker/topology/gate imports broker/topology/vhost in a circle",
            "broker/topology/vhost imports broker/topology/gate in a circle",
        ],
    );
    check(
        &[
            ("topology/vhost", "use super::gate;"),
            ("topology/gate", "#[cfg(test)]\nmod t { use super::super::vhost; }"),
        ],
        &[],
    );
    check(&[("somewhere", "")], &["broker/somewhere is in no room of tests/house/rooms.rs"]);
}
