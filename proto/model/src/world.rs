//! The world: all that is known of all processes, folded from their reports.
//!
//! State transitions live in `world/fold.rs` and nowhere else; everybody else reads. A world is a
//! pure value: it reads no clock, does no I/O and cannot fail, whatever a peer sends. Every table in
//! it has a cap ([`Limits`]), and what finds no room is counted.
//!
//! Detectors and queries read through [`Process`] and its views ([`SiteView`], [`WorkerView`],
//! [`RuntimeView`]). Times are on each process's own clock, whose "now" is the end of its newest
//! report: a process that does not report does not age.

mod edges;
mod events;
mod fold;
mod limits;
mod process;
mod retell;
mod ring;
mod runtime;
mod site;
mod tasks;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

pub use events::Track;
pub use fold::Applied;
pub use limits::Limits;
pub use process::{Gaps, Process, Refused};
pub use runtime::{RuntimeView, WorkerRates, WorkerView};
pub use site::{SitePoint, SiteRates, SiteView, WindowView};
pub use tasks::{SiteRows, TaskRow};

use crate::hello::Hello;
use crate::id::{BootId, TaskId};
use crate::query::page::Presence;
use crate::report::Report;

/// See the [module](self).
#[derive(Clone, Debug, Default)]
pub struct World {
    limits: Limits,
    processes: BTreeMap<BootId, Process>,
    /// The last number given to a process of each name.
    numbers: HashMap<String, u32>,
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
    pub fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// The caps.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// A process (re)appeared. State of a boot that is known already is kept.
    ///
    /// An older incarnation of the same name on the same host is gone if it had the same pid or
    /// was silent; one that still reports is a second instance beside it.
    pub fn greet(&mut self, hello: Hello, now_unix_ns: u64) -> Result<&Process, TooManyProcesses> {
        let boot = hello.boot;
        for (other, process) in &mut self.processes {
            let same = process.hello().process.name == hello.process.name
                && process.hello().process.host == hello.process.host;
            let replaced =
                process.hello().process.pid == hello.process.pid || process.presence() == Presence::Stale;
            if *other != boot && same && replaced {
                process.part("replaced by a new incarnation", now_unix_ns);
            }
        }
        if !self.processes.contains_key(&boot) {
            self.make_room()?;
        }
        let numbers = &mut self.numbers;
        let process = self
            .processes
            .entry(boot)
            .or_insert_with(|| Process::new(hello.clone(), next_label(numbers, &hello.process.name)));
        process.greet(hello, now_unix_ns);
        Ok(process)
    }

    /// Folds one report.
    pub fn apply(&mut self, report: Report, now_unix_ns: u64) -> Applied {
        match self.processes.get_mut(&report.boot) {
            Some(process) => process.apply(report, &self.limits, now_unix_ns),
            None => Applied::UnknownProcess,
        }
    }

    /// The stream of a process ended: it is gone, its last state stays.
    pub fn part(&mut self, boot: BootId, reason: &str, now_unix_ns: u64) {
        if let Some(process) = self.processes.get_mut(&boot) {
            process.part(reason, now_unix_ns);
        }
    }

    /// Lets time pass: who is silent becomes stale, what is over leaves when its time has come.
    /// Ended tasks for which `flagged` holds stay longer.
    pub fn tick(&mut self, now_unix_ns: u64, flagged: impl Fn(BootId, TaskId) -> bool) {
        let limits = &self.limits;
        self.processes.retain(|boot, process| {
            process.age(limits, now_unix_ns, |task| flagged(*boot, task));
            process.gone_for_ns(now_unix_ns).is_none_or(|gone| gone < limits.keep_gone_ns)
        });
        if self.numbers.len() > 16 * limits.processes {
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

    /// Forgets the process that is gone for longest, if there is no room for another.
    fn make_room(&mut self) -> Result<(), TooManyProcesses> {
        if self.processes.len() < self.limits.processes {
            return Ok(());
        }
        let gone = self.processes.iter().filter_map(|(boot, process)| Some((process.gone_since()?, *boot)));
        let (_, boot) = gone.min().ok_or(TooManyProcesses { limit: self.limits.processes })?;
        self.processes.remove(&boot);
        Ok(())
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
