//! What a detector says: signals, or that it cannot tell.

use std::borrow::Cow;

use super::advice::Advice;
use crate::entity::slow_poll::{PollKind, SlowPoll};
use crate::entity::stall::Stall;
use crate::id::{LineId, NameId, SiteId, StackId, TaskId, WorkerId};
use crate::level::Level;
use crate::value::Value;

/// The most signals that one detector gives about one process at one look.
pub(crate) const MAX_SIGNALS: usize = 256;

/// What a signal is about; the same key again is the same finding.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) enum FindingKey {
    /// The process.
    Process,
    /// A spawn site.
    Site(SiteId),
    /// A line of the user's code, in tasks that a library spawned at that site.
    Line(SiteId, LineId),
    /// The tasks of one name at a spawn site.
    Named(SiteId, NameId),
    /// A worker whose task is not known.
    Worker(WorkerId),
    /// A thread that is no worker, by its name.
    Thread(NameId),
}

impl FindingKey {
    /// Polls of a site: those at a line of the user's, or the rest.
    pub(crate) fn of_polls(site: SiteId, line: Option<LineId>) -> Self {
        line.map_or(Self::Site(site), |line| Self::Line(site, line))
    }

    /// The site, if it is about one.
    pub(crate) fn site(self) -> Option<SiteId> {
        match self {
            Self::Process | Self::Worker(_) | Self::Thread(_) => None,
            Self::Site(site) | Self::Line(site, _) | Self::Named(site, _) => Some(site),
        }
    }
}

/// How often the thing happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Count {
    /// So often in all, as counted exactly elsewhere; it happened again only when this grows.
    Total(u64),
    /// So often in all; that there is a signal says that it happened again.
    Again(u64),
    /// So many are in this state now.
    Now(u64),
    /// Once for each different identity, counted by the engine.
    Event(u64),
}

/// What is known of the poll that a signal is about; nothing for a signal about none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct PollFacts {
    /// Where the time went.
    pub kind: Option<PollKind>,
    /// The kernel's word for what the thread did.
    pub waiting_in: Option<NameId>,
    /// Where the thread was.
    pub stack: Option<StackId>,
    /// Tasks that waited for it.
    pub waiters: Option<u32>,
    /// What they waited, added up.
    pub waited_ns: Option<u64>,
    /// The longest of these waits.
    pub max_waited_ns: Option<u64>,
}

impl PollFacts {
    /// Those of a poll that is judged by that limit.
    pub(crate) fn of(poll: &SlowPoll, limit_ns: u64) -> Self {
        Self {
            kind: poll.kind_over(limit_ns),
            waiting_in: poll.waiting_in,
            stack: poll.stack,
            waiters: poll.waiters,
            waited_ns: poll.waited_ns,
            max_waited_ns: poll.max_waited_ns,
        }
    }

    /// Whether the thread was looked at.
    pub(crate) fn was_seen(&self) -> bool {
        self.stack.is_some() || self.waiting_in.is_some()
    }
}

impl From<&Stall> for PollFacts {
    fn from(stall: &Stall) -> Self {
        Self { waiting_in: stall.waiting_in, stack: stall.stack, ..Self::default() }
    }
}

/// One observation that is over, or close to, a limit.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Signal {
    /// What it is about.
    pub key: FindingKey,
    /// A task that shows it.
    pub task: Option<TaskId>,
    /// How bad. `None`: below the limit but not clear of it; it keeps an open finding open and opens
    /// none.
    pub level: Option<Level>,
    /// What was measured.
    pub value: Value,
    /// The limit, in the same unit.
    pub limit: Value,
    /// How often.
    pub count: Count,
    /// For polls: what is known of the one that shows it.
    pub poll: PollFacts,
    /// One line: what, how much, against which limit.
    pub headline: String,
    /// Why it matters, with the harm that was measured.
    pub why: String,
    /// What to do.
    pub fix: Advice,
}

/// Evidence over a limit that a rule for doubt keeps from being a finding.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct SetAside {
    /// What it is about.
    pub key: FindingKey,
    /// What was measured against which limit, and why that proves nothing here.
    pub reason: String,
}

/// Everything that one detector says about one process at one look.
#[derive(Debug, Default)]
pub(crate) struct DetectorOutput {
    signals: Vec<Signal>,
    set_aside: Vec<SetAside>,
    undecided: Option<Cow<'static, str>>,
    dropped: u64,
}

impl DetectorOutput {
    /// Adds a signal, or counts it as dropped when there are too many.
    pub(crate) fn push(&mut self, signal: Signal) {
        self.push_with(|| signal);
    }

    /// Adds a signal that is put into words only if there is room.
    pub(crate) fn push_with(&mut self, signal: impl FnOnce() -> Signal) {
        if self.signals.len() < MAX_SIGNALS {
            self.signals.push(signal());
        } else {
            self.dropped += 1;
        }
    }

    /// Records that the detector cannot tell, and why, in words that follow "cannot tell:".
    pub(crate) fn set_undecided(&mut self, reason: impl Into<Cow<'static, str>>) {
        self.undecided = Some(reason.into());
    }

    /// Records evidence that is over a limit and proves nothing, or counts it as dropped when there is too much.
    pub(crate) fn set_aside(&mut self, key: FindingKey, reason: String) {
        if self.set_aside.len() < MAX_SIGNALS {
            self.set_aside.push(SetAside { key, reason });
        } else {
            self.dropped += 1;
        }
    }

    /// Takes what was set aside.
    pub(crate) fn take_set_aside(&mut self) -> Vec<SetAside> {
        std::mem::take(&mut self.set_aside)
    }

    /// The signals, at most [`MAX_SIGNALS`].
    pub(crate) fn signals(self) -> Vec<Signal> {
        self.signals
    }

    /// Why it could not tell.
    pub(crate) fn undecided(&self) -> Option<&str> {
        self.undecided.as_deref()
    }

    /// Signals for which there was no room.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }
}

/// What a test of one task found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Hit {
    /// The measured value in nanoseconds; the task with the largest is the example.
    pub ns: u64,
    /// As in [`Signal::level`].
    pub level: Option<Level>,
}

/// The tasks of one name at one site that a test hit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Group {
    /// Their site.
    pub site: SiteId,
    /// Their name, or none.
    pub name: NameId,
    /// How many.
    pub tasks: u64,
    /// The one with the largest value.
    pub worst: TaskId,
    /// That value.
    pub ns: u64,
    /// The worst level of them.
    pub level: Option<Level>,
}

impl Group {
    /// What their finding is about.
    pub(crate) fn key(&self) -> FindingKey {
        FindingKey::Named(self.site, self.name)
    }

    /// Their signal, up to its words: the detector that knows them writes those over the empty ones.
    pub(crate) fn signal(&self, limit_ns: u64, count: Count) -> Signal {
        Signal {
            key: self.key(),
            task: Some(self.worst),
            level: self.level,
            value: Value::Nanos(self.ns),
            limit: Value::Nanos(limit_ns),
            count,
            poll: PollFacts::default(),
            headline: String::new(),
            why: String::new(),
            fix: Advice::NONE,
        }
    }
}

/// From there on a value is not clear of the limit any more, see [`grade`].
pub(crate) fn near(limit_ns: u64) -> u64 {
    limit_ns / 5 * 4
}

/// Grades a value by its limits: over `deny`, over `warn`, or within a fifth below `warn`, which is
/// too near to call it over. `None` is clear.
#[expect(
    clippy::option_option,
    reason = "the outer says whether there is a signal, the inner is the signal's level"
)]
pub(crate) fn grade(value: f64, warn: f64, deny: f64) -> Option<Option<Level>> {
    if value > deny {
        Some(Some(Level::Deny))
    } else if value > warn {
        Some(Some(Level::Warn))
    } else if value > warn * 0.8 && warn > 0.0 {
        Some(None)
    } else {
        None
    }
}
