//! What the process takes of the machine's memory.

use std::fs;

/// Bytes of memory that the process has at this moment; 0 when the system does not say.
pub(crate) fn resident_bytes() -> u64 {
    let page = rustix::param::page_size() as u64;
    let pages = fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|text| text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()));
    pages.unwrap_or(0) * page
}
