//! What clients do, one thing after the other, as the seed says.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use leveret::broker::Pending;
use leveret::wire::{Method, Table, Value, basic, channel, exchange, queue, tx};

use crate::ground;
use crate::guest::{Answer, Guest, Held, Over, Tap};
use crate::life::Life;
use crate::random::Random;
use crate::strand;
use crate::witness::{
    AUTO, COPIED, EXPIRING, FETCHED, FULL, HERE, Id, LETTERS, PASSED, PASSING, PLACES, PRIORITIES,
    QueueNumber, RANKED, SHORT, TIMED, USED,
};

const TAPS_MAX: usize = 3;
const TTL_MS: i64 = 400;
const EXPIRES_MS: i64 = 500;
pub const LENGTH_MAX: i64 = 4;

/// Where a client is found by whoever reads its socket.
pub type Seat = Rc<RefCell<Option<Rc<Guest>>>>;

/// Hears what comes to whoever sits there, until nobody will any more.
pub fn listen(life: &Life, seat: &Seat, done: &Rc<std::cell::Cell<bool>>) {
    while !life.is_over() && !done.get() {
        let guest = seat.borrow().clone();
        if guest.is_some_and(|guest| guest.hear()) {
            strand::note_progress();
            strand::pause();
        } else {
            strand::wait();
        }
    }
}

/// A client's life, and the next one's.
pub struct Doer {
    pub life: Rc<Life>,
    pub random: Random,
    pub seat: Seat,
    /// It also changes the topology.
    pub is_builder: bool,
    /// All do nearly nothing but publish to one queue that comes and goes, and make it come and go.
    pub is_narrow: bool,
}

impl Doer {
    /// Comes, does things, goes, and comes again, until the broker ends.
    pub fn run(mut self) {
        self.life.guests.set(self.life.guests.get() + 1);
        while !self.life.is_over() && !self.life.is_stopping() {
            let is_passing = !self.is_narrow && self.random.once_in(5);
            let vhost = if is_passing { PASSING } else { "/" };
            let Ok(guest) = Guest::connect(&self.life, vhost) else { break };
            let guest = Rc::new(guest);
            *self.seat.borrow_mut() = Some(Rc::clone(&guest));
            let _ = self.visit(&guest);
            guest.end();
            *self.seat.borrow_mut() = None;
            self.life.world.witness.borrow_mut().now();
            strand::pause();
        }
        self.life.guests.set(self.life.guests.get() - 1);
    }

    fn visit(&mut self, guest: &Guest) -> Result<(), Over> {
        let is_tx = self.random.once_in(8);
        guest.begin(is_tx)?;
        loop {
            self.life.parked.set(self.life.parked.get() + 1);
            let mut obeyed = guest.obey();
            while obeyed.is_ok() && (self.life.is_paused() || self.is_tired() && self.goes_on()) {
                strand::wait();
                obeyed = guest.obey();
            }
            self.life.parked.set(self.life.parked.get() - 1);
            obeyed?;
            if !self.goes_on() {
                return Ok(());
            }
            if !guest.channel.borrow().is_open {
                let is_tx = self.random.once_in(8);
                guest.open_channel(is_tx)?;
            }
            let left = self.life.world.deeds_left.get();
            self.life.world.deeds_left.set(left.saturating_sub(1));
            if self.random.once_in(60) {
                self.life.witness().say(|| "a client is lost".to_owned());
                return Ok(());
            }
            self.act(guest)?;
            strand::pause();
        }
    }

    fn is_tired(&self) -> bool {
        self.life.world.deeds_left.get() == 0
    }

    fn goes_on(&self) -> bool {
        !self.life.is_over() && !self.life.is_stopping()
    }

    fn act(&mut self, guest: &Guest) -> Result<(), Over> {
        if guest.vhost == PASSING {
            return self.act_there(guest);
        }
        if self.is_narrow && !self.random.once_in(8) {
            return match self.random.within(0..10) {
                0..4 => self.publish(guest),
                4..7 => self.declare(guest),
                _ => self.delete(guest),
            };
        }
        let most = if self.is_builder { 150 } else { 104 };
        match self.random.within(0..most) {
            0..35 => self.publish(guest),
            35..45 => self.consume(guest),
            45..50 => self.cancel(guest),
            50..75 => self.settle(guest),
            75..85 => self.fetch(guest),
            85..90 => self.limit(guest),
            90..92 => self.purge(guest),
            92..94 => self.reopen(guest),
            94..100 => self.commit(guest),
            100..104 => self.recover(guest),
            104..124 => self.declare(guest),
            124..138 => self.delete(guest),
            138..141 => self.import(),
            141..144 => self.bind(guest),
            144..148 => self.make_vhost(),
            _ => self.remove_vhost(),
        }
    }

    /// The same in the virtual host that comes and goes.
    fn act_there(&mut self, guest: &Guest) -> Result<(), Over> {
        match self.random.within(0..100) {
            0..35 => self.publish(guest),
            35..45 => self.consume(guest),
            45..50 => self.cancel(guest),
            50..60 => self.settle(guest),
            60..68 => self.fetch(guest),
            68..70 => self.purge(guest),
            70..74 => self.commit(guest),
            74..76 => self.recover(guest),
            76..94 => declare(guest, PASSED),
            94..97 => self.delete(guest),
            97..99 => self.remove_vhost(),
            _ => self.make_vhost(),
        }
    }

    /// A queue of the virtual host that a client is in.
    fn any_queue(&mut self, guest: &Guest) -> QueueNumber {
        if guest.vhost == PASSING { PASSED } else { self.random.within(0..HERE as u64) as usize }
    }

    fn publish(&mut self, guest: &Guest) -> Result<(), Over> {
        let most = if self.random.once_in(6) { 30 } else { 6 };
        let count = if self.is_narrow { 3 } else { most };
        let mut messages: Vec<(&str, &str, Id, bool, usize)> = Vec::new();
        // Mostly to a queue that comes and goes, where there is most to go wrong.
        let is_narrow = self.is_narrow;
        let is_near = guest.vhost == "/" && (self.is_builder || is_narrow);
        let favourite = if is_near { FETCHED } else { self.any_queue(guest) };
        for _ in 0..self.random.within(1..count) {
            let (id, persistent) = (self.life.next_number(), !self.random.once_in(4));
            let size = self.random.within(0..200) as usize;
            let publisher = guest.channel.borrow().number;
            let mut witness = self.life.witness();
            if !self.is_narrow && guest.vhost == "/" && self.random.once_in(5) {
                witness.publish(id, publisher, persistent, COPIED);
                messages.push(("all", "", id, persistent, size));
            } else {
                let mut queue = match is_narrow || self.random.once_in(2) {
                    true => favourite,
                    false if guest.vhost == PASSING => PASSED,
                    false => self.random.within(0..HERE as u64) as usize,
                };
                // A commit that a full queue refuses closes the channel, and what it published is not known.
                if queue == FULL && guest.channel.borrow().is_tx {
                    queue = RANKED;
                }
                witness.publish(id, publisher, persistent, &[queue]);
                messages.push(("", PLACES[queue].name, id, persistent, size));
            }
        }
        self.life.witness().say(|| format!("publishes {messages:?}"));
        guest.publish(&messages)?;
        if guest.channel.borrow().is_tx {
            return Ok(());
        }
        for message in &messages {
            self.life.witness().published(message.2);
        }
        Ok(())
    }

    fn consume(&mut self, guest: &Guest) -> Result<(), Over> {
        let number = self.any_queue(guest);
        if number == FETCHED || guest.channel.borrow().taps.len() >= TAPS_MAX {
            return Ok(());
        }
        let no_ack = self.random.once_in(8);
        let tag = format!("c{}", self.life.next_number());
        let since = self.life.witness().now();
        // What is on its way to a consumer that does not acknowledge is lost with it.
        let loss = no_ack.then(|| self.life.witness().lose(number));
        let prefetch = guest.channel.borrow().prefetch;
        let tap = Tap { queue: number, prefetch, no_ack, since, loss, last: BTreeMap::new() };
        self.life.witness().say(|| format!("consumes {} as {tag}", PLACES[number].name));
        guest.channel.borrow_mut().taps.insert(tag.clone(), tap);
        let consume = basic::Consume {
            queue: PLACES[number].name,
            consumer_tag: &tag,
            no_local: false,
            no_ack,
            exclusive: false,
            no_wait: false,
            arguments: Table::new(),
        };
        ask(guest, number, &Method::BasicConsume(consume)).map(|_| ())
    }

    fn cancel(&mut self, guest: &Guest) -> Result<(), Over> {
        let Some(tag) = guest.channel.borrow().taps.keys().next().cloned() else { return Ok(()) };
        let cancel = basic::Cancel { consumer_tag: &tag, no_wait: false };
        guest.request(&Method::BasicCancel(cancel))?;
        let tap = guest.channel.borrow_mut().taps.remove(&tag);
        if let Some(tap) = tap {
            guest.tap_gone(&tap);
        }
        Ok(())
    }

    /// Acknowledges, rejects or returns one delivery, or all up to one.
    fn settle(&mut self, guest: &Guest) -> Result<(), Over> {
        let count = guest.channel.borrow().held.len() as u64;
        if count == 0 || guest.channel.borrow().is_tx {
            return Ok(());
        }
        let (at, multiple) = (self.random.within(0..count) as usize, self.random.once_in(3));
        let tags: Vec<u64> = guest.channel.borrow().held.keys().copied().collect();
        let delivery_tag = tags[at];
        let tags = if multiple { &tags[..=at] } else { &tags[at..=at] };
        let take = |tag: &u64| guest.channel.borrow_mut().held.remove(tag).unwrap();
        let settled: Vec<Held> = tags.iter().map(take).collect();
        settled.iter().for_each(|held| held.hold.set(false));
        let how = self.random.within(0..5);
        let method = match how {
            0 | 1 if !multiple && self.random.once_in(2) => {
                Method::BasicReject(basic::Reject { delivery_tag, requeue: how == 0 })
            }
            0 | 1 => Method::BasicNack(basic::Nack { delivery_tag, multiple, requeue: how == 0 }),
            _ => Method::BasicAck(basic::Ack { delivery_tag, multiple }),
        };
        self.settle_with(guest, &method, &settled, how)
    }

    fn settle_with(
        &self,
        guest: &Guest,
        method: &Method<'_>,
        settled: &[Held],
        how: u64,
    ) -> Result<(), Over> {
        self.life.witness().say(|| {
            let ids: Vec<Id> = settled.iter().map(|held| held.id).collect();
            format!("settles {ids:?}, {}", ["back", "rejected", "done"][how.min(2) as usize])
        });
        // What is rejected may be seen elsewhere before this is over.
        let told: Vec<&Held> = settled.iter().filter(|_| how != 0).collect();
        let outcome = guest.say(method);
        for held in told {
            // Whether it was taken in is not known, when it is over.
            if outcome.is_ok() {
                self.life.witness().settle(held.queue, held.id, how == 1);
            }
        }
        outcome
    }

    fn fetch(&mut self, guest: &Guest) -> Result<(), Over> {
        let is_near = guest.vhost == "/" && self.is_builder;
        let queue = if is_near { FETCHED } else { self.any_queue(guest) };
        {
            let mut channel = guest.channel.borrow_mut();
            (channel.fetching, channel.fetches_no_ack) = (Some(queue), false);
        }
        // What was handed out and not heard of may go with its queue.
        let loss = self.life.witness().lose(queue);
        let get = basic::Get { queue: PLACES[queue].name, no_ack: false };
        let answer = ask(guest, queue, &Method::BasicGet(get));
        if answer.is_ok() {
            self.life.witness().lost(loss, false);
        }
        answer.map(|_| ())
    }

    fn limit(&mut self, guest: &Guest) -> Result<(), Over> {
        let (prefetch_count, global) = (self.random.within(0..5) as u16, self.random.once_in(3));
        let qos = basic::Qos { prefetch_size: 0, prefetch_count, global };
        if !global {
            guest.channel.borrow_mut().prefetch = prefetch_count;
            return guest.request(&Method::BasicQos(qos)).map(|_| ());
        }
        let before = guest.channel.borrow().prefetch_in_all;
        // Until it is answered the one or the other holds.
        let most = if before == 0 || prefetch_count == 0 { 0 } else { before.max(prefetch_count) };
        guest.channel.borrow_mut().prefetch_in_all = most;
        guest.request(&Method::BasicQos(qos))?;
        guest.channel.borrow_mut().prefetch_in_all = prefetch_count;
        Ok(())
    }

    /// Everything that is held goes back.
    fn recover(&self, guest: &Guest) -> Result<(), Over> {
        if guest.channel.borrow().is_tx {
            return Ok(());
        }
        self.life.witness().say(|| "recovers".to_owned());
        guest.recover()
    }

    /// Makes the virtual host that comes and goes.
    fn make_vhost(&self) -> Result<(), Over> {
        self.life.witness().say(|| "makes a virtual host".to_owned());
        let Ok((_, made)) = self.life.broker.create_vhost(PASSING) else { return Ok(()) };
        let granted = self.life.broker.set_permission(ground::permission(PASSING));
        let granted = granted.expect("sound patterns").map(|(_, pending)| pending);
        self.wait_for([Some(made), granted])
    }

    /// Deletes it with everything in it, while others are at work there.
    fn remove_vhost(&self) -> Result<(), Over> {
        let loss = self.life.witness().lose(PASSED);
        let deletion = self.life.witness().delete(PASSED);
        self.life.witness().say(|| "deletes a virtual host".to_owned());
        let pending = self.life.broker.delete_vhost(PASSING, self.life.now_ms());
        let happened = pending.is_some();
        self.wait_for([pending, None])?;
        self.life.witness().say(|| format!("deleted the virtual host: {happened}"));
        self.life.witness().lost(loss, happened);
        self.life.witness().deleted(deletion, happened);
        Ok(())
    }

    fn wait_for(&self, pending: [Option<Pending>; 2]) -> Result<(), Over> {
        for pending in pending.into_iter().flatten() {
            while !pending.is_settled() {
                if !self.goes_on() {
                    return Err(Over);
                }
                strand::wait();
            }
            pending.wait_blocking().map_err(|_| Over)?;
        }
        Ok(())
    }

    fn purge(&mut self, guest: &Guest) -> Result<(), Over> {
        let number = self.any_queue(guest);
        let loss = self.life.witness().lose(number);
        self.life.witness().say(|| format!("purges {}", PLACES[number].name));
        let purge = queue::Purge { queue: PLACES[number].name, no_wait: false };
        let answer = ask(guest, number, &Method::QueuePurge(purge))?;
        self.life.witness().lost(loss, answer != Answer::Done(0));
        Ok(())
    }

    fn reopen(&mut self, guest: &Guest) -> Result<(), Over> {
        let close =
            channel::Close { reply_code: 200, reply_text: "bye", class_id: 0, method_id: 0 };
        self.life.witness().say(|| "closes its channel".to_owned());
        guest.try_request(&Method::ChannelClose(close))?;
        guest.channel_gone();
        Ok(())
    }

    fn commit(&mut self, guest: &Guest) -> Result<(), Over> {
        if !guest.channel.borrow().is_tx {
            return self.settle(guest);
        }
        let messages = std::mem::take(&mut guest.channel.borrow_mut().uncommitted);
        if self.random.once_in(3) {
            guest.request(&Method::TxRollback(tx::Rollback))?;
            messages.iter().for_each(|id| self.life.witness().void(*id));
        } else {
            guest.request(&Method::TxCommit(tx::Commit))?;
            for id in messages {
                self.life.witness().published(id);
                self.life.witness().confirmed(id);
            }
        }
        Ok(())
    }

    /// Declares a queue that comes and goes.
    fn declare(&mut self, guest: &Guest) -> Result<(), Over> {
        let queue = [FETCHED, FETCHED, AUTO, EXPIRING, USED][self.random.within(0..5) as usize];
        let queue = if self.is_narrow { FETCHED } else { queue };
        declare(guest, queue)
    }

    fn delete(&mut self, guest: &Guest) -> Result<(), Over> {
        let number = [FETCHED, FETCHED, AUTO, USED][self.random.within(0..4) as usize];
        let number = if self.is_narrow { FETCHED } else { number };
        let number = if guest.vhost == PASSING { PASSED } else { number };
        let (if_empty, if_unused) = match (number, self.random.within(0..4)) {
            (FETCHED, 0..2) => (true, false),
            (USED, 0..3) => (false, true),
            _ => (false, false),
        };
        let loss = self.life.witness().lose(number);
        if if_empty {
            self.life.witness().only_seen(loss);
        }
        let deletion = self.life.witness().delete(number);
        if if_unused {
            // That is no reason for a consumer to find its queue gone.
            self.life.witness().deleted(deletion, false);
        }
        self.life.witness().say(|| {
            format!("deletes {}, if empty: {if_empty}, if unused: {if_unused}", PLACES[number].name)
        });
        let delete =
            queue::Delete { queue: PLACES[number].name, if_unused, if_empty, no_wait: false };
        let answer = guest.try_request(&Method::QueueDelete(delete))?;
        let happened = matches!(answer, Answer::Done(_));
        self.life.witness().say(|| format!("deleted: {happened}"));
        self.life.witness().lost(loss, happened);
        if !if_unused {
            self.life.witness().deleted(deletion, happened);
        }
        Ok(())
    }

    /// Imports definitions, in which there are queues that may not be there.
    fn import(&mut self) -> Result<(), Over> {
        let text = br#"{"queues": [
            {"name": "fetched", "vhost": "/", "durable": true, "auto_delete": false, "arguments": {}},
            {"name": "used", "vhost": "/", "durable": true, "auto_delete": false, "arguments": {}}]}"#;
        self.life.witness().say(|| "imports".to_owned());
        let imported = self.life.broker.import_definitions(text, self.life.now_ms());
        let Ok(pending) = imported else { return Ok(()) };
        while !pending.is_settled() && self.goes_on() {
            strand::wait();
        }
        Ok(())
    }

    /// Binds a queue that comes and goes to an exchange that does so too.
    fn bind(&mut self, guest: &Guest) -> Result<(), Over> {
        let declare = exchange::Declare {
            exchange: "passing",
            kind: "topic",
            passive: false,
            durable: true,
            auto_delete: true,
            internal: false,
            no_wait: false,
            arguments: Table::new(),
        };
        guest.request(&Method::ExchangeDeclare(declare))?;
        let bind = queue::Bind {
            queue: PLACES[[FETCHED, USED][self.random.within(0..2) as usize]].name,
            exchange: "passing",
            routing_key: "a.#",
            no_wait: false,
            arguments: Table::new(),
        };
        guest.try_request(&Method::QueueBind(bind)).map(|_| ())
    }
}

/// Asks for something that is refused only where the queue is not there.
fn ask(guest: &Guest, queue: QueueNumber, method: &Method<'_>) -> Result<Answer, Over> {
    if PLACES[queue].is_volatile { guest.try_request(method) } else { guest.request(method) }
}

/// Declares a queue.
pub fn declare(guest: &Guest, number: QueueNumber) -> Result<(), Over> {
    let mut arguments = Table::new();
    match number {
        TIMED => arguments.insert("x-message-ttl", Value::I64(TTL_MS)),
        SHORT => arguments.insert("x-max-length", Value::I64(LENGTH_MAX)),
        EXPIRING => arguments.insert("x-expires", Value::I64(EXPIRES_MS)),
        RANKED => arguments.insert("x-max-priority", Value::I64(PRIORITIES as i64 - 1)),
        FULL => {
            arguments.insert("x-max-length", Value::I64(LENGTH_MAX));
            arguments.insert("x-overflow", "reject-publish");
        }
        _ => {}
    }
    if PLACES[number].heir.is_some() {
        arguments.insert("x-dead-letter-exchange", "");
        arguments.insert("x-dead-letter-routing-key", PLACES[LETTERS].name);
    }
    let declare = queue::Declare {
        queue: PLACES[number].name,
        passive: false,
        durable: PLACES[number].durable,
        exclusive: false,
        auto_delete: number == AUTO,
        no_wait: false,
        arguments,
    };
    // In a virtual host that has gone nothing is declared.
    match number {
        PASSED => guest.try_request(&Method::QueueDeclare(declare)).map(|_| ()),
        _ => guest.request(&Method::QueueDeclare(declare)).map(|_| ()),
    }
}

/// Sees to it that all is there which is to last.
pub fn settle_in(guest: &Guest) -> Result<(), Over> {
    guest.begin(false)?;
    let declare_exchange = exchange::Declare {
        exchange: "all",
        kind: "fanout",
        passive: false,
        durable: true,
        auto_delete: false,
        internal: false,
        no_wait: false,
        arguments: Table::new(),
    };
    guest.request(&Method::ExchangeDeclare(declare_exchange))?;
    for (number, _) in PLACES.iter().enumerate().filter(|(_, place)| !place.is_volatile) {
        declare(guest, number)?;
    }
    for number in COPIED {
        let bind = queue::Bind {
            queue: PLACES[*number].name,
            exchange: "all",
            routing_key: "",
            no_wait: false,
            arguments: Table::new(),
        };
        guest.request(&Method::QueueBind(bind))?;
    }
    Ok(())
}
