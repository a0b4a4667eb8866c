//! A change on its way to the disk. The reply to a client is sent only when the change is there.

use async_channel::Receiver;

use crate::store::{Done, Lost};

/// The promise that a change will be durable. Nothing durable changed when it is done from the start.
#[derive(Debug)]
#[must_use = "a reply must wait until the change is on the disk"]
pub struct Pending(Option<Receiver<Result<(), Lost>>>);

impl Pending {
    /// Nothing to wait for.
    pub const NONE: Self = Self(None);

    /// A promise, and what the store calls when it is kept or broken.
    pub(in crate::broker) fn new() -> (Self, Done) {
        let (sender, receiver) = async_channel::bounded(1);
        let done: Done = Box::new(move |outcome| {
            // Nobody waits any more when the connection has gone; there is nobody to tell then.
            let _ = sender.try_send(outcome);
        });
        (Self(Some(receiver)), done)
    }

    /// Whether there is nothing to wait for.
    pub fn is_done(&self) -> bool {
        self.0.is_none()
    }

    /// Whether waiting for it would end at once, one way or the other.
    pub fn is_settled(&self) -> bool {
        self.0.as_ref().is_none_or(|receiver| !receiver.is_empty() || receiver.is_closed())
    }

    /// Waits until the change is on the disk.
    ///
    /// # Errors
    /// [`Lost`] when the store failed: the change may be lost and nothing more can be promised.
    pub async fn wait(self) -> Result<(), Lost> {
        match self.0 {
            None => Ok(()),
            Some(receiver) => receiver.recv().await.unwrap_or(Err(Lost)),
        }
    }

    /// Waits like [`Pending::wait`], blocking the thread.
    ///
    /// # Errors
    /// [`Lost`] when the store failed.
    pub fn wait_blocking(self) -> Result<(), Lost> {
        match self.0 {
            None => Ok(()),
            Some(receiver) => receiver.recv_blocking().unwrap_or(Err(Lost)),
        }
    }
}
