//! The thread that samples every counter at a steady pace.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::queue_object::sampled;
use super::rates::Subject;
use super::stats::{channel_values, exchange_values};
use super::{Api, clock, overview};

/// Time between two samples.
const EVERY: Duration = Duration::from_secs(5);

/// The thread walks over lists and little else.
const STACK_BYTES: usize = 256 * 1024;

/// A running sampler; dropping it ends it.
pub(super) struct Sampler {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Sampler {
    /// Starts the thread. Without one every rate is 0, which the log says.
    pub fn start(api: &Arc<Api>) -> Option<Self> {
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let (api, stopped) = (Arc::clone(api), Arc::clone(&stop));
        let thread = thread::Builder::new()
            .name("sampler".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || run(&api, &stopped))
            .inspect_err(|error| log::error!("no rates, for want of a thread: {error}"));
        Some(Self { stop, thread: Some(thread.ok()?) })
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        *self.stop.0.lock() = true;
        self.stop.1.notify_all();
        if let Some(thread) = self.thread.take() {
            // It has nothing to give back, and a panic of its own is in the log already.
            drop(thread.join());
        }
    }
}

fn run(api: &Api, stop: &(Mutex<bool>, Condvar)) {
    loop {
        let mut stopped = stop.0.lock();
        if !*stopped {
            stop.1.wait_for(&mut stopped, EVERY);
        }
        if *stopped {
            return;
        }
        drop(stopped);
        sample(api);
    }
}

/// Samples everything once. The rates are locked for each object anew, so that nobody waits for the whole round.
fn sample(api: &Api) {
    let broker = &api.broker;
    let now_ms = clock::now_ms();
    api.rates.write().begin();
    let take = |subject, values: &[u64]| api.rates.write().sample(subject, values, now_ms);
    for vhost in broker.vhost_names() {
        for queue in broker.queues(&vhost) {
            take(Subject::Queue(queue.id()), &sampled(&queue.figures()));
        }
        for exchange in broker.exchanges(&vhost) {
            take(Subject::Exchange(exchange.id()), &exchange_values(exchange.passed()));
        }
    }
    for client in broker.clients() {
        let traffic = client.outbox().traffic();
        let bytes = [traffic.received_bytes, traffic.written_bytes];
        take(Subject::Connection(client.id()), &bytes);
        for channel in client.outbox().channels() {
            let subject = Subject::Channel(client.id(), channel.number);
            take(subject, &channel_values(&channel.tally));
        }
    }
    take(Subject::Broker, &overview::sampled(broker));
    api.rates.write().end();
}
