//! Generated from `grammar/amqp-0-9-1.toml`; to regenerate: `LEVERET_REGENERATE=1 cargo test --test grammar`.
//!
//! Every method of the protocol in one enumeration.

use crate::wire::error::Flaw;
use crate::wire::field::{self, Parsed};
use crate::wire::generated::{
    access, basic, channel, codec, confirm, connection, exchange, queue, tx,
};
use crate::wire::method::MethodFacts;

/// A method with its arguments, which borrow from the buffer that it was read from.
#[derive(Debug, Clone, PartialEq)]
pub enum Method<'a> {
    /// `connection.start`.
    ConnectionStart(connection::Start<'a>),
    /// `connection.start-ok`.
    ConnectionStartOk(connection::StartOk<'a>),
    /// `connection.secure`.
    ConnectionSecure(connection::Secure<'a>),
    /// `connection.secure-ok`.
    ConnectionSecureOk(connection::SecureOk<'a>),
    /// `connection.tune`.
    ConnectionTune(connection::Tune),
    /// `connection.tune-ok`.
    ConnectionTuneOk(connection::TuneOk),
    /// `connection.open`.
    ConnectionOpen(connection::Open<'a>),
    /// `connection.open-ok`.
    ConnectionOpenOk(connection::OpenOk),
    /// `connection.close`.
    ConnectionClose(connection::Close<'a>),
    /// `connection.close-ok`.
    ConnectionCloseOk(connection::CloseOk),
    /// `connection.blocked`.
    ConnectionBlocked(connection::Blocked<'a>),
    /// `connection.unblocked`.
    ConnectionUnblocked(connection::Unblocked),
    /// `connection.update-secret`.
    ConnectionUpdateSecret(connection::UpdateSecret<'a>),
    /// `connection.update-secret-ok`.
    ConnectionUpdateSecretOk(connection::UpdateSecretOk),
    /// `channel.open`.
    ChannelOpen(channel::Open),
    /// `channel.open-ok`.
    ChannelOpenOk(channel::OpenOk),
    /// `channel.flow`.
    ChannelFlow(channel::Flow),
    /// `channel.flow-ok`.
    ChannelFlowOk(channel::FlowOk),
    /// `channel.close`.
    ChannelClose(channel::Close<'a>),
    /// `channel.close-ok`.
    ChannelCloseOk(channel::CloseOk),
    /// `access.request`.
    AccessRequest(access::Request<'a>),
    /// `access.request-ok`.
    AccessRequestOk(access::RequestOk),
    /// `exchange.declare`.
    ExchangeDeclare(exchange::Declare<'a>),
    /// `exchange.declare-ok`.
    ExchangeDeclareOk(exchange::DeclareOk),
    /// `exchange.delete`.
    ExchangeDelete(exchange::Delete<'a>),
    /// `exchange.delete-ok`.
    ExchangeDeleteOk(exchange::DeleteOk),
    /// `exchange.bind`.
    ExchangeBind(exchange::Bind<'a>),
    /// `exchange.bind-ok`.
    ExchangeBindOk(exchange::BindOk),
    /// `exchange.unbind`.
    ExchangeUnbind(exchange::Unbind<'a>),
    /// `exchange.unbind-ok`.
    ExchangeUnbindOk(exchange::UnbindOk),
    /// `queue.declare`.
    QueueDeclare(queue::Declare<'a>),
    /// `queue.declare-ok`.
    QueueDeclareOk(queue::DeclareOk<'a>),
    /// `queue.bind`.
    QueueBind(queue::Bind<'a>),
    /// `queue.bind-ok`.
    QueueBindOk(queue::BindOk),
    /// `queue.purge`.
    QueuePurge(queue::Purge<'a>),
    /// `queue.purge-ok`.
    QueuePurgeOk(queue::PurgeOk),
    /// `queue.delete`.
    QueueDelete(queue::Delete<'a>),
    /// `queue.delete-ok`.
    QueueDeleteOk(queue::DeleteOk),
    /// `queue.unbind`.
    QueueUnbind(queue::Unbind<'a>),
    /// `queue.unbind-ok`.
    QueueUnbindOk(queue::UnbindOk),
    /// `basic.qos`.
    BasicQos(basic::Qos),
    /// `basic.qos-ok`.
    BasicQosOk(basic::QosOk),
    /// `basic.consume`.
    BasicConsume(basic::Consume<'a>),
    /// `basic.consume-ok`.
    BasicConsumeOk(basic::ConsumeOk<'a>),
    /// `basic.cancel`.
    BasicCancel(basic::Cancel<'a>),
    /// `basic.cancel-ok`.
    BasicCancelOk(basic::CancelOk<'a>),
    /// `basic.publish`.
    BasicPublish(basic::Publish<'a>),
    /// `basic.return`.
    BasicReturn(basic::Return<'a>),
    /// `basic.deliver`.
    BasicDeliver(basic::Deliver<'a>),
    /// `basic.get`.
    BasicGet(basic::Get<'a>),
    /// `basic.get-ok`.
    BasicGetOk(basic::GetOk<'a>),
    /// `basic.get-empty`.
    BasicGetEmpty(basic::GetEmpty),
    /// `basic.ack`.
    BasicAck(basic::Ack),
    /// `basic.reject`.
    BasicReject(basic::Reject),
    /// `basic.recover-async`.
    BasicRecoverAsync(basic::RecoverAsync),
    /// `basic.recover`.
    BasicRecover(basic::Recover),
    /// `basic.recover-ok`.
    BasicRecoverOk(basic::RecoverOk),
    /// `basic.nack`.
    BasicNack(basic::Nack),
    /// `confirm.select`.
    ConfirmSelect(confirm::Select),
    /// `confirm.select-ok`.
    ConfirmSelectOk(confirm::SelectOk),
    /// `tx.select`.
    TxSelect(tx::Select),
    /// `tx.select-ok`.
    TxSelectOk(tx::SelectOk),
    /// `tx.commit`.
    TxCommit(tx::Commit),
    /// `tx.commit-ok`.
    TxCommitOk(tx::CommitOk),
    /// `tx.rollback`.
    TxRollback(tx::Rollback),
    /// `tx.rollback-ok`.
    TxRollbackOk(tx::RollbackOk),
}

/// Reads the arguments of the method with these numbers.
#[inline]
pub(in crate::wire) fn parse_arguments(
    class_id: u16,
    method_id: u16,
    input: &[u8],
) -> Parsed<'_, Method<'_>> {
    match class_id {
        connection::CLASS_ID => codec::connection::parse_method(method_id, input),
        channel::CLASS_ID => codec::channel::parse_method(method_id, input),
        access::CLASS_ID => codec::access::parse_method(method_id, input),
        exchange::CLASS_ID => codec::exchange::parse_method(method_id, input),
        queue::CLASS_ID => codec::queue::parse_method(method_id, input),
        basic::CLASS_ID => codec::basic::parse_method(method_id, input),
        confirm::CLASS_ID => codec::confirm::parse_method(method_id, input),
        tx::CLASS_ID => codec::tx::parse_method(method_id, input),
        _ => field::fail(Flaw::UnknownMethod),
    }
}

impl Method<'_> {
    #[inline]
    pub(in crate::wire) fn facts(&self) -> &'static MethodFacts {
        match self {
            Method::ConnectionStart(_) => &connection::Start::FACTS,
            Method::ConnectionStartOk(_) => &connection::StartOk::FACTS,
            Method::ConnectionSecure(_) => &connection::Secure::FACTS,
            Method::ConnectionSecureOk(_) => &connection::SecureOk::FACTS,
            Method::ConnectionTune(_) => &connection::Tune::FACTS,
            Method::ConnectionTuneOk(_) => &connection::TuneOk::FACTS,
            Method::ConnectionOpen(_) => &connection::Open::FACTS,
            Method::ConnectionOpenOk(_) => &connection::OpenOk::FACTS,
            Method::ConnectionClose(_) => &connection::Close::FACTS,
            Method::ConnectionCloseOk(_) => &connection::CloseOk::FACTS,
            Method::ConnectionBlocked(_) => &connection::Blocked::FACTS,
            Method::ConnectionUnblocked(_) => &connection::Unblocked::FACTS,
            Method::ConnectionUpdateSecret(_) => &connection::UpdateSecret::FACTS,
            Method::ConnectionUpdateSecretOk(_) => &connection::UpdateSecretOk::FACTS,
            Method::ChannelOpen(_) => &channel::Open::FACTS,
            Method::ChannelOpenOk(_) => &channel::OpenOk::FACTS,
            Method::ChannelFlow(_) => &channel::Flow::FACTS,
            Method::ChannelFlowOk(_) => &channel::FlowOk::FACTS,
            Method::ChannelClose(_) => &channel::Close::FACTS,
            Method::ChannelCloseOk(_) => &channel::CloseOk::FACTS,
            Method::AccessRequest(_) => &access::Request::FACTS,
            Method::AccessRequestOk(_) => &access::RequestOk::FACTS,
            Method::ExchangeDeclare(_) => &exchange::Declare::FACTS,
            Method::ExchangeDeclareOk(_) => &exchange::DeclareOk::FACTS,
            Method::ExchangeDelete(_) => &exchange::Delete::FACTS,
            Method::ExchangeDeleteOk(_) => &exchange::DeleteOk::FACTS,
            Method::ExchangeBind(_) => &exchange::Bind::FACTS,
            Method::ExchangeBindOk(_) => &exchange::BindOk::FACTS,
            Method::ExchangeUnbind(_) => &exchange::Unbind::FACTS,
            Method::ExchangeUnbindOk(_) => &exchange::UnbindOk::FACTS,
            Method::QueueDeclare(_) => &queue::Declare::FACTS,
            Method::QueueDeclareOk(_) => &queue::DeclareOk::FACTS,
            Method::QueueBind(_) => &queue::Bind::FACTS,
            Method::QueueBindOk(_) => &queue::BindOk::FACTS,
            Method::QueuePurge(_) => &queue::Purge::FACTS,
            Method::QueuePurgeOk(_) => &queue::PurgeOk::FACTS,
            Method::QueueDelete(_) => &queue::Delete::FACTS,
            Method::QueueDeleteOk(_) => &queue::DeleteOk::FACTS,
            Method::QueueUnbind(_) => &queue::Unbind::FACTS,
            Method::QueueUnbindOk(_) => &queue::UnbindOk::FACTS,
            Method::BasicQos(_) => &basic::Qos::FACTS,
            Method::BasicQosOk(_) => &basic::QosOk::FACTS,
            Method::BasicConsume(_) => &basic::Consume::FACTS,
            Method::BasicConsumeOk(_) => &basic::ConsumeOk::FACTS,
            Method::BasicCancel(_) => &basic::Cancel::FACTS,
            Method::BasicCancelOk(_) => &basic::CancelOk::FACTS,
            Method::BasicPublish(_) => &basic::Publish::FACTS,
            Method::BasicReturn(_) => &basic::Return::FACTS,
            Method::BasicDeliver(_) => &basic::Deliver::FACTS,
            Method::BasicGet(_) => &basic::Get::FACTS,
            Method::BasicGetOk(_) => &basic::GetOk::FACTS,
            Method::BasicGetEmpty(_) => &basic::GetEmpty::FACTS,
            Method::BasicAck(_) => &basic::Ack::FACTS,
            Method::BasicReject(_) => &basic::Reject::FACTS,
            Method::BasicRecoverAsync(_) => &basic::RecoverAsync::FACTS,
            Method::BasicRecover(_) => &basic::Recover::FACTS,
            Method::BasicRecoverOk(_) => &basic::RecoverOk::FACTS,
            Method::BasicNack(_) => &basic::Nack::FACTS,
            Method::ConfirmSelect(_) => &confirm::Select::FACTS,
            Method::ConfirmSelectOk(_) => &confirm::SelectOk::FACTS,
            Method::TxSelect(_) => &tx::Select::FACTS,
            Method::TxSelectOk(_) => &tx::SelectOk::FACTS,
            Method::TxCommit(_) => &tx::Commit::FACTS,
            Method::TxCommitOk(_) => &tx::CommitOk::FACTS,
            Method::TxRollback(_) => &tx::Rollback::FACTS,
            Method::TxRollbackOk(_) => &tx::RollbackOk::FACTS,
        }
    }

    #[inline]
    pub(in crate::wire) fn encode_arguments(&self, out: &mut Vec<u8>) {
        match self {
            Method::ConnectionStart(m) => m.encode(out),
            Method::ConnectionStartOk(m) => m.encode(out),
            Method::ConnectionSecure(m) => m.encode(out),
            Method::ConnectionSecureOk(m) => m.encode(out),
            Method::ConnectionTune(m) => m.encode(out),
            Method::ConnectionTuneOk(m) => m.encode(out),
            Method::ConnectionOpen(m) => m.encode(out),
            Method::ConnectionOpenOk(m) => m.encode(out),
            Method::ConnectionClose(m) => m.encode(out),
            Method::ConnectionCloseOk(m) => m.encode(out),
            Method::ConnectionBlocked(m) => m.encode(out),
            Method::ConnectionUnblocked(m) => m.encode(out),
            Method::ConnectionUpdateSecret(m) => m.encode(out),
            Method::ConnectionUpdateSecretOk(m) => m.encode(out),
            Method::ChannelOpen(m) => m.encode(out),
            Method::ChannelOpenOk(m) => m.encode(out),
            Method::ChannelFlow(m) => m.encode(out),
            Method::ChannelFlowOk(m) => m.encode(out),
            Method::ChannelClose(m) => m.encode(out),
            Method::ChannelCloseOk(m) => m.encode(out),
            Method::AccessRequest(m) => m.encode(out),
            Method::AccessRequestOk(m) => m.encode(out),
            Method::ExchangeDeclare(m) => m.encode(out),
            Method::ExchangeDeclareOk(m) => m.encode(out),
            Method::ExchangeDelete(m) => m.encode(out),
            Method::ExchangeDeleteOk(m) => m.encode(out),
            Method::ExchangeBind(m) => m.encode(out),
            Method::ExchangeBindOk(m) => m.encode(out),
            Method::ExchangeUnbind(m) => m.encode(out),
            Method::ExchangeUnbindOk(m) => m.encode(out),
            Method::QueueDeclare(m) => m.encode(out),
            Method::QueueDeclareOk(m) => m.encode(out),
            Method::QueueBind(m) => m.encode(out),
            Method::QueueBindOk(m) => m.encode(out),
            Method::QueuePurge(m) => m.encode(out),
            Method::QueuePurgeOk(m) => m.encode(out),
            Method::QueueDelete(m) => m.encode(out),
            Method::QueueDeleteOk(m) => m.encode(out),
            Method::QueueUnbind(m) => m.encode(out),
            Method::QueueUnbindOk(m) => m.encode(out),
            Method::BasicQos(m) => m.encode(out),
            Method::BasicQosOk(m) => m.encode(out),
            Method::BasicConsume(m) => m.encode(out),
            Method::BasicConsumeOk(m) => m.encode(out),
            Method::BasicCancel(m) => m.encode(out),
            Method::BasicCancelOk(m) => m.encode(out),
            Method::BasicPublish(m) => m.encode(out),
            Method::BasicReturn(m) => m.encode(out),
            Method::BasicDeliver(m) => m.encode(out),
            Method::BasicGet(m) => m.encode(out),
            Method::BasicGetOk(m) => m.encode(out),
            Method::BasicGetEmpty(m) => m.encode(out),
            Method::BasicAck(m) => m.encode(out),
            Method::BasicReject(m) => m.encode(out),
            Method::BasicRecoverAsync(m) => m.encode(out),
            Method::BasicRecover(m) => m.encode(out),
            Method::BasicRecoverOk(m) => m.encode(out),
            Method::BasicNack(m) => m.encode(out),
            Method::ConfirmSelect(m) => m.encode(out),
            Method::ConfirmSelectOk(m) => m.encode(out),
            Method::TxSelect(m) => m.encode(out),
            Method::TxSelectOk(m) => m.encode(out),
            Method::TxCommit(m) => m.encode(out),
            Method::TxCommitOk(m) => m.encode(out),
            Method::TxRollback(m) => m.encode(out),
            Method::TxRollbackOk(m) => m.encode(out),
        }
    }
}
