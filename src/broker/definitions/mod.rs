//! Definitions: users, virtual hosts, permissions, exchanges, queues and bindings as JSON in the format that RabbitMQ
//! exports, applied at start from a file and at run time through the management API. What is there already stays as
//! it is, save users and permissions, which take the new word. Definitions with anything wrong in them change
//! nothing.

mod check;
mod export;
mod file;
mod import;
pub(super) mod json;
pub(super) mod recovery;
mod room;

use std::path::Path;

use crate::broker::declaration::exchange_declaration::PREDECLARED;
use crate::broker::pending::Pending;
use crate::broker::{Broker, OpenError};
use crate::routing::Kind;

pub use export::user_to_json;

use file::File;

/// The type of an exchange that every virtual host has.
fn predeclared_kind(name: &str) -> Option<Kind> {
    PREDECLARED.iter().find(|(known, ..)| *known == name).map(|(_, kind, _)| *kind)
}

impl Broker {
    /// Applies a definitions file.
    ///
    /// # Errors
    /// One line that names the file and what is wrong in it.
    pub(in crate::broker) fn apply_definitions(
        &self,
        path: &Path,
        now_ms: u64,
    ) -> Result<(), OpenError> {
        let fail = |why: String| OpenError::Definitions { path: path.to_owned(), why };
        let text = std::fs::read(path).map_err(|error| fail(error.to_string()))?;
        self.import_definitions(&text, now_ms)
            .map_err(fail)?
            .wait_blocking()
            .map_err(|_| fail("it could not be stored".to_owned()))
    }

    /// Applies definitions, and says when they are on the disk. May take tens of milliseconds for each password in
    /// plain text.
    ///
    /// # Errors
    /// One line that says which entry is wrong. Nothing has changed then.
    pub fn import_definitions(&self, text: &[u8], now_ms: u64) -> Result<Pending, String> {
        let file: File = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        self.import(check::check(file, self.entropy(), &self.config.limits)?, now_ms)
    }

    /// Applies definitions to one virtual host; their entries name none, or this one.
    ///
    /// # Errors
    /// One line that says which entry is wrong. Nothing has changed then.
    pub fn import_vhost_definitions(
        &self,
        vhost: &str,
        text: &[u8],
        now_ms: u64,
    ) -> Result<Pending, String> {
        let mut file: File = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        if !file.users.is_empty() || !file.vhosts.is_empty() || !file.permissions.is_empty() {
            return Err("definitions for one vhost have no users, vhosts or permissions".to_owned());
        }
        let exchanges = file.exchanges.iter_mut().map(|one| &mut one.vhost);
        let queues = file.queues.iter_mut().map(|one| &mut one.vhost);
        let bindings = file.bindings.iter_mut().map(|one| &mut one.vhost);
        for named in exchanges.chain(queues).chain(bindings) {
            if !named.is_empty() && named != vhost {
                return Err(format!("an entry is for vhost '{named}', not for '{vhost}'"));
            }
            vhost.clone_into(named);
        }
        self.import(check::check(file, self.entropy(), &self.config.limits)?, now_ms)
    }
}
