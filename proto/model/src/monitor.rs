//! The monitor: a [`World`], the detectors that judge it and the queries that read it, behind one
//! door. The terminal, the collector, the command line and tests all use this and nothing below it.
//!
//! It reads no clock and does no I/O: its owner hands in reports and the time, on one thread.

mod receive;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::engine::Engine;
use crate::hello::Hello;
use crate::id::BootId;
use crate::level::Level;
use crate::policy::Policy;
use crate::query::ask::{Answer, Ask};
use crate::query::flag::FindingSource as _;
use crate::query::{Shortlists, answer_again};
use crate::report::Report;
use crate::world::{Applied, Folding, TooManyProcesses, World, WorldLimits};

pub use receive::{Message, Receipt, Received};

/// What to tell a process that said hello.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Welcome {
    /// The last report of this boot up to which everything is known: the process goes on after it.
    /// `None` if it is new or totals have a hole: the process begins with a snapshot.
    pub last_seq: Option<u64>,
    /// Its name here: `checkout#2`.
    pub label: Arc<str>,
}

/// See the [module](self). A clone is the state of that moment, to go on from: it costs what the world
/// holds.
#[derive(Clone, Debug, Default)]
pub struct Monitor {
    world: World,
    engine: Engine,
    /// The last finding that was looked at for an alarm.
    seen: u64,
    alarms: BTreeSet<BootId>,
    lists: Shortlists,
    /// The process that greeted last.
    greeted: Option<BootId>,
}

impl Monitor {
    /// A monitor that knows nothing yet, with those caps.
    pub fn new(limits: WorldLimits) -> Self {
        Self { world: World::new(limits), ..Self::default() }
    }

    /// The same, with a policy for processes that bring none of their own.
    pub fn with_policy(limits: WorldLimits, policy: Policy) -> Self {
        Self { world: World::new(limits), engine: Engine::with_policy(policy), ..Self::default() }
    }

    /// A process (re)appeared on a new stream.
    pub fn connect(&mut self, hello: Hello, now_unix_ns: u64) -> Result<Welcome, TooManyProcesses> {
        self.lists.forget(hello.boot);
        let process = self.world.connect(hello, now_unix_ns)?;
        Ok(Welcome { last_seq: process.last_seq(), label: process.label().clone() })
    }

    /// Folds one report. After [`Applied::wants_snapshot`] the sender should be asked for one.
    pub fn apply(&mut self, report: Report, now_unix_ns: u64) -> Applied {
        self.world.apply(report, now_unix_ns)
    }

    /// Folds up to so many rows of a report; see [`World::fold`].
    pub fn fold(&mut self, folding: &mut Folding, rows: usize, now_unix_ns: u64) -> Option<Applied> {
        self.world.fold(folding, rows, now_unix_ns)
    }

    /// A process that is known begins anew; see [`World::reset_process`].
    pub fn reset_process(&mut self, boot: BootId, now_unix_ns: u64) {
        self.lists.forget(boot);
        self.world.reset_process(boot, now_unix_ns);
    }

    /// The stream of a process ended; its last state is kept for a while.
    pub fn disconnect(&mut self, boot: BootId, reason: &str, now_unix_ns: u64) {
        self.world.disconnect(boot, reason, now_unix_ns);
    }

    /// Lets time pass: ages, stale processes, detectors, retention. Call it about four times a
    /// second.
    pub fn tick(&mut self, now_unix_ns: u64) {
        self.engine.tick(&self.world);
        self.expire(now_unix_ns);
    }

    /// The part of [`Monitor::tick`] that is about all processes, for a caller that has the detectors look at
    /// one process after the other.
    pub fn expire(&mut self, now_unix_ns: u64) {
        self.engine.forget(&self.world);
        self.collect_alarms();
        let engine = &self.engine;
        self.world.tick(now_unix_ns, |boot, task| engine.task(boot, task).is_some());
    }

    /// The other part: has the detectors look at one process.
    pub fn evaluate(&mut self, boot: BootId) {
        if let Some(process) = self.world.process(boot) {
            self.engine.evaluate(process);
        }
    }

    /// Lets the detectors look at what was said last: at the end of a recording or of a session, before it is
    /// judged. Between two reports of a live process it would look too often.
    pub fn finish(&mut self, now_unix_ns: u64) {
        self.tick(now_unix_ns);
        self.engine.evaluate_rest(&self.world);
        self.collect_alarms();
    }

    /// Processes in which something was newly found at deny since the last call. A caller that can reach them
    /// asks them for their single polls for a moment, so that there is a picture of what happened.
    pub fn take_alarms(&mut self) -> BTreeSet<BootId> {
        std::mem::take(&mut self.alarms)
    }

    fn collect_alarms(&mut self) {
        let newest = self.engine.findings_opened();
        if newest > self.seen {
            for process in self.world.processes() {
                let found = self.engine.findings(process.boot());
                if found.iter().any(|finding| finding.number > self.seen && finding.level == Level::Deny) {
                    self.alarms.insert(process.boot());
                }
            }
            self.seen = newest;
        }
    }

    /// Answers a question; [`Answer::No`] says why it cannot. A page of very many tasks costs less when it is
    /// asked for again.
    pub fn answer(&self, ask: &Ask, now_unix_ns: u64) -> Answer {
        answer_again(&self.world, &self.engine, &self.lists, ask, now_unix_ns)
    }

    /// What is known, to read.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// What was found, to read.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }
}

#[cfg(test)]
mod tests;
