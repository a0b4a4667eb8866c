//! `leveret admin`: a running broker looked at and changed over its management API. It needs no runtime and reads
//! nothing of the broker's but the API and, for its address and login, the configuration.

mod ask;
mod client;
mod column;
mod csv;
mod definitions;
mod filter;
mod listing;
mod messages;
mod noun;
mod numbers;
pub(super) mod options;
mod overview;
mod pages;
mod pairs;
mod password;
mod path;
mod removal;
mod table;
mod target;
mod terminal;
mod text;
mod topology;
mod users;
mod watch;

use super::failure::Failure;
use crate::config::Config;
use client::Client;
use listing::Listing;
use messages::Taking;
use noun::Noun;
use options::{
    Alter, Command, Control, Format, List, ListOptions, Look, PlainList, ScopedList, WatchOptions,
};
use target::Target;

/// Does what was asked for.
///
/// # Errors
///
/// One line that says why it was not done, and what to do next.
pub(super) fn run(control: &Control, config: &Config) -> Result<(), Failure> {
    let client = Client::new(&Target::new(&control.access, config)?);
    match &control.command {
        Command::Look(Look::Ping) => overview::ping(&client),
        Command::Look(Look::Overview { format, watch }) => {
            overview::overview(&client, *format, watch)
        }
        Command::Look(Look::Route { exchange, key, headers, place, list }) => {
            messages::route(&client, (&place.vhost, exchange), key, headers, list)
        }
        Command::List(list) => show(&client, list),
        Command::Alter(change) => alter(&client, change),
    }
}

/// The listings.
fn show(client: &Client, list: &List) -> Result<(), Failure> {
    let scoped =
        |noun, of: &ScopedList| repeat(client, noun, of.vhost.as_deref(), &of.list, &of.watch);
    let plain = |noun, of: &PlainList| repeat(client, noun, None, &of.list, &of.watch);
    match list {
        List::Queues(of) => scoped(&noun::QUEUES, of),
        List::Exchanges(of) => scoped(&noun::EXCHANGES, of),
        List::Bindings(of) => scoped(&noun::BINDINGS, of),
        List::Consumers(of) => scoped(&noun::CONSUMERS, of),
        List::Connections(of) => scoped(&noun::CONNECTIONS, of),
        List::Channels(of) => scoped(&noun::CHANNELS, of),
        List::Permissions(of) => scoped(&noun::PERMISSIONS, of),
        List::Vhosts(of) => plain(&noun::VHOSTS, of),
        List::Users(of) => plain(&noun::USERS, of),
    }
}

/// A listing, once or again and again.
fn repeat(
    client: &Client,
    noun: &'static Noun,
    vhost: Option<&str>,
    options: &ListOptions,
    watch: &WatchOptions,
) -> Result<(), Failure> {
    let listing = Listing::new(noun, options)?;
    let Some(seconds) = watch.watch else { return listing.show(client, vhost) };
    let what = format!("{} of {}", noun.plural, client.address);
    watch::repeat(seconds, listing.format, &what, |terminal| {
        let rows = listing.fetch(client, vhost)?;
        Ok(match listing.format {
            Format::Json => listing.json_line(&rows),
            Format::Table | Format::Csv => listing.text(&rows, terminal),
        })
    })
}

/// What changes something.
fn alter(client: &Client, change: &Alter) -> Result<(), Failure> {
    match change {
        Alter::Declare(what) => topology::declare(client, what),
        Alter::Delete(what) => removal::delete(client, what),
        Alter::Bind(ends) => topology::bind(client, ends),
        Alter::Unbind(ends) => topology::unbind(client, ends),
        Alter::Purge { queue, place, confirmation } => {
            removal::purge(client, &place.vhost, queue, confirmation)
        }
        Alter::Publish(message) => messages::publish(client, message),
        Alter::Close { connection, reason } => users::close(client, connection, reason),
        Alter::AddUser { name, tags } => users::add(client, name, tags),
        Alter::ChangePassword { name } => users::change_password(client, name),
        Alter::DeleteUser(named) => removal::delete_user(client, named),
        Alter::SetPermissions { name, configure, write, read, place } => {
            users::set_permissions(client, (&place.vhost, name), [configure, write, read])
        }
        Alter::ClearPermissions { name, place } => {
            users::clear_permissions(client, &place.vhost, name)
        }
        Alter::AddVhost { name } => users::add_vhost(client, name),
        Alter::DeleteVhost(named) => removal::delete_vhost(client, named),
        Alter::Definitions(what) => definitions::run(client, what),
        Alter::Get { queue, count, ack, place, list } => {
            let taking = if *ack { Taking::Take } else { Taking::Peek };
            messages::get(client, (&place.vhost, queue), *count, taking, list)
        }
    }
}
