//! One poll that was slower than the process's limit: the evidence behind `blocking-poll`.

use crate::dict::Dictionary;
use crate::id::{NameId, SiteId, StackId, TaskId};
use crate::names::names;

names! {
    /// What a slow poll spent its time on.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    #[non_exhaustive]
    pub enum PollKind {
        /// Mostly on the CPU.
        Busy = "busy",
        /// Mostly off the CPU, asleep.
        Blocked = "blocked",
        /// Mostly off the CPU although it could run: the machine had other work.
        Preempted = "preempted",
    }
}

/// The reason for which what a panic took of a poll is set aside, as if the code had allowed it: the panic's message and
/// backtrace are written before the poll ends, and to read the debug information for that takes up to seconds.
pub const PANIC: &str = "a panic, with its message and backtrace";

/// A slow poll, split by what the operating system says of the thread (see `Metric::PollSplit`).
///
/// It may be told again, with the same task, number and start, when more is known of it; the newest replaces.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SlowPoll {
    /// The task.
    pub task: TaskId,
    /// Its spawn site.
    pub site: SiteId,
    /// Which poll of the task it was, from 1.
    pub nth: u64,
    /// Worker that it held, if known.
    pub worker: Option<u32>,
    /// Start, on the process's clock.
    pub start_ns: u64,
    /// Wall time.
    pub wall_ns: u64,
    /// Of it, on the CPU. `None` if the split was not measured.
    pub busy_ns: Option<u64>,
    /// Of it, runnable but without a CPU, or held up by what is the machine's doing only (see `Metric::PollSplit`).
    /// `None` if the split was not measured.
    pub preempted_ns: Option<u64>,
    /// Where the thread was when it was looked at. `None` if no stack was taken (see `Metric::Stacks`).
    pub stack: Option<StackId>,
    /// What the kernel said then that the thread did: `running`, `runnable`, or the call that it slept
    /// in, such as `futex_wait` or `read(fd 7)`. `None` if it was not asked.
    pub waiting_in: Option<NameId>,
    /// Tasks that were ready to be polled and had to wait for it (see `Metric::Harm`). `None` if not
    /// measured; 0 says that it harmed no task.
    pub waiters: Option<u32>,
    /// What they waited because of it, added up. `None` if not measured.
    pub waited_ns: Option<u64>,
    /// The longest of these waits. `None` if not measured.
    pub max_waited_ns: Option<u64>,
    /// It was seen in `block_in_place`: its worker went on without it. `false`: it was not, or it was not seen.
    pub in_place: bool,
    /// Of the wall time, what it spent inside of `allow_blocking`, or of a panic ([`PANIC`]). 0: none of it.
    pub allowed_ns: u64,
    /// The reason that the code gives for it; of several, for the longest.
    pub allowed_for: Option<NameId>,
    /// Where that is written, `src/config.rs:12`.
    pub allowed_at: Option<NameId>,
    /// Some of it was allowed elsewhere, for reasons that found no room here.
    pub allowed_others: bool,
    /// Of what is allowed, runnable but without a CPU. 0: none of it, or unknown.
    pub allowed_preempted_ns: u64,
    /// Pages of memory that it touched for the first time. 0: none, or not counted.
    pub faults: u64,
    /// Of the wall time, the longest slow poll inside of it: of a future or a request that has evidence of its own, without
    /// what is allowed in that. 0: there was none.
    pub nested_ns: u64,
    /// Of that, runnable but without a CPU. 0: none of it, or unknown.
    pub nested_preempted_ns: u64,
}

impl SlowPoll {
    /// Whether both tell of one and the same poll.
    pub fn is_same(&self, other: &Self) -> bool {
        (self.task, self.nth, self.start_ns) == (other.task, other.nth, other.start_ns)
    }

    /// Whether its thread was looked at meanwhile.
    pub(crate) fn was_seen(&self) -> bool {
        self.stack.is_some() || self.waiting_in.is_some()
    }

    /// Wall time without what is allowed, and without what the poll inside of it is answerable for.
    pub fn held_ns(&self) -> u64 {
        self.wall_ns.saturating_sub(self.allowed_ns).saturating_sub(self.nested_ns)
    }

    /// Time that the code itself is answerable for: wall time without what is allowed, without the poll inside of it
    /// and without the preemption outside of these.
    pub fn judged_ns(&self) -> u64 {
        self.held_ns().saturating_sub(self.preempted_outside_ns().unwrap_or(0))
    }

    /// Preemption that lies neither in what is allowed nor in the poll inside of it.
    pub fn preempted_outside_ns(&self) -> Option<u64> {
        let inside_ns = self.allowed_preempted_ns.saturating_add(self.nested_preempted_ns);
        Some(self.preempted_ns?.saturating_sub(inside_ns))
    }

    /// The least that it computed outside of what is taken off. `None` if the split was not measured.
    pub(crate) fn surely_busy_ns(&self) -> Option<u64> {
        Some(self.busy_ns?.saturating_sub(self.taken_off_ns()))
    }

    /// The least that it blocked outside of what is taken off. `None` if the split was not measured.
    fn surely_blocked_ns(&self) -> Option<u64> {
        Some(self.blocked_ns()?.saturating_sub(self.taken_off_ns()))
    }

    /// What is allowed and what lies in the poll inside of it, all but the preemption.
    fn taken_off_ns(&self) -> u64 {
        self.spared_ns().saturating_add(self.nested_ns.saturating_sub(self.nested_preempted_ns))
    }

    /// Whether it is unknown what the rest of the time is made of.
    fn is_partly_taken_off(&self) -> bool {
        self.allowed_ns > 0 || self.nested_ns > 0
    }

    /// Of what is allowed, all but the preemption: of that it is not known how much was busy.
    pub(crate) fn spared_ns(&self) -> u64 {
        self.allowed_ns.saturating_sub(self.allowed_preempted_ns)
    }

    /// Why some of it is allowed and where that is written, `reads config once (src/config.rs:12)`. `None` if
    /// nothing of it is.
    pub fn allowance(&self, dictionary: &Dictionary) -> Option<String> {
        let name =
            |name: Option<NameId>| name.map(|name| dictionary.name(name)).filter(|name| !name.is_empty());
        let others = if self.allowed_others { ", and for other reasons" } else { "" };
        let reason = name(self.allowed_for);
        let reason = reason.as_deref().unwrap_or("for a reason that found no room");
        let at = name(self.allowed_at).map_or_else(String::new, |at| format!(" ({at})"));
        (self.allowed_ns > 0).then(|| format!("{reason}{at}{others}"))
    }

    /// Time off the CPU by its own doing. `None` if the split was not measured.
    pub fn blocked_ns(&self) -> Option<u64> {
        Some(self.wall_ns.saturating_sub(self.busy_ns?).saturating_sub(self.preempted_ns?))
    }

    /// The largest share of what is not allowed. `None` if the split was not measured, or if it may have
    /// been another part's without the time that is allowed.
    pub fn kind(&self) -> Option<PollKind> {
        let (busy, blocked, preempted) = (self.busy_ns?, self.blocked_ns()?, self.preempted_ns?);
        if self.is_partly_taken_off() {
            let least = [
                (self.surely_busy_ns()?, PollKind::Busy),
                (self.surely_blocked_ns()?, PollKind::Blocked),
                (self.preempted_outside_ns()?, PollKind::Preempted),
            ];
            return most(least, self.held_ns());
        }
        Some(if preempted > busy.max(blocked) {
            PollKind::Preempted
        } else if blocked > busy {
            PollKind::Blocked
        } else {
            PollKind::Busy
        })
    }

    /// What is over the limit. Of a poll that its own time makes too long that is what it did in that time, however long it
    /// waited for a CPU besides; of any other the largest share. `None` as with [`kind`](Self::kind).
    pub fn kind_over(&self, limit_ns: u64) -> Option<PollKind> {
        if self.judged_ns() <= limit_ns {
            return self.kind();
        }
        let (busy, blocked) = (self.surely_busy_ns()?, self.surely_blocked_ns()?);
        if !self.is_partly_taken_off() {
            return Some(if blocked > busy { PollKind::Blocked } else { PollKind::Busy });
        }
        most([(busy, PollKind::Busy), (blocked, PollKind::Blocked)], self.judged_ns())
    }
}

/// The kind that surely took more than half of the time.
fn most<const N: usize>(least: [(u64, PollKind); N], of_ns: u64) -> Option<PollKind> {
    least.into_iter().find(|(ns, _)| *ns > of_ns / 2).map(|(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll(busy: u64, preempted: u64, allowed_ns: u64) -> SlowPoll {
        SlowPoll {
            wall_ns: 100,
            busy_ns: Some(busy),
            preempted_ns: Some(preempted),
            allowed_ns,
            ..SlowPoll::default()
        }
    }

    #[test]
    fn the_kind_is_the_largest_share() {
        let poll = |busy, preempted| poll(busy, preempted, 0);
        assert_eq!(poll(90, 5).kind(), Some(PollKind::Busy));
        assert_eq!(poll(5, 5).kind(), Some(PollKind::Blocked));
        assert_eq!(poll(20, 70).kind(), Some(PollKind::Preempted));
        assert_eq!(poll(20, 70).judged_ns(), 30);
        assert_eq!(SlowPoll { wall_ns: 100, ..SlowPoll::default() }.kind(), None);
    }

    #[test]
    fn what_is_over_the_limit_gives_the_kind_however_long_it_had_no_cpu() {
        assert_eq!(poll(29, 70, 0).kind(), Some(PollKind::Preempted));
        assert_eq!(poll(29, 70, 0).kind_over(10), Some(PollKind::Busy));
        assert_eq!(poll(9, 70, 0).kind_over(10), Some(PollKind::Blocked));
        assert_eq!(
            poll(29, 70, 0).kind_over(30),
            Some(PollKind::Preempted),
            "its own time is within the limit"
        );
        assert_eq!(poll(12, 60, 20).kind_over(10), None, "what is allowed may have blocked, or the rest");
        assert_eq!(poll(5, 45, 20).kind_over(10), Some(PollKind::Blocked));
        assert_eq!(poll(45, 45, 20).kind_over(10), Some(PollKind::Busy));
        assert_eq!(SlowPoll { wall_ns: 100, ..SlowPoll::default() }.kind_over(10), None);
    }

    #[test]
    fn what_is_allowed_is_taken_off_and_hides_the_kind_of_what_may_be_another() {
        assert_eq!((poll(5, 15, 40).held_ns(), poll(5, 15, 40).judged_ns()), (60, 45));
        assert_eq!(poll(5, 5, 40).kind(), Some(PollKind::Blocked));
        assert_eq!(poll(95, 5, 60).kind(), Some(PollKind::Busy));
        assert_eq!(poll(40, 0, 60).kind(), None, "it blocked where it may; whether elsewhere too is unknown");
        assert_eq!(poll(50, 20, 100).judged_ns(), 0);
    }

    #[test]
    fn a_poll_inside_of_another_is_taken_off_with_its_preemption() {
        let outer = |nested_ns, nested_preempted_ns, allowed_ns| SlowPoll {
            nested_ns,
            nested_preempted_ns,
            ..poll(10, 20, allowed_ns)
        };
        assert_eq!((outer(0, 0, 0).judged_ns(), outer(0, 0, 0).kind()), (80, Some(PollKind::Blocked)));
        assert_eq!((outer(95, 20, 0).held_ns(), outer(95, 20, 0).judged_ns()), (5, 5));
        assert_eq!(outer(50, 0, 0).judged_ns(), 30, "the preemption lay outside");
        assert_eq!(outer(50, 0, 40).judged_ns(), 0);
        assert_eq!(outer(50, 20, 0).kind_over(10), Some(PollKind::Blocked));
    }

    #[test]
    fn preemption_inside_of_what_is_allowed_is_taken_off_once() {
        let poll = |preempted, allowed_preempted_ns| SlowPoll {
            wall_ns: 100,
            busy_ns: Some(5),
            preempted_ns: Some(preempted),
            allowed_ns: 50,
            allowed_preempted_ns,
            ..SlowPoll::default()
        };
        assert_eq!(
            [poll(40, 40).judged_ns(), poll(40, 30).judged_ns(), poll(40, 0).judged_ns()],
            [50, 40, 10]
        );
        assert_eq!(poll(40, 40).kind(), Some(PollKind::Blocked), "10 at most of the 55 are allowed");
        assert_eq!(poll(45, 5).kind(), Some(PollKind::Preempted));
    }
}
