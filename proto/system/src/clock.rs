//! What the kernel keeps time with, and what it costs a program to ask for the time. Where the processor's own counter
//! cannot be used, each question goes to a chip outside of it (`hpet`, `acpi_pm`), which takes a hundred times as long.
//!
//! Changes nothing, and never fails: what the system does not say is `None`. A service asks once when it starts to
//! record without the counter, and `pollscope doctor` for the machine that it runs on.

use std::time::Instant;

/// From this on a read of the clock is slow, nanoseconds: a call of the kernel is, and every chip outside of the
/// processor; what the processor answers by itself takes a tenth of it.
const SLOW_NS: u64 = 250;
/// Reads that are timed together, and how often; the fastest time counts.
const READS: u32 = 32;
const TRIES: u32 = 4;

/// The machine's clock.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Clock {
    /// The kernel's name for its source, as `tsc`, `kvm-clock`, `hpet`; `None` where it is not told.
    pub source: Option<String>,
    /// What one read costs, nanoseconds.
    pub read_ns: u64,
}

impl Clock {
    /// Asks the kernel and times some reads: a few microseconds with a fast clock, a fifth of a millisecond with a slow
    /// one.
    pub fn of_this_machine() -> Self {
        Self { source: source(), read_ns: read_ns() }
    }

    /// Whether a read takes so long that recording costs a multiple of what it should.
    pub fn is_slow(&self) -> bool {
        self.read_ns >= SLOW_NS
    }

    /// Why recording is expensive here and what to do about it, in one line; `None` if it is not.
    pub fn complaint(&self) -> Option<String> {
        let source = self.source.as_deref().unwrap_or("a clock that it does not name");
        self.is_slow().then(|| {
            format!(
                "the kernel keeps time with {source}: a read of the clock takes {}, so that a recorded poll costs {} \
                 (two reads) and a wake {} (one); let it use the processor's counter (tsc or kvm-clock in {AVAILABLE}; \
                 `dmesg` says why tsc was given up), or record runtimes only with POLLSCOPE=sample",
                time(self.read_ns),
                time(self.read_ns.saturating_mul(2)),
                time(self.read_ns),
            )
        })
    }
}

const CURRENT: &str = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
const AVAILABLE: &str = "/sys/devices/system/clocksource/clocksource0/available_clocksource";

/// The kernel's name for what it keeps time with.
pub fn source() -> Option<String> {
    let name = std::fs::read_to_string(CURRENT).ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

/// The fastest of some tries: an interrupt in one of them says nothing of the clock.
fn read_ns() -> u64 {
    let tries = (0..TRIES).map(|_| {
        let begin = Instant::now();
        let last = (0..READS).fold(begin, |_, _| std::hint::black_box(Instant::now()));
        last.saturating_duration_since(begin).as_nanos() as u64 / u64::from(READS)
    });
    tries.min().unwrap_or(0)
}

fn time(ns: u64) -> String {
    if ns < 1_000 { format!("{ns} ns") } else { format!("{}.{} µs", ns / 1_000, ns / 100 % 10) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_source_is_named_with_its_cost_and_the_remedy() {
        let slow = Clock { source: Some("hpet".to_owned()), read_ns: 1_340 };
        let complaint = slow.complaint().expect("it is slow");
        for part in ["with hpet:", "takes 1.3 µs", "poll costs 2.6 µs", "tsc", "POLLSCOPE=sample"] {
            assert!(complaint.contains(part), "{part} is not in: {complaint}");
        }
        assert!(Clock { source: None, read_ns: 600 }.complaint().is_some_and(|text| text.contains("600 ns")));
        assert_eq!(Clock { source: Some("tsc".to_owned()), read_ns: 25 }.complaint(), None);
    }
}
