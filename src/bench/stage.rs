//! What a run declares on the broker beforehand and deletes afterwards. What somebody else made is left alone.

use super::connection::{Connection, Heartbeats, Opening};
use super::load::{Exchange, Origin, Queue, Topology};
use super::trouble::Trouble;
use super::uri::Uri;
use crate::wire::{Method, Table, basic, exchange, queue};

/// Room for the answers to declarations, which are short.
const INPUT_BYTES: usize = 256 * 1024;

/// Bindings that are asked for before the answers are read.
const BINDINGS_AHEAD_MAX: usize = 500;

/// The channel for all of it.
const CHANNEL: u16 = 1;

/// Exchange and queues as they were declared.
pub(super) struct Stage {
    uri: Uri,
    topology: Topology,
    /// The queues that were there before, and stay.
    kept: Vec<String>,
}

impl Stage {
    /// Declares an exchange and its queues. Of what is ours, leftovers from an earlier run are deleted first.
    ///
    /// # Errors
    ///
    /// What the broker says; then nothing of ours is left.
    pub fn set(uri: &Uri, topology: &Topology) -> Result<Self, Trouble> {
        let mut stage = Self { uri: uri.clone(), topology: topology.clone(), kept: Vec::new() };
        match stage.declare() {
            Ok(()) => Ok(stage),
            Err(trouble) => {
                // The first trouble is the one to tell.
                let _ = stage.clear();
                Err(trouble)
            }
        }
    }

    fn declare(&mut self) -> Result<(), Trouble> {
        let mut connection = open(&self.uri)?;
        if let Exchange::Own { name, kind, arguments } = &self.topology.exchange {
            delete_exchange(&mut connection, name)?;
            declare_exchange(&mut connection, name, kind, arguments)?;
        }
        for queue in &self.topology.queues {
            match queue.origin {
                Origin::Ours => delete_queue(&mut connection, &queue.name)?,
                Origin::OursWithContents => {}
                Origin::Users => {
                    if depth(&self.uri, &queue.name)?.is_some() {
                        self.kept.push(queue.name.clone());
                        continue;
                    }
                }
            }
            declare_queue(&mut connection, queue)?;
        }
        for queue in &self.topology.queues {
            bind(&mut connection, queue, self.topology.exchange.name())?;
        }
        connection.close();
        Ok(())
    }

    /// Deletes what was declared.
    ///
    /// # Errors
    ///
    /// What the broker says.
    pub fn clear(&self) -> Result<(), Trouble> {
        let mut connection = open(&self.uri)?;
        for queue in &self.topology.queues {
            if !self.kept.contains(&queue.name) {
                delete_queue(&mut connection, &queue.name)?;
            }
        }
        if let Exchange::Own { name, .. } = &self.topology.exchange {
            delete_exchange(&mut connection, name)?;
        }
        connection.close();
        Ok(())
    }
}

/// How many messages are ready in a queue; `None` when there is no such queue.
pub(super) fn depth(uri: &Uri, name: &str) -> Result<Option<u64>, Trouble> {
    let mut connection = open(uri)?;
    let declare = queue::Declare {
        queue: name,
        passive: true,
        durable: false,
        exclusive: false,
        auto_delete: false,
        no_wait: false,
        arguments: Table::new(),
    };
    let count = connection.call(CHANNEL, &Method::QueueDeclare(declare), |method| match method {
        Method::QueueDeclareOk(ok) => Some(u64::from(ok.message_count)),
        _ => None,
    });
    match count {
        Ok(count) => {
            connection.close();
            Ok(Some(count))
        }
        Err(trouble) if trouble.code == Some(404) => Ok(None),
        Err(trouble) => Err(trouble),
    }
}

fn open(uri: &Uri) -> Result<Connection, Trouble> {
    let heartbeats = Heartbeats::Off;
    Connection::open(uri, Opening { channels: CHANNEL, heartbeats, input_bytes: INPUT_BYTES })
}

fn declare_exchange(
    connection: &mut Connection,
    name: &str,
    kind: &str,
    arguments: &Table,
) -> Result<(), Trouble> {
    let declare = exchange::Declare {
        exchange: name,
        kind,
        passive: false,
        durable: false,
        auto_delete: false,
        internal: false,
        no_wait: false,
        arguments: arguments.clone(),
    };
    connection.call(CHANNEL, &Method::ExchangeDeclare(declare), |method| {
        matches!(method, Method::ExchangeDeclareOk(_)).then_some(())
    })
}

fn delete_exchange(connection: &mut Connection, name: &str) -> Result<(), Trouble> {
    let delete = exchange::Delete { exchange: name, if_unused: false, no_wait: false };
    connection.call(CHANNEL, &Method::ExchangeDelete(delete), |method| {
        matches!(method, Method::ExchangeDeleteOk(_)).then_some(())
    })
}

/// Declares a queue.
pub(super) fn declare_queue(connection: &mut Connection, queue: &Queue) -> Result<(), Trouble> {
    let declare = queue::Declare {
        queue: &queue.name,
        passive: false,
        durable: queue.durable,
        exclusive: false,
        auto_delete: false,
        no_wait: false,
        arguments: queue.arguments.clone(),
    };
    connection.call(CHANNEL, &Method::QueueDeclare(declare), |method| {
        matches!(method, Method::QueueDeclareOk(_)).then_some(())
    })
}

/// Deletes a queue with what is in it; that there is none is fine.
pub(super) fn delete_queue(connection: &mut Connection, name: &str) -> Result<(), Trouble> {
    let delete = queue::Delete { queue: name, if_unused: false, if_empty: false, no_wait: false };
    connection.call(CHANNEL, &Method::QueueDelete(delete), |method| {
        matches!(method, Method::QueueDeleteOk(_)).then_some(())
    })
}

fn bind(connection: &mut Connection, queue: &Queue, exchange: &str) -> Result<(), Trouble> {
    for some in queue.bindings.chunks(BINDINGS_AHEAD_MAX) {
        for routing_key in some {
            let bind = queue::Bind {
                queue: &queue.name,
                exchange,
                routing_key,
                no_wait: false,
                arguments: Table::new(),
            };
            connection.post(CHANNEL, &Method::QueueBind(bind));
        }
        for _ in some {
            connection.answer(|method| matches!(method, Method::QueueBindOk(_)).then_some(()))?;
        }
    }
    Ok(())
}

/// Opens a connection, has a queue declared, takes a message through it, and deletes it: what a broker that has
/// nothing else to do answers quickly.
pub(super) fn round_trip(uri: &Uri, name: &str) -> Result<(), Trouble> {
    let mut connection = open(uri)?;
    let queue = Queue {
        name: name.to_owned(),
        durable: false,
        arguments: Table::new(),
        bindings: Vec::new(),
        origin: Origin::Ours,
    };
    delete_queue(&mut connection, name)?;
    declare_queue(&mut connection, &queue)?;
    let publish =
        basic::Publish { exchange: "", routing_key: name, mandatory: false, immediate: false };
    connection.post(CHANNEL, &Method::BasicPublish(publish));
    let limit = connection.frame_bytes_max;
    crate::wire::encode_content(
        connection.link.output(),
        CHANNEL,
        basic::CLASS_ID,
        &[0, 0],
        b"probe",
        limit,
    );
    let get = basic::Get { queue: name, no_ack: true };
    connection.call(CHANNEL, &Method::BasicGet(get), |method| {
        matches!(method, Method::BasicGetOk(_) | Method::BasicGetEmpty(_)).then_some(())
    })?;
    delete_queue(&mut connection, name)?;
    connection.close();
    Ok(())
}
