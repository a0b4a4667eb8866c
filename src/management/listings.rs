//! Whose listing is put together next: some at once, since each may take memory for every queue that there is. Readers
//! of the same metrics that come together share one copy.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use async_channel::{Receiver, Sender};
use async_std::sync::Mutex;
use hyper::body::Bytes;

/// Places for those who put something together.
pub(super) struct Listings {
    free: Receiver<()>,
    give_back: Sender<()>,
    metrics: Mutex<Option<Rendering>>,
    /// How many read metrics or wait for them.
    readers: AtomicUsize,
}

/// One of the places, given back when this goes.
pub(super) struct Place(Sender<()>);

/// Metrics that were written.
struct Rendering {
    query: String,
    began: Instant,
    text: Bytes,
}

impl Listings {
    pub fn new(places: usize) -> Self {
        let (give_back, free) = async_channel::bounded(places);
        for _ in 0..places {
            // There is room for each.
            let _ = give_back.try_send(());
        }
        Self { free, give_back, metrics: Mutex::default(), readers: AtomicUsize::new(0) }
    }

    /// Waits for a place.
    pub async fn place(&self) -> Place {
        // The other end is beside it.
        let _ = self.free.recv().await;
        Place(self.give_back.clone())
    }

    /// The metrics that this path and query ask for: written now, or by somebody who began after this was called.
    ///
    /// # Errors
    /// What `write` says.
    pub async fn metrics<E>(
        &self,
        query: &str,
        write: impl AsyncFnOnce() -> Result<Bytes, E>,
    ) -> Result<Bytes, E> {
        let came = Instant::now();
        let reader = Reader::new(&self.readers);
        let mut last = self.metrics.lock().await;
        if let Some(shared) = &*last
            && shared.began >= came
            && shared.query == query
        {
            let text = shared.text.clone();
            if reader.is_last() {
                *last = None;
            }
            return Ok(text);
        }
        // It goes before the next comes: its readers keep it for as long as they need it.
        *last = None;
        let began = Instant::now();
        let text = write().await?;
        if !reader.is_last() {
            *last = Some(Rendering { query: query.to_owned(), began, text: text.clone() });
        }
        Ok(text)
    }
}

/// One of those who read metrics or wait for them.
struct Reader<'a>(&'a AtomicUsize);

impl<'a> Reader<'a> {
    fn new(readers: &'a AtomicUsize) -> Self {
        readers.fetch_add(1, Ordering::AcqRel);
        Self(readers)
    }

    fn is_last(&self) -> bool {
        self.0.load(Ordering::Acquire) == 1
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // There is room for it.
        let _ = self.0.try_send(());
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use async_std::task;
    use futures_lite::future;

    use super::*;

    #[test]
    fn readers_that_come_together_share_one_copy_and_none_is_kept() {
        let listings = Listings::new(1);
        let written = AtomicUsize::new(0);
        let read = async |query: &str| {
            let text = listings.metrics(query, async || {
                let number = written.fetch_add(1, Ordering::Relaxed);
                // The others come meanwhile.
                future::yield_now().await;
                Ok::<_, Infallible>(Bytes::from(vec![number as u8]))
            });
            let Ok(text) = text.await;
            text[0]
        };
        let three = async {
            let two = future::zip(read("a"), read("a"));
            let (one, others) = future::zip(read("a"), two).await;
            [one, others.0, others.1]
        };
        // Who came while the first was being written cannot have it: it is older than they are.
        assert_eq!(task::block_on(three), [0, 1, 1]);
        assert_eq!(task::block_on(read("a")), 2);
        let different = task::block_on(future::zip(read("a"), read("b")));
        assert_ne!(different.0, different.1);
        assert!(task::block_on(listings.metrics.lock()).is_none());
    }

    #[test]
    fn a_place_is_given_back() {
        let listings = Listings::new(1);
        for _ in 0..3 {
            drop(task::block_on(listings.place()));
        }
        let _place = task::block_on(listings.place());
        assert!(task::block_on(future::poll_once(listings.place())).is_none());
    }
}
