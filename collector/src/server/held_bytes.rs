//! How many bytes of reports all push streams hold that are not folded yet: frames of an unfinished report, and a
//! whole one on its way to the fleet's thread. Above the limit the stream that holds most is ended.
//!
//! Used by the push streams alone; holds no report itself.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// What all streams hold together.
#[derive(Clone, Debug)]
pub(super) struct HeldBytes(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limit: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    total: usize,
    streams: BTreeMap<u64, (usize, Arc<Notify>)>,
}

/// What one stream holds; nothing once it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    all: HeldBytes,
    number: u64,
    revoked: Arc<Notify>,
}

impl HeldBytes {
    /// At most so many bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self(Arc::new(Inner { limit, state: Mutex::default() }))
    }

    /// Begins to count what one stream holds.
    pub(super) fn open(&self) -> Share {
        let mut state = self.lock();
        let (number, revoked) = (state.next, Arc::new(Notify::new()));
        state.next += 1;
        state.streams.insert(number, (0, revoked.clone()));
        Share { all: self.clone(), number, revoked }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    /// Sets what the stream holds. If that is too much for all together, the stream that holds most is
    /// ended, which may be this one.
    pub(super) fn set(&self, bytes: usize) {
        let mut state = self.all.lock();
        // A stream that has to end is not counted any more.
        let Some((held, _)) = state.streams.get_mut(&self.number) else { return };
        let before = std::mem::replace(held, bytes);
        state.total = state.total - before + bytes;
        while state.total > self.all.0.limit {
            let most = state.streams.iter().max_by_key(|(_, (bytes, _))| *bytes).map(|(number, _)| *number);
            let Some((bytes, revoked)) = most.and_then(|number| state.streams.remove(&number)) else {
                return;
            };
            state.total -= bytes;
            revoked.notify_one();
        }
    }

    /// Returns when the stream has to end.
    pub(super) async fn revoked(&self) {
        self.revoked.notified().await;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut state = self.all.lock();
        if let Some((bytes, _)) = state.streams.remove(&self.number) {
            state.total -= bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_revoked(share: &Share) -> bool {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        std::pin::pin!(share.revoked()).poll(&mut context).is_ready()
    }

    #[test]
    fn the_stream_that_holds_most_is_ended_and_no_other() {
        let held_bytes = HeldBytes::new(100);
        let (small, large, last) = (held_bytes.open(), held_bytes.open(), held_bytes.open());
        small.set(30);
        large.set(60);
        assert!(!is_revoked(&small) && !is_revoked(&large));
        last.set(40);
        assert!(is_revoked(&large) && !is_revoked(&small) && !is_revoked(&last));
        large.set(1_000);
        assert_eq!(held_bytes.lock().total, 70, "one that ends counts no more");
        last.set(101);
        assert!(is_revoked(&last) && !is_revoked(&small));
        drop((small, large, last));
        let state = held_bytes.lock();
        assert_eq!((state.total, state.streams.len()), (0, 0));
    }
}
