//! What comes next on a connection, in two enums: what a method's handler leaves to be done, and what the connection's
//! reader task does then.

use super::reply::Reply;
use crate::broker::{Pending, Turn, Verification};

/// What came of some bytes.
#[derive(Debug)]
pub struct Received {
    /// How many of the bytes are done with. The rest is the beginning of a frame, or follows something that has
    /// to be waited for; it is passed again.
    pub consumed: usize,
    /// What to do next.
    pub next: Next,
}

/// What the owner of a session does next.
#[derive(Debug)]
pub enum Next {
    /// Pass the rest again at once: there may be whole frames in it.
    Frame,
    /// Bring more bytes: the rest is no whole frame.
    Read,
    /// What came leads to more than one turn does. Let others have theirs, then pass the rest again, even if it is empty:
    /// nothing of it is looked at before what was begun is finished.
    Yield,
    /// Wait until the peer has read some of what it was sent, then pass the rest again.
    Full,
    /// The rest begins with a message that may not be published yet. Wait while [`Session::is_held`], then pass it again.
    ///
    /// [`Session::is_held`]: super::Session::is_held
    Held,
    /// A change is on its way to the disk, or a message on its way from there. Wait for it and tell
    /// [`Session::stored`].
    ///
    /// [`Session::stored`]: super::Session::stored
    Store(Pending),
    /// A password has to be verified, which is slow. Do it elsewhere, and tell [`Session::verified`]. In a box, so that
    /// what the session hands on for every frame stays small.
    ///
    /// [`Session::verified`]: super::Session::verified
    Verify(Box<Verification>),
    /// The body of a large message needs room. Wait for it and hand it to [`Session::make_room`].
    ///
    /// [`Session::make_room`]: super::Session::make_room
    Room(Turn),
    /// Write what is in the outbox and close the socket.
    Close,
    /// Close the socket after a while during which the peer gets no answer: guessing passwords takes time.
    Refuse,
}

/// What a method's handler leaves to be done.
#[derive(Debug)]
#[must_use]
pub(super) enum Handled {
    /// Nothing: the reply was sent, or there is none.
    Done,
    /// The reply is sent when the change is on the disk, or the message in memory that is to be replied with.
    Reply(Pending, Reply),
    /// No reply is wanted, but the change is still on its way to the disk.
    NoReply(Pending),
}

impl Handled {
    /// The reply to a change. With `no-wait` there is none, and nothing to wait for while the disk keeps up.
    pub fn change(pending: Pending, no_wait: bool, reply: Reply) -> Self {
        match (no_wait, pending.is_done()) {
            (false, _) => Self::Reply(pending, reply),
            (true, true) => Self::Done,
            (true, false) => Self::NoReply(pending),
        }
    }
}
