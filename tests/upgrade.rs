//! Data directories of earlier formats are opened: nothing of them is lost, and they are upgraded. The directories are
//! in `tests/fixtures`, packed, each with a listing of what the version that wrote it found in it.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

mod upgrade {
    pub mod listing;
    pub mod story;
}

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::server::Server;
use tempfile::TempDir;
use upgrade::listing::{contents, listing};
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

fn tar(arguments: &[&str], directory: &Path) {
    let status = Command::new("tar").args(arguments).current_dir(directory).status();
    assert!(status.expect("tar is installed").success(), "tar {arguments:?}");
}

#[test]
fn a_directory_of_format_1_loses_nothing() {
    for name in ["format-1-stopped", "format-1-killed"] {
        let (_home, data, expected) = unpack(name);
        assert_eq!(listing(&contents(&data)), expected, "{name}");
    }
}

/// Makes the fixtures of the present format, which `LEVERET_WRITE_FIXTURES` gives a name, such as `format-1`.
#[test]
#[ignore = "writes to tests/fixtures: see the README there"]
fn fixtures_are_made() {
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
