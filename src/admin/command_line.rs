//! What may stand on the command line, and the help that a newcomer reads.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::control::options::Control;
use super::failure::Failure;
use crate::bench::BenchCommand;
use crate::config::Overrides;

const EXAMPLES: &str = "\
Examples:
  leveret
      Serve AMQP on 127.0.0.1:5672 with the data under ./data
  leveret --listen 0.0.0.0:5672 --data-dir /var/lib/leveret
      Serve every machine that can reach this one
  leveret --config /etc/leveret/broker.toml check-config
      Say whether a configuration file is sound
  leveret admin queues
      Show the queues of the broker that runs on this machine

Environment variables:
  LEVERET_CONFIG     the configuration file, as --config
  LEVERET_DATA_DIR   the data directory, as --data-dir
  LEVERET_LISTEN     where to listen, as --listen
  LEVERET_MANAGEMENT_LISTEN
                     where to listen for the management API, as --management-listen
  LEVERET_SECTION_KEY
                     any other key of broker.toml, such as LEVERET_AMQP_CHANNEL_MAX
                     for channel_max in [amqp]; a list's entries stand between commas
  RUST_LOG           what is logged: error, warn, info (the default), debug or trace

The defaults are overridden by broker.toml, that by the environment, and that by the options.
The first start makes the user guest with the password guest, who may log in from this machine only.";

/// A message broker in one binary: AMQP 0-9-1 as RabbitMQ speaks it.
///
/// Without a command it serves. It runs in the foreground, logs to standard error, and stops cleanly on
/// SIGTERM or SIGINT; a second signal ends it at once.
#[derive(Debug, Parser)]
#[command(name = "leveret", version, after_help = EXAMPLES, disable_help_subcommand = true)]
pub(super) struct CommandLine {
    /// Read this configuration file, which must exist [default: broker.toml, if it is here]
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,

    #[command(flatten)]
    broker: BrokerOptions,

    /// What to do; to serve, when nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What the broker is told besides its configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub(super) struct BrokerOptions {
    /// Keep everything that survives a restart in this directory [default: data]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,

    /// Listen here for AMQP [default: 127.0.0.1:5672]
    #[arg(long, value_name = "HOST:PORT", value_parser = NonEmptyStringValueParser::new())]
    listen: Option<String>,

    /// Listen here for the management API and metrics, or nowhere when it says off [default: 127.0.0.1:15672]
    #[arg(
        long,
        value_name = "HOST:PORT|off",
        value_parser = NonEmptyStringValueParser::new()
    )]
    management_listen: Option<String>,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the broker until it gets SIGTERM or SIGINT (the same as no command)
    Serve {
        #[command(flatten)]
        broker: BrokerOptions,
    },
    /// Say whether the configuration is sound, and on request show it
    ///
    /// The configuration is put together as `serve` would do it, from the file, the environment and the options. Ends
    /// with 0 when it is sound; else says in one line what is wrong, and where, and ends with 1.
    CheckConfig {
        /// Print the effective configuration, every key included
        #[arg(long, value_name = "FORMAT")]
        format: Option<Format>,
        #[command(flatten)]
        broker: BrokerOptions,
    },
    /// Look at a running broker, and change what it holds
    Admin(Control),
    /// Print what makes a shell complete the commands and options of `leveret`
    ///
    /// In bash: source <(leveret completions bash)
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write the manual's pages, one for each command
    Man {
        /// The directory, which must exist
        directory: PathBuf,
    },
    /// Load a broker, this or any other that speaks AMQP 0-9-1, and measure it
    #[command(subcommand)]
    Bench(Box<BenchCommand>),
}

/// How the effective configuration is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// As a configuration file that could be used as it is.
    Toml,
    /// As one JSON object, one member for each section.
    Json,
}

impl CommandLine {
    /// What the options set. Those of the broker may stand before its command or behind it.
    ///
    /// # Errors
    ///
    /// An option of the broker before a command that has nothing to do with it.
    pub fn overrides(&self) -> Result<Overrides, Failure> {
        let behind = match &self.command {
            None => BrokerOptions::default(),
            Some(Command::Serve { broker } | Command::CheckConfig { broker, .. }) => broker.clone(),
            Some(_) if self.broker != BrokerOptions::default() => {
                return Err(Failure::Usage(
                    "--data-dir, --listen and --management-listen are for the broker itself, and this command does not start it".to_owned(),
                ));
            }
            Some(_) => BrokerOptions::default(),
        };
        let before = self.broker.clone();
        Ok(Overrides {
            config: self.config.clone(),
            data_dir: behind.data_dir.or(before.data_dir),
            listen: behind.listen.or(before.listen),
            management_listen: behind.management_listen.or(before.management_listen),
        })
    }
}
