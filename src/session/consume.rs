//! Class basic, the receiving side (specification 1.8.3): prefetch limits, consumers, direct replies, and
//! messages fetched one by one.
//!
//! `no-local` is accepted and has no effect, as in RabbitMQ.

use super::channel::{Channel, ReplyTo};
use super::next::Handled;
use super::properties::REPLY_QUEUE;
use super::reply::{Get, Reply};
use super::work::Context;
use crate::broker::{Consume, Exclusivity, Fetch};
use crate::fault::Fault;
use crate::message::AckMode;
use crate::wire::{Method, ReplyCode, basic};

impl Channel {
    /// With `global` the limit is the channel's, otherwise each later consumer's own, as in RabbitMQ.
    pub(super) fn qos(
        &mut self,
        context: &mut Context<'_>,
        qos: basic::Qos,
    ) -> Result<Handled, Fault> {
        if qos.prefetch_size != 0 {
            let text = format!("prefetch_size!=0 ({})", qos.prefetch_size);
            return Err(Fault::connection(ReplyCode::NotImplemented, text));
        }
        if qos.global {
            let resumed = context.outbox.set_prefetch(self.key, qos.prefetch_count);
            context.client.resume(resumed, context.now_ms);
        } else {
            self.prefetch = qos.prefetch_count;
            context.outbox.note_prefetch(self.key, qos.prefetch_count);
        }
        Ok(self.reply(context, &Method::BasicQosOk(basic::QosOk)))
    }

    pub(super) fn consume(
        &mut self,
        context: &mut Context<'_>,
        consume: &basic::Consume<'_>,
    ) -> Result<Handled, Fault> {
        let generated;
        let tag = match consume.consumer_tag {
            "" => {
                generated = context.client.random_name("amq.ctag-")?;
                &generated
            }
            tag => tag,
        };
        self.expect_free_tag(tag)?;
        if consume.queue == REPLY_QUEUE {
            return self.consume_replies(context, consume, tag);
        }
        self.expect_room_for_consumer(context)?;
        let consumer = context.client.consume(
            self.key,
            Consume {
                queue: self.queue_named(consume.queue)?,
                tag,
                acks: acks(consume.no_ack),
                exclusive: if consume.exclusive {
                    Exclusivity::Exclusive
                } else {
                    Exclusivity::Shared
                },
                arguments: &consume.arguments,
                prefetch: self.prefetch.into(),
            },
            context.now_ms,
        )?;
        self.consumers.insert(tag.into(), consumer.clone());
        let answer = self.consume_ok(context, consume, tag);
        context.client.start(&consumer, context.now_ms);
        Ok(answer)
    }

    fn expect_free_tag(&self, tag: &str) -> Result<(), Fault> {
        let consumer = self.consumers.get(tag);
        if let Some(consumer) = consumer.filter(|consumer| !consumer.is_live()) {
            consumer.tell_end();
        }
        let in_use = consumer.is_some_and(|consumer| consumer.is_live())
            || self.reply_to.as_ref().is_some_and(|reply_to| *reply_to.tag == *tag);
        if in_use {
            let text = format!("attempt to reuse consumer tag '{tag}'");
            return Err(Fault::connection(ReplyCode::NotAllowed, text));
        }
        Ok(())
    }

    fn expect_room_for_consumer(&mut self, context: &Context<'_>) -> Result<(), Fault> {
        let most = context.amqp.consumers_per_channel_max;
        if self.consumers.len() < most {
            return Ok(());
        }
        self.consumers.retain(|_, consumer| consumer.is_live());
        if self.consumers.len() < most {
            return Ok(());
        }
        let text = format!("reached maximum ({most}) of consumers per channel");
        Err(Fault::channel(ReplyCode::PreconditionFailed, text))
    }

    /// Consuming from the pseudo-queue of direct replies.
    fn consume_replies(
        &mut self,
        context: &mut Context<'_>,
        consume: &basic::Consume<'_>,
        tag: &str,
    ) -> Result<Handled, Fault> {
        let refused = |text| Err(Fault::channel(ReplyCode::PreconditionFailed, text));
        if !consume.no_ack {
            return refused("reply consumer cannot acknowledge");
        }
        if self.reply_to.is_some() {
            return refused("reply consumer already set");
        }
        let address = context.client.open_reply_to(self.key, tag)?;
        self.reply_to = Some(ReplyTo { tag: tag.into(), address });
        Ok(self.consume_ok(context, consume, tag))
    }

    fn consume_ok(
        &self,
        context: &mut Context<'_>,
        consume: &basic::Consume<'_>,
        consumer_tag: &str,
    ) -> Handled {
        let consuming = Method::BasicConsumeOk(basic::ConsumeOk { consumer_tag });
        self.reply_unless(context, consume.no_wait, &consuming)
    }

    /// Cancelling a consumer that is not there is as good as cancelling one.
    pub(super) fn cancel(
        &mut self,
        context: &mut Context<'_>,
        cancel: &basic::Cancel<'_>,
    ) -> Handled {
        let consumer_tag = cancel.consumer_tag;
        if let Some(consumer) = self.consumers.remove(consumer_tag) {
            context.client.cancel(&consumer, context.now_ms);
        } else if let Some(replies) = self.reply_to.take_if(|one| *one.tag == *consumer_tag) {
            context.client.close_reply_to(&replies.address);
        }
        let cancelled = Method::BasicCancelOk(basic::CancelOk { consumer_tag });
        self.reply_unless(context, cancel.no_wait, &cancelled)
    }

    pub(super) fn get(
        &mut self,
        context: &mut Context<'_>,
        get: &basic::Get<'_>,
    ) -> Result<Handled, Fault> {
        let queue = self.queue_named(get.queue)?;
        self.fetch(context, queue, acks(get.no_ack))
    }

    /// Replies to `basic.get`, or waits until that can be done.
    pub(super) fn fetch(
        &self,
        context: &mut Context<'_>,
        queue: &str,
        acks: AckMode,
    ) -> Result<Handled, Fault> {
        match context.client.get(self.key, queue, acks, context.now_ms)? {
            Fetch::Got => {
                context.work.replied = true;
                Ok(Handled::Done)
            }
            Fetch::Later(arrival) => {
                Ok(Handled::Reply(arrival, Reply::Get(Get { queue: queue.into(), acks })))
            }
            Fetch::Empty => {
                context.send(self.key.number, &Method::BasicGetEmpty(basic::GetEmpty {}));
                Ok(Handled::Done)
            }
        }
    }
}

fn acks(no_ack: bool) -> AckMode {
    if no_ack { AckMode::Automatic } else { AckMode::Manual }
}
