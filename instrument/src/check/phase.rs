//! Phases of a test: what happened between two checkpoints.

use std::collections::HashMap;
use std::sync::mpsc::{Sender, channel};
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use pollscope_model::hist::Hist;
use pollscope_model::world::Process;
use pollscope_recorder::session::{self, Session};

use super::TESTS;
use super::observer::Order;

/// More are one with the last.
const MAX_PHASES: usize = 64;
/// How long a checkpoint waits for the session's thread.
const PATIENCE: Duration = Duration::from_secs(1);

/// What happened between two checkpoints of a test.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Phase {
    /// The checkpoint that began it; `start` for the first.
    pub name: String,
    /// When it began, after the session did.
    pub began: Duration,
    /// When it ended.
    pub ended: Duration,
    /// Polls that ended in it.
    pub polls: u64,
    /// The longest of them, by the clock on the wall and up to 4 % more.
    pub longest_poll: Duration,
    /// Tasks alive at its end.
    pub alive: u64,
}

/// Totals up to one moment.
#[derive(Clone, Default)]
pub(super) struct Totals {
    poll: Hist,
    alive: u64,
}

impl Phase {
    pub(super) fn totals(process: &Process) -> Totals {
        let mut totals = Totals::default();
        for site in process.sites() {
            totals.poll.merge(&site.totals().poll);
            totals.alive += site.alive();
        }
        totals
    }
}

/// The phases of one session.
#[derive(Default)]
pub(super) struct Phases {
    closed: Vec<Phase>,
    name: Option<String>,
    began_ns: u64,
    before: Totals,
}

impl Phases {
    /// The open phase ends; `next` begins.
    pub(super) fn close(&mut self, at_ns: u64, now: Totals, next: Option<String>) {
        if next.is_some() && self.closed.len() + 1 >= MAX_PHASES {
            return;
        }
        let polls = now.poll.since(&self.before.poll);
        self.closed.push(Phase {
            name: self.name.take().unwrap_or_else(|| "start".to_owned()),
            began: Duration::from_nanos(self.began_ns),
            ended: Duration::from_nanos(at_ns),
            polls: polls.count(),
            longest_poll: Duration::from_nanos(polls.max()),
            alive: now.alive,
        });
        (self.name, self.began_ns, self.before) = (next, at_ns, now);
    }

    /// All of them, the last of which is closed.
    pub(super) fn into_all(self) -> Vec<Phase> {
        self.closed
    }
}

/// Which thread takes the checkpoints of each session that is open.
pub(super) type Listeners = HashMap<Session, Sender<Order>>;

fn open() -> MutexGuard<'static, Listeners> {
    TESTS.listeners.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A session that takes checkpoints, until it is dropped.
pub(super) struct Listed(Session);

impl Listed {
    /// That of the calling thread.
    pub(super) fn here(orders: Sender<Order>) -> Self {
        let session = session::current();
        open().insert(session, orders);
        Self(session)
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        open().remove(&self.0);
    }
}

/// A phase of the test ends here and one of that name begins: the failure tells each phase's polls, the longest of
/// them and the tasks alive at its end ([`Judged::phases`](super::Judged::phases)). For the session of the calling
/// task; outside of all sessions it does nothing.
///
/// Blocks the calling thread for as long as it takes to collect what was recorded: well below a millisecond in most
/// tests.
pub fn checkpoint(name: impl Into<String>) {
    let orders = open().get(&session::current()).cloned();
    let Some(orders) = orders else { return };
    let (done, wait) = channel();
    if orders.send(Order::Checkpoint(name.into(), done)).is_ok() {
        drop(orders);
        let _ = wait.recv_timeout(PATIENCE);
    }
}
