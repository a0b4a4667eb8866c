//! stub
use super::random::Random;
/// Runs
pub fn run(_: &[u8]) {}
/// Changes
pub fn change(_: &mut Vec<u8>, _: &mut Random) {}
