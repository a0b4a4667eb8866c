//! The `leveret` program: the allocator, and the broker handed to the command line.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    leveret::admin::run(std::env::args_os(), leveret::net::serve)
}
