//! Changes of the topology as serde writes them: in `definitions.json`, and with postcard wherever format 1 kept them.
//!
//! These are layouts of files, apart from the changes that the store works with. Postcard knows neither names nor
//! versions, so nothing here may ever be added, taken away or moved: a change of another make is for `change`, and for
//! `definitions.json` it is for another enum under a higher version.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::fields::Fields;
use super::newer::Undecoded;
use super::operation::{
    BindingRecord, Change, DestinationKind, ExchangeRecord, PermissionRecord, QueueId, QueueRecord,
    UserRecord, VhostRecord,
};

type Text<'a> = Cow<'a, str>;

/// A change, borrowed on the way out.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum PlainChange<'a> {
    PutVhost {
        name: Text<'a>,
    },
    DeleteVhost {
        name: Text<'a>,
    },
    PutUser {
        name: Text<'a>,
        password_hash: Text<'a>,
        tags: Cow<'a, [String]>,
    },
    DeleteUser {
        name: Text<'a>,
    },
    PutPermission {
        user: Text<'a>,
        vhost: Text<'a>,
        configure: Text<'a>,
        write: Text<'a>,
        read: Text<'a>,
    },
    DeletePermission {
        user: Text<'a>,
        vhost: Text<'a>,
    },
    PutExchange {
        vhost: Text<'a>,
        name: Text<'a>,
        kind: Text<'a>,
        auto_delete: bool,
        internal: bool,
        arguments: Cow<'a, [u8]>,
    },
    DeleteExchange {
        vhost: Text<'a>,
        name: Text<'a>,
    },
    PutQueue {
        id: QueueId,
        vhost: Text<'a>,
        name: Text<'a>,
        auto_delete: bool,
        arguments: Cow<'a, [u8]>,
    },
    DeleteQueue {
        vhost: Text<'a>,
        name: Text<'a>,
        id: QueueId,
    },
    PutBinding(PlainBinding<'a>),
    DeleteBinding(PlainBinding<'a>),
}

/// A binding.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct PlainBinding<'a> {
    vhost: Text<'a>,
    source: Text<'a>,
    destination: Text<'a>,
    destination_kind: PlainDestination,
    routing_key: Text<'a>,
    arguments: Cow<'a, [u8]>,
}

/// What it leads to.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) enum PlainDestination {
    Queue,
    Exchange,
}

/// Takes a list of changes off, as postcard wrote it.
pub(super) fn plain_changes(fields: &mut Fields<'_>) -> Result<Vec<Change>, Undecoded> {
    let (changes, rest) = postcard::take_from_bytes::<Vec<PlainChange<'_>>>(fields.0)
        .map_err(|_| Undecoded::Senseless)?;
    fields.0 = rest;
    Ok(changes.into_iter().map(Change::from).collect())
}

/// A change that postcard wrote alone.
pub(super) fn plain_change(bytes: &[u8]) -> Result<Change, Undecoded> {
    let change: PlainChange<'_> = postcard::from_bytes(bytes).map_err(|_| Undecoded::Senseless)?;
    Ok(change.into())
}

impl<'a> From<&'a Change> for PlainChange<'a> {
    fn from(change: &'a Change) -> Self {
        let text = |text: &'a String| Cow::Borrowed(text.as_str());
        match change {
            Change::PutVhost(vhost) => Self::PutVhost { name: text(&vhost.name) },
            Change::DeleteVhost { name } => Self::DeleteVhost { name: text(name) },
            Change::PutUser(user) => Self::PutUser {
                name: text(&user.name),
                password_hash: text(&user.password_hash),
                tags: Cow::Borrowed(&user.tags),
            },
            Change::DeleteUser { name } => Self::DeleteUser { name: text(name) },
            Change::PutPermission(permission) => Self::PutPermission {
                user: text(&permission.user),
                vhost: text(&permission.vhost),
                configure: text(&permission.configure),
                write: text(&permission.write),
                read: text(&permission.read),
            },
            Change::DeletePermission { user, vhost } => {
                Self::DeletePermission { user: text(user), vhost: text(vhost) }
            }
            Change::PutExchange(exchange) => Self::PutExchange {
                vhost: text(&exchange.vhost),
                name: text(&exchange.name),
                kind: text(&exchange.kind),
                auto_delete: exchange.auto_delete,
                internal: exchange.internal,
                arguments: Cow::Borrowed(&exchange.arguments),
            },
            Change::DeleteExchange { vhost, name } => {
                Self::DeleteExchange { vhost: text(vhost), name: text(name) }
            }
            Change::PutQueue(queue) => Self::PutQueue {
                id: queue.id,
                vhost: text(&queue.vhost),
                name: text(&queue.name),
                auto_delete: queue.auto_delete,
                arguments: Cow::Borrowed(&queue.arguments),
            },
            Change::DeleteQueue { vhost, name, id } => {
                Self::DeleteQueue { vhost: text(vhost), name: text(name), id: *id }
            }
            Change::PutBinding(binding) => Self::PutBinding(binding.into()),
            Change::DeleteBinding(binding) => Self::DeleteBinding(binding.into()),
        }
    }
}

impl<'a> From<&'a BindingRecord> for PlainBinding<'a> {
    fn from(binding: &'a BindingRecord) -> Self {
        Self {
            vhost: Cow::Borrowed(&binding.vhost),
            source: Cow::Borrowed(&binding.source),
            destination: Cow::Borrowed(&binding.destination),
            destination_kind: match binding.destination_kind {
                DestinationKind::Queue => PlainDestination::Queue,
                DestinationKind::Exchange => PlainDestination::Exchange,
            },
            routing_key: Cow::Borrowed(&binding.routing_key),
            arguments: Cow::Borrowed(&binding.arguments),
        }
    }
}

impl From<PlainChange<'_>> for Change {
    fn from(change: PlainChange<'_>) -> Self {
        match change {
            PlainChange::PutVhost { name } => Self::PutVhost(VhostRecord { name: name.into() }),
            PlainChange::DeleteVhost { name } => Self::DeleteVhost { name: name.into() },
            PlainChange::PutUser { name, password_hash, tags } => Self::PutUser(UserRecord {
                name: name.into(),
                password_hash: password_hash.into(),
                tags: tags.into_owned(),
            }),
            PlainChange::DeleteUser { name } => Self::DeleteUser { name: name.into() },
            PlainChange::PutPermission { user, vhost, configure, write, read } => {
                Self::PutPermission(PermissionRecord {
                    user: user.into(),
                    vhost: vhost.into(),
                    configure: configure.into(),
                    write: write.into(),
                    read: read.into(),
                })
            }
            PlainChange::DeletePermission { user, vhost } => {
                Self::DeletePermission { user: user.into(), vhost: vhost.into() }
            }
            PlainChange::PutExchange { vhost, name, kind, auto_delete, internal, arguments } => {
                Self::PutExchange(ExchangeRecord {
                    vhost: vhost.into(),
                    name: name.into(),
                    kind: kind.into(),
                    auto_delete,
                    internal,
                    arguments: arguments.into(),
                })
            }
            PlainChange::DeleteExchange { vhost, name } => {
                Self::DeleteExchange { vhost: vhost.into(), name: name.into() }
            }
            PlainChange::PutQueue { id, vhost, name, auto_delete, arguments } => {
                let (vhost, name) = (vhost.into(), name.into());
                let arguments = arguments.into();
                Self::PutQueue(QueueRecord { id, vhost, name, auto_delete, arguments })
            }
            PlainChange::DeleteQueue { vhost, name, id } => {
                Self::DeleteQueue { vhost: vhost.into(), name: name.into(), id }
            }
            PlainChange::PutBinding(binding) => Self::PutBinding(binding.into()),
            PlainChange::DeleteBinding(binding) => Self::DeleteBinding(binding.into()),
        }
    }
}

impl From<PlainBinding<'_>> for BindingRecord {
    fn from(binding: PlainBinding<'_>) -> Self {
        Self {
            vhost: binding.vhost.into(),
            source: binding.source.into(),
            destination: binding.destination.into(),
            destination_kind: match binding.destination_kind {
                PlainDestination::Queue => DestinationKind::Queue,
                PlainDestination::Exchange => DestinationKind::Exchange,
            },
            routing_key: binding.routing_key.into(),
            arguments: binding.arguments.into(),
        }
    }
}
