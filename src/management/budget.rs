//! Memory for bodies: those of requests while they come, those of answers until they were taken.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hyper::StatusCode;
use hyper::body::Bytes;

use super::reply::Reply;

/// What all bodies have together.
pub(super) struct Budget {
    used_bytes: AtomicUsize,
    bytes_max: usize,
}

/// What one body has of it, given back when this goes.
pub(super) struct Share {
    bytes: usize,
    budget: Arc<Budget>,
}

impl Budget {
    pub fn new(bytes_max: usize) -> Arc<Self> {
        Arc::new(Self { used_bytes: AtomicUsize::new(0), bytes_max })
    }

    /// What is in use.
    #[cfg(test)]
    pub fn used_bytes(&self) -> usize {
        self.used_bytes.load(Ordering::Relaxed)
    }

    /// A share of nothing.
    pub fn share(self: &Arc<Self>) -> Share {
        Share { bytes: 0, budget: Arc::clone(self) }
    }

    /// These bytes, which count until nobody has them any more.
    ///
    /// # Errors
    /// 503 when they do not fit.
    pub fn hold(self: &Arc<Self>, bytes: Vec<u8>) -> Result<Bytes, Reply> {
        let mut share = self.share();
        share.grow(bytes.len())?;
        Ok(Bytes::from_owner(Held { bytes, _share: share }))
    }
}

impl Share {
    /// Takes more of the budget. One body always fits, if it is alone.
    ///
    /// # Errors
    /// 503 when it does not. Nothing was taken then: what was refused keeps nobody else out.
    pub fn grow(&mut self, bytes: usize) -> Result<(), Reply> {
        let (most, own) = (self.budget.bytes_max, self.bytes);
        let with_it = |used: usize| {
            let sum = used.saturating_add(bytes);
            (sum <= most || used == own).then_some(sum)
        };
        let used = &self.budget.used_bytes;
        if used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, with_it).is_ok() {
            self.bytes += bytes;
            return Ok(());
        }
        Err(Reply::error(
            StatusCode::SERVICE_UNAVAILABLE,
            "service_unavailable",
            &format!(
                "other requests and answers have the {most} bytes that `management.bodies_bytes_max` allows; try again"
            ),
        ))
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.used_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

struct Held {
    bytes: Vec<u8>,
    _share: Share,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_always_fits_and_others_only_where_there_is_room() {
        let budget = Budget::new(100);
        let large = budget.hold(vec![0; 1000]).unwrap();
        assert!(budget.hold(vec![0; 1]).is_err());
        let again = large.clone();
        drop(large);
        assert!(budget.hold(vec![0; 1]).is_err());
        drop(again);
        let (mut first, mut second) = (budget.share(), budget.share());
        first.grow(60).unwrap();
        second.grow(40).unwrap();
        assert!(first.grow(1).is_err());
        assert_eq!(budget.used_bytes(), 100, "what was refused is taken");
        drop(first);
        second.grow(60).unwrap();
        drop(second);
        assert_eq!(budget.used_bytes(), 0);
    }
}
