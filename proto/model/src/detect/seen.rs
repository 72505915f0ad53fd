//! What was seen of a thread inside a long poll, and whom the poll harmed, in words.

use super::signal::PollFacts;
use super::view::View;
use crate::dict::Stack;
use crate::entity::slow_poll::SlowPoll;
use crate::measured::{Coverage, Metric, Mode};
use crate::time::Nanos;

/// Whether the poll is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tense {
    Present,
    Past,
}

/// What the kernel's word for the thread means.
fn doing(word: &str, tense: Tense) -> String {
    match (word, tense) {
        ("running", Tense::Present) => "it computes".to_owned(),
        ("running", Tense::Past) => "it computed".to_owned(),
        ("runnable", Tense::Present) => "it waits for a CPU".to_owned(),
        ("runnable", Tense::Past) => "it waited for a CPU".to_owned(),
        (call, Tense::Present) => format!("it sleeps in {call}"),
        (call, Tense::Past) => format!("it slept in {call}"),
    }
}

impl View<'_> {
    /// The stack of the poll, if one was taken and is known.
    pub(crate) fn stack(&self, facts: &PollFacts) -> Option<&Stack> {
        let stack = facts.stack?;
        self.moment.process.dictionary().stack(stack).map(|stack| &**stack)
    }

    /// To follow a headline: `: it slept in futex_wait at cart::load src/cart.rs:70`; empty if nobody
    /// looked.
    pub(crate) fn seen(&self, facts: &PollFacts, tense: Tense) -> String {
        let word = facts.waiting_in.map(|word| self.name(word)).filter(|word| !word.is_empty());
        let frame = self.stack(facts).and_then(Stack::users_frame).map(|(_, frame)| frame.short());
        match (word, frame) {
            (Some(word), Some(frame)) => format!(": {} at {frame}", doing(&word, tense)),
            (Some(word), None) => format!(": {}", doing(&word, tense)),
            (None, Some(frame)) => format!(": in {frame}"),
            (None, None) => String::new(),
        }
    }

    /// To follow what a poll spent its time on: `, 30ms allowed: reads config once (src/config.rs:12)`; empty
    /// if nothing of it is allowed.
    pub(crate) fn allowed(&self, poll: &SlowPoll) -> String {
        let why = poll.allowance(self.moment.process.dictionary());
        why.map_or_else(String::new, |why| format!(", {} allowed: {why}", Nanos(poll.allowed_ns)))
    }

    /// What the user's line called, as a sentence; empty if that is not known.
    pub(crate) fn called(&self, facts: &PollFacts, tense: Tense) -> String {
        let call = self.stack(facts).and_then(Stack::called).map(|frame| frame.name().to_owned());
        match (call, tense) {
            (Some(call), Tense::Present) => format!(" That line has called {call}."),
            (Some(call), Tense::Past) => format!(" That line had called {call}."),
            (None, _) => String::new(),
        }
    }

    /// Whom the poll harmed, as a sentence: exactly if that was measured, else what is known of
    /// waiting in general.
    pub(crate) fn harm_of(&self, facts: &PollFacts) -> String {
        match (facts.waiters, facts.waited_ns) {
            (Some(0), _) => "No task that is measured waited for it.".to_owned(),
            (Some(1), Some(waited)) => format!("1 task waited {} behind it.", Nanos(waited)),
            (Some(waiters), Some(waited)) => {
                let longest = facts.max_waited_ns.map(|ns| format!(", the longest {}", Nanos(ns)));
                format!("{waiters} tasks waited {} behind it{}.", Nanos(waited), longest.unwrap_or_default())
            }
            _ => self.harm(),
        }
    }

    /// Whether the poll made others wait for longer than that, more than the machine made them.
    ///
    /// `None` if it was not measured; and if nobody is known to have waited, but not every task that
    /// could have is measured: that absolves no one.
    pub(crate) fn harmed(&self, poll: &SlowPoll, least_ns: u64) -> Option<bool> {
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
