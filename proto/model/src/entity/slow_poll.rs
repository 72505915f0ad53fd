//! One poll that was slower than the process's limit: the evidence behind `blocking-poll`.

use crate::id::{NameId, SiteId, StackId, TaskId};

/// What a slow poll spent its time on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum PollKind {
    /// Mostly on the CPU.
    Busy,
    /// Mostly off the CPU, waiting for something.
    Blocked,
    /// Mostly off the CPU although it could run: the machine had other work.
    Preempted,
}

impl PollKind {
    /// The name in JSON and on screen.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Blocked => "blocked",
            Self::Preempted => "preempted",
        }
    }
}

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
    /// Of it, runnable but without a CPU. `None` if the split was not measured.
    pub preempted_ns: Option<u64>,
    /// Where the thread was when it was looked at. `None` if no stack was taken (see `Metric::Stacks`).
    pub stack: Option<StackId>,
    /// What the kernel said then that the thread did: `running`, `runnable`, or the call that it slept
    /// in, such as `futex_wait` or `read(fd 7)`. `None` if nobody asked.
    pub waiting_in: Option<NameId>,
    /// Tasks that were ready to be polled and had to wait for it (see `Metric::Harm`). `None` if not
    /// measured; 0 says that it harmed nobody.
    pub waiters: Option<u32>,
    /// What they waited because of it, added up. `None` if not measured.
    pub waited_ns: Option<u64>,
    /// The longest of these waits. `None` if not measured.
    pub max_waited_ns: Option<u64>,
    /// It was seen in `block_in_place`: its worker went on without it. `false`: it was not, or nobody saw.
    pub in_place: bool,
}

impl SlowPoll {
    /// Whether both tell of one and the same poll.
    pub fn is_same(&self, other: &Self) -> bool {
        (self.task, self.nth, self.start_ns) == (other.task, other.nth, other.start_ns)
    }

    /// Time that the code itself is answerable for: wall time without preemption.
    pub fn judged_ns(&self) -> u64 {
        self.wall_ns.saturating_sub(self.preempted_ns.unwrap_or(0))
    }

    /// Time off the CPU by its own doing. `None` if the split was not measured.
    pub fn blocked_ns(&self) -> Option<u64> {
        Some(self.wall_ns.saturating_sub(self.busy_ns?).saturating_sub(self.preempted_ns?))
    }

    /// The largest share. `None` if the split was not measured.
    pub fn kind(&self) -> Option<PollKind> {
        let (busy, blocked, preempted) = (self.busy_ns?, self.blocked_ns()?, self.preempted_ns?);
        Some(if preempted > busy.max(blocked) {
            PollKind::Preempted
        } else if blocked > busy {
            PollKind::Blocked
        } else {
            PollKind::Busy
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_is_the_largest_share() {
        let poll = |busy, preempted| SlowPoll {
            wall_ns: 100,
            busy_ns: Some(busy),
            preempted_ns: Some(preempted),
            ..SlowPoll::default()
        };
        assert_eq!(poll(90, 5).kind(), Some(PollKind::Busy));
        assert_eq!(poll(5, 5).kind(), Some(PollKind::Blocked));
        assert_eq!(poll(20, 70).kind(), Some(PollKind::Preempted));
        assert_eq!(poll(20, 70).judged_ns(), 30);
        assert_eq!(SlowPoll { wall_ns: 100, ..SlowPoll::default() }.kind(), None);
    }
}
