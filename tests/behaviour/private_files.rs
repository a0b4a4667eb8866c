//! Who can read what the broker keeps: messages, and hashes of passwords.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::support::server::Server;

const LIMIT: Duration = Duration::from_secs(20);

/// Files and directories below this one, itself included, that others than their owner may use in any way.
fn open_to_others(path: &Path) -> Vec<PathBuf> {
    let metadata = fs::symlink_metadata(path).unwrap();
    let mut found = Vec::new();
    if metadata.is_dir() {
        found.extend(
            fs::read_dir(path).unwrap().flat_map(|entry| open_to_others(&entry.unwrap().path())),
        );
    }
    if metadata.mode() & 0o077 != 0 {
        found.push(path.to_owned());
    }
    found
}

#[test]
fn everything_that_the_broker_makes_is_its_users_alone() {
    let mut server = Server::start();
    let data = server.data_dir();
    assert_eq!(open_to_others(&data), [] as [PathBuf; 0]);
    assert!(server.terminate().success());
    assert_eq!(open_to_others(&data), [] as [PathBuf; 0]);
    assert!(!server.log().contains("chmod"), "{}", server.log());
}

#[test]
fn a_directory_that_others_can_read_is_told_with_what_mends_it() {
    let mut server = Server::start();
    let data = server.data_dir();
    assert!(server.terminate().success());
    fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).unwrap();
    server.restart();
    let told = server.log_line_with("chmod -R go= '", LIMIT).unwrap();
    assert!(told.contains("WARN") && told.contains(data.to_str().unwrap()), "{told}");
    assert_eq!(open_to_others(&data), [data]);
}
