//! The world: all that is known of all processes, folded from their reports.
//!
//! State transitions live in `world/fold.rs` and nowhere else; all others read. A world is a
//! pure value: it reads no clock, does no I/O and cannot fail, whatever a peer sends. Every table in
//! it has a cap ([`WorldLimits`]), and what finds no room is counted.
//!
//! Detectors and queries read through [`Process`] and its views ([`SiteView`], [`WorkerView`],
//! [`RuntimeView`]). Times are on each process's own clock, whose "now" is the end of its newest
//! report: a process that does not report does not age.

mod edges;
mod events;
mod fold;
mod limits;
mod process;
mod replay;
mod ring;
mod room;
mod runtime;
mod site;
mod tasks;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

pub use events::EventTrack;
pub use fold::{Applied, Folding};
pub use limits::WorldLimits;
pub use process::{Process, Refused};
pub(crate) use runtime::WorkerRates;
pub use runtime::{RuntimeView, WorkerView};
pub use site::SiteView;
pub(crate) use site::{SiteRates, WindowView};
pub(crate) use tasks::SiteRows;
pub use tasks::TaskRow;

use crate::entity::presence::Presence;
use crate::hello::Hello;
use crate::id::{BootId, TaskId};
use crate::report::Report;

/// See the [module](self).
#[derive(Clone, Debug, Default)]
pub struct World {
    limits: WorldLimits,
    processes: BTreeMap<BootId, Process>,
    /// The last number given to a process of each name.
    numbers: HashMap<String, u32>,
    /// Bytes that each process holds, and all of them.
    weights: HashMap<BootId, usize>,
    bytes: usize,
    evicted: u64,
}

/// No room for another process: all that are known are still there.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{limit} processes are connected already, which is the limit: stop some, or raise the limit")]
pub struct TooManyProcesses {
    /// The limit.
    pub limit: usize,
}

impl World {
    /// An empty world with those caps.
    pub fn new(limits: WorldLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// The caps.
    pub fn limits(&self) -> &WorldLimits {
        &self.limits
    }

    /// A process (re)appeared. State of a boot that is known already is kept.
    ///
    /// An older incarnation of the same name on the same host is gone if it had the same pid or
    /// was silent; one that still reports is a second instance beside it.
    pub fn connect(&mut self, hello: Hello, now_unix_ns: u64) -> Result<&Process, TooManyProcesses> {
        let boot = hello.boot;
        for (other, process) in &mut self.processes {
            let same = process.hello().process.name == hello.process.name
                && process.hello().process.host == hello.process.host;
            let replaced =
                process.hello().process.pid == hello.process.pid || process.presence() == Presence::Stale;
            if *other != boot && same && replaced {
                process.disconnect("replaced by a new incarnation", now_unix_ns);
            }
        }
        if !self.processes.contains_key(&boot) {
            self.make_place()?;
        }
        let numbers = &mut self.numbers;
        let process = self
            .processes
            .entry(boot)
            .or_insert_with(|| Process::new(hello.clone(), next_label(numbers, &hello.process.name)));
        process.connect(hello, now_unix_ns);
        self.weigh(boot);
        // It may have to give way itself, if everything else holds less.
        self.make_room();
        self.processes.get(&boot).ok_or(TooManyProcesses { limit: self.limits.processes })
    }

    /// Folds one report.
    pub fn apply(&mut self, report: Report, now_unix_ns: u64) -> Applied {
        let mut folding = Folding::new(report);
        loop {
            if let Some(applied) = self.fold(&mut folding, usize::MAX, now_unix_ns) {
                return applied;
            }
        }
    }

    /// Folds up to so many rows of a report; `None` if there are more of them. A report that was begun has to be
    /// folded to its end, and no other one of its process between.
    pub fn fold(&mut self, folding: &mut Folding, rows: usize, now_unix_ns: u64) -> Option<Applied> {
        let boot = folding.boot();
        let Some(process) = self.processes.get_mut(&boot) else { return Some(Applied::UnknownProcess) };
        let applied = process.fold(folding, rows, &self.limits, now_unix_ns);
        self.weigh(boot);
        self.make_room();
        if self.processes.contains_key(&boot) { applied } else { Some(Applied::Evicted) }
    }

    /// The stream of a process ended: it is gone, its last state stays.
    pub fn disconnect(&mut self, boot: BootId, reason: &str, now_unix_ns: u64) {
        if let Some(process) = self.processes.get_mut(&boot) {
            process.disconnect(reason, now_unix_ns);
        }
    }

    /// A process that is known begins anew, with nothing but its greeting and its label: what was told of it
    /// was not its own.
    pub fn reset_process(&mut self, boot: BootId, now_unix_ns: u64) {
        if let Some(process) = self.processes.get_mut(&boot) {
            let mut fresh = Process::new(process.hello().clone(), process.label().to_string().into());
            fresh.connect(process.hello().clone(), now_unix_ns);
            *process = fresh;
            self.weigh(boot);
        }
    }

    /// Lets time pass: who is silent becomes stale, what is over leaves when its time has come.
    /// Ended tasks for which `flagged` holds stay longer.
    pub fn tick(&mut self, now_unix_ns: u64, flagged: impl Fn(BootId, TaskId) -> bool) {
        let mut over = Vec::new();
        for (boot, process) in &mut self.processes {
            process.expire(&self.limits, now_unix_ns, |task| flagged(*boot, task));
            if process.gone_for_ns(now_unix_ns).is_some_and(|gone| gone >= self.limits.keep_gone_ns) {
                over.push(*boot);
            }
        }
        for boot in over {
            self.forget(boot);
        }
        let boots: Vec<BootId> = self.processes.keys().copied().collect();
        for boot in boots {
            self.weigh(boot);
        }
        if self.numbers.len() > 16 * self.limits.processes {
            let known: std::collections::HashSet<&str> =
                self.processes.values().map(|process| process.hello().process.name.as_str()).collect();
            self.numbers.retain(|name, _| known.contains(name.as_str()));
        }
    }

    /// All processes, gone ones included.
    pub fn processes(&self) -> impl Iterator<Item = &Process> + '_ {
        self.processes.values()
    }

    /// One process.
    pub fn process(&self, boot: BootId) -> Option<&Process> {
        self.processes.get(&boot)
    }
}

/// `checkout#2`: the second process of that name that appeared.
fn next_label(numbers: &mut HashMap<String, u32>, name: &str) -> Arc<str> {
    let number = numbers.entry(name.to_owned()).or_default();
    *number = number.saturating_add(1);
    format!("{name}#{number}").into()
}

#[cfg(test)]
mod tests;
