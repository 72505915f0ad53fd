//! What was seen of threads while they were inside a long poll: a queue between the watchdog, which adds,
//! the thread that names stacks, which completes, and the drain, which takes.
//!
//! Locks are held for moments; none of the service's threads comes here.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use pollscope_model::entity::slow_poll::SlowPoll;
use pollscope_model::entity::stall::Stall;
use pollscope_model::id::{NameId, StackId};
use pollscope_recorder::allowed::{has_panicked, set_panic_aside};
use pollscope_recorder::{clock, thread};

use super::WATCHDOG;

/// Looks that wait for the end of their poll. At most twenty are taken a second, and the drain comes every
/// second at least.
const KEPT: usize = 256;
/// Until a poll is so old a panic in it is taken to write its backtrace still, for which a large program's debug
/// information is read; after that it is stuck.
const PANICS_NS: u64 = 30_000_000_000;

/// One close look at a thread.
pub(crate) struct Look {
    /// Index of the thread's state; 0 where it has none.
    thread: u32,
    taken_ns: u64,
    /// A name: the kernel's word. 0: none.
    word: AtomicU32,
    named: OnceLock<Named>,
}

/// What the stack turned out to be.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Named {
    /// Its number, or that of the reason why there is none; `None` if there was no room for it.
    pub(crate) stack: Option<StackId>,
    /// Whether the thread is what it was taken for.
    pub(crate) is: Is,
    /// Whether the thread writes the message and the backtrace of a panic.
    pub(crate) panics: bool,
    /// When the thread answered: it may have been without a CPU for long.
    pub(crate) taken_ns: u64,
}

/// What the frames say of the thread.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) enum Is {
    /// Nothing.
    #[default]
    Unknown,
    /// Inside of a task's poll.
    InTask,
    /// In the runtime's code, but in no task's poll.
    InRuntime,
    /// In no runtime's code.
    Elsewhere,
    /// In `block_in_place`: it gave its worker's queue away.
    Released,
}

impl Look {
    pub(super) fn new(thread: u32, taken_ns: u64, word: u32) -> Arc<Self> {
        Arc::new(Self { thread, taken_ns, word: AtomicU32::new(word), named: OnceLock::new() })
    }

    pub(super) fn set_word(&self, word: u32) {
        self.word.store(word, Ordering::Relaxed);
    }

    /// Says what the stack is, once; with the default where there is none.
    pub(super) fn name(&self, named: Named) {
        let _ = self.named.set(named);
        WATCHDOG.pending.named.notify_all();
    }

    /// Says that there is no stack, and under which number the reason is stored.
    pub(super) fn refuse(&self, why: Option<StackId>) {
        self.name(Named { stack: why, taken_ns: self.taken_ns, ..Named::default() });
    }

    /// What the stack is, as soon as that is known.
    pub(crate) fn named(&self) -> Option<Named> {
        self.named.get().copied()
    }

    /// The kernel's word, if there was one.
    pub(crate) fn word(&self) -> Option<NameId> {
        let word = self.word.load(Ordering::Relaxed);
        (word != 0).then_some(NameId(word))
    }
}

/// A poll that is open for too long, as the watchdog knows it.
pub(super) struct Open {
    /// Index of the thread's state, if its record says when the poll ends.
    pub(super) thread: Option<u32>,
    /// Without what the look adds.
    pub(super) stall: Stall,
    pub(super) look: Option<Arc<Look>>,
}

/// What the watchdog found and the drain has not read.
pub(super) struct PendingLooks {
    content: Mutex<Content>,
    /// A stack got its names.
    named: Condvar,
}

impl PendingLooks {
    /// Empty.
    pub(super) const fn new() -> Self {
        Self {
            content: Mutex::new(Content { looks: VecDeque::new(), open: Vec::new() }),
            named: Condvar::new(),
        }
    }
}

struct Content {
    looks: VecDeque<Arc<Look>>,
    open: Vec<Open>,
}

fn pending() -> MutexGuard<'static, Content> {
    WATCHDOG.pending.content.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Adds a look; the oldest is dropped when there is no room.
pub(super) fn put(look: Arc<Look>) {
    let mut pending = pending();
    if pending.looks.len() >= KEPT {
        pending.looks.pop_front();
    }
    pending.looks.push_back(look);
}

/// Replaces the list of open polls.
pub(super) fn set_open(open: Vec<Open>) {
    pending().open = open;
}

/// The polls that are open for too long at this moment.
pub(crate) fn stalls() -> Vec<Stall> {
    let pending = pending();
    let still = |open: &&Open| {
        let Some(index) = open.thread else { return true };
        let polling = thread::at(index, thread::Thread::polling).flatten();
        polling.is_some_and(|poll| poll.since_ns == open.stall.since_ns)
    };
    let now = clock::now_ns();
    pending.open.iter().filter(still).filter_map(|open| open.to_stall(now)).collect()
}

impl Open {
    /// As it is reported; `None` if the stack shows that the worker goes on without the thread, or that the poll is
    /// about to end by a panic.
    fn to_stall(&self, now: u64) -> Option<Stall> {
        let look = self.look.as_ref();
        let named = look.and_then(|look| look.named()).unwrap_or_default();
        let is_young = now.saturating_sub(self.stall.since_ns) < PANICS_NS;
        if named.is == Is::Released || named.panics && is_young {
            return None;
        }
        Some(Stall {
            stack: named.stack,
            waiting_in: look.and_then(|look| look.word()),
            ..self.stall.clone()
        })
    }
}

/// Whether a slow poll of the thread has its look.
pub(crate) enum Pairing {
    /// It was seen, or never looked at.
    Complete,
    /// Its stack is being named: ask again.
    Naming,
}

/// Completes the evidence of a slow poll of that thread with the last look at it, or with the last before it panicked.
pub(crate) fn pair(thread: u32, poll: &mut SlowPoll) -> Pairing {
    let during = poll.start_ns..=poll.start_ns.saturating_add(poll.wall_ns);
    let pending = pending();
    let looks: Vec<_> = pending
        .looks
        .iter()
        .filter(|look| look.thread == thread && during.contains(&look.taken_ns))
        .map(|look| (look, look.named()))
        .collect();
    let answered = |named: &Option<Named>| named.filter(|named| during.contains(&named.taken_ns));
    let panics = looks.iter().position(|(_, named)| answered(named).is_some_and(|named| named.panics));
    let before = &looks[..panics.filter(|at| *at > 0).unwrap_or(looks.len())];
    let (Some((look, named)), Some((_, last))) = (before.last(), looks.last()) else {
        return Pairing::Complete;
    };
    poll.waiting_in = look.word();
    if last.is_none() {
        return Pairing::Naming;
    }
    if let Some(named) = answered(named) {
        poll.stack = named.stack;
        poll.in_place |= named.is == Is::Released;
    }
    if panics.is_some() || has_panicked(poll) {
        let own = looks[..panics.unwrap_or(looks.len())].iter().filter_map(|(_, named)| answered(named));
        let own_ns = own.map(|named| named.taken_ns.saturating_sub(poll.start_ns)).max().unwrap_or(0);
        let rest_ns = poll.wall_ns.saturating_sub(own_ns);
        // Of one that was only seen at its own work, the panic took no more than what was computed.
        let most_ns = if panics.is_none() && own_ns > 0 { poll.busy_ns } else { None };
        set_panic_aside(poll, most_ns.map_or(rest_ns, |busy_ns| rest_ns.min(busy_ns)));
    }
    Pairing::Complete
}

/// There will be no more names: what has none stays without.
pub(super) fn give_up() {
    for look in &pending().looks {
        look.name(Named::default());
    }
}

/// Waits until every stack that was taken has its names.
pub(super) fn settle(deadline: Instant) {
    let mut pending = pending();
    while pending.looks.iter().any(|look| look.named.get().is_none()) {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        // Not the whole time at once: names are told without the lock.
        let nap = left.min(std::time::Duration::from_millis(5));
        pending = match WATCHDOG.pending.named.wait_timeout(pending, nap) {
            Ok((pending, _)) => pending,
            Err(poisoned) => poisoned.into_inner().0,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREAD: u32 = u32::MAX;

    fn slow(start_ns: u64, wall_ns: u64) -> SlowPoll {
        SlowPoll { start_ns, wall_ns, ..SlowPoll::default() }
    }

    #[test]
    fn a_slow_poll_gets_the_last_look_that_was_taken_during_it() {
        let [early, late, next] = [110, 150, 210].map(|at| Look::new(THREAD, at, at as u32));
        for look in [&early, &late, &next, &Look::new(THREAD - 1, 160, 9)] {
            put(Arc::clone(look));
        }
        let mut poll = slow(100, 100);
        assert!(matches!(pair(THREAD, &mut poll), Pairing::Naming));
        late.name(Named { stack: Some(StackId(7)), is: Is::InTask, taken_ns: 160, ..Named::default() });
        assert!(matches!(pair(THREAD, &mut poll), Pairing::Complete));
        assert_eq!((poll.stack, poll.waiting_in), (Some(StackId(7)), Some(NameId(150))));

        let mut after = slow(210, 5);
        next.name(Named { stack: Some(StackId(8)), is: Is::InTask, taken_ns: 216, ..Named::default() });
        assert!(matches!(pair(THREAD, &mut after), Pairing::Complete));
        assert_eq!((after.stack, after.waiting_in), (None, Some(NameId(210))), "answered after its end");

        let mut unseen = slow(300, 50);
        assert!(matches!(pair(THREAD, &mut unseen), Pairing::Complete));
        assert_eq!((unseen.stack, unseen.waiting_in), (None, None));
        early.name(Named::default());
    }

    #[test]
    fn what_a_panic_takes_of_a_poll_is_set_aside() {
        const THREAD: u32 = u32::MAX - 2;
        let [own, later, panic] = [1_010, 1_020, 1_100].map(|at| Look::new(THREAD, at, 0));
        for look in [&own, &later, &panic] {
            put(Arc::clone(look));
        }
        own.name(Named { stack: Some(StackId(1)), taken_ns: 1_011, ..Named::default() });
        later.name(Named { stack: Some(StackId(2)), taken_ns: 1_021, ..Named::default() });
        panic.name(Named { stack: Some(StackId(3)), panics: true, taken_ns: 1_101, ..Named::default() });
        let paired = |poll: SlowPoll| {
            let mut poll = poll;
            for _ in 0..2 {
                assert!(matches!(pair(THREAD, &mut poll), Pairing::Complete));
            }
            poll
        };
        let seen = paired(slow(1_000, 500));
        assert_eq!((seen.allowed_ns, seen.judged_ns(), seen.stack), (479, 21, Some(StackId(2))));
        let from_the_first = paired(slow(1_050, 100));
        assert_eq!((from_the_first.judged_ns(), from_the_first.stack), (0, Some(StackId(3))));

        // What ended by a panic that was not seen: no more than it computed was the panic.
        let panicked = |busy_ns| {
            let mut poll = SlowPoll { busy_ns, preempted_ns: busy_ns.map(|_| 0), ..slow(1_000, 60) };
            set_panic_aside(&mut poll, 60);
            paired(poll)
        };
        assert_eq!(panicked(None).judged_ns(), 21);
        assert_eq!(panicked(Some(1)).judged_ns(), 59);
        let mut unseen = slow(2_000, 60);
        set_panic_aside(&mut unseen, 60);
        assert_eq!(paired(unseen).judged_ns(), 0);
        assert_eq!(paired(slow(2_000, 60)).judged_ns(), 60);
    }

    #[test]
    fn a_poll_that_panics_is_not_stuck_before_long() {
        let look = Look::new(0, 1, 0);
        let open = Open { thread: None, stall: Stall::default(), look: Some(Arc::clone(&look)) };
        look.name(Named { panics: true, ..Named::default() });
        assert!(open.to_stall(PANICS_NS - 1).is_none() && open.to_stall(PANICS_NS).is_some());
    }

    #[test]
    fn who_gave_the_queue_away_is_not_stuck() {
        let look = Look::new(0, 1, 0);
        let open = Open { thread: None, stall: Stall::default(), look: Some(Arc::clone(&look)) };
        assert!(open.to_stall(2).is_some());
        look.name(Named { stack: Some(StackId(1)), is: Is::Released, taken_ns: 2, ..Named::default() });
        assert!(open.to_stall(2).is_none());
    }
}
