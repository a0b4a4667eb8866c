//! Class queue (specification 1.7). An empty queue name stands for the queue that the channel declared last.

use std::sync::Arc;

use super::channel::Channel;
use super::name::on_one_line;
use super::next::Handled;
use super::reply::Reply;
use super::work::Context;
use crate::broker::{BindingRequest, DeclareMode, DeleteQueue, QueueDeclaration};
use crate::fault::Fault;
use crate::wire::{Method, queue};

impl Channel {
    pub(super) fn queue_declare(
        &mut self,
        context: &mut Context<'_>,
        declare: &queue::Declare<'_>,
    ) -> Result<Handled, Fault> {
        let declaration = QueueDeclaration {
            name: &on_one_line(declare.queue),
            mode: if declare.passive { DeclareMode::Passive } else { DeclareMode::Active },
            durable: declare.durable,
            exclusive: declare.exclusive,
            auto_delete: declare.auto_delete,
            arguments: &declare.arguments,
        };
        let declared = context.client.declare_queue(&declaration, context.now_ms)?;
        self.last_queue = Some(Arc::clone(&declared.name));
        let reply = Reply::Declared {
            queue: declared.name,
            messages: declared.messages,
            consumers: declared.consumers,
        };
        Ok(Handled::change(declared.pending, declare.no_wait, reply))
    }

    pub(super) fn queue_bind(
        &mut self,
        context: &mut Context<'_>,
        bind: &queue::Bind<'_>,
    ) -> Result<Handled, Fault> {
        let named = on_one_line(bind.queue);
        let queue = self.queue_named(&named)?;
        let pending = context.client.bind_queue(&BindingRequest {
            source: &on_one_line(bind.exchange),
            destination: queue,
            routing_key: binding_key(&named, bind.routing_key, queue),
            arguments: &bind.arguments,
        })?;
        let reply = Reply::Method(Method::QueueBindOk(queue::BindOk));
        Ok(Handled::change(pending, bind.no_wait, reply))
    }

    pub(super) fn queue_unbind(
        &mut self,
        context: &mut Context<'_>,
        unbind: &queue::Unbind<'_>,
    ) -> Result<Handled, Fault> {
        let named = on_one_line(unbind.queue);
        let queue = self.queue_named(&named)?;
        let pending = context.client.unbind_queue(&BindingRequest {
            source: &on_one_line(unbind.exchange),
            destination: queue,
            routing_key: binding_key(&named, unbind.routing_key, queue),
            arguments: &unbind.arguments,
        })?;
        Ok(Handled::Reply(pending, Reply::Method(Method::QueueUnbindOk(queue::UnbindOk))))
    }

    pub(super) fn queue_purge(
        &mut self,
        context: &mut Context<'_>,
        purge: &queue::Purge<'_>,
    ) -> Result<Handled, Fault> {
        let queue = self.queue_named(purge.queue)?;
        let message_count = context.client.purge_queue(queue, context.now_ms)?;
        let purged = Method::QueuePurgeOk(queue::PurgeOk { message_count });
        Ok(self.reply_unless(context, purge.no_wait, &purged))
    }

    pub(super) fn queue_delete(
        &mut self,
        context: &mut Context<'_>,
        delete: &queue::Delete<'_>,
    ) -> Result<Handled, Fault> {
        let named = on_one_line(delete.queue);
        let queue = self.queue_named(&named)?;
        let conditions = DeleteQueue { if_unused: delete.if_unused, if_empty: delete.if_empty };
        let (message_count, pending) =
            context.client.delete_queue(queue, conditions, context.now_ms)?;
        let reply = Reply::Method(Method::QueueDeleteOk(queue::DeleteOk { message_count }));
        Ok(Handled::change(pending, delete.no_wait, reply))
    }
}

/// With neither a queue nor a routing key named, the key is the queue's name.
fn binding_key<'a>(named: &str, routing_key: &'a str, queue: &'a str) -> &'a str {
    if named.is_empty() && routing_key.is_empty() { queue } else { routing_key }
}
