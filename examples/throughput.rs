//! How many messages a second go through a broker: one publisher and one consumer on one queue, in four
//! ways. Any AMQP 0-9-1 broker can be measured, several in turn.
//!
//! ```text
//! cargo run --release --example throughput -- [--seconds 5] [--rounds 3] [leveret=]127.0.0.1:5672 rabbitmq=127.0.0.1:5673
//! ```
//!
//! Watch the ratio between brokers rather than the figures: publisher, consumer and broker share the machine.

use std::collections::BTreeSet;
use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use leveret::wire::{
    self, Frame, Method, PROTOCOL_HEADER, Properties, Table, basic, channel, confirm, connection,
    queue,
};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const FRAME_BYTES_MAX: u32 = 131_072;
const QUEUE: &str = "leveret.throughput";
const PREFETCH: u16 = 1000;
const CONFIRM_WINDOW: u64 = 1000;
const BATCH_BYTES: usize = 128 * 1024;

/// One way of sending messages.
#[derive(Clone, Copy)]
struct Scenario {
    name: &'static str,
    body_bytes: usize,
    durability: Durability,
    acks: Acks,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Durability {
    Transient,
    PersistentWithConfirms,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Acks {
    Automatic,
    EachMessage,
}

const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "transient 16 B, no ack",
        body_bytes: 16,
        durability: Durability::Transient,
        acks: Acks::Automatic,
    },
    Scenario {
        name: "transient 1 KiB, each acknowledged",
        body_bytes: 1024,
        durability: Durability::Transient,
        acks: Acks::EachMessage,
    },
    Scenario {
        name: "persistent 16 B, confirms, each acknowledged",
        body_bytes: 16,
        durability: Durability::PersistentWithConfirms,
        acks: Acks::EachMessage,
    },
    Scenario {
        name: "persistent 1 KiB, confirms, each acknowledged",
        body_bytes: 1024,
        durability: Durability::PersistentWithConfirms,
        acks: Acks::EachMessage,
    },
];

fn main() -> Outcome<()> {
    let mut seconds = 5;
    let mut rounds = 3;
    let mut targets: Vec<(String, String)> = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--seconds" => seconds = arguments.next().ok_or("--seconds needs a number")?.parse()?,
            "--rounds" => rounds = arguments.next().ok_or("--rounds needs a number")?.parse()?,
            target => targets.push(match target.split_once('=') {
                Some((name, address)) => (name.to_owned(), address.to_owned()),
                None => (target.to_owned(), target.to_owned()),
            }),
        }
    }
    if targets.is_empty() {
        targets.push(("leveret".to_owned(), "127.0.0.1:5672".to_owned()));
    }
    for scenario in SCENARIOS {
        println!("{}", scenario.name);
        let mut rates: Vec<Vec<f64>> = vec![Vec::new(); targets.len()];
        for _ in 0..rounds {
            for (rates, (_, address)) in rates.iter_mut().zip(&targets) {
                rates.push(run(*scenario, address, Duration::from_secs(seconds))?);
            }
        }
        for (rates, (name, _)) in rates.iter_mut().zip(&targets) {
            rates.sort_by(f64::total_cmp);
            let (low, high) = (rates[0], rates[rates.len() - 1]);
            let median = rates[rates.len() / 2];
            println!("  {name:<12} {median:>10.0} messages/s   ({low:.0} to {high:.0})");
        }
    }
    Ok(())
}

/// Messages per second that arrived at the consumer.
fn run(scenario: Scenario, address: &str, duration: Duration) -> Outcome<f64> {
    let mut setup = Connection::open(address)?;
    setup.declare(scenario.durability)?;
    let stop = Arc::new(AtomicBool::new(false));
    let received = Arc::new(AtomicU64::new(0));
    let mut consumer = Connection::open(address)?;
    consumer.consume(scenario.acks)?;
    let reader = {
        let received = Arc::clone(&received);
        std::thread::spawn(move || consumer.receive(scenario.acks, &received))
    };
    let mut publisher = Connection::open(address)?;
    let writer = {
        let stop = Arc::clone(&stop);
        std::thread::spawn(move || publisher.publish(scenario, &stop))
    };
    let start = Instant::now();
    std::thread::sleep(duration);
    let count = received.load(Ordering::Relaxed);
    let elapsed = start.elapsed();
    stop.store(true, Ordering::Relaxed);
    writer.join().map_err(|_| "the publisher panicked")??;
    // The consumer is told of the end by its queue's deletion.
    setup.delete()?;
    reader.join().map_err(|_| "the consumer panicked")??;
    Ok(count as f64 / elapsed.as_secs_f64())
}

/// A connection with channel 1 open.
struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Connection {
    fn open(address: &str) -> Outcome<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        let mut this = Self { stream, buffer: vec![0; 1 << 20], start: 0, end: 0 };
        this.stream.write_all(&PROTOCOL_HEADER)?;
        this.expect("connection.start")?;
        let capabilities: Table =
            [("consumer_cancel_notify", wire::Value::Bool(true))].into_iter().collect();
        this.send(
            0,
            &Method::ConnectionStartOk(connection::StartOk {
                client_properties: [("capabilities", wire::Value::Table(capabilities))]
                    .into_iter()
                    .collect(),
                mechanism: "PLAIN",
                response: b"\0guest\0guest",
                locale: "en_US",
            }),
        )?;
        this.expect("connection.tune")?;
        let tune = connection::TuneOk { channel_max: 16, frame_max: FRAME_BYTES_MAX, heartbeat: 0 };
        this.send(0, &Method::ConnectionTuneOk(tune))?;
        let open = connection::Open { virtual_host: "/" };
        this.send(0, &Method::ConnectionOpen(open))?;
        this.expect("connection.open-ok")?;
        this.send(1, &Method::ChannelOpen(channel::Open {}))?;
        this.expect("channel.open-ok")?;
        Ok(this)
    }

    fn send(&mut self, channel: u16, method: &Method<'_>) -> Outcome<()> {
        let mut out = Vec::new();
        method.encode_frame(channel, &mut out);
        Ok(self.stream.write_all(&out)?)
    }

    fn fill(&mut self) -> Outcome<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let read = self.stream.read(&mut self.buffer[self.end..])?;
        if read == 0 {
            return Err("the broker closed the connection".into());
        }
        self.end += read;
        Ok(())
    }

    /// Handles every frame that is there; waits for more when there is none.
    fn frames(&mut self, mut handle: impl FnMut(&Frame<'_>) -> Outcome<()>) -> Outcome<()> {
        let mut seen = 0;
        while seen == 0 {
            let Self { buffer, start, end, .. } = self;
            while let Some((frame, bytes)) =
                wire::next_frame(&buffer[*start..*end], FRAME_BYTES_MAX)?
            {
                handle(&frame)?;
                *start += bytes;
                seen += 1;
            }
            if seen == 0 {
                self.fill()?;
            }
        }
        Ok(())
    }

    fn expect(&mut self, name: &str) -> Outcome<()> {
        let mut found = false;
        while !found {
            self.frames(|frame| match frame {
                Frame::Method { method, .. } if method.name() == name => {
                    found = true;
                    Ok(())
                }
                Frame::Method { method, .. } if method.name().ends_with(".close") => {
                    Err(format!("{method:?} instead of {name}").into())
                }
                _ => Ok(()),
            })?;
        }
        Ok(())
    }

    fn declare(&mut self, durability: Durability) -> Outcome<()> {
        self.delete()?;
        self.send(
            1,
            &Method::QueueDeclare(queue::Declare {
                queue: QUEUE,
                passive: false,
                durable: durability == Durability::PersistentWithConfirms,
                exclusive: false,
                auto_delete: false,
                no_wait: false,
                arguments: Table::new(),
            }),
        )?;
        self.expect("queue.declare-ok")
    }

    fn delete(&mut self) -> Outcome<()> {
        let delete =
            queue::Delete { queue: QUEUE, if_unused: false, if_empty: false, no_wait: false };
        self.send(1, &Method::QueueDelete(delete))?;
        self.expect("queue.delete-ok")
    }

    fn consume(&mut self, acks: Acks) -> Outcome<()> {
        let qos = basic::Qos { prefetch_size: 0, prefetch_count: PREFETCH, global: false };
        self.send(1, &Method::BasicQos(qos))?;
        self.expect("basic.qos-ok")?;
        self.send(
            1,
            &Method::BasicConsume(basic::Consume {
                queue: QUEUE,
                consumer_tag: "c",
                no_local: false,
                no_ack: acks == Acks::Automatic,
                exclusive: false,
                no_wait: false,
                arguments: Table::new(),
            }),
        )?;
        self.expect("basic.consume-ok")
    }

    /// Receives until the queue is deleted.
    fn receive(&mut self, acks: Acks, received: &AtomicU64) -> Outcome<()> {
        let mut out = Vec::new();
        let mut cancelled = false;
        while !cancelled {
            let mut count = 0;
            self.frames(|frame| {
                match frame {
                    Frame::Method { method: Method::BasicDeliver(deliver), .. } => {
                        count += 1;
                        if acks == Acks::EachMessage {
                            let delivery_tag = deliver.delivery_tag;
                            Method::BasicAck(basic::Ack { delivery_tag, multiple: false })
                                .encode_frame(1, &mut out);
                        }
                    }
                    Frame::Method { method: Method::BasicCancel(_), .. } => cancelled = true,
                    _ => {}
                }
                Ok(())
            })?;
            received.fetch_add(count, Ordering::Relaxed);
            self.stream.write_all(&out)?;
            out.clear();
        }
        Ok(())
    }

    fn publish(&mut self, scenario: Scenario, stop: &AtomicBool) -> Outcome<()> {
        let message = message(scenario);
        let per_batch = (BATCH_BYTES / message.len()).max(1);
        let batch = message.repeat(per_batch);
        if scenario.durability == Durability::Transient {
            while !stop.load(Ordering::Relaxed) {
                self.stream.write_all(&batch)?;
            }
            return Ok(());
        }
        self.send(1, &Method::ConfirmSelect(confirm::Select { no_wait: false }))?;
        self.expect("confirm.select-ok")?;
        let (mut sent, mut confirmed) = (0, Confirmed::default());
        while !stop.load(Ordering::Relaxed) {
            while sent - confirmed.count() < CONFIRM_WINDOW {
                let count = (CONFIRM_WINDOW - (sent - confirmed.count())).min(per_batch as u64);
                self.stream.write_all(&batch[..message.len() * count as usize])?;
                sent += count;
            }
            self.confirms(&mut confirmed)?;
        }
        while confirmed.count() < sent {
            self.confirms(&mut confirmed)?;
        }
        Ok(())
    }

    fn confirms(&mut self, confirmed: &mut Confirmed) -> Outcome<()> {
        self.frames(|frame| {
            if let Frame::Method { method: Method::BasicAck(ack), .. } = frame {
                confirmed.note(*ack);
            }
            Ok(())
        })
    }
}

/// The messages that were confirmed: all up to one, and some beyond it.
#[derive(Default)]
struct Confirmed {
    through: u64,
    early: BTreeSet<u64>,
}

impl Confirmed {
    fn note(&mut self, ack: basic::Ack) {
        if ack.multiple {
            self.through = self.through.max(ack.delivery_tag);
            self.early = self.early.split_off(&(self.through + 1));
        } else {
            self.early.insert(ack.delivery_tag);
        }
        while self.early.remove(&(self.through + 1)) {
            self.through += 1;
        }
    }

    fn count(&self) -> u64 {
        self.through + self.early.len() as u64
    }
}

/// The frames of one published message.
fn message(scenario: Scenario) -> Vec<u8> {
    let mut out = Vec::new();
    Method::BasicPublish(basic::Publish {
        exchange: "",
        routing_key: QUEUE,
        mandatory: false,
        immediate: false,
    })
    .encode_frame(1, &mut out);
    let delivery_mode = match scenario.durability {
        Durability::Transient => 1,
        Durability::PersistentWithConfirms => 2,
    };
    let mut properties = Vec::new();
    Properties { delivery_mode: Some(delivery_mode), ..Properties::default() }
        .encode(&mut properties);
    let body = vec![b'x'; scenario.body_bytes];
    wire::encode_content(&mut out, 1, basic::CLASS_ID, &properties, &body, FRAME_BYTES_MAX);
    out
}
