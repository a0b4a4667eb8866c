//! Data directories of earlier formats are opened: nothing of them is lost, and they are upgraded. The directories are
//! in `tests/fixtures`, packed, each with a listing of what the version that wrote it found in it.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

mod upgrade {
    pub mod listing;
    pub mod story;
}

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};

use leveret::store::{Change, Events, Operation, Store, StoreError, VhostRecord};
use support::http::Api;
use support::server::Server;
use tempfile::TempDir;
use upgrade::listing::{self, contents, listing};
use upgrade::story;

/// Segments and checkpoints come all the time.
const SMALL: &str = "[store]\nsegment_bytes_max = 65536\ncheckpoint_bytes = 65536\n";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// The fixture of this format, of a broker that ended like this.
fn fixture(name: &str) -> PathBuf {
    fixtures().join(format!("{name}.tar.gz"))
}

/// Unpacks a fixture. Returns its directory and what was found in it when it was made.
fn unpack(name: &str) -> (TempDir, PathBuf, String) {
    let home = tempfile::tempdir().unwrap();
    tar(&["-xzf", fixture(name).to_str().unwrap()], home.path());
    let listing = fs::read_to_string(home.path().join("listing.txt")).unwrap();
    let data = home.path().join("data");
    (home, data, listing)
}

/// One test at a time: a child process, until it has become another program, keeps locked what its parent had locked, and so
/// another test's store may not be opened again at once.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn tar(arguments: &[&str], directory: &Path) {
    let status = Command::new("tar").args(arguments).current_dir(directory).status();
    assert!(status.expect("tar is installed").success(), "tar {arguments:?}");
}

const FIXTURES: [&str; 2] = ["format-1-stopped", "format-1-killed"];

/// What was found, without how: a start that had to mend or to doubt finds the same.
fn things(listing: &str) -> Vec<&str> {
    listing.lines().filter(|line| !line.starts_with("clean") && !line.starts_with("note")).collect()
}

#[test]
fn a_directory_of_format_1_loses_nothing_and_is_upgraded() {
    let _alone = alone();
    for name in FIXTURES {
        let (_home, data, expected) = unpack(name);
        assert_eq!(fs::read_to_string(data.join("format")).unwrap(), "1\n");
        for _ in 0..3 {
            assert_eq!(listing(&contents(&data)), expected, "{name}");
            assert_eq!(fs::read_to_string(data.join("format")).unwrap(), "2\n");
            let definitions = fs::read_to_string(data.join("definitions.json")).unwrap();
            assert!(definitions.contains("\"format\": 2"), "{name}");
        }
    }
}

#[test]
fn an_upgraded_directory_takes_what_is_new() {
    let _alone = alone();
    for name in FIXTURES {
        let (_home, data, expected) = unpack(name);
        let (store, _) = Store::open(listing::options(&data), Events::default()).unwrap();
        let vhost = VhostRecord { name: "new".to_owned() };
        commit(&store, vec![Operation::Topology(vec![Change::PutVhost(vhost)])]);
        commit(&store, vec![Operation::Settle { queue: 1, positions: (0..90).collect() }]);
        store.close();
        drop(store);
        let is_left = |line: &&&str| {
            let position = line.strip_prefix("message 1 ").and_then(|rest| rest.split(' ').next());
            position.is_none_or(|position| position.parse::<u32>().unwrap() >= 90)
        };
        let old = things(&expected);
        let mut wanted: Vec<&str> = old.iter().filter(is_left).copied().collect();
        assert!(wanted.len() < old.len());
        let last = wanted.iter().rposition(|line| line.starts_with("vhost")).unwrap();
        wanted.insert(last + 1, "vhost new");
        for _ in 0..2 {
            assert_eq!(things(&listing(&contents(&data))), wanted, "{name}");
        }
    }
}

#[test]
fn a_crash_in_the_middle_of_an_upgrade_does_no_harm() {
    let _alone = alone();
    for name in FIXTURES {
        let (_home, data, expected) = unpack(name);
        // The format is raised, and that is all.
        fs::write(data.join("format"), "2\n").unwrap();
        let (store, _) = Store::open(listing::options(&data), Events::default()).unwrap();
        // A change of the topology stands in a segment of the earlier version, and nothing else knows of it.
        let vhost = VhostRecord { name: "new".to_owned() };
        commit(&store, vec![Operation::Topology(vec![Change::PutVhost(vhost)])]);
        let copy = tempfile::tempdir().unwrap();
        let copied = Command::new("cp").arg("-r").arg(&data).arg(copy.path()).status();
        assert!(copied.unwrap().success());
        let found = listing(&contents(&copy.path().join("data")));
        let found: Vec<&str> =
            things(&found).into_iter().filter(|one| *one != "vhost new").collect();
        assert_eq!(found, things(&expected), "{name}");
    }
}

#[test]
fn the_index_is_rebuilt_from_a_journal_of_format_1() {
    let _alone = alone();
    for name in FIXTURES {
        let (_home, data, expected) = unpack(name);
        fs::remove_dir_all(data.join("index")).unwrap();
        for _ in 0..2 {
            assert_eq!(things(&listing(&contents(&data))), things(&expected), "{name}");
        }
    }
}

/// Changes an upgraded directory with a clean end, and has it refused, with all as it was.
fn check_refused(change: impl Fn(&Path), part: &str) {
    let (_home, data, expected) = unpack("format-1-stopped");
    contents(&data);
    let (store, _) = Store::open(listing::options(&data), Events::default()).unwrap();
    drop(store);
    let kept = files(&data);
    change(&data);
    let before = files(&data);
    for _ in 0..2 {
        let error = Store::open(listing::options(&data), Events::default()).map(drop).unwrap_err();
        assert!(matches!(error, StoreError::Newer { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains(part) && text.contains("run the version that wrote it"), "{text}");
        assert!(!text.contains('\n'));
        assert!(files(&data) == before, "{part}: something was changed");
    }
    for (path, content) in kept {
        fs::write(path, content).unwrap();
    }
    assert_eq!(things(&listing(&contents(&data))), things(&expected));
}

/// Each file, the index and the room set aside left out, with its content.
fn files(data: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for directory in [data.to_owned(), data.join("journal")] {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() && !path.ends_with("reserve") {
                files.insert(path.clone(), fs::read(path).unwrap());
            }
        }
    }
    files
}

/// Appends a frame with a right sum, and noise behind it.
fn append_record(data: &Path, kind: u8, payload: &[u8]) {
    let path = segments(data).pop().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let marker = bytes[16..20].to_vec();
    let sum = crc32c::crc32c_append(crc32c::crc32c(&[kind]), payload);
    let length = (payload.len() as u32).to_le_bytes();
    bytes.extend([&marker[..], &length, &sum.to_le_bytes(), &[kind], payload, b"noise"].concat());
    fs::write(path, bytes).unwrap();
}

fn segments(data: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(data.join("journal")).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// Gives a file's head another version, whose sum is right.
fn raise_head(path: &Path, head_bytes: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[8..12].copy_from_slice(&3_u32.to_le_bytes());
    let sum = crc32c::crc32c(&bytes[..head_bytes - 4]);
    bytes[head_bytes - 4..head_bytes].copy_from_slice(&sum.to_le_bytes());
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_record_of_a_later_version_is_refused() {
    let _alone = alone();
    check_refused(|data| append_record(data, 31, b"whatever"), "a record of kind 31 in version 1");
    check_refused(|data| append_record(data, 4 | 2 << 5, b""), "a record of kind 4 in version 3");
    check_refused(|data| append_record(data, 1 | 1 << 5, b""), "a record of kind 1 in version 2");
    check_refused(|data| append_record(data, 1, &[1, 1, 9, 8]), "a message with flags 8");
    let change = [1, 0x2d, 1, 0];
    check_refused(|data| append_record(data, 4 | 1 << 5, &change), "a definition of kind 45");
    let settlement = [1, 1, 5, 1];
    check_refused(
        |data| {
            append_record(data, 30, b"");
            append_record(data, 2, &settlement);
        },
        "a record of kind 30",
    );
}

#[test]
fn a_segment_of_a_later_version_is_refused_without_the_format_file_too() {
    let _alone = alone();
    for is_format_lost in [false, true] {
        check_refused(
            |data| {
                raise_head(&segments(data)[0], 24);
                if is_format_lost {
                    fs::remove_file(data.join("format")).unwrap();
                }
            },
            "a part of the journal in version 3",
        );
    }
}

#[test]
fn small_files_of_a_later_version_are_refused() {
    let _alone = alone();
    check_refused(
        |data| fs::write(data.join("last-segment"), "3 17 and more\n").unwrap(),
        "the number of the last segment in version 3",
    );
    check_refused(
        |data| {
            let path = data.join("definitions.json");
            let text = fs::read_to_string(&path).unwrap();
            fs::write(path, text.replace("\"format\": 2,", "\"format\": 3, \"more\": [],"))
                .unwrap();
        },
        "definitions in version 3",
    );
    check_refused(
        |data| {
            let path = data.join("definitions.log");
            raise_head(&path, 20);
        },
        "changes of the definitions in version 3",
    );
}

#[test]
fn a_broker_serves_what_one_of_format_1_left() {
    let _alone = alone();
    let (home, data, _) = unpack("format-1-stopped");
    let mut server = Server::start_managed_with(SMALL);
    assert!(server.terminate().success());
    fs::remove_dir_all(server.data_dir()).unwrap();
    let copied = Command::new("cp").arg("-r").arg(&data).arg(server.data_dir()).status();
    assert!(copied.unwrap().success());
    drop(home);
    server.restart();
    let api = Api::new(&server.management()).as_user("alice", "alice");
    let audit = api.get("/api/queues/orders/audit");
    assert_eq!(audit["messages"], 70, "{audit}");
    let deep = Api::new(&server.management()).get("/api/queues/%2f/returned");
    assert_eq!(deep["messages"], 6, "{deep}");
    let bindings = Api::new(&server.management()).get("/api/bindings/%2f");
    let count = bindings.as_array().unwrap().iter().filter(|one| one["source"] != "").count();
    assert_eq!(count, 4, "{bindings}");
    assert!(server.terminate().success());
}

fn commit(store: &Store, operations: Vec<Operation>) {
    let (sender, receiver) = mpsc::channel();
    let done = Box::new(move |result| sender.send(result).expect("awaited"));
    store.append(operations, Some(done));
    receiver.recv().expect("an answer").expect("durable");
}

/// Makes the fixtures of the present format, which `LEVERET_WRITE_FIXTURES` gives a name, such as `format-1`.
#[test]
#[ignore = "writes to tests/fixtures: see the README there"]
fn fixtures_are_made() {
    let _alone = alone();
    let format = std::env::var("LEVERET_WRITE_FIXTURES").expect("the format's name");
    for ending in ["stopped", "killed"] {
        let mut server = Server::start_managed_with(SMALL);
        story::first(&server);
        assert!(server.terminate().success());
        server.restart();
        story::second(&server);
        match ending {
            "stopped" => assert!(server.terminate().success()),
            _ => server.kill(),
        }
        let data = server.data_dir();
        let home = data.parent().unwrap();
        // It holds nothing.
        let _ = fs::remove_file(data.join("reserve"));
        tar(&["--owner=0", "--group=0", "-cSf", "fixture.tar", "data"], home);
        fs::write(home.join("listing.txt"), listing(&contents(&data))).unwrap();
        tar(&["--owner=0", "--group=0", "-rf", "fixture.tar", "listing.txt"], home);
        let packed = Command::new("gzip").arg("-9").arg(home.join("fixture.tar")).status();
        assert!(packed.unwrap().success());
        fs::copy(home.join("fixture.tar.gz"), fixture(&format!("{format}-{ending}"))).unwrap();
    }
}
