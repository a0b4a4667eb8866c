//! The rules, one function each: a file comes in, what breaks the rule goes out, with its line.

use crate::exceptions::Exceptions;
use crate::source::{Source, words};

/// The modules at the top of `src/`, each with its layer. An import goes to a lower layer or stays at home.
pub const LAYERS: &[(&str, u8)] = &[
    ("clock", 0),
    ("config", 0),
    ("counters", 0),
    ("entropy", 0),
    ("footprint", 0),
    ("security", 0),
    ("wire", 0),
    ("fault", 1),
    ("message", 1),
    ("outbox", 2),
    ("routing", 2),
    ("queue", 2),
    ("store", 3),
    ("broker", 4),
    ("session", 5),
    ("socket", 1),
    ("net", 6),
    ("bench", 6),
    ("management", 6),
    ("admin", 7),
    ("main", 8),
];

/// Lines of one file, its tests included.
const FILE_LINES_MAX: usize = 600;
/// Lines of one function.
const FUNCTION_LINES_MAX: usize = 70;

/// Modules that take bytes and time as arguments: no sockets, files, threads, clock, random numbers or waiting of their
/// own, and nothing that all of a process share.
const PURE: &[&str] =
    &["wire", "fault", "message", "outbox", "routing", "queue", "broker", "security", "session"];
const IMPURE_WORDS: &[&str] = &[
    "SystemTime",
    "Instant",
    "async",
    "await",
    "getrandom",
    "OsRng",
    "RandomState",
    "SystemEntropy",
    "thread_local",
    "static",
];
const IMPURE_PATHS: &[&str] = &["std::fs", "std::thread", "std::process"];

/// What is not pure and stands where it has to: in which file, and which word.
const ALLOWED: &[(&str, &[&str])] = &[
    // What those wait for who may wait.
    ("src/broker/pending.rs", &["async", "await"]),
    ("src/broker/watch/arrivals.rs", &["async", "await"]),
    ("src/broker/accounts/login.rs", &["async", "await"]),
    ("src/broker/accounts/turns.rs", &["async", "await"]),
    // What a broker has by itself, unless it is given something else.
    ("src/broker/surroundings.rs", &["SystemEntropy"]),
    // How much memory the machine has, and the definitions that the configuration names: both once, at the start.
    ("src/broker/watch/alarms.rs", &["std::fs"]),
    ("src/broker/definitions/mod.rs", &["std::fs"]),
];

/// Modules that another protocol could stand on as well as AMQP.
const PROTOCOL_FREE: &[&str] = &["message", "routing", "queue", "store", "broker"];
/// What of `wire` is not data but the protocol's own.
const PROTOCOL_WORDS: &[&str] = &["Method", "ReplyCode", "Scope"];

/// Words that only one place may use.
const HOMES: &[(&[&str], &[&str])] = &[
    (&["dashmap", "DashMap"], &["src/broker/registry.rs"]),
    (&["sled"], &["src/store/sled_base.rs"]),
    (&["getrandom", "OsRng", "RandomState"], &["src/entropy.rs"]),
    (&["async_std"], &["src/socket/", "src/net/", "src/management/", "src/main.rs"]),
    (
        &["TcpListener", "TcpStream", "UnixListener", "UnixStream"],
        &["src/socket/", "src/bench/link.rs"],
    ),
];

/// Names that say nothing of what a file owns.
const EMPTY_NAMES: &[&str] =
    &["utils", "util", "common", "helpers", "helper", "manager", "managers", "misc", "shared"];

/// What may not be left behind, in any file. Written in halves so that this file may stand.
const LEFTOVERS: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("X", "XX"),
    concat!("HA", "CK"),
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
    concat!("dbg", "!("),
];

/// Hosts of package registries: a build takes its packages from wherever its operator says.
const REGISTRY_HOSTS: &[&str] = &[
    concat!("crates", ".io"),
    concat!("docs", ".rs"),
    concat!("npmjs", ".org"),
    concat!("npmjs", ".com"),
    concat!("pypi", ".org"),
    concat!("pythonhosted", ".org"),
    concat!("rubygems", ".org"),
    concat!("proxy.golang", ".org"),
];

/// What breaks a rule: the line, and what to do about it.
pub type Violation = (usize, String);

/// Every file of `src/` imports from lower layers only, and every module has a layer.
pub fn imports_point_downward(source: &Source) -> Vec<Violation> {
    let Some(home) = module_of(&source.path) else { return Vec::new() };
    let Some(own_layer) = layer_of(home) else {
        return vec![(1, format!("module `{home}` has no layer in tests/house/rules.rs"))];
    };
    let mut violations = Vec::new();
    for (at, target) in imports(source) {
        let Some(layer) = layer_of(&target) else { continue };
        if target != home && layer >= own_layer {
            let fault = format!("`{home}` (layer {own_layer}) imports `{target}` (layer {layer})");
            violations.push((source.line_of(at), fault));
        }
    }
    violations
}

/// What is beneath the protocols does not know them: an import from a lower layer that is refused nevertheless.
pub fn no_protocol_beneath_session(source: &Source) -> Vec<Violation> {
    if !module_of(&source.path).is_some_and(|home| PROTOCOL_FREE.contains(&home)) {
        return Vec::new();
    }
    let faults = imports(source).into_iter().filter(|(_, target)| target == "fault");
    let words = PROTOCOL_WORDS.iter().flat_map(|word| {
        let places = source.words(word).filter(|&at| !source.is_test(at));
        places.map(|at| (at, (*word).to_owned()))
    });
    let refused = faults.chain(words);
    refused
        .map(|(at, name)| (source.line_of(at), format!("`{name}` is for those who speak AMQP")))
        .collect()
}

/// DashMap, sled, sockets and the async runtime each have one home.
pub fn libraries_stay_at_home(source: &Source) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (names, homes) in HOMES {
        let at_home = homes.iter().any(|home| source.path.starts_with(home));
        if at_home || !source.path.starts_with("src/") {
            continue;
        }
        for name in *names {
            for at in source.words(name).filter(|&at| !source.is_test(at)) {
                let fault = format!("`{name}` belongs in {} only", homes.join(", "));
                violations.push((source.line_of(at), fault));
            }
        }
    }
    violations
}

/// The pure modules have no clock, no files, no threads and nothing that waits.
pub fn pure_modules_are_pure(source: &Source) -> Vec<Violation> {
    let Some(home) = module_of(&source.path).filter(|home| PURE.contains(home)) else {
        return Vec::new();
    };
    let allowed = ALLOWED.iter().filter(|(path, _)| *path == source.path);
    let allowed: Vec<&str> = allowed.flat_map(|(_, words)| words.iter().copied()).collect();
    let words = IMPURE_WORDS.iter().chain(IMPURE_PATHS).filter(|word| !allowed.contains(*word));
    let found = words.flat_map(|word| {
        // A lifetime is no item.
        let is_lifetime = |at: usize| source.code[..at].ends_with('\'');
        let places = source.words(word).filter(move |&at| !source.is_test(at) && !is_lifetime(at));
        places.map(move |at| (source.line_of(at), format!("`{word}` in the pure module `{home}`")))
    });
    found.collect()
}

/// `unwrap` and `expect` stand in tests, or beside a comment that proves them.
pub fn nothing_is_unwrapped_unproved(source: &Source) -> Vec<Violation> {
    if !source.path.starts_with("src/") {
        return Vec::new();
    }
    let lines: Vec<&str> = source.text.lines().collect();
    let calls = [".unwrap()", ".expect("]
        .into_iter()
        .flat_map(|call| source.code.match_indices(call).map(move |(at, _)| (at, call)));
    calls
        .filter(|&(at, _)| !source.is_test(at))
        .map(|(at, call)| (source.line_of(at), call))
        .filter(|&(line, _)| {
            let near = &lines[line.saturating_sub(4)..line];
            !near.iter().any(|text| text.contains("// ") || text.contains("reason ="))
        })
        .map(|(line, call)| (line, format!("`{call}` without a comment that proves it")))
        .collect()
}

/// No file and no function is longer than can be kept in mind, save those that are listed with a reason.
pub fn nothing_is_too_long(source: &Source, exceptions: &mut Exceptions) -> Vec<Violation> {
    let mut violations = Vec::new();
    let lines = source.text.lines().count();
    let most = exceptions.lines_of_file(&source.path, lines, FILE_LINES_MAX);
    if lines > most {
        violations.push((1, format!("{lines} lines, but at most {most}")));
    }
    for function in &source.functions {
        let most = exceptions.lines_of_function(&source.path, function, FUNCTION_LINES_MAX);
        if function.lines > most {
            let fault =
                format!("`{}` has {} lines, but at most {most}", function.name, function.lines);
            violations.push((function.line, fault));
        }
    }
    violations
}

/// A file says first what it owns, in its name and in its first line.
pub fn a_file_says_what_it_owns(source: &Source) -> Vec<Violation> {
    let mut violations = Vec::new();
    if !source.text.starts_with("//! ") {
        violations.push((1, "the file does not open with `//!` and what it owns".to_owned()));
    }
    let parts = source.path.trim_end_matches(".rs").split('/');
    for part in parts.filter(|part| part.split('_').any(|word| EMPTY_NAMES.contains(&word))) {
        violations.push((1, format!("the name `{part}` does not say what the file owns")));
    }
    violations
}

/// Comments have no banners: a file that needs sections needs another file.
pub fn comments_have_no_banners(source: &Source) -> Vec<Violation> {
    let is_banner = |line: &str| {
        let text = line.trim_start();
        let text = text.strip_prefix("//").map(|text| text.trim_start_matches(['/', '!']).trim());
        text.is_some_and(|text| {
            ["====", "----", "****", "####", "~~~~"].iter().any(|b| text.starts_with(b))
        })
    };
    let lines = (1..).zip(source.text.lines());
    lines.filter(|(_, line)| is_banner(line)).map(|(n, _)| (n, "a banner".to_owned())).collect()
}

/// No file of any kind holds a leftover, or names a package registry's host.
pub fn nothing_is_left_over(path: &str, text: &str) -> Vec<Violation> {
    if path.ends_with("Cargo.lock") {
        return Vec::new();
    }
    let mut violations = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        for word in LEFTOVERS {
            let found = if word.ends_with('(') {
                line.contains(word)
            } else {
                words(line, word).next().is_some()
            };
            if found {
                violations.push((number, format!("a leftover `{word}`")));
            }
        }
        for host in REGISTRY_HOSTS.iter().filter(|host| line.contains(**host)) {
            violations.push((number, format!("names the registry's host {host}")));
        }
    }
    violations
}

/// The top module that a file belongs to. `lib.rs` belongs to none: it only names the others.
pub fn module_of(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("src/")?;
    let module = inside.split('/').next()?.trim_end_matches(".rs");
    (module != "lib" && module != "bin").then_some(module)
}

fn layer_of(module: &str) -> Option<u8> {
    LAYERS.iter().find(|(name, _)| *name == module).map(|&(_, layer)| layer)
}

/// The top modules that a file's code names, with the place: through `crate::`, through the library's own name, or
/// by climbing with `super::`.
fn imports(source: &Source) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for root in ["crate::", "leveret::"] {
        for (at, _) in source.code.match_indices(root) {
            if words(&source.code[at..], &root[..root.len() - 2]).next() == Some(0) {
                let targets = first_names(&source.code[at + root.len()..]);
                found.extend(targets.into_iter().map(|target| (at, target)));
            }
        }
    }
    let climb = "super::";
    let mut next = 0;
    while let Some(at) = source.code[next..].find(climb).map(|offset| next + offset) {
        let rest = &source.code[at..];
        let path = rest.trim_start_matches(climb);
        let climbed = (rest.len() - path.len()) / climb.len();
        if climbed >= depth_of(&source.path) + source.inline_depth(at) {
            found.extend(first_names(path).into_iter().map(|target| (at, target)));
        }
        next = at + climbed * climb.len();
    }
    found
}

/// How many steps a file's module is below the crate's root.
fn depth_of(path: &str) -> usize {
    let inside = path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    inside.split('/').count()
}

/// The first name of a path, or of each path in a group: `a::b` has `a`, `{a::b, c::{d, e}}` has `a` and `c`.
fn first_names(path: &str) -> Vec<String> {
    let name_at = |text: &str| -> String {
        text.chars().take_while(|&letter| letter.is_alphanumeric() || letter == '_').collect()
    };
    let Some(group) = path.strip_prefix('{') else { return vec![name_at(path)] };
    let mut names = vec![name_at(group.trim_start())];
    let mut depth = 1_usize;
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 1 => break,
            '}' => depth -= 1,
            ',' if depth == 1 => names.push(name_at(group[at + 1..].trim_start())),
            _ => {}
        }
    }
    names
}

#[test]
fn whatever_is_shared_by_a_process_is_seen_in_a_pure_module() {
    let check = |path: &str, code: &str, expected: usize| {
        let source = Source::new(path.to_owned(), code.to_owned());
        assert_eq!(pure_modules_are_pure(&source).len(), expected, "{path}: {code}");
    };
    check("src/message.rs", "static HELD: AtomicUsize = AtomicUsize::new(0);", 1);
    check("src/broker/x.rs", "static SEED: LazyLock<u64> = LazyLock::new(|| 7);", 1);
    check(
        "src/outbox/x.rs",
        "thread_local! { static WALK: Cell<u8> = const { Cell::new(0) }; }",
        2,
    );
    check("src/broker/x.rs", "fn memory(&self) -> &'static Memory { getrandom::fill(&mut x) }", 1);
    check("src/broker/pending.rs", "async fn wait(self) { Instant::now() }", 1);
    check("src/net/x.rs", "static HUB: Hub = Hub::new();", 0);
    check("src/broker/x.rs", "#[cfg(test)]\nmod tests { static X: u8 = 1; }", 0);
}

#[test]
fn every_way_to_import_is_seen() {
    let check = |path: &str, code: &str, expected: &[&str]| {
        let source = Source::new(path.to_owned(), code.to_owned());
        let found: Vec<String> = imports(&source).into_iter().map(|(_, target)| target).collect();
        assert_eq!(found, expected, "{code}");
    };
    check("src/wire/x.rs", "use crate::queue::Queue;", &["queue"]);
    check("src/wire/x.rs", "use crate::{queue::{A, B},\n  broker};", &["queue", "broker"]);
    check("src/wire/x.rs", "let x = crate::net::serve();", &["net"]);
    check("src/main.rs", "leveret::net::serve", &["net"]);
    check("src/wire/x.rs", "use super::frame::Frame;", &[]);
    check("src/wire/x.rs", "use super::super::queue::Queue;", &["queue"]);
    check("src/wire/mod.rs", "use super::queue::Queue;", &["queue"]);
    check("src/wire/mod.rs", "mod tests { use super::queue; }", &[]);
    check("src/wire/x.rs", "// use crate::queue;\nlet s = \"crate::queue\";", &[]);
}

#[test]
fn an_import_upward_or_sideways_breaks_the_rule() {
    let check = |path: &str, code: &str, expected: usize| {
        let source = Source::new(path.to_owned(), code.to_owned());
        assert_eq!(imports_point_downward(&source).len(), expected, "{path}: {code}");
    };
    check("src/queue/ready.rs", "use crate::message::Message;", 0);
    check("src/queue/ready.rs", "use crate::queue::Queue;", 0);
    check("src/queue/ready.rs", "use crate::routing::Key;", 1);
    check("src/queue/ready.rs", "use crate::broker::Broker;", 1);
    check("src/stranger.rs", "", 1);
    check("src/lib.rs", "pub use crate::broker::Broker;", 0);
}
