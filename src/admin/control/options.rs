//! What may stand behind `leveret admin`, and its help.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand, ValueEnum};

/// Messages of one `get`.
const GET_MESSAGES_MAX: u64 = 1000;
/// Seconds between two looks: a day.
const WATCH_S_MAX: u64 = 86_400;

pub(super) const AFTER_HELP: &str = "\
Examples:
  leveret admin queues --sort -ready --filter 'ready>0'
      The queues that have messages, the longest first
  leveret admin queues --watch
      The same every two seconds, until Ctrl-C
  leveret admin get orders --count 3
      The first three messages of a queue, which stay where they are
  leveret admin route shop order.created
      Which queues a message would reach, and why not the others

Exit codes:
  0  done
  1  not done: one line on standard error says why, and what to do next
  2  the command line makes no sense, and nothing was tried; a wrong address is a 1, wherever it stands

The broker is looked for on this machine. Options, then the variables LEVERET_ADMIN_URL, LEVERET_ADMIN_USER and
LEVERET_ADMIN_PASSWORD, then [admin] in broker.toml name another one, or another user.";

/// Which broker, and who asks.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Broker")]
pub(crate) struct Access {
    /// The broker's management API, as http://HOST:PORT or HOST:PORT [default: 127.0.0.1:15672]
    #[arg(long, global = true, value_name = "URL")]
    pub url: Option<String>,

    /// The user to log in as [default: guest]
    #[arg(long, global = true, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub user: Option<String>,

    /// Its password; `-` reads it from standard input, and a user named without one is asked
    ///
    /// Others on this machine can read a command line, so a script is better off with `-` or with the variable
    /// LEVERET_ADMIN_PASSWORD.
    #[arg(long, global = true, value_name = "PASSWORD", allow_hyphen_values = true)]
    pub password: Option<String>,
}

/// `leveret admin`: look at a running broker, and change what it holds.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP, disable_help_subcommand = true, arg_required_else_help = true)]
pub(crate) struct Control {
    #[command(flatten)]
    pub access: Access,
    #[command(subcommand)]
    pub command: Command,
}

/// How a listing looks.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Listing")]
pub(crate) struct ListOptions {
    /// Sort by columns, as `COLUMN,COLUMN`; `-COLUMN` has the largest first
    #[arg(long, value_name = "COLUMN", allow_hyphen_values = true, value_delimiter = ',')]
    pub sort: Vec<String>,

    /// Show only what fits: a part of the name, or `COLUMN>5`, with =, !=, >, <, >=, <=, ~ or !~ (a pattern)
    ///
    /// Given more than once, all must fit. A time may have a unit, as in `oldest>5m`, and so may a size: `bytes>1MiB`.
    #[arg(long, value_name = "FILTER", value_parser = NonEmptyStringValueParser::new())]
    pub filter: Vec<String>,

    /// Show these columns, by the name above them or by the API's, as `COLUMN,COLUMN`
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    pub columns: Vec<String>,

    /// How to print it
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "table")]
    pub format: Format,
}

/// Whether a listing is shown again and again.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Listing")]
pub(crate) struct WatchOptions {
    /// Show it again every so many seconds, in place, until Ctrl-C
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "2",
          value_parser = clap::value_parser!(u64).range(1..=WATCH_S_MAX))]
    pub watch: Option<u64>,
}

/// How a listing is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns for people, as wide as the terminal.
    Table,
    /// An array of the API's own objects, one to a line.
    Json,
    /// Comma-separated values with plain numbers.
    Csv,
}

/// How one thing is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ObjectFormat {
    /// Lines for people.
    Table,
    /// The API's own object.
    Json,
}

/// A listing of all virtual hosts, or of one.
#[derive(Debug, Clone, Args)]
pub(crate) struct ScopedList {
    /// Only what is in this virtual host
    #[arg(long, value_name = "VHOST", value_parser = NonEmptyStringValueParser::new())]
    pub vhost: Option<String>,
    #[command(flatten)]
    pub list: ListOptions,
    #[command(flatten)]
    pub watch: WatchOptions,
}

/// A listing that belongs to no virtual host.
#[derive(Debug, Clone, Args)]
pub(crate) struct PlainList {
    #[command(flatten)]
    pub list: ListOptions,
    #[command(flatten)]
    pub watch: WatchOptions,
}

/// The virtual host that a command works in.
#[derive(Debug, Clone, Args)]
pub(crate) struct InVhost {
    /// The virtual host
    #[arg(long, value_name = "VHOST", default_value = "/", value_parser = NonEmptyStringValueParser::new())]
    pub vhost: String,
}

/// Whether to ask first.
#[derive(Debug, Clone, Args)]
pub(crate) struct Confirmation {
    /// Do it without asking
    #[arg(long, short)]
    pub yes: bool,
}

/// Arguments of a queue, exchange or binding.
#[derive(Debug, Clone, Args)]
pub(crate) struct Arguments {
    /// An argument as NAME=VALUE; a value that is JSON is taken as such, anything else as text
    #[arg(long = "argument", short = 'a', value_name = "NAME=VALUE")]
    pub each: Vec<String>,

    /// All arguments as one JSON object
    #[arg(long = "arguments", value_name = "JSON", conflicts_with = "each")]
    pub all: Option<String>,
}

/// The two ends of a binding.
#[derive(Debug, Clone, Args)]
pub(crate) struct BindingEnds {
    /// The exchange that messages come from
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub source: String,
    /// The queue that they go to
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub destination: String,
    /// The routing key or pattern
    #[arg(value_name = "KEY", default_value = "")]
    pub key: String,
    /// The destination is an exchange
    #[arg(long)]
    pub to_exchange: bool,
    #[command(flatten)]
    pub arguments: Arguments,
    #[command(flatten)]
    pub place: InVhost,
}

/// What the admin command can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[command(flatten)]
    Look(Look),
    #[command(flatten)]
    List(List),
    #[command(flatten)]
    Alter(Alter),
}

/// What only looks.
#[derive(Debug, Subcommand)]
pub(crate) enum Look {
    /// Say whether the broker answers
    Ping,
    /// Show what the broker holds and does at a glance
    Overview {
        /// How to print it
        #[arg(long, value_enum, value_name = "FORMAT", default_value = "table")]
        format: ObjectFormat,
        #[command(flatten)]
        watch: WatchOptions,
    },
    /// Say which queues a message would reach, and why not the others; nothing is published
    Route {
        /// The exchange; '' is the default one
        exchange: String,
        /// The routing key
        key: String,
        /// A header of the message as NAME=VALUE; a value that is JSON is taken as such, anything else as text
        #[arg(long = "header", value_name = "NAME=VALUE")]
        headers: Vec<String>,
        #[command(flatten)]
        place: InVhost,
        #[command(flatten)]
        list: ListOptions,
    },
}

/// What lists.
#[derive(Debug, Subcommand)]
pub(crate) enum List {
    /// List queues
    Queues(ScopedList),
    /// List exchanges
    Exchanges(ScopedList),
    /// List bindings
    Bindings(ScopedList),
    /// List consumers
    Consumers(ScopedList),
    /// List connections
    Connections(ScopedList),
    /// List channels
    Channels(ScopedList),
    /// List virtual hosts
    Vhosts(PlainList),
    /// List users
    Users(PlainList),
    /// List permissions
    Permissions(ScopedList),
}

/// What changes something.
#[derive(Debug, Subcommand)]
pub(crate) enum Alter {
    /// Declare a queue, an exchange or a binding
    #[command(subcommand, disable_help_subcommand = true)]
    Declare(Declare),
    /// Delete a queue, an exchange, a virtual host or a user
    #[command(subcommand, disable_help_subcommand = true)]
    Delete(Delete),
    /// Bind a queue to an exchange, or an exchange to another
    Bind(BindingEnds),
    /// Take a binding away; nothing that was routed before is touched, and `bind` makes it again
    Unbind(BindingEnds),
    /// Drop the messages that are ready in a queue
    Purge {
        /// The queue
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        queue: String,
        #[command(flatten)]
        place: InVhost,
        #[command(flatten)]
        confirmation: Confirmation,
    },
    /// Publish one message; ends with 1 when no queue takes it
    Publish(Publish),
    /// Look at the first messages of a queue; they stay where they are, unless --ack takes them
    Get {
        /// The queue
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        queue: String,
        /// How many messages
        #[arg(long, short = 'n', value_name = "N", default_value_t = 1,
              value_parser = clap::value_parser!(u64).range(1..=GET_MESSAGES_MAX))]
        count: u64,
        /// Take them out of the queue
        #[arg(long)]
        ack: bool,
        #[command(flatten)]
        place: InVhost,
        #[command(flatten)]
        list: ListOptions,
    },
    /// Close a connection; its client is told why
    Close {
        /// The connection's name, its client's HOST:PORT, or the name that its client has given it
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        connection: String,
        /// What the client is told
        #[arg(long, value_name = "TEXT", default_value = "closed by leveret admin")]
        reason: String,
    },
    /// Add a user, whose password is asked for, or read from standard input
    AddUser {
        /// The user
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        name: String,
        /// What the user may do here: administrator, monitoring, policymaker, management, impersonator
        #[arg(long, value_name = "TAG", value_delimiter = ',')]
        tags: Vec<String>,
    },
    /// Give a user another password, which is asked for, or read from standard input
    ChangePassword {
        /// The user
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        name: String,
    },
    /// Delete a user (the same as `delete user`)
    DeleteUser(DeleteNamed),
    /// Let a user configure, write and read what patterns match in a virtual host
    SetPermissions {
        /// The user
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        name: String,
        /// Which names it may declare and delete; '' is none, '.*' all
        configure: String,
        /// Which names it may publish to and bind
        write: String,
        /// Which names it may consume from
        read: String,
        #[command(flatten)]
        place: InVhost,
    },
    /// Take a user's permissions in a virtual host away
    ClearPermissions {
        /// The user
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        name: String,
        #[command(flatten)]
        place: InVhost,
    },
    /// Add a virtual host, in which its maker may do everything
    AddVhost {
        /// The virtual host
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        name: String,
    },
    /// Delete a virtual host and all that is in it (the same as `delete vhost`)
    DeleteVhost(DeleteNamed),
    /// Write down what is declared, or declare what is written down, as RabbitMQ does
    #[command(subcommand, disable_help_subcommand = true)]
    Definitions(Definitions),
}

/// What is declared.
#[derive(Debug, Subcommand)]
pub(crate) enum Declare {
    /// Declare a queue, durable unless --transient
    Queue {
        /// The queue
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        name: String,
        /// classic or quorum
        #[arg(long = "type", value_name = "TYPE")]
        kind: Option<String>,
        /// It is gone after a restart
        #[arg(long)]
        transient: bool,
        /// It is gone when its last consumer is
        #[arg(long)]
        auto_delete: bool,
        #[command(flatten)]
        arguments: Arguments,
        #[command(flatten)]
        place: InVhost,
    },
    /// Declare an exchange, durable unless --transient
    Exchange {
        /// The exchange
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        name: String,
        /// direct, fanout, topic or headers
        #[arg(long = "type", value_name = "TYPE", default_value = "direct")]
        kind: String,
        /// It is gone after a restart
        #[arg(long)]
        transient: bool,
        /// It is gone when its last binding is
        #[arg(long)]
        auto_delete: bool,
        /// Only other exchanges publish to it
        #[arg(long)]
        internal: bool,
        #[command(flatten)]
        arguments: Arguments,
        #[command(flatten)]
        place: InVhost,
    },
    /// Declare a binding (the same as `bind`)
    Binding(BindingEnds),
}

/// What is deleted.
#[derive(Debug, Subcommand)]
pub(crate) enum Delete {
    /// Delete a queue with its messages and bindings
    Queue {
        /// The queue
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        name: String,
        /// Only if it has no messages
        #[arg(long)]
        if_empty: bool,
        /// Only if it has no consumers
        #[arg(long)]
        if_unused: bool,
        #[command(flatten)]
        place: InVhost,
        #[command(flatten)]
        confirmation: Confirmation,
    },
    /// Delete an exchange with its bindings
    Exchange {
        /// The exchange
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        name: String,
        /// Only if nothing is bound to it
        #[arg(long)]
        if_unused: bool,
        #[command(flatten)]
        place: InVhost,
        #[command(flatten)]
        confirmation: Confirmation,
    },
    /// Delete a virtual host and all that is in it
    Vhost(DeleteNamed),
    /// Delete a user and its permissions
    User(DeleteNamed),
}

/// Something that is deleted by its name alone.
#[derive(Debug, Args)]
pub(crate) struct DeleteNamed {
    /// Its name
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub name: String,
    #[command(flatten)]
    pub confirmation: Confirmation,
}

/// One message to publish.
#[derive(Debug, Args)]
pub(crate) struct Publish {
    /// The exchange; '' is the default one, whose routing keys are the names of queues
    pub exchange: String,
    /// The routing key
    pub key: String,
    /// The body; without it, or as `-`, it is read from standard input
    #[arg(allow_hyphen_values = true)]
    pub payload: Option<String>,
    /// Read the body from this file
    #[arg(long, value_name = "FILE", conflicts_with = "payload")]
    pub file: Option<PathBuf>,
    /// A header as NAME=VALUE; a value that is JSON is taken as such, anything else as text
    #[arg(long = "header", value_name = "NAME=VALUE")]
    pub headers: Vec<String>,
    /// A property as NAME=VALUE, such as content_type=application/json, priority=5 or expiration=60000
    #[arg(long = "property", short, value_name = "NAME=VALUE")]
    pub properties: Vec<String>,
    /// It need not survive a restart
    #[arg(long)]
    pub transient: bool,
    #[command(flatten)]
    pub place: InVhost,
}

/// What to do with definitions.
#[derive(Debug, Subcommand)]
pub(crate) enum Definitions {
    /// Write users, virtual hosts, permissions, exchanges, queues and bindings as JSON
    ///
    /// Hashes of passwords are among them, so the file is readable to its owner only.
    Export {
        /// The file; without it, or as `-`, standard output
        file: Option<PathBuf>,
        /// Only what is in this virtual host
        #[arg(long, value_name = "VHOST", value_parser = NonEmptyStringValueParser::new())]
        vhost: Option<String>,
    },
    /// Declare what a file describes; what is there already stays
    Import {
        /// The file; without it, or as `-`, standard input
        file: Option<PathBuf>,
        /// Into this virtual host
        #[arg(long, value_name = "VHOST", value_parser = NonEmptyStringValueParser::new())]
        vhost: Option<String>,
    },
}
