//! What was seen of a thread inside a long poll, and whom the poll harmed, in words.

use super::signal::PollFacts;
use super::view::View;
use crate::dict::Stack;
use crate::entity::activity::ThreadActivity;
use crate::entity::slow_poll::{PollKind, SlowPoll};
use crate::measured::{Coverage, Metric, Mode};
use crate::time::Nanos;

/// Whether the poll is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tense {
    Present,
    Past,
}

/// What the kernel's word for the thread means. That is of one moment: of a poll that spent most of its time
/// otherwise it is told as such.
fn doing(word: ThreadActivity<'_>, kind: Option<PollKind>, tense: Tense) -> String {
    match (word, kind, tense) {
        (ThreadActivity::Running, _, Tense::Present) => "it computes".to_owned(),
        (ThreadActivity::Running, Some(PollKind::Busy), Tense::Past) => "it computed".to_owned(),
        (ThreadActivity::Running, _, Tense::Past) => "when it was looked at it ran".to_owned(),
        (ThreadActivity::Runnable, _, Tense::Present) => "it waits for a CPU".to_owned(),
        (ThreadActivity::Runnable, Some(PollKind::Blocked | PollKind::Busy), Tense::Past) => {
            "when it was looked at it waited for a CPU".to_owned()
        }
        (ThreadActivity::Runnable, _, Tense::Past) => "it waited for a CPU".to_owned(),
        (ThreadActivity::Sleeping(call), _, Tense::Present) => format!("it sleeps in {call}"),
        (ThreadActivity::Sleeping(call), Some(PollKind::Busy), Tense::Past) => {
            format!("when it was looked at it slept in {call}")
        }
        (ThreadActivity::Sleeping(call), _, Tense::Past) => format!("it slept in {call}"),
    }
}

/// Why there is no line of the user's, as a sentence; empty if there is one, or no reason is known.
fn no_line(stack: &Stack) -> String {
    let has_line = stack.users_frame().is_some_and(|(_, frame)| frame.line > 0);
    let what = if stack.frames.is_empty() { "stack was taken" } else { "line is known" };
    let why = stack.why.as_deref().filter(|_| !has_line);
    why.map_or_else(String::new, |why| format!(" No {what}: {why}."))
}

impl View<'_> {
    /// The stack of the poll, if one was taken and is known.
    pub(crate) fn stack(&self, facts: &PollFacts) -> Option<&Stack> {
        let stack = facts.stack?;
        self.moment.process.dictionary().stack(stack).map(|stack| &**stack)
    }

    /// Of a long poll and others of its site the one that tells best what such a poll does, since not every poll is
    /// looked at: with a line of the user's, of the same kind, the poll itself, a long one.
    pub(crate) fn best_seen<'p>(
        &self,
        worst: &'p SlowPoll,
        others: impl Iterator<Item = &'p SlowPoll>,
        limit_ns: u64,
    ) -> Option<&'p SlowPoll> {
        let kind = worst.kind_over(limit_ns);
        let rank = |poll: &&SlowPoll| {
            let facts = PollFacts::of(poll, limit_ns);
            let stack = self.stack(&facts);
            let has_line = stack.and_then(Stack::users_frame).is_some();
            let has_frames = stack.is_some_and(|stack| !stack.frames.is_empty());
            (has_line, facts.kind == kind, has_frames, poll.is_same(worst), poll.judged_ns())
        };
        let was_seen = |poll: &&SlowPoll| !poll.in_place && poll.was_seen();
        let seen = std::iter::once(worst).chain(others).filter(was_seen);
        seen.max_by_key(rank)
    }

    /// To follow a headline: `: it slept in futex_wait at cart::load src/cart.rs:70`; empty if it was
    /// not looked at.
    pub(crate) fn observation_text(&self, facts: &PollFacts, tense: Tense) -> String {
        let word = facts.waiting_in.map(|word| self.name(word));
        let word = word.as_deref().and_then(ThreadActivity::of).map(|word| doing(word, facts.kind, tense));
        let frame = self.stack(facts).and_then(Stack::users_frame).map(|(_, frame)| frame.short());
        match (word, frame) {
            (Some(word), Some(frame)) => format!(": {word} at {frame}"),
            (Some(word), None) => format!(": {word}"),
            (None, Some(frame)) => format!(": in {frame}"),
            (None, None) => String::new(),
        }
    }

    /// To follow what a poll spent its time on: `, 30ms allowed: reads config once (src/config.rs:12)`, and what lies
    /// in a poll inside of it; empty if nothing of it is taken off.
    pub(crate) fn taken_off_text(&self, poll: &SlowPoll) -> String {
        let why = poll.allowance(self.moment.process.dictionary());
        let allowed =
            why.map_or_else(String::new, |why| format!(", {} allowed: {why}", Nanos(poll.allowed_ns)));
        match poll.nested_ns {
            0 => allowed,
            ns => format!("{allowed}, {} in one poll of a future or request inside of it", Nanos(ns)),
        }
    }

    /// What a poll waited for a CPU besides its own time, as a sentence; empty if that is less than its own time.
    pub(crate) fn preempted_text(poll: &SlowPoll) -> String {
        let preempted_ns = poll.preempted_outside_ns().unwrap_or(0);
        if preempted_ns <= poll.judged_ns() {
            return String::new();
        }
        format!(
            " It also waited {} for a CPU, which is the machine's doing and not counted.",
            Nanos(preempted_ns)
        )
    }

    /// What the user's line called, as a sentence, or why there is no line; empty if neither is known.
    pub(crate) fn call_text(&self, facts: &PollFacts, tense: Tense) -> String {
        let stack = self.stack(facts);
        let call = stack.and_then(Stack::called).map(|frame| frame.name().to_owned());
        let called = match (call, tense) {
            (Some(call), Tense::Present) => format!(" That line has called {call}."),
            (Some(call), Tense::Past) => format!(" That line had called {call}."),
            (None, _) => String::new(),
        };
        called + &stack.map_or_else(String::new, no_line)
    }

    /// Whom the poll harmed, as a sentence: exactly if that was measured, else what is known of
    /// waiting in general.
    pub(crate) fn poll_harm_text(&self, facts: &PollFacts) -> String {
        match (facts.waiters, facts.waited_ns) {
            (Some(0), _) => "No task that is measured waited for it.".to_owned(),
            (Some(1), Some(waited)) => format!("1 task waited {} behind it.", Nanos(waited)),
            (Some(waiters), Some(waited)) => {
                let longest = facts.max_waited_ns.map(|ns| format!(", the longest {}", Nanos(ns)));
                format!("{waiters} tasks waited {} behind it{}.", Nanos(waited), longest.unwrap_or_default())
            }
            _ => self.harm_text(),
        }
    }

    /// Whether the poll made others wait for longer than that, more than the machine made them.
    ///
    /// `None` if it was not measured; and if no task is known to have waited, but not every task that
    /// could have is measured: that excuses no poll.
    pub(crate) fn has_harmed(&self, poll: &SlowPoll, least_ns: u64) -> Option<bool> {
        let waiters = poll.waiters?;
        let longest = poll.max_waited_ns.or(poll.waited_ns)?;
        if waiters > 0 && self.moment.cpu.own(longest) > least_ns {
            return Some(true);
        }
        self.measures_all_waits().then_some(false)
    }

    /// Whether each task that could wait behind a poll is measured.
    fn measures_all_waits(&self) -> bool {
        let process = self.moment.process;
        if process.hello().coverage(Metric::Harm) == Coverage::All {
            return true;
        }
        let alive = process.runtimes().map(|runtime| runtime.record().alive_tasks);
        let alive = alive.sum::<Option<u64>>();
        process.hello().mode == Mode::Wrap
            && alive.is_some_and(|alive| alive > 0 && process.alive_tasks() >= Some(alive))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dict::Frame;

    #[test]
    fn a_stack_without_a_line_says_why() {
        let frame = |line| Frame { function: "shop::load".into(), file: None, line, users: true };
        let why = Some("the program is stripped".into());
        let said = |frames| no_line(&Stack { frames, truncated: false, why: why.clone() });
        assert_eq!(said(Vec::new()), " No stack was taken: the program is stripped.");
        assert_eq!(said(vec![frame(0)]), " No line is known: the program is stripped.");
        assert_eq!(said(vec![frame(7)]), "");
        assert_eq!(no_line(&Stack::default()), "");
    }

    #[test]
    fn what_was_seen_at_one_moment_is_not_said_of_a_poll_that_did_something_else() {
        let (blocked, busy) = (Some(PollKind::Blocked), Some(PollKind::Busy));
        let said = |word, kind| doing(ThreadActivity::of(word).expect("a word"), kind, Tense::Past);
        assert_eq!(said("running", busy), "it computed");
        assert_eq!(said("running", blocked), "when it was looked at it ran");
        assert_eq!(said("running", None), "when it was looked at it ran");
        assert_eq!(said("runnable", blocked), "when it was looked at it waited for a CPU");
        assert_eq!(said("runnable", busy), "when it was looked at it waited for a CPU");
        assert_eq!(said("futex_wait", blocked), "it slept in futex_wait");
        assert_eq!(said("futex_wait", busy), "when it was looked at it slept in futex_wait");
    }
}
