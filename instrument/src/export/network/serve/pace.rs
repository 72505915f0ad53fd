//! How often viewers may attach: each one costs the drain a snapshot. Asked by the server at each attach; reads
//! no clock.

use std::time::Instant;

/// Attaches in a second, in the long run.
pub(super) const PER_SECOND: u32 = 16;
/// Attaches at once after a quiet time: scripts run several commands one after another.
const AT_ONCE: u32 = 64;

/// How many attaches are left for now.
#[derive(Debug)]
pub(super) struct Pace {
    left: f64,
    since: Instant,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self { left: f64::from(AT_ONCE), since: now }
    }

    /// Whether one more is allowed; if so it counts.
    pub(super) fn allows(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(std::mem::replace(&mut self.since, now));
        let earned = passed.as_secs_f64() * f64::from(PER_SECOND);
        self.left = (self.left + earned).min(f64::from(AT_ONCE));
        let allowed = self.left >= 1.0;
        if allowed {
            self.left -= 1.0;
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_is_allowed_and_then_so_many_a_second() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        assert_eq!((0..1_000).filter(|_| pace.allows(start)).count(), AT_ONCE as usize);
        let second = start + Duration::from_secs(1);
        assert_eq!((0..1_000).filter(|_| pace.allows(second)).count(), PER_SECOND as usize);
        let hour = second + Duration::from_secs(3_600);
        assert_eq!((0..1_000).filter(|_| pace.allows(hour)).count(), AT_ONCE as usize);
    }
}
