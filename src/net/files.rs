//! How many files the process may have open: each connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files of the process besides its connections.
const OTHER_FILES: u64 = 64;

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
