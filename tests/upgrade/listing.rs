//! All that a data directory holds, as text.

use std::fmt::Write;
use std::path::Path;
use std::sync::mpsc;

use leveret::message::LoadedMessage;
use leveret::store::{Events, Options, QueueId, Recovered, Reread, Store};

/// What a store found in its directory.
pub struct Contents {
    pub recovered: Recovered,
    /// Each queue's messages.
    pub messages: Vec<(QueueId, Vec<Reread>)>,
}

/// Options as small as those of the fixtures.
pub fn options(directory: &Path) -> Options {
    Options {
        directory: directory.to_owned(),
        segment_bytes_max: 65_536,
        checkpoint_bytes: 65_536,
        index_cache_bytes: 1 << 20,
        ..Options::default()
    }
}

/// Opens a directory, reads it whole, and closes it.
pub fn contents(directory: &Path) -> Contents {
    let (store, recovered) = Store::open(options(directory), Events::default()).expect("opened");
    let messages = recovered.queues.iter().map(|queue| (queue.id, messages(&store, queue.id)));
    let messages = messages.collect();
    store.close();
    Contents { recovered, messages }
}

fn messages(store: &Store, queue: QueueId) -> Vec<Reread> {
    let mut survivors = Vec::new();
    store.survey(queue, &mut |survivor| survivors.push(survivor)).expect("the index is readable");
    let (sender, receiver) = mpsc::channel();
    let positions = survivors.iter().map(|survivor| survivor.position).collect();
    store.read(queue, positions, Box::new(move |rereads| sender.send(rereads).expect("awaited")));
    let rereads = receiver.recv().expect("an answer");
    assert_eq!(rereads.len(), survivors.len());
    for (reread, survivor) in rereads.iter().zip(survivors) {
        let LoadedMessage { position, message, returns } = reread.as_ref().expect("readable");
        let facts = message.facts();
        assert_eq!(survivor.position, *position);
        assert_eq!(survivor.body_bytes as usize, message.body().len());
        assert_eq!(survivor.returns, *returns);
        assert_eq!(survivor.priority, facts.priority);
        assert_eq!(survivor.accepted_ms, facts.accepted_ms);
        assert_eq!(survivor.expiration_ms, facts.expiration_ms);
    }
    rereads
}

/// One line for each thing.
pub fn listing(contents: &Contents) -> String {
    let mut text = String::new();
    let Recovered { vhosts, users, permissions, exchanges, queues, bindings, .. } =
        &contents.recovered;
    let mut line = |what: std::fmt::Arguments<'_>| writeln!(text, "{what}").expect("memory");
    line(format_args!(
        "clean {}, queue ids to {}",
        contents.recovered.clean, contents.recovered.queue_id_max
    ));
    for note in &contents.recovered.notes {
        line(format_args!("note {note}"));
    }
    for vhost in vhosts {
        line(format_args!("vhost {}", vhost.name));
    }
    for user in users {
        line(format_args!("user {} {:?} {}", user.name, user.tags, user.password_hash));
    }
    for one in permissions {
        let patterns = [&one.configure, &one.write, &one.read];
        line(format_args!("permission {} {} {patterns:?}", one.user, one.vhost));
    }
    for one in exchanges {
        let flags = (one.auto_delete, one.internal);
        let arguments = one.arguments.escape_ascii();
        line(format_args!(
            "exchange {} {} {} {flags:?} {arguments}",
            one.vhost, one.name, one.kind
        ));
    }
    for one in queues {
        let (id, flag, arguments) = (one.id, one.auto_delete, one.arguments.escape_ascii());
        line(format_args!("queue {id} {} {} {flag} {arguments}", one.vhost, one.name));
    }
    for one in bindings {
        let (kind, key) = (one.destination_kind, &one.routing_key);
        let arguments = one.arguments.escape_ascii();
        line(format_args!(
            "binding {} {:?} {:?} {kind:?} {key:?} {arguments}",
            one.vhost, one.source, one.destination
        ));
    }
    for (queue, rereads) in &contents.messages {
        for reread in rereads {
            let LoadedMessage { position, message, returns } = reread.as_ref().expect("readable");
            let facts = message.facts();
            let body = message.body();
            line(format_args!(
                "message {queue} {} returned {returns} persistent {} priority {} expiration {:?} accepted {} dead {} {:?} {:?} {} {}+{:08x}",
                position,
                facts.persistent,
                facts.priority,
                facts.expiration_ms,
                facts.accepted_ms,
                facts.dead_letter,
                message.exchange(),
                message.routing_key(),
                message.properties().escape_ascii(),
                body[..body.len().min(12)].escape_ascii(),
                crc32c::crc32c(body),
            ));
        }
    }
    text
}
