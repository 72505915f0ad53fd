//! How long to wait before the next attempt.

use std::time::Duration;

use pollscope_model::id::BootId;

/// Before the first attempt, and the shortest wait between two.
pub(super) const FIRST: Duration = Duration::from_millis(100);
/// The longest wait after a lost connection.
const MOST: Duration = Duration::from_secs(5);
/// After a refusal.
pub(super) const LONG: Duration = Duration::from_secs(60);

/// Doubles from [`FIRST`] to [`MOST`], each wait shortened by up to a half, so that the services of
/// a fleet do not all come back at the same moment.
#[derive(Debug)]
pub(super) struct Backoff {
    current: Duration,
    dice: u64,
}

impl Backoff {
    /// The boot id is random enough to tell services apart.
    pub(super) fn new(boot: BootId) -> Self {
        Self { current: FIRST, dice: boot.0 as u64 | 1 }
    }

    pub(super) fn reset(&mut self) {
        self.current = FIRST;
    }

    pub(super) fn next(&mut self) -> Duration {
        // xorshift64
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        let wait = self.current.mul_f64(0.5 + (self.dice % 512) as f64 / 1_024.0);
        self.current = (self.current * 2).min(MOST);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_limit_and_start_anew_after_success() {
        let mut backoff = Backoff::new(BootId(42));
        for _ in 0..100 {
            let wait = backoff.next();
            assert!(wait >= FIRST / 2 && wait <= MOST, "{wait:?}");
        }
        assert!(backoff.next() >= MOST / 2);
        backoff.reset();
        assert!(backoff.next() <= FIRST);
    }
}
