//! What the tests that need a running broker share: the broker as a process of its own, programs that are run beside
//! it under a time limit, and the interpreters and packages that foreign clients need.

// Every test target compiles this module for itself and uses its own part of it.
#![allow(dead_code, unreachable_pub)]

pub mod broker;
pub mod example;
pub mod http;
pub mod inside;
pub mod interpreter;
pub mod peer;
pub mod process;
pub mod random;
pub mod raw;
pub mod server;
pub mod terminal;
