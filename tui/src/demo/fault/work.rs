//! Work that takes a processor for so long, on whatever machine.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Computes until the thread has used so much CPU time: what the machine withholds does not count.
pub(super) fn compute(cpu: Duration) -> u64 {
    let begin = used();
    let mut sum = 0u64;
    while used().saturating_sub(begin) < cpu {
        sum = (0..500).fold(sum, |sum, item| sum.rotate_left(5) ^ item);
    }
    sum
}

/// CPU time of this thread.
fn used() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}
