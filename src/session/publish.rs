//! `basic.publish` (specification 1.8.3.7): whether a message may be published is settled when the method
//! arrives, before any of its content.

use super::channel::{Channel, Mode};
use super::content::{Content, Publishing};
use super::work::Context;
use crate::broker::Publish;
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
        self.find_target(context, publish.exchange)?;
        if !context.work.publisher {
            context.work.publisher = true;
            context.client.mark_publisher();
        }
        self.routing_key.clear();
        self.routing_key.push_str(publish.routing_key);
        let publishing = Publishing { mandatory: publish.mandatory };
        self.content = Some(Content::Announced(publishing));
        Ok(())
    }

    /// Makes the exchange of this name the one that is published to. The one that was used last is remembered with the
    /// permission to write to it.
    fn find_target(&mut self, context: &Context<'_>, name: &str) -> Result<(), Fault> {
        let last = self.target.as_ref();
        if last.is_none_or(|last| **last.name() != *name || !last.is_live()) {
            self.target = None;
            self.target = Some(context.client.target(name)?);
        }
        Ok(())
    }

    /// Takes a message whose content is complete.
    pub(super) fn published(
        &mut self,
        context: &mut Context<'_>,
        publishing: Publishing,
        extra_keys: Vec<String>,
        message: Message,
    ) -> Result<(), Fault> {
        let Some(exchange) = &self.target else { return Ok(()) };
        let mut publish = Publish {
            key: self.key,
            message: Arc::new(message),
            extra_keys,
            mandatory: publishing.mandatory,
            confirm: None,
        };
        match &mut self.mode {
            Mode::Plain => context.work.publishes.push(exchange, publish),
            Mode::Confirm { published } => {
                *published += 1;
                publish.confirm = Some(*published);
                context.work.publishes.push(exchange, publish);
            }
            Mode::Transaction(transaction) => {
                context.work.uncommitted = true;
                transaction.publish(context.client, exchange, publish)?;
            }
        }
        Ok(())
    }
}
