//! The memory of a broker that runs on this machine, from what the kernel says of its process.

use std::fs;

/// Resident memory of a process, in bytes.
///
/// # Errors
///
/// When there is no such process.
pub(super) fn resident_bytes(pid: u32) -> Result<u64, String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))
        .map_err(|_| format!("there is no process {pid} here; give --pid the broker's"))?;
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse::<u64>().ok());
    kib.map(|kib| kib * 1024).ok_or_else(|| format!("process {pid} has no memory to tell of"))
}
