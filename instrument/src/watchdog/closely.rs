//! The close look at one thread: the kernel's word, and the stack. It is the only thing that a service's thread
//! notices of the watchdog, so it is rationed ([`budget`](super::budget)), and there is none under a debugger.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::budget::Budget;
use super::desk::PAUSES;
use super::kernel::{self, Word};
use super::naming::Naming;
use super::polls::{Next, Seen};
use super::shelf::{self, Look};
use super::{limits, no_stacks};
use crate::backtrace::{self, Refused};
use crate::clock;
use crate::record::intern;
use crate::record::thread::Thread;
use crate::usage;

/// A thread that is blocked answers at once; one without a CPU as soon as it has one.
const PATIENCE: Duration = Duration::from_millis(10);
/// Between two questions whether a debugger is there, and between two looks at a thread that may have left
/// its runtime.
pub(super) const SECOND_NS: u64 = 1_000_000_000;
/// Words of the kernel that are kept with their arguments.
const MAX_WORDS: usize = 1_024;

/// What close looks need.
pub(super) struct Closely {
    budget: Budget,
    naming: Naming,
    words: HashMap<String, u32>,
    /// When it was last asked whether a debugger is there, and the answer.
    traced: (u64, bool),
}

impl Closely {
    pub(super) fn new() -> Self {
        Self { budget: Budget::new(), naming: Naming::default(), words: HashMap::new(), traced: (0, false) }
    }

    /// Takes the kernel's word and the stack, unless that would be too often.
    pub(super) fn look(
        &mut self,
        seen: &mut Seen,
        thread: &'static Thread,
        key: u32,
        now: u64,
        still: impl Fn() -> bool,
    ) {
        let Some(tid) = thread.tid() else { return };
        if self.is_traced(now) || !self.budget.take(key, now) {
            return;
        }
        // First, since the signal for the stack interrupts the call that the thread sleeps in.
        let word = seen.word(|| kernel::ask(tid));
        let usage = if word == Some(Word::Active) { usage::of(tid) } else { None };
        let stack = if no_stacks().is_none() { backtrace::take(tid, PATIENCE) } else { Err(Refused::Busy) };
        if !still() {
            return;
        }
        // It had no CPU to answer on; it may have one soon, and the poll is no shorter for it.
        if matches!(stack, Err(Refused::Silent)) {
            seen.was_silent(word.as_ref(), clock::now_ns().saturating_add(limits::least()));
        }
        let look = Look::new(thread.index, now, word.map_or(0, |word| self.name(word.text(false))));
        match stack {
            Ok(stack) => self.naming.send(stack, &look),
            Err(_) => look.name(shelf::Named::default()),
        }
        shelf::put(Arc::clone(&look));
        seen.look = Some(look);
        seen.active = usage.map(|usage| (usage, clock::now_ns()));
    }

    pub(super) fn is_traced(&mut self, now: u64) -> bool {
        if now.saturating_sub(self.traced.0) >= SECOND_NS || self.traced.0 == 0 {
            self.traced = (now, kernel::is_traced());
        }
        self.traced.1
    }

    /// The number of a word. So many are kept with what they wait for; of more, only the call.
    fn name(&mut self, text: &str) -> u32 {
        if let Some(name) = self.words.get(text) {
            return *name;
        }
        if self.words.len() >= MAX_WORDS {
            return intern::name(text.split('(').next().unwrap_or(text).trim_end());
        }
        let name = intern::name(text);
        self.words.insert(text.to_owned(), name);
        name
    }
}

/// When to look at this poll again. Tells a thread that runs from one that has no CPU: over a limit's
/// time, the kernel says which.
pub(super) fn wait(seen: &mut Seen, thread: &Thread, due: Next, now: u64, limit_ns: u64) -> u64 {
    let due_ns = match due {
        Next::Wait(until) => until,
        Next::Look => u64::MAX,
    };
    let (Some((before, at)), Some(look)) = (seen.active, &seen.look) else { return due_ns };
    let long = limit_ns.max(*PAUSES.start());
    if now < at.saturating_add(long) {
        return due_ns.min(at.saturating_add(long));
    }
    seen.active = None;
    if let Some(usage) = thread.tid().and_then(usage::of)
        && usage.ran.saturating_sub(before.ran).saturating_mul(2) < now.saturating_sub(at)
        && thread.tid().and_then(kernel::ask) == Some(Word::Active)
    {
        look.set_word(intern::name(Word::Active.text(true)));
    }
    due_ns
}
