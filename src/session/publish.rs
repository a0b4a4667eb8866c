//! `basic.publish` (specification 1.8.3.7): whether a message may be published is settled when the method
//! arrives, before any of its content.

use super::channel::{Channel, Mode};
use super::content::{Content, Publishing};
use super::work::Context;
use crate::broker::{ExchangeRef, Publish};
use crate::fault::Fault;
use crate::message::Message;
use crate::wire::{ReplyCode, basic};

use std::sync::Arc;

impl Channel {
    pub(super) fn publish(
        &mut self,
        context: &mut Context<'_>,
        publish: &basic::Publish<'_>,
    ) -> Result<(), Fault> {
        if publish.immediate {
            return Err(Fault::connection(ReplyCode::NotImplemented, "immediate=true"));
        }
        let exchange = self.target(context, publish.exchange)?;
        if !context.work.publisher {
            context.work.publisher = true;
            context.client.mark_publisher();
        }
        self.routing_key.clear();
        self.routing_key.push_str(publish.routing_key);
        let publishing = Publishing { exchange, mandatory: publish.mandatory };
        self.content = Some(Content::Announced(publishing));
        Ok(())
    }

    /// The exchange of this name. The one that was used last is remembered with the permission to write to it.
    fn target(&mut self, context: &Context<'_>, name: &str) -> Result<ExchangeRef, Fault> {
        if let Some(last) = &self.target
            && **last.name() == *name
            && last.is_live()
        {
            return Ok(ExchangeRef::clone(last));
        }
        let exchange = context.client.target(name)?;
        self.target = Some(ExchangeRef::clone(&exchange));
        Ok(exchange)
    }

    /// Takes a message whose content is complete.
    pub(super) fn published(
        &mut self,
        context: &mut Context<'_>,
        publishing: Publishing,
        extra_keys: Vec<String>,
        message: Message,
    ) -> Result<(), Fault> {
        let mut publish = Publish {
            key: self.key,
            exchange: publishing.exchange,
            message: Arc::new(message),
            extra_keys,
            mandatory: publishing.mandatory,
            confirm: None,
        };
        match &mut self.mode {
            Mode::Plain => context.work.publishes.push(publish),
            Mode::Confirm { published } => {
                *published += 1;
                publish.confirm = Some(*published);
                context.work.publishes.push(publish);
            }
            Mode::Transaction(transaction) => {
                context.work.uncommitted = true;
                transaction.publish(context.client, publish)?;
            }
        }
        Ok(())
    }
}
