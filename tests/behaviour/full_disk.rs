//! A disk that is really full: a small file system of its own, with a ballast on it that can be thrown off.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use leveret::wire::{Frame, Method, queue};

use super::client::*;
use crate::support::interpreter::say_skipped;
use crate::support::raw::{Incoming, parse, show};
use crate::support::server::Server;

/// Messages that are sent before the publisher looks whether it is blocked.
const STEP: u64 = 50;
/// More steps than fit the disk.
const STEPS_MAX: u64 = 100;
const BODY_BYTES: usize = 10_000;

/// A file system in memory, unmounted when it goes.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Nothing where this user may not mount.
    fn mount() -> Option<Self> {
        let directory = tempfile::tempdir().expect("a temporary directory").keep();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=24m", "tmpfs"])
            .arg(&directory)
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        if !mounted {
            say_skipped("a test on a full disk: it needs the right to mount one");
            fs::remove_dir(&directory).expect("it is empty");
            return None;
        }
        Some(Self(directory))
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the broker that was just killed may hold a file for a moment.
        let unmounted = Command::new("umount").arg("--lazy").arg(&self.0).status();
        if unmounted.is_ok_and(|status| status.success()) {
            // An empty directory that stays behind harms nobody.
            let _ = fs::remove_dir(&self.0);
        }
    }
}

/// What a publisher hears.
enum Heard {
    ConfirmedThrough(u64),
    Blocked(String),
    Unblocked,
}

#[track_caller]
fn hear(publisher: &mut Client) -> Heard {
    let incoming = publisher.next();
    let Incoming::Frame(frame) = &incoming else { panic!("got {}", show(&incoming)) };
    match parse(frame) {
        Frame::Method { method: Method::BasicAck(ack), .. } => {
            Heard::ConfirmedThrough(ack.delivery_tag)
        }
        Frame::Method { method: Method::ConnectionBlocked(blocked), .. } => {
            Heard::Blocked(blocked.reason.to_owned())
        }
        Frame::Method { method: Method::ConnectionUnblocked(_), .. } => Heard::Unblocked,
        _ => panic!("got {}", show(&incoming)),
    }
}

/// Takes so many messages out of the queue; then there is room for another.
#[track_caller]
fn settle_and_publish(server: &Server, consumer: &mut Client, count: u64) {
    consumer.consume("q", "c");
    for _ in 0..count {
        let message = consumer.delivered();
        consumer.ack(message.tag);
    }
    let mut publisher = Client::open(&local(server.port()));
    publisher.select_confirms();
    publisher.publish("", "q", &persistent(), &"x".repeat(BODY_BYTES));
    loop {
        match hear(&mut publisher) {
            Heard::ConfirmedThrough(tag) => break assert_eq!(tag, 1),
            Heard::Blocked(_) | Heard::Unblocked => {}
        }
    }
}

/// Publishes until the broker says that it is blocked: how many were sent, how many of them are confirmed.
fn fill(publisher: &mut Client) -> (u64, u64) {
    let body = "x".repeat(BODY_BYTES);
    let (mut sent, mut confirmed) = (0, 0);
    for _ in 0..STEPS_MAX {
        for _ in 0..STEP {
            publisher.publish("", "q", &persistent(), &body);
        }
        sent += STEP;
        while confirmed < sent {
            match hear(publisher) {
                Heard::ConfirmedThrough(tag) => confirmed = tag,
                Heard::Blocked(reason) => {
                    assert_eq!(reason, "low on disk");
                    return (sent, confirmed);
                }
                Heard::Unblocked => panic!("unblocked without having been blocked"),
            }
        }
    }
    panic!("{sent} messages fit the disk");
}

#[test]
fn on_a_full_disk_publishers_wait_consumers_go_on_and_nothing_confirmed_is_lost() {
    let Some(disk) = SmallDisk::mount() else { return };
    let ballast = disk.path().join("ballast");
    fs::write(&ballast, vec![0; 12 << 20]).expect("there is room at first");
    let mut server = Server::start_in(disk.path(), "[alarms]\ndisk_free_bytes_min = 0\n");
    let mut publisher = Client::open(&local(server.port()));
    publisher.queue("q", &[]);
    publisher.select_confirms();
    let (sent, mut confirmed) = fill(&mut publisher);

    let mut consumer = Client::open(&local(server.port()));
    consumer.consume("q", "c");
    for _ in 0..10 {
        let message = consumer.delivered();
        consumer.ack(message.tag);
    }

    fs::remove_file(&ballast).expect("it is there");
    let mut blocked = true;
    while confirmed < sent || blocked {
        match hear(&mut publisher) {
            Heard::ConfirmedThrough(tag) => confirmed = tag,
            Heard::Blocked(_) => blocked = true,
            Heard::Unblocked => blocked = false,
        }
    }

    server.restart();
    let mut client = Client::open(&local(server.port()));
    let left = u64::from(client.counts("q").0);
    assert!((sent - 10..=sent).contains(&left), "{left} of {sent} are left");
}

#[test]
fn a_broker_killed_on_a_full_disk_starts_again_and_lets_consumers_make_room() {
    let Some(disk) = SmallDisk::mount() else { return };
    let settings = "[alarms]\ndisk_free_bytes_min = 0\n[store]\nsegment_bytes_max = 1000000\n";
    let mut server = Server::start_in(disk.path(), settings);
    let mut publisher = Client::open(&local(server.port()));
    publisher.queue("q", &[]);
    publisher.select_confirms();
    let (_, confirmed) = fill(&mut publisher);

    // Killed while it is full, and started while it still is.
    server.restart();
    let mut client = Client::open(&local(server.port()));
    let left = u64::from(client.counts("q").0);
    assert!(left >= confirmed, "{left} are left of {confirmed} that were confirmed");
    let mut consumer = Client::open(&local(server.port()));
    settle_and_publish(&server, &mut consumer, left);
}

#[test]
fn a_broker_without_a_reserve_starts_on_a_full_disk_and_lets_consumers_make_room() {
    let Some(disk) = SmallDisk::mount() else { return };
    let settings = "[alarms]\ndisk_free_bytes_min = 0\n[store]\nsegment_bytes_max = 1000000\n";
    let mut server = Server::start_in(disk.path(), settings);
    let mut publisher = Client::open(&local(server.port()));
    publisher.queue("q", &[]);
    publisher.select_confirms();
    let (_, confirmed) = fill(&mut publisher);
    server.kill();
    // It is as if an earlier version had filled the disk, and others the rest of it.
    let _ = fs::remove_file(disk.path().join("reserve"));
    let ballast = disk.path().join("ballast");
    assert!(fs::write(&ballast, vec![0; 24 << 20]).is_err(), "a full disk took more than it has");
    server.restart();
    let mut consumer = Client::open(&local(server.port()));
    let left = u64::from(consumer.counts("q").0);
    assert!(left >= confirmed, "{left} are left of {confirmed} that were confirmed");
    settle_and_publish(&server, &mut consumer, left);
}

#[test]
fn purging_on_a_full_disk_makes_room() {
    let Some(disk) = SmallDisk::mount() else { return };
    let settings = "[alarms]\ndisk_free_bytes_min = 0\n[store]\nsegment_bytes_max = 1000000\n";
    let server = Server::start_in(disk.path(), settings);
    let mut publisher = Client::open(&local(server.port()));
    publisher.queue("q", &[]);
    publisher.select_confirms();
    let (sent, mut confirmed) = fill(&mut publisher);
    let mut client = Client::open(&local(server.port()));
    client.call(&Method::QueuePurge(queue::Purge { queue: "q", no_wait: false }));
    let mut blocked = true;
    while confirmed < sent || blocked {
        match hear(&mut publisher) {
            Heard::ConfirmedThrough(tag) => confirmed = tag,
            Heard::Blocked(_) => blocked = true,
            Heard::Unblocked => blocked = false,
        }
    }
}
