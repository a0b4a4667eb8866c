//! The `leveret` program: the broker and its management API handed to the command line.

use std::process::ExitCode;

use leveret::{management, net};

fn main() -> ExitCode {
    leveret::admin::run(std::env::args_os(), |config| {
        net::serve(config, management::bind, management::Listener::start)
    })
}
