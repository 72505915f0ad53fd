//! What the storm itself counts: the other half of the books.

use std::fmt;
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};

/// A counter.
#[derive(Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    /// One more.
    pub(crate) fn up(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// The count.
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Everything that happened in one mode.
#[derive(Default)]
pub(crate) struct Books {
    pub(crate) spawned: Count,
    pub(crate) completed: Count,
    pub(crate) cancelled: Count,
    pub(crate) panicked: Count,
    pub(crate) polls: Count,
    pub(crate) wakes: Count,
    pub(crate) self_wakes: Count,
}

impl fmt::Display for Books {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} tasks ({} completed, {} cancelled, {} panicked), {} polls, {} wakes, {} of them by itself",
            self.spawned.get(),
            self.completed.get(),
            self.cancelled.get(),
            self.panicked.get(),
            self.polls.get(),
            self.wakes.get(),
            self.self_wakes.get(),
        )
    }
}

/// What a victim panics with.
pub(crate) struct Expected;

/// Keeps the victims' panics from the output; any other is printed as ever.
pub(crate) fn silence_expected_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !info.payload().is::<Expected>() {
                usual(info);
            }
        }));
    });
}
