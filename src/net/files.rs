//! The process and its files: how many it may have open, since each connection is one, and who may read what it makes.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit, umask};

/// Files of the process besides its connections.
const OTHER_FILES: u64 = 64;

/// The bits of a file's mode that let its group and everybody else do something with it.
const OTHERS: u32 = 0o077;

/// Raises the limit as far as the system lets us, and says so when that is too little for all connections.
pub(super) fn raise_limit(connections_max: usize) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // No limit is shown as `None`.
    let wanted = (connections_max as u64).saturating_add(OTHER_FILES);
    let Some(limit) = current.filter(|&limit| limit < wanted) else { return };
    let raised = maximum.map_or(wanted, |most| most.min(wanted));
    if raised > limit
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum })
    {
        log::warn!("cannot raise the limit of {limit} open files: {error}");
        return;
    }
    if raised < wanted {
        let connections = raised.saturating_sub(OTHER_FILES);
        log::info!("the system allows {raised} open files, so about {connections} connections");
    }
}

/// Lets nobody but this user read what the process makes from now on: journal and index hold messages and hashes of
/// passwords, and not every file of them is made by us. A directory that was there before keeps its mode, which is said
/// if others can look into it.
pub(super) fn keep_private(data_dir: &Path) {
    umask(Mode::RWXG | Mode::RWXO);
    let Ok(metadata) = std::fs::metadata(data_dir) else { return };
    if metadata.mode() & OTHERS != 0 {
        let path = std::path::absolute(data_dir).unwrap_or_else(|_| data_dir.to_owned());
        let path = path.display();
        log::warn!(
            "users other than its owner can look into {path}, which holds messages and hashes of passwords: \
             run `chmod -R go= '{path}'`"
        );
    }
}
