//! What one turn leaves for the next: messages that are still on their way to their queues, a commit that is under way,
//! and a fault that closes a channel or the connection behind them. All of it comes before the next frame.

use super::next::{Handled, Next};
use super::refusal::of_publish;
use super::reply::Reply;
use super::work::Progress;
use super::{Phase, Session, Slot, located};
use crate::fault::Fault;
use crate::wire::{Frame, Method, Scope, channel, tx};

impl Session {
    /// Goes on with what earlier turns left. Nothing may be read before that leads to [`Next::Frame`].
    pub(super) fn go_on(&mut self, now_ms: u64) -> Next {
        if !self.work.is_unfinished() && self.deferred.is_none() {
            return Next::Frame;
        }
        if self.flush(now_ms) == Progress::More {
            return Next::Yield;
        }
        self.close_failed(now_ms);
        self.go_on_unfinished(now_ms);
        let mut next = self.go_on_committing(now_ms);
        if !matches!(next, Next::Yield)
            && !self.work.is_unfinished()
            && let Some((channel, fault)) = self.deferred.take()
        {
            next = self.fault(channel, fault, now_ms);
        }
        next
    }

    /// Goes on with what is settled and closed, as far as this turn allows.
    pub(super) fn go_on_unfinished(&mut self, now_ms: u64) {
        while let Some((unfinished, _)) = self.work.unfinished.front_mut() {
            if !unfinished.go_on(&self.broker, &mut self.work.allowance, now_ms) {
                return;
            }
            if let Some((_, Some(number))) = self.work.unfinished.pop_front() {
                self.send(number, &Method::ChannelCloseOk(channel::CloseOk));
            }
        }
    }

    /// Hands to the broker what was gathered, as much as a turn allows.
    pub(super) fn flush(&mut self, now_ms: u64) -> Progress {
        match &self.client {
            Some(client) => self.work.flush(client, now_ms),
            None => Progress::Done,
        }
    }

    /// Goes on with a commit, if there is one.
    pub(super) fn go_on_committing(&mut self, now_ms: u64) -> Next {
        let (Some(client), Some(commit)) = (&self.client, &mut self.work.commit) else {
            return Next::Frame;
        };
        if !commit.publish(client, now_ms) {
            return Next::Yield;
        }
        for (settled, how) in commit.take_settled() {
            self.work.settle(client, settled, how, now_ms);
        }
        if !self.work.unfinished.is_empty() {
            return Next::Yield;
        }
        let Some(commit) = self.work.commit.take() else { return Next::Frame };
        let number = commit.channel();
        match commit.end() {
            Ok(()) => {
                let reply = Reply::Method(Method::TxCommitOk(tx::CommitOk));
                let handled = Handled::Reply(client.barrier(), reply);
                let next = self.after(number, handled, now_ms);
                next.unwrap_or_else(|fault| self.fault(number, fault, now_ms))
            }
            Err(fault) => {
                let fault = located(fault, tx::Commit::CLASS_ID, tx::Commit::METHOD_ID);
                self.fault(number, fault, now_ms)
            }
        }
    }

    /// Closes what a fault closes, or does so in a later turn: first comes what stood before it.
    pub(super) fn fault(&mut self, channel: u16, fault: Fault, now_ms: u64) -> Next {
        if matches!(self.phase, Phase::Running) && self.is_behind(now_ms) {
            self.deferred = Some((channel, fault));
            return Next::Yield;
        }
        self.close_for(channel, fault, now_ms)
    }

    /// Whether something that the client sent before is still to be done, of which a turn's worth is done now.
    pub(super) fn is_behind(&mut self, now_ms: u64) -> bool {
        self.flush(now_ms) == Progress::More || self.work.is_unfinished()
    }

    /// Whether messages are still on their way, with which it goes on.
    pub(super) fn is_publishing(&mut self, now_ms: u64) -> bool {
        self.flush(now_ms) == Progress::More || self.work.is_publishing()
    }

    /// What a turn ends with: before anything else what is unfinished has to be finished, but no wait for the disk puts
    /// that off.
    pub(super) fn end_turn(&mut self, next: Next, progress: Progress, now_ms: u64) -> Next {
        let is_unfinished = progress == Progress::More || self.work.is_unfinished();
        match next {
            // Room is asked for again.
            Next::Frame | Next::Read | Next::Full | Next::Held | Next::Room(_) if is_unfinished => {
                Next::Yield
            }
            Next::Store(_) | Next::Verify(_) => {
                let unfinished = std::mem::take(&mut self.work.unfinished);
                if !unfinished.is_empty() {
                    let unfinished = unfinished.into_iter().map(|(one, _)| one).collect();
                    self.broker.leave_unfinished(unfinished, now_ms);
                }
                next
            }
            next => next,
        }
    }

    /// Closes the channels that published what could not be routed.
    pub(super) fn close_failed(&mut self, now_ms: u64) {
        for (key, refusal) in std::mem::take(&mut self.work.failed) {
            let slot = self.channels.get(&key.number);
            if matches!(slot, Some(Slot::Open(channel)) if channel.key == key) {
                self.fail_channel(key.number, &of_publish(refusal), now_ms);
            }
        }
    }

    /// Closes what a fault closes.
    fn close_for(&mut self, channel: u16, fault: Fault, now_ms: u64) -> Next {
        match self.phase {
            Phase::Closing(_) | Phase::Closed => Next::Frame,
            Phase::Running if channel != 0 && fault.scope == Scope::Channel => {
                self.fail_channel(channel, &fault, now_ms);
                Next::Frame
            }
            Phase::Running => {
                self.fail(fault, now_ms);
                Next::Frame
            }
            _ => self.refuse(&fault.to_string()),
        }
    }
}

/// Whether a frame belongs to what is gathered for the broker, or leads to nothing.
pub(super) fn gathers(frame: &Frame<'_>) -> bool {
    match frame {
        Frame::Method { method, .. } => {
            matches!(method, Method::BasicPublish(_) | Method::BasicAck(_))
        }
        Frame::Header { .. } | Frame::Body { .. } | Frame::Heartbeat { .. } => true,
    }
}
