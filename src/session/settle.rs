//! Class basic, settling deliveries (specification 1.8.3.13 to 1.8.3.17): acknowledge, reject, return, recover.

use super::channel::{Channel, Mode};
use super::next::Handled;
use super::work::Context;
use crate::broker::{QueueRef, Settlement};
use crate::fault::Fault;
use crate::outbox::Settled;
use crate::wire::{Method, ReplyCode, basic};

impl Channel {
    pub(super) fn acknowledge(
        &mut self,
        context: &mut Context<'_>,
        ack: basic::Ack,
    ) -> Result<(), Fault> {
        let settled = if ack.multiple {
            context.outbox.acknowledge_through(self.key, ack.delivery_tag)
        } else {
            context.outbox.acknowledge_one(self.key, ack.delivery_tag)
        };
        let settled = settled.map_err(|_| unknown_tag(ack.delivery_tag))?;
        context.work.arrears.settle(&settled.unacked);
        match &mut self.mode {
            Mode::Transaction(transaction) => {
                transaction.settle(settled, Settlement::Acknowledge);
            }
            Mode::Plain | Mode::Confirm { .. } => context.work.acknowledge(settled),
        }
        Ok(())
    }

    pub(super) fn reject(
        &mut self,
        context: &mut Context<'_>,
        reject: basic::Reject,
    ) -> Result<Handled, Fault> {
        let settled = self.take_one(context, reject.delivery_tag)?;
        self.give_back(context, settled, reject.requeue);
        Ok(Handled::Done)
    }

    pub(super) fn nack(
        &mut self,
        context: &mut Context<'_>,
        nack: basic::Nack,
    ) -> Result<Handled, Fault> {
        let settled = if nack.multiple {
            self.take_through(context, nack.delivery_tag)?
        } else {
            self.take_one(context, nack.delivery_tag)?
        };
        self.give_back(context, settled, nack.requeue);
        Ok(Handled::Done)
    }

    /// The reply leaves ahead of the deliveries that follow: clients forget, when it comes, what they have not
    /// looked at yet.
    pub(super) fn recover(
        &mut self,
        context: &mut Context<'_>,
        recover: basic::Recover,
    ) -> Result<Handled, Fault> {
        let settled = self.take_all(context, recover.requeue)?;
        let answer = self.reply(context, &Method::BasicRecoverOk(basic::RecoverOk));
        context.settle(settled, Settlement::Requeue);
        Ok(answer)
    }

    pub(super) fn recover_async(
        &mut self,
        context: &mut Context<'_>,
        recover: basic::RecoverAsync,
    ) -> Result<Handled, Fault> {
        let settled = self.take_all(context, recover.requeue)?;
        context.settle(settled, Settlement::Requeue);
        Ok(Handled::Done)
    }

    /// Recovering to the same consumer, which the specification has too, is refused as in RabbitMQ.
    fn take_all(&self, context: &Context<'_>, requeue: bool) -> Result<Settled<QueueRef>, Fault> {
        if !requeue {
            return Err(Fault::connection(ReplyCode::NotImplemented, "requeue=false"));
        }
        self.take_through(context, 0)
    }

    fn give_back(&mut self, context: &mut Context<'_>, settled: Settled<QueueRef>, requeue: bool) {
        let how = if requeue { Settlement::Requeue } else { Settlement::Reject };
        if !requeue {
            context.work.arrears.settle(&settled.unacked);
        }
        match &mut self.mode {
            Mode::Transaction(transaction) => transaction.settle(settled, how),
            Mode::Plain | Mode::Confirm { .. } => context.settle(settled, how),
        }
    }

    fn take_one(&self, context: &Context<'_>, tag: u64) -> Result<Settled<QueueRef>, Fault> {
        context.outbox.take_one(self.key, tag).map_err(|_| unknown_tag(tag))
    }

    fn take_through(&self, context: &Context<'_>, tag: u64) -> Result<Settled<QueueRef>, Fault> {
        context.outbox.take_through(self.key, tag).map_err(|_| unknown_tag(tag))
    }
}

fn unknown_tag(tag: u64) -> Fault {
    Fault::channel(ReplyCode::PreconditionFailed, format!("unknown delivery tag {tag}"))
}
