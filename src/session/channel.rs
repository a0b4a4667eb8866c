//! A channel: its state, opening and closing it, and which handler each of its methods has.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::content::{Content, KnownProperties};
use super::next::{Handled, Next};
use super::reply::{Get, Reply};
use super::tx::Transaction;
use super::work::Context;
use super::{Session, Slot, expected_open, located};
use crate::broker::{Client, Consumer, ExchangeRef, Unfinished};
use crate::fault::Fault;
use crate::outbox::ChannelKey;
use crate::wire::{Method, ReplyCode, access, basic, channel, queue};

/// One open channel.
pub(super) struct Channel {
    pub key: ChannelKey,
    /// The message that is arriving.
    pub content: Option<Content>,
    /// The properties of an earlier message.
    pub properties: Option<KnownProperties>,
    /// The routing key of that message; its memory is used again for the next.
    pub routing_key: String,
    /// The exchange that was published to last.
    pub target: Option<ExchangeRef>,
    pub mode: Mode,
    /// What each later consumer gets as its prefetch limit; 0 for none.
    pub prefetch: u16,
    /// By consumer tag.
    pub consumers: FxHashMap<Box<str>, Consumer>,
    /// Replies that come without a queue in between.
    pub reply_to: Option<ReplyTo>,
    /// The queue that was declared last on this channel.
    pub last_queue: Option<Arc<str>>,
}

/// What happens to messages published on a channel.
pub(super) enum Mode {
    /// They are published, and that is all.
    Plain,
    /// They are numbered and confirmed.
    Confirm {
        /// How many there were.
        published: u64,
    },
    /// They wait for the commit.
    Transaction(Box<Transaction>),
}

/// What ends with a channel.
#[derive(Clone, Copy)]
pub(super) enum Ending {
    Channel,
    Connection,
}

/// A consumer of direct replies.
pub(super) struct ReplyTo {
    pub tag: Box<str>,
    /// What stands for this channel in the `reply-to` of its requests.
    pub address: Arc<str>,
}

impl Session {
    pub(super) fn channel_method(
        &mut self,
        number: u16,
        method: Method<'_>,
        now_ms: u64,
    ) -> Result<Next, Fault> {
        match (self.parts(number, now_ms), method) {
            ((Some(Slot::Open(channel)), Some(mut context)), method) => {
                channel.expect_method()?;
                match method {
                    Method::BasicPublish(publish) => {
                        channel.publish(&mut context, &publish)?;
                        Ok(Next::Frame)
                    }
                    Method::BasicAck(ack) => {
                        channel.acknowledge(&mut context, ack)?;
                        Ok(Next::Frame)
                    }
                    Method::ChannelClose(close) => {
                        self.close_by_client(number, &close, now_ms);
                        Ok(Next::Frame)
                    }
                    Method::ChannelOpen(_) => Err(second_open()),
                    Method::TxCommit(_) => {
                        channel.tx_commit(&mut context)?;
                        Ok(self.go_on_committing(now_ms))
                    }
                    method => {
                        let handled = channel.dispatch(&mut context, method)?;
                        self.after(number, handled, now_ms)
                    }
                }
            }
            ((Some(Slot::Closing), _), method) => Ok(self.while_closing(number, &method)),
            (_, Method::ChannelOpen(_)) => Ok(self.open_channel(number, now_ms)),
            _ => Err(expected_open()),
        }
    }

    fn open_channel(&mut self, number: u16, now_ms: u64) -> Next {
        let (open, most) = (self.channels.len() + 1, self.limits.channel_max);
        if open > usize::from(most) {
            let text = format!(
                "number of channels opened ({}) has reached the negotiated channel_max ({most})",
                self.channels.len()
            );
            // As in RabbitMQ the close names no method.
            self.fail(Fault::connection(ReplyCode::NotAllowed, text), now_ms);
            return Next::Frame;
        }
        let channel = Channel::new(self.outbox.open_channel(number));
        self.channels.insert(number, Slot::Open(Box::new(channel)));
        self.send(number, &Method::ChannelOpenOk(channel::OpenOk));
        Next::Frame
    }

    fn close_by_client(&mut self, number: u16, close: &channel::Close<'_>, now_ms: u64) {
        let (code, text) = (close.reply_code, close.reply_text.escape_debug());
        log::debug!("{}: channel {number} closed by the client: {code} {text}", self.title());
        self.close_slot(number, Some(number), now_ms);
    }

    /// After `channel.close` everything is ignored but the answer, and a close from the other side.
    fn while_closing(&mut self, number: u16, method: &Method<'_>) -> Next {
        match method {
            Method::ChannelCloseOk(_) => {
                self.channels.remove(&number);
            }
            Method::ChannelClose(_) => {
                self.send(number, &Method::ChannelCloseOk(channel::CloseOk));
            }
            _ => {}
        }
        Next::Frame
    }

    /// Does what a handler left to be done.
    pub(super) fn after(
        &mut self,
        channel: u16,
        handled: Handled,
        now_ms: u64,
    ) -> Result<Next, Fault> {
        match handled {
            Handled::Done => Ok(Next::Frame),
            Handled::Reply(pending, reply) if pending.is_done() => {
                self.reply(channel, reply, now_ms)
            }
            Handled::Reply(pending, reply) => {
                self.waiting = Some((channel, reply));
                Ok(Next::Store(pending))
            }
            // Who does not wait for answers must not change things faster than they can be written down.
            Handled::NoReply(pending) if self.broker.store_is_full() => Ok(Next::Store(pending)),
            Handled::NoReply(_) => Ok(Next::Frame),
        }
    }

    /// Sends a reply that nothing holds up any more.
    pub(super) fn reply(&mut self, number: u16, reply: Reply, now_ms: u64) -> Result<Next, Fault> {
        match reply {
            Reply::Method(method) => self.send(number, &method),
            Reply::Declared { queue, messages, consumers } => {
                let declared = queue::DeclareOk {
                    queue: &queue,
                    message_count: messages,
                    consumer_count: consumers,
                };
                self.send(number, &Method::QueueDeclareOk(declared));
            }
            Reply::Get(get) => return self.get_again(number, &get, now_ms),
        }
        Ok(Next::Frame)
    }

    /// Goes on with a `basic.get` whose message was loaded.
    fn get_again(&mut self, number: u16, get: &Get, now_ms: u64) -> Result<Next, Fault> {
        let (Some(Slot::Open(channel)), Some(mut context)) = self.parts(number, now_ms) else {
            return Ok(Next::Frame);
        };
        let handled = channel
            .fetch(&mut context, &get.queue, get.acks)
            .map_err(|fault| located(fault, basic::Get::CLASS_ID, basic::Get::METHOD_ID))?;
        self.after(number, handled, now_ms)
    }
}

impl Channel {
    fn new(key: ChannelKey) -> Self {
        Self {
            key,
            content: None,
            properties: None,
            routing_key: String::new(),
            target: None,
            mode: Mode::Plain,
            prefetch: 0,
            consumers: FxHashMap::default(),
            reply_to: None,
            last_queue: None,
        }
    }

    /// Whether messages wait for a commit.
    pub fn has_uncommitted(&self) -> bool {
        matches!(&self.mode, Mode::Transaction(transaction) if transaction.holds_messages())
    }

    /// Gives back what the channel had, which may take its time. On a channel that closes nothing is sent from now on.
    pub fn close(mut self, client: &Client, ending: Ending) -> Unfinished {
        if let Some(reply_to) = &self.reply_to {
            client.close_reply_to(&reply_to.address);
        }
        if let Mode::Transaction(transaction) = &mut self.mode {
            transaction.abandon(client, self.key);
        }
        let consumers = self.consumers.into_values();
        match ending {
            Ending::Channel => client.begin_to_close(self.key, consumers),
            Ending::Connection => client.leave_channel(self.key, consumers),
        }
    }

    /// Finds the handler of a method. Publishing, acknowledging, committing, opening and
    /// closing have been dealt with.
    fn dispatch(
        &mut self,
        context: &mut Context<'_>,
        method: Method<'_>,
    ) -> Result<Handled, Fault> {
        match method {
            Method::ChannelFlow(flow) => self.flow(context, flow),
            Method::AccessRequest(_) => {
                let granted = Method::AccessRequestOk(access::RequestOk { ticket: 1 });
                Ok(self.reply(context, &granted))
            }
            Method::ExchangeDeclare(declare) => self.exchange_declare(context, &declare),
            Method::ExchangeDelete(delete) => self.exchange_delete(context, &delete),
            Method::ExchangeBind(bind) => self.exchange_bind(context, &bind),
            Method::ExchangeUnbind(unbind) => self.exchange_unbind(context, &unbind),
            Method::QueueDeclare(declare) => self.queue_declare(context, &declare),
            Method::QueueBind(bind) => self.queue_bind(context, &bind),
            Method::QueueUnbind(unbind) => self.queue_unbind(context, &unbind),
            Method::QueuePurge(purge) => self.queue_purge(context, &purge),
            Method::QueueDelete(delete) => self.queue_delete(context, &delete),
            Method::BasicQos(qos) => self.qos(context, qos),
            Method::BasicConsume(consume) => self.consume(context, &consume),
            Method::BasicCancel(cancel) => Ok(self.cancel(context, &cancel)),
            Method::BasicGet(get) => self.get(context, &get),
            Method::BasicReject(reject) => self.reject(context, reject),
            Method::BasicNack(nack) => self.nack(context, nack),
            Method::BasicRecover(recover) => self.recover(context, recover),
            Method::BasicRecoverAsync(recover) => self.recover_async(context, recover),
            Method::ConfirmSelect(select) => self.confirm_select(context, select),
            Method::TxSelect(_) => self.tx_select(context),
            Method::TxRollback(_) => self.tx_rollback(context),
            _ => Err(Fault::connection(ReplyCode::CommandInvalid, "unimplemented method")),
        }
    }

    /// Sends a reply on this channel.
    pub fn reply(&self, context: &mut Context<'_>, method: &Method<'_>) -> Handled {
        context.send(self.key.number, method);
        Handled::Done
    }

    /// Sends a reply on this channel unless the client waits for none.
    pub fn reply_unless(
        &self,
        context: &mut Context<'_>,
        no_wait: bool,
        method: &Method<'_>,
    ) -> Handled {
        if no_wait { Handled::Done } else { self.reply(context, method) }
    }

    /// The queue that a name stands for: an empty one is the queue declared last (specification 1.7.2.3).
    pub fn queue_named<'a>(&'a self, name: &'a str) -> Result<&'a str, Fault> {
        match (&self.last_queue, name) {
            (Some(last), "") => Ok(last),
            (None, "") => Err(Fault::channel(ReplyCode::NotFound, "no previously declared queue")),
            _ => Ok(name),
        }
    }

    /// Only starting content again is served: the broker has no use for being told to stop.
    fn flow(&mut self, context: &mut Context<'_>, flow: channel::Flow) -> Result<Handled, Fault> {
        if !flow.active {
            return Err(Fault::connection(ReplyCode::NotImplemented, "active=false"));
        }
        Ok(self.reply(context, &Method::ChannelFlowOk(channel::FlowOk { active: true })))
    }
}

fn second_open() -> Fault {
    Fault::connection(ReplyCode::ChannelError, "second 'channel.open' seen")
}
