//! The close look at one thread: the kernel's word, and the stack. It is the only thing that a service's thread
//! notices of the watchdog, so it is rationed ([`budget`](super::budget)), and there is none under a debugger.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use pollscope_model::entity::activity::ThreadActivity;
use pollscope_recorder::clock;
use pollscope_recorder::intern;
use pollscope_recorder::thread::Thread;

use super::budget::Budget;
use super::kernel::{self, Word};
use super::looks::{self, Look};
use super::naming::{Naming, Ticket};
use super::polls::{Next, Seen};
use super::scanner::PAUSES;
use super::{engine, limits};
use crate::watch::backtrace::{AskedThread, Refused};
use crate::watch::usage;

/// A thread that is blocked answers at once; what takes longer is looked for at the next rounds.
const PATIENCE: Duration = Duration::from_millis(2);
/// One without a CPU answers as soon as it has one. After this it sleeps uninterruptibly, most likely.
const LATE_NS: u64 = 1_000_000_000;
/// Between two questions whether a debugger is there, and between two looks at a thread that may have left
/// its runtime.
pub(super) const SECOND_NS: u64 = 1_000_000_000;
/// Words of the kernel that are kept with their arguments.
const MAX_WORDS: usize = 1_024;

/// What is known of a thread before it is looked at.
pub(super) enum Certainty<F> {
    /// It is inside of a poll while that is so.
    InPoll(F),
    /// It is inside of one turn of a runtime.
    InTurn,
    /// It ran a runtime some time ago, and may have left it.
    None,
}

/// What close looks need.
pub(super) struct Closely {
    budget: Budget,
    naming: Naming,
    late: Option<Late>,
    words: HashMap<String, u32>,
    /// When it was last asked whether a debugger is there, and the answer.
    traced: (u64, bool),
}

impl Closely {
    pub(super) fn new() -> Self {
        Self {
            budget: Budget::new(),
            naming: Naming::default(),
            late: None,
            words: HashMap::new(),
            traced: (0, false),
        }
    }

    /// Takes the kernel's word and the stack, unless that would be too often. Of a thread that may be in no poll at
    /// all there is no stack while it sleeps in a call that the signal would end.
    pub(super) fn look(
        &mut self,
        seen: &mut Seen,
        thread: &Thread,
        key: u32,
        now: u64,
        certainty: &Certainty<impl Fn() -> bool>,
    ) {
        let Some(tid) = thread.tid() else { return };
        if self.is_traced(now) || !self.budget.take(key, now) {
            return;
        }
        // First, since the signal for the stack interrupts the call that the thread sleeps in.
        let word = kernel::ask(tid);
        let is_awake = word == Some(Word::Active);
        let usage = if is_awake { usage::of(tid) } else { None };
        let may_signal = match certainty {
            Certainty::InPoll(still) if !still() => return,
            Certainty::InPoll(_) | Certainty::InTurn => true,
            Certainty::None => word.as_ref().is_some_and(Word::survives_signal),
        };
        let look = Look::new(thread.index, now, word.map_or(0, |word| self.name(word.text(false))));
        looks::put(Arc::clone(&look));
        seen.look = Some(Arc::clone(&look));
        seen.active = usage.map(|usage| (usage, clock::now_ns()));
        seen.set_awake(is_awake);
        let ticket = Ticket::of(&look);
        let Ok(engine) = engine() else { return };
        if !may_signal {
            return ticket.refuse("a signal may end the call that it sleeps in, and it may be in no task");
        }
        match (engine.ask)(tid, PATIENCE) {
            Ok(asked) => {
                let late = Late { asked, ticket, until_ns: now.saturating_add(LATE_NS) };
                self.late = late.answer(PATIENCE, &mut self.naming);
            }
            Err(refused) => {
                if matches!(refused, Refused::Busy | Refused::Deaf) {
                    // Nothing was asked: the poll is as it was.
                    seen.look_again_by(clock::now_ns().saturating_add(limits::least()));
                }
                ticket.refuse(&refused.to_string());
            }
        }
    }

    /// Takes the answer that is outstanding, if it has come.
    pub(super) fn collect(&mut self, now: u64) {
        self.late = self.late.take().and_then(|late| late.answer(Duration::ZERO, &mut self.naming));
        if self.late.as_ref().is_some_and(|late| late.until_ns <= now) {
            self.give_up();
        }
    }

    /// Whether an answer is outstanding.
    pub(super) fn is_late(&self) -> bool {
        self.late.is_some()
    }

    /// Waits no longer for the answer that is outstanding.
    pub(super) fn give_up(&mut self) {
        if let Some(Late { asked, ticket, .. }) = self.late.take() {
            match asked.give_up() {
                Ok(stack) => self.naming.send(stack, ticket),
                Err(refused) => ticket.refuse(&refused.to_string()),
            }
        }
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
            return intern::own_word(text.split('(').next().unwrap_or(text).trim_end());
        }
        let name = intern::own_word(text);
        self.words.insert(text.to_owned(), name);
        name
    }
}

/// A thread that was asked for its stack and has not answered.
///
/// The signal is there before the thread next runs code of its own, so that the answer is of the poll that was open
/// when it was asked, however late the thread gets a CPU; when it answered says so for sure.
struct Late {
    asked: Box<dyn AskedThread>,
    ticket: Ticket,
    until_ns: u64,
}

impl Late {
    /// Sends the answer to be named if it comes within `patience`; else this is still to be done.
    fn answer(self, patience: Duration, naming: &mut Naming) -> Option<Self> {
        match self.asked.answer(patience) {
            Some(stack) => {
                naming.send(stack, self.ticket);
                None
            }
            None => Some(self),
        }
    }
}

/// Whether the thread sleeps now for something that its own code waits for.
pub(super) fn sleeps(thread: &Thread) -> bool {
    let is_own = |call: &str| !ThreadActivity::of(call).is_some_and(ThreadActivity::is_for_kernels_lock);
    matches!(thread.tid().and_then(kernel::ask), Some(Word::Sleeps(call)) if is_own(&call))
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
        look.set_word(intern::own_word(Word::Active.text(true)));
    }
    due_ns
}
