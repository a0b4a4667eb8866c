//! Class exchange (specification 1.6): declaring, deleting, and binding exchanges to one another.

use super::channel::Channel;
use super::name::on_one_line;
use super::next::Handled;
use super::reply::Reply;
use super::work::Context;
use crate::broker::{BindingRequest, DeclareMode, DeleteExchange, ExchangeDeclaration};
use crate::fault::Fault;
use crate::wire::{Method, exchange};

impl Channel {
    pub(super) fn exchange_declare(
        &mut self,
        context: &mut Context<'_>,
        declare: &exchange::Declare<'_>,
    ) -> Result<Handled, Fault> {
        let declaration = ExchangeDeclaration {
            name: &on_one_line(declare.exchange),
            kind: declare.kind,
            mode: if declare.passive { DeclareMode::Passive } else { DeclareMode::Active },
            durable: declare.durable,
            auto_delete: declare.auto_delete,
            internal: declare.internal,
            arguments: &declare.arguments,
        };
        let pending = context.client.declare_exchange(&declaration)?;
        let reply = Reply::Method(Method::ExchangeDeclareOk(exchange::DeclareOk));
        Ok(Handled::change(pending, declare.no_wait, reply))
    }

    pub(super) fn exchange_delete(
        &mut self,
        context: &mut Context<'_>,
        delete: &exchange::Delete<'_>,
    ) -> Result<Handled, Fault> {
        let condition = DeleteExchange { if_unused: delete.if_unused };
        let pending = context.client.delete_exchange(&on_one_line(delete.exchange), condition)?;
        let reply = Reply::Method(Method::ExchangeDeleteOk(exchange::DeleteOk));
        Ok(Handled::change(pending, delete.no_wait, reply))
    }

    pub(super) fn exchange_bind(
        &mut self,
        context: &mut Context<'_>,
        bind: &exchange::Bind<'_>,
    ) -> Result<Handled, Fault> {
        let pending = context.client.bind_exchange(&BindingRequest {
            source: &on_one_line(bind.source),
            destination: &on_one_line(bind.destination),
            routing_key: bind.routing_key,
            arguments: &bind.arguments,
        })?;
        let reply = Reply::Method(Method::ExchangeBindOk(exchange::BindOk));
        Ok(Handled::change(pending, bind.no_wait, reply))
    }

    pub(super) fn exchange_unbind(
        &mut self,
        context: &mut Context<'_>,
        unbind: &exchange::Unbind<'_>,
    ) -> Result<Handled, Fault> {
        let pending = context.client.unbind_exchange(&BindingRequest {
            source: &on_one_line(unbind.source),
            destination: &on_one_line(unbind.destination),
            routing_key: unbind.routing_key,
            arguments: &unbind.arguments,
        })?;
        let reply = Reply::Method(Method::ExchangeUnbindOk(exchange::UnbindOk));
        Ok(Handled::change(pending, unbind.no_wait, reply))
    }
}
