//! How channels and connections end: by the client's wish, by a fault, by an operator, or because the socket
//! is gone.

use std::collections::VecDeque;

use super::channel::Ending;
use super::next::Next;
use super::{Discarding, Phase, Session, Slot};
use crate::fault::Fault;
use crate::wire::{self, Frame, Method, ReplyCode, channel, connection};

/// A whole frame with `connection.close-ok`.
const CLOSE_OK_FRAME: &[u8] = &[1, 0, 0, 0, 0, 0, 4, 0, 10, 0, 51, 206];

impl Session {
    /// Closes the connection with this fault: the client is told if it is far enough to understand, and
    /// everything it had is given back, in a later turn if more than one is still to be done. Without effect on a
    /// connection that is closing already.
    pub fn fail(&mut self, fault: Fault, now_ms: u64) {
        self.waiting = None;
        if matches!(self.phase, Phase::Running) && self.is_publishing(now_ms) {
            self.deferred = Some((0, fault));
            return;
        }
        match self.phase {
            Phase::Closing(_) | Phase::Closed => {}
            Phase::Running => {
                log::warn!("{}: closed: {fault}", self.title());
                self.leave(now_ms);
                self.send_close(&fault);
                self.outbox.flush();
            }
            _ => {
                log::warn!("{}: closed before it was open: {fault}", self.peer);
                self.phase = Phase::Closed;
            }
        }
    }

    /// The socket is gone, for this reason: gives back everything that the connection had. May be called
    /// again.
    pub fn end(&mut self, reason: &str, now_ms: u64) {
        self.waiting = None;
        match self.phase {
            Phase::Closed => {}
            Phase::Closing(_) => {
                log::debug!("{}: closed without its agreement: {reason}", self.peer)
            }
            _ => log::warn!("{}: closed: {reason}", self.title()),
        }
        self.phase = Phase::Closed;
        self.outbox.close();
        self.leave(now_ms);
    }

    /// Gives back the memory that a busy connection gathered: it has gone quiet.
    pub fn release(&mut self) {
        self.work.release();
    }

    /// Who this is, for the log.
    pub(super) fn title(&self) -> String {
        match &self.client {
            Some(client) => format!("{} (user '{}')", self.peer, client.user()),
            None => self.peer.to_string(),
        }
    }

    /// Closes all channels and leaves the virtual host. What is left of more than a turn's work is done as an errand.
    pub(super) fn leave(&mut self, now_ms: u64) {
        let is_publishing = self.is_publishing(now_ms);
        let Some(client) = self.client.take() else { return };
        // What goes back to queues is not to come again on another of its channels.
        self.outbox.close();
        self.deferred = None;
        self.work.room = None;
        let mut unfinished: VecDeque<_> =
            std::mem::take(&mut self.work.unfinished).into_iter().map(|(one, _)| one).collect();
        let settled = self.work.take_rest();
        for (_, slot) in self.channels.drain() {
            if let Slot::Open(channel) = slot {
                unfinished.push_back(channel.close(&client, Ending::Connection));
            }
        }
        if is_publishing {
            self.broker.disconnect_published(client, settled, unfinished, now_ms);
        } else {
            self.broker.disconnect_after(&client, unfinished, now_ms);
        }
    }

    /// Closes one channel with a fault (specification 1.5.2.5).
    pub(super) fn fail_channel(&mut self, number: u16, fault: &Fault, now_ms: u64) {
        log::warn!("{}: channel {number} closed: {fault}", self.title());
        self.close_slot(number, None, now_ms);
        self.channels.insert(number, Slot::Closing);
        let close = channel::Close {
            reply_code: fault.code.code(),
            reply_text: &fault.reply_text(),
            class_id: fault.class_id,
            method_id: fault.method_id,
        };
        self.send(number, &Method::ChannelClose(close));
    }

    /// Closes the channels whose transactions hold messages: nothing else can be given up.
    pub(super) fn give_up_transactions(&mut self, now_ms: u64) {
        let holders = self.channels.iter().filter(|(_, slot)| slot.has_uncommitted());
        let numbers: Vec<u16> = holders.map(|(number, _)| *number).collect();
        let text =
            "memory is short, and what transactions have not committed is all that can be given up";
        let fault = Fault::channel(ReplyCode::ContentTooLarge, text);
        for number in numbers {
            self.fail_channel(number, &fault, now_ms);
        }
    }

    /// Takes a channel's number out of use and gives back what it had. When that is done `told` is told. What was published
    /// on it was handed on before.
    pub(super) fn close_slot(&mut self, number: u16, told: Option<u16>, now_ms: u64) {
        let Some(client) = &self.client else { return };
        if let Some(Slot::Open(channel)) = self.channels.remove(&number) {
            self.work.unreserved_bytes -= channel.unreserved_bytes();
            let closing = channel.close(client, Ending::Channel);
            self.work.unfinished.push_back((closing, told));
            self.go_on_unfinished(now_ms);
        }
    }

    /// Throws away what a client sends that was told to close, until it agrees.
    pub(super) fn discard(&mut self, discarding: Discarding, bytes: &[u8]) -> (Next, usize) {
        if discarding == Discarding::Bytes {
            return self.discard_bytes(bytes);
        }
        match wire::next_frame(bytes, self.limits.frame_bytes_max) {
            Ok(None) => (Next::Read, 0),
            Ok(Some((Frame::Method { channel: 0, method }, used))) => match method {
                Method::ConnectionCloseOk(_) => (self.close_agreed(), used),
                Method::ConnectionClose(_) => {
                    self.send(0, &Method::ConnectionCloseOk(connection::CloseOk));
                    (self.close_agreed(), used)
                }
                _ => (Next::Frame, used),
            },
            Ok(Some((_, used))) => (Next::Frame, used),
            Err(_) => {
                self.phase = Phase::Closing(Discarding::Bytes);
                self.discard_bytes(bytes)
            }
        }
    }

    /// The client sends its agreement last, so it is looked for at the end only.
    fn discard_bytes(&mut self, bytes: &[u8]) -> (Next, usize) {
        if bytes.ends_with(CLOSE_OK_FRAME) {
            return (self.close_agreed(), bytes.len());
        }
        (Next::Read, bytes.len().saturating_sub(CLOSE_OK_FRAME.len() - 1))
    }

    fn close_agreed(&mut self) -> Next {
        self.phase = Phase::Closed;
        Next::Close
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frame_that_is_looked_for_is_close_ok() {
        let mut frame = Vec::new();
        Method::ConnectionCloseOk(connection::CloseOk).encode_frame(0, &mut frame);
        assert_eq!(frame, CLOSE_OK_FRAME);
    }
}
