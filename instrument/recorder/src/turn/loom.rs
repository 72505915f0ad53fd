//! Every interleaving of polls whose last hooks come late.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;

use super::Turn;
use crate::atomic::AtomicU64;

/// A task's two sums, as its record has them.
struct Sums {
    turn: Turn,
    own: AtomicU64,
    others: AtomicU64,
}

impl Sums {
    /// The hook before a poll.
    fn begin(&self) -> bool {
        self.turn.take()
    }

    /// The hook after it.
    fn end(&self, writes: bool, time: u64) {
        if writes {
            self.own.store(self.own.load(Ordering::Relaxed) + time, Ordering::Relaxed);
            self.turn.give_back();
        } else {
            self.others.fetch_add(time, Ordering::Relaxed);
        }
    }
}

/// Three polls on three threads, each of which begins when the one before has let the task go, and before or after
/// its last hook: no time is lost.
#[test]
fn loom_late_hooks_lose_no_time() {
    loom::model(|| {
        let sums = Arc::new(Sums { turn: Turn::free(), own: AtomicU64::new(0), others: AtomicU64::new(0) });
        let first = sums.begin();
        let released = Arc::new(AtomicBool::new(false));
        let (second_sums, second_released) = (Arc::clone(&sums), Arc::clone(&released));
        let second = thread::spawn(move || {
            let writes = second_sums.begin();
            // Tokio lets the task go before the hook.
            second_released.store(true, Ordering::Release);
            second_sums.end(writes, 10);
        });
        let (third_sums, third_released) = (Arc::clone(&sums), Arc::clone(&released));
        let third = thread::spawn(move || {
            if third_released.load(Ordering::Acquire) {
                let writes = third_sums.begin();
                third_sums.end(writes, 100);
                100
            } else {
                0
            }
        });
        sums.end(first, 1);
        second.join().expect("no panic");
        let third = third.join().expect("no panic");
        let total = sums.own.load(Ordering::Relaxed) + sums.others.load(Ordering::Relaxed);
        assert_eq!(total, 11 + third);
    });
}
