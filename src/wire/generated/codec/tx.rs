//! Generated from `grammar/amqp-0-9-1.toml`; to regenerate: `LEVERET_REGENERATE=1 cargo test --test grammar`.
//!
//! Arguments of the methods of class `tx`: read from a frame's payload, and written to one.

use crate::wire::error::Flaw;
use crate::wire::field::{self, Parsed};
use crate::wire::generated::method::Method;
use crate::wire::generated::tx::{Commit, CommitOk, Rollback, RollbackOk, Select, SelectOk};

/// Reads the arguments of the method with this number.
#[inline]
pub(in crate::wire) fn parse_method(method_id: u16, input: &[u8]) -> Parsed<'_, Method<'_>> {
    match method_id {
        Select::METHOD_ID => Select::parse(input).map(|(rest, m)| (rest, Method::TxSelect(m))),
        SelectOk::METHOD_ID => {
            SelectOk::parse(input).map(|(rest, m)| (rest, Method::TxSelectOk(m)))
        }
        Commit::METHOD_ID => Commit::parse(input).map(|(rest, m)| (rest, Method::TxCommit(m))),
        CommitOk::METHOD_ID => {
            CommitOk::parse(input).map(|(rest, m)| (rest, Method::TxCommitOk(m)))
        }
        Rollback::METHOD_ID => {
            Rollback::parse(input).map(|(rest, m)| (rest, Method::TxRollback(m)))
        }
        RollbackOk::METHOD_ID => {
            RollbackOk::parse(input).map(|(rest, m)| (rest, Method::TxRollbackOk(m)))
        }
        _ => field::fail(Flaw::UnknownMethod),
    }
}

impl Select {
    #[inline]
    pub(in crate::wire) fn parse(input: &[u8]) -> Parsed<'_, Self> {
        Ok((input, Self))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, _out: &mut Vec<u8>) {}
}

impl SelectOk {
    #[inline]
    pub(in crate::wire) fn parse(input: &[u8]) -> Parsed<'_, Self> {
        Ok((input, Self))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, _out: &mut Vec<u8>) {}
}

impl Commit {
    #[inline]
    pub(in crate::wire) fn parse(input: &[u8]) -> Parsed<'_, Self> {
        Ok((input, Self))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, _out: &mut Vec<u8>) {}
}

impl CommitOk {
    #[inline]
    pub(in crate::wire) fn parse(input: &[u8]) -> Parsed<'_, Self> {
        Ok((input, Self))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, _out: &mut Vec<u8>) {}
}

impl Rollback {
    #[inline]
    pub(in crate::wire) fn parse(input: &[u8]) -> Parsed<'_, Self> {
        Ok((input, Self))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, _out: &mut Vec<u8>) {}
}

impl RollbackOk {
    #[inline]
    pub(in crate::wire) fn parse(input: &[u8]) -> Parsed<'_, Self> {
        Ok((input, Self))
    }

    #[inline]
    pub(in crate::wire) fn encode(&self, _out: &mut Vec<u8>) {}
}
