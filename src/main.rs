//! The `leveret` program: the broker handed to the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    leveret::admin::run(std::env::args_os(), leveret::net::serve)
}
