//! What to do about each finding: every text that a finding can print as its fix, in one table.
//!
//! A text stands where it works: it differs by what runs (a task, a job of the blocking pool, a future of another
//! executor) where the remedy does. Each names its remedies, and each remedy is tried by a program or a scenario that
//! has the fault, applies it, and must then have no finding (`examples/tests/advice.rs`, and the scenarios of this
//! crate). Only this file can make an [`Advice`]; detectors, limits and ends of tests take theirs from here.

use std::sync::Arc;

/// What to do about a finding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Advice {
    id: &'static str,
    text: &'static str,
    remedies: &'static [&'static str],
}

impl Advice {
    /// Nothing yet: for a signal whose words its detector is about to write.
    pub(crate) const NONE: Self = Self { id: "", text: "", remedies: &[] };

    /// Its name among the texts: that of the detector or limit, and which of its texts.
    pub const fn id(self) -> &'static str {
        self.id
    }

    /// The text that a finding prints.
    pub const fn text(self) -> &'static str {
        self.text
    }

    /// The parts of the text that say what to do; each of them alone ends the fault.
    pub const fn remedies(self) -> &'static [&'static str] {
        self.remedies
    }

    /// The one of that id.
    pub fn of(id: &str) -> Option<Self> {
        ALL.iter().copied().find(|advice| advice.id == id)
    }
}

impl From<Advice> for Arc<str> {
    fn from(advice: Advice) -> Self {
        advice.text.into()
    }
}

/// A constant for each text, and all of them in [`ALL`].
macro_rules! advice {
    ($($name:ident $id:literal [$($remedy:literal),+ $(,)?] $text:literal;)*) => {
        $(
            pub(crate) const $name: Advice = Advice { id: $id, text: $text, remedies: &[$($remedy),+] };
        )*
        /// Every text that a finding can print as its fix.
        pub static ALL: &[Advice] = &[$($name),*];
    };
}

advice! {
    BUSY "blocking-poll/busy"
        ["spawn_blocking", "thread pool", "yield_now"]
        "Move the computation to spawn_blocking or a thread pool, or split it and call \
         tokio::task::yield_now().await between the parts.";
    BUSY_ELSEWHERE "blocking-poll/busy-elsewhere"
        ["unblock", "give way"]
        "Move the computation to a thread of its own (unblock on smol, spawn_blocking on tokio), or split it and give \
         way between the parts.";
    BLOCKED "blocking-poll/blocked"
        ["tokio's counterpart", "spawn_blocking", "in a Drop"]
        "Something in this poll waits without .await: std::thread::sleep, a std::sync lock, blocking file or network \
         I/O, a DNS look-up. Use tokio's counterpart, or put it into spawn_blocking; what waits in a Drop goes there \
         too, since a Drop cannot await.";
    BLOCKED_ELSEWHERE "blocking-poll/blocked-elsewhere"
        ["executor's counterpart", "unblock"]
        "Something in this poll waits without .await: std::thread::sleep, a std::sync lock, blocking file or network \
         I/O, a DNS look-up. Use the executor's counterpart, or put it on a thread of its own (unblock on smol, \
         spawn_blocking on tokio).";
    PREEMPTED "blocking-poll/preempted"
        ["split", "thread of its own"]
        "Most of it is the machine: the thread had no CPU, which more CPU (or a larger quota) ends. The rest is the poll's \
         own time, to be split or moved to a thread of its own (spawn_blocking).";
    UNSPLIT "blocking-poll/unsplit"
        ["spawn_blocking", "yield", "counterpart"]
        "If it computes: move it to a thread of its own (spawn_blocking), or split it and yield between the parts. If \
         it waits without .await (sleep, locks, file I/O): use the counterpart that awaits.";
    ALLOWED "max-poll/allowed"
        ["await it", "spawn_blocking"]
        "Nothing, while the reason holds. Else await it, or put it into spawn_blocking.";
    STUCK "stuck-poll"
        ["held across an .await", "loop yield", "spawn_blocking"]
        "Look at the line that the stack names first (without one: gdb -p, perf, eu-stack, at that worker): a lock in \
         a circle, an endless loop, a blocking call without a time-out. Let no std::sync lock be held across an \
         .await, let the loop yield, put the call into spawn_blocking with a time-out.";
    DELAY_BY_MACHINE "sched-delay/machine"
        ["more CPU"]
        "Nothing in the code: other programs or a CPU quota take the time. Give the service more CPU.";
    DELAY_BY_LONG_POLLS "sched-delay/long-polls"
        ["spawn_blocking", "yield"]
        "Make this site's polls shorter: move what takes long to spawn_blocking, or yield between its parts. If many \
         of its tasks run at once, limit them as well.";
    DELAY_BY_MANY_POLLS "sched-delay/many-polls"
        ["before each spawn", "more workers"]
        "Its polls are short, and too many are ready at once. Let fewer be ready: take a semaphore's permit before each \
         spawn (inside of the task it would be too late), or give the runtime more workers.";
    DELAY_BY_LOAD "sched-delay/load"
        ["more workers", "less load"]
        "No single site takes the workers' time. Look at the busiest sites; if all are light, the runtime needs more \
         workers or less load.";
    DELAY_BY_UNSEEN "sched-delay/unseen"
        ["spawn_blocking"]
        "Show what holds the workers: #[pollscope::main] or .traced(\"…\") for the body of block_on, \
         pollscope::spawn_local for tasks of a LocalSet, pollscope::spawn or --cfg tokio_unstable for others. Then move \
         what takes long to spawn_blocking.";
    DELAY_UNEXPLAINED "max-sched-delay"
        ["more workers", "less load"]
        "No single poll is known to have held the worker for so long. Look at the sites that take most of the \
         workers' time; if all are light, the runtime needs more workers or less load.";
    FORGOTTEN "forgotten-task"
        ["time-out", "every path answers", "long_lived"]
        "Put a time-out round the wait, or see that every path answers, errors included. If it is meant to wait for \
         ever, declare it before its spawn: pollscope::task(\"…\").long_lived().";
    LOST_WAKER "lost-waker"
        ["Clone cx.waker()", "long_lived"]
        "Clone cx.waker() into whatever will make the future ready before every return of Poll::Pending. If it is \
         meant to wait for ever, declare it before its spawn: pollscope::task(\"…\").long_lived().";
    LOST_WAKER_DECLARED "lost-waker/declared"
        ["clone cx.waker()"]
        "Nothing, if it waits for ever on purpose, as it was declared. Else clone cx.waker() into whatever will make \
         the future ready before every return of Poll::Pending.";
    NEVER_POLLED "never-polled"
        ["block_on", ".await for a LocalSet", "begin with those"]
        "Drive what it was spawned on: block_on for a current-thread runtime, on a thread that runs no other; .await \
         for a LocalSet. If there are stuck or blocking polls as well, begin with those.";
    SELF_WAKE "self-wake-storm"
        ["a Notify", "a watch", "a channel", "yield_now"]
        "Find the wake_by_ref() in its poll and wait for the event instead: a Notify, a watch, a channel. To give way \
         to others use tokio::task::yield_now().await.";
    SELF_WAKE_ELSEWHERE "self-wake-storm/elsewhere"
        ["a channel", "a timer"]
        "Find the wake_by_ref() in its poll and wait for the event instead: a channel, a timer, readiness of a socket.";
    LEAK "task-leak"
        ["a JoinSet", "abort()", "a CancellationToken", "a time-out", "long_lived"]
        "Give these tasks an owner that ends them with the connection: a JoinSet that is dropped with it, abort() when \
         it closes, a CancellationToken, a time-out. If they are meant to stay, declare them before their spawn: \
         pollscope::task(\"…\").long_lived().";
    LEAK_OF_JOBS "task-leak/jobs"
        ["a flag", "a channel", "a time-out"]
        "An abort does not end a job that runs. Let it look at a flag now and then, read from a channel that its owner \
         closes, or give its blocking call a time-out; what is meant to stay is better a thread of its own.";
    LEFT "no-leaks"
        ["Await", "abort", "shutdown()", "a CancellationToken", "long_lived"]
        "Await these tasks before the end; those that would not end by themselves after an abort (a JoinSet's \
         shutdown() does both) or a CancellationToken's cancel(). If they are meant to stay, declare them before their \
         spawn: pollscope::task(\"…\").long_lived().";
    LEFT_IN_TEST "task-leak/test"
        ["await", "abort", "a JoinSet", "a token", "long_lived"]
        "End it with the test: await or abort its handle, keep it in a JoinSet, cancel it by a token. If it is meant to \
         live on, declare it before its spawn: pollscope::task(\"…\").long_lived().";
    JOB_LEFT_IN_TEST "task-leak/test-jobs"
        ["a flag", "a channel", "a time-out"]
        "An abort does not end a job that runs. Let it look at a flag, read from a channel that the test closes, or \
         give its blocking call a time-out, and await its handle.";
    LEFT_UNSEEN "task-leak/unseen"
        ["pollscope::spawn", "tokio_unstable", "await", "abort"]
        "Spawn through pollscope::spawn, or build the tests with RUSTFLAGS=\"--cfg tokio_unstable\", to see where they \
         come from. End them with the test: await or abort their handles.";
    NEVER_YIELDS "never-yields/first-poll"
        [".await that really waits", "yield_now", "spawn_blocking"]
        "Put an .await that really waits into the loop, or tokio::task::yield_now().await every so many rounds; move \
         computation to spawn_blocking.";
    FORCED_YIELDS "never-yields/forced"
        ["yield_now"]
        "It always finds the next thing ready. Call tokio::task::yield_now().await after so few of them that others \
         need not wait.";
    LARGE_FUTURE "large-future"
        ["Vec, Box", "Box::pin"]
        "Put large buffers that live across an .await on the heap (Vec, Box), and box the large branch: \
         Box::pin(large()).await.";
    SWALLOWED_PANIC "swallowed-panic"
        ["JoinError::is_panic", "a JoinSet"]
        "Await the handle and act on JoinError::is_panic, or keep the tasks in a JoinSet that is drained.";
    DETACHED_FAILURE "detached-failure"
        ["a JoinSet", "catch the failure"]
        "Keep the handle with an owner (a JoinSet), or catch the failure inside of the task and report it.";
    UNREAD "unread-outcomes"
        ["join_next", "drop the handle"]
        "Take the outcomes as tasks end: join_next or try_join_next in the loop that spawns. Where no outcome is \
         needed, drop the handle (pollscope::spawn instead of a JoinSet): a detached task leaves nothing.";
    TAIL_LATENCY "tail-latency"
        ["time-out", "concurrency limit", "as fast as the other"]
        "Give the slow way a task name or scope of its own to see which it is, then bound it (time-out, concurrency \
         limit) or make it as fast as the other.";
    SATURATED "runtime-saturated"
        ["Limit what comes in", "move computation", "more workers"]
        "Limit what comes in (a semaphore, a bounded queue), move computation off the runtime, or give it more workers \
         and CPUs. Begin at the busiest sites.";
    POOL_EXHAUSTED "blocking-pool-exhausted"
        ["Await such jobs in a task", "call the inner function", "std::thread::spawn", "a Semaphore's permit"]
        "Await such jobs in a task, one after the other, or call the inner function where the outer job runs: a job \
         that waits for another one keeps its thread meanwhile. What runs for as long as the service belongs into \
         std::thread::spawn. For many jobs that end: a Semaphore's permit before each spawn_blocking.";
    JOB_NEVER_BEGUN "never-polled/job"
        ["have to end", "threads of their own"]
        "Begin with blocking-pool-exhausted, which names the jobs that have the threads: they have to end, or run on \
         threads of their own.";
    STUCK_JOB "stuck-poll/job"
        ["a time-out", "std::thread::spawn", "long_lived"]
        "See what its thread waits for or does (gdb -p, perf, eu-stack), and give each blocking call a time-out: an \
         abort does not end a job. One that is meant to run as long as the service: std::thread::spawn, or \
         pollscope::task(\"…\").long_lived().spawn_blocking(…).";
    UNUSED_ALLOWANCE "unused-expectation/allowance"
        ["Take the call out"]
        "Take the call out of allow_blocking, unless it is slow elsewhere: on a cold cache, with more data.";
    UNUSED_EXPECTATION "unused-expectation"
        ["Remove it", "correct its site", "comes by there"]
        "Remove it if the code was mended, else correct its site; and make sure that this run comes by there.";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_text_is_one_and_names_its_remedies() {
        let ids: BTreeSet<_> = ALL.iter().map(|advice| advice.id()).collect();
        let texts: BTreeSet<_> = ALL.iter().map(|advice| advice.text()).collect();
        assert_eq!((ids.len(), texts.len()), (ALL.len(), ALL.len()), "an id or a text stands twice");
        for advice in ALL {
            assert!(!advice.remedies().is_empty(), "{} says nothing to do", advice.id());
            for remedy in advice.remedies() {
                assert!(advice.text().contains(remedy), "{}: {remedy} is not in its text", advice.id());
            }
            assert_eq!(Advice::of(advice.id()), Some(*advice));
        }
    }
}
