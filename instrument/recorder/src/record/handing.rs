//! The time that a poll spends while tokio takes a job for its blocking pool.
//!
//! For a new job tokio may start a thread, in the caller's poll: it maps a stack and clones, both under the one lock
//! that the kernel has for the memory of a process. On a machine that is short of CPU the lock's holder may have
//! none, and then the caller sleeps for tens of milliseconds without any doing of its code. (Measured with four
//! busy threads for each CPU: 1 in 300 such starts took more than 2 ms, some 500 ms, with one voluntary switch each
//! and next to no time as waiting for a CPU.) The kernel does not tell it from blocking, so it is timed where it
//! happens. A poll without such a job pays nothing, one with it two reads of the clock.

use std::cell::Cell;

use pollscope_model::entity::slow_poll::SlowPoll;

use super::thread;
use crate::clock;

/// What takes less decides nothing.
const LONG_NS: u64 = 500_000;

/// What one poll has spent so far.
#[derive(Clone, Copy, Default)]
#[expect(clippy::struct_field_names, reason = "the unit, as everywhere")]
struct Spent {
    /// Start of the thread's outermost poll, which this is about.
    of_ns: u64,
    first_ns: u64,
    total_ns: u64,
}

thread_local! {
    /// Written and read by the polling thread alone.
    static SPENT: Cell<Spent> = const { Cell::new(Spent { of_ns: 0, first_ns: 0, total_ns: 0 }) };
}

/// A job is being given to tokio, until it is dropped. (No closure, which would hide the caller's line from tokio.)
pub struct Handing {
    began_ns: u64,
}

impl Handing {
    /// Until it is dropped.
    #[inline]
    pub fn begin() -> Self {
        Self { began_ns: clock::now_ns() }
    }
}

impl Drop for Handing {
    #[inline]
    fn drop(&mut self) {
        let took_ns = clock::now_ns().saturating_sub(self.began_ns);
        if took_ns >= LONG_NS {
            note(self.began_ns, took_ns);
        }
    }
}

#[cold]
fn note(began_ns: u64, took_ns: u64) {
    let Some(thread) = thread::known() else { return };
    let of_ns = thread.since_ns();
    // What is allowed is taken off already.
    if of_ns == 0 || thread.allowance.of(of_ns).1 {
        return;
    }
    let _ = SPENT.try_with(|spent| {
        let before = spent.get();
        let before =
            if before.of_ns == of_ns { before } else { Spent { of_ns, first_ns: began_ns, total_ns: 0 } };
        spent.set(Spent { total_ns: before.total_ns.saturating_add(took_ns), ..before });
    });
}

/// Of a slow poll of this thread that has just ended, what lay off the CPU only because a job was handed over is
/// no doing of its code.
pub(crate) fn subtract_handing(poll: &mut SlowPoll) {
    let spent = SPENT.try_with(Cell::get).unwrap_or_default();
    let end_ns = poll.start_ns.saturating_add(poll.wall_ns);
    if (poll.start_ns..=end_ns).contains(&spent.first_ns) {
        take_off(poll, spent.total_ns);
    }
}

fn take_off(poll: &mut SlowPoll, handing_ns: u64) {
    let (Some(blocked_ns), Some(preempted_ns)) = (poll.blocked_ns(), poll.preempted_ns) else { return };
    poll.preempted_ns = Some(preempted_ns.saturating_add(blocked_ns.min(handing_ns)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_off_is_no_more_than_was_off_the_cpu() {
        let slow = |handing_ns| {
            let split = (Some(10), Some(20));
            let mut poll =
                SlowPoll { wall_ns: 100, busy_ns: split.0, preempted_ns: split.1, ..SlowPoll::default() };
            take_off(&mut poll, handing_ns);
            (poll.blocked_ns(), poll.judged_ns())
        };
        assert_eq!(slow(0), (Some(70), 80));
        assert_eq!(slow(50), (Some(20), 30), "it blocked beside");
        assert_eq!(slow(90), (Some(0), 10), "what it computed stays");
        let mut unsplit = SlowPoll { wall_ns: 100, ..SlowPoll::default() };
        take_off(&mut unsplit, 50);
        assert_eq!(unsplit.preempted_ns, None);
    }

    #[test]
    fn only_long_ones_are_noted_and_only_for_the_poll_that_is_open() {
        let sleep = || {
            let _handing = Handing::begin();
            std::thread::sleep(std::time::Duration::from_millis(2));
        };
        let spent = || SPENT.get().total_ns;
        sleep();
        assert_eq!(spent(), 0, "no poll is open");
        let thread = thread::here();
        let (outer, _) = thread.enter(1, thread::Label::default(), clock::now_ns());
        sleep();
        let once = spent();
        assert!(once >= LONG_NS);
        sleep();
        assert!(spent() >= once + LONG_NS);
        thread.close(outer);
        thread.leave(outer, 0);
        let (outer, _) = thread.enter(2, thread::Label::default(), clock::now_ns());
        let start_ns = clock::now_ns();
        let mut poll = SlowPoll {
            start_ns,
            wall_ns: 100,
            busy_ns: Some(0),
            preempted_ns: Some(0),
            ..SlowPoll::default()
        };
        subtract_handing(&mut poll);
        assert_eq!(poll.preempted_ns, Some(0), "what was before is another poll's");
        thread.close(outer);
        thread.leave(outer, 0);
    }
}
