//! Where two connections can meet: the points between which the work of one may come before, after or inside the work
//! of another. A simulation that is called at each of them chooses who goes on; in production nobody is called, and a
//! point costs one branch.

use std::ops::Deref;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use crate::store::{Done, Operation, Store};

/// A point where two connections can meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meeting {
    /// The lock of a queue is about to be taken.
    Queue,
    /// The work on a queue is done and its lock gone; what follows from it is not done yet.
    QueueLeft,
    /// Operations are about to be put into the store's inbox.
    Append,
    /// They stand there; nothing that depends on them has happened yet.
    Appended,
    /// Something is about to be registered or taken out.
    Registry,
    /// It was, and whoever looks finds it so.
    Registered,
    /// The topology of a virtual host is about to be locked.
    Topology,
    /// The lock of the accounts is about to be taken.
    Accounts,
    /// The right to give ids to queues is about to be taken.
    QueueIds,
    /// Somebody else has the lock: there is nothing to do until it is free.
    Taken,
    /// Something is waited for that the store has to do.
    Durable,
    /// A step of some longer work was done, with no lock held save those that its caller named.
    Between,
}

/// Called at every meeting. It may take as long as it likes.
pub type MeetingHook = Arc<dyn Fn(Meeting) + Send + Sync>;

/// Who is called at meetings: in production nobody.
#[derive(Clone, Default)]
pub struct Meet(Option<MeetingHook>);

impl Meet {
    /// Calls this at every meeting.
    pub fn new(hook: MeetingHook) -> Self {
        Self(Some(hook))
    }

    /// Two connections can meet here. The caller holds no queue's and no outbox's lock.
    pub(in crate::broker) fn at(&self, meeting: Meeting) {
        if let Some(hook) = &self.0 {
            hook(meeting);
        }
    }

    /// Calls again and again until it is so; false where nobody is called, and somebody else has to wait.
    pub(in crate::broker) fn until(
        &self,
        meeting: Meeting,
        mut is_so: impl FnMut() -> bool,
    ) -> bool {
        let Some(hook) = &self.0 else { return false };
        while !is_so() {
            hook(meeting);
        }
        true
    }
}

impl std::fmt::Debug for Meet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Meet").field(&self.0.is_some()).finish()
    }
}

/// A lock before which connections meet.
#[derive(Debug)]
pub(in crate::broker) struct MeetingLock<T> {
    lock: Mutex<T>,
    meet: Meet,
    meeting: Meeting,
}

impl<T> MeetingLock<T> {
    pub(in crate::broker) fn new(meet: &Meet, meeting: Meeting, value: T) -> Self {
        Self { lock: Mutex::new(value), meet: meet.clone(), meeting }
    }

    /// Locks it. Where meetings are watched the thread is never blocked: whoever has the lock may need the same thread.
    pub(in crate::broker) fn lock(&self) -> MutexGuard<'_, T> {
        self.meet.at(self.meeting);
        self.lock_silently()
    }

    /// The same for those who only look, where whether others come before or after makes no difference.
    pub(in crate::broker) fn lock_silently(&self) -> MutexGuard<'_, T> {
        let mut found = None;
        let has = || {
            found = self.lock.try_lock();
            found.is_some()
        };
        if self.meet.until(Meeting::Taken, has)
            && let Some(guard) = found
        {
            return guard;
        }
        self.lock.lock()
    }
}

/// The store, with meetings around every append.
pub(in crate::broker) struct MeetingStore {
    store: Store,
    meet: Meet,
}

impl MeetingStore {
    pub(in crate::broker) fn new(store: Store, meet: Meet) -> Self {
        Self { store, meet }
    }

    /// See [`Store::append`].
    pub(in crate::broker) fn append(&self, operations: Vec<Operation>, done: Option<Done>) {
        self.meet.at(Meeting::Append);
        self.store.append(operations, done);
        self.meet.at(Meeting::Appended);
    }
}

impl Deref for MeetingStore {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    #[test]
    fn whoever_finds_a_lock_taken_lets_others_go_on_until_it_is_free() {
        let taken = Arc::new(AtomicUsize::new(0));
        let (let_go, told) = mpsc::channel();
        let (gone, is_gone) = mpsc::channel::<()>();
        let (calls, is_gone) = (Arc::clone(&taken), Mutex::new(is_gone));
        let meet = Meet::new(Arc::new(move |meeting| {
            if meeting == Meeting::Taken && calls.fetch_add(1, Ordering::Relaxed) == 2 {
                let_go.send(()).unwrap();
                is_gone.lock().recv().unwrap();
            }
        }));
        let lock = &MeetingLock::new(&meet, Meeting::Queue, 7);
        let (has, holds) = mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(move || {
                let guard = lock.lock();
                has.send(()).unwrap();
                told.recv().unwrap();
                drop(guard);
                gone.send(()).unwrap();
            });
            holds.recv().unwrap();
            assert_eq!(*lock.lock(), 7);
        });
        assert_eq!(taken.load(Ordering::Relaxed), 3);
    }
}
