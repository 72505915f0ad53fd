//! The engine: looks at every process of a [`World`] with every detector, and keeps what they found.
//!
//! Called by the [monitor](crate::monitor) only, about four times a second; it looks at a process at
//! most once a second of that process's own clock, and only if it has reported all of its state. It
//! reads no clock, and judges by the process's time, so that a recording is judged like a live service.
//!
//! Cost: that of the task rows that changed since the look before and of those whose time has come (see
//! `watchlist.rs`), and work for sites that are active; an idle task costs nothing.

mod flags;
mod found;
pub(crate) mod hysteresis;
mod scan;
mod set_aside;
mod watchlist;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::detect::ALL;
use crate::detect::cpu::Cpu;
use crate::detect::history::DetectorHistory;
use crate::detect::signal::{DetectorOutput, FindingKey};
use crate::detect::view::{Moment, View};
use crate::finding::Finding;
use crate::id::{BootId, SiteId, TaskId};
use crate::level::Level;
use crate::policy::Policy;
use crate::query::flag::{FindingSource, Flag, TaskFlags};
use crate::time::SECOND;
use crate::value::Value;
use crate::world::{Process, World};
use flags::Flags;
use found::TrackedFinding;
use hysteresis::Hysteresis;
use scan::{ScanResult, ScanState};
use set_aside::DoubtfulEvidence;

/// Time between two looks at a process, a little less than a second so that reports that come every
/// second are all looked at.
const EVALUATION_NS: u64 = SECOND * 9 / 10;

/// All that is kept of one process.
#[derive(Clone, Debug)]
struct ProcessState {
    policy: Arc<Policy>,
    note: Option<String>,
    history: DetectorHistory,
    scan_state: ScanState,
    hysteresis: Hysteresis,
    evaluated_ns: Option<u64>,
    cpu: Cpu,
    cpu_minute: Cpu,
    undecided: Vec<(&'static str, String)>,
    doubtful: DoubtfulEvidence,
    flags: Flags,
    dropped: u64,
}

/// See the [module](self).
#[derive(Clone, Debug, Default)]
pub struct Engine {
    policy: Arc<Policy>,
    states: BTreeMap<BootId, ProcessState>,
    last_number: u64,
}

impl Engine {
    /// An engine with the default policy.
    pub fn new() -> Self {
        Self::default()
    }

    /// An engine that applies that policy to every process which brings none of its own.
    pub fn with_policy(policy: Policy) -> Self {
        Self { policy: Arc::new(policy), ..Self::default() }
    }

    /// How many findings were ever opened: who compares it before and after a tick knows of new ones.
    pub fn findings_opened(&self) -> u64 {
        self.last_number
    }

    /// The process as the detectors saw it at their last look, for judges beside them. `None`
    /// before the first.
    pub(crate) fn view<'a>(&'a self, process: &'a Process) -> Option<View<'a>> {
        let state = self.states.get(&process.boot())?;
        let (cpu, cpu_minute) = (state.cpu, state.cpu_minute);
        Some(View::new(Moment { process, now_ns: process.now_ns(), cpu, cpu_minute }, &state.history))
    }

    /// All evidence over a limit that was ever set aside in the process, for judges of a whole run, by detector: what it
    /// is about, and its words. What became a finding is left out.
    pub(crate) fn ever_set_aside(&self, boot: BootId) -> Vec<(&'static str, String)> {
        let Some(state) = self.states.get(&boot) else { return Vec::new() };
        let is_doubt = |(detector, key, _): &(usize, FindingKey, &str)| {
            state.hysteresis.level_of(*detector, *key).is_none_or(|level| level == Level::Allow)
        };
        with_ids(state.doubtful.all().filter(is_doubt))
    }

    /// Looks at whatever has news. Processes that left the world are forgotten with their findings; of
    /// one that is gone the last findings stay as they are.
    pub fn tick(&mut self, world: &World) {
        self.forget(world);
        for process in world.processes() {
            self.evaluate(process);
        }
    }

    /// Forgets the processes that left the world, with their findings.
    pub(crate) fn forget(&mut self, world: &World) {
        self.states.retain(|boot, _| world.process(*boot).is_some());
    }

    /// Looks at one process, if it has news.
    pub(crate) fn evaluate(&mut self, process: &Process) {
        let state =
            self.states.entry(process.boot()).or_insert_with(|| ProcessState::new(process, &self.policy));
        let now_ns = process.now_ns();
        // A clock that was set back starts anew.
        if state.evaluated_ns.is_some_and(|evaluated_ns| now_ns < evaluated_ns) {
            state.evaluated_ns = None;
            state.history = DetectorHistory::new(now_ns);
        }
        let due = state
            .evaluated_ns
            .is_none_or(|evaluated_ns| now_ns >= evaluated_ns.saturating_add(EVALUATION_NS));
        // Half of the tasks would make rules say things that the whole does not bear out.
        if now_ns > 0 && due && process.loading().is_none() {
            state.evaluate(process, &mut self.last_number);
        }
    }

    /// Looks at what was said since the last look, however short that is ago: nothing will follow.
    pub(crate) fn evaluate_rest(&mut self, world: &World) {
        for process in world.processes() {
            if let Some(state) = self.states.get_mut(&process.boot())
                && state.evaluated_ns.is_none_or(|evaluated_ns| process.now_ns() > evaluated_ns)
            {
                state.evaluate(process, &mut self.last_number);
            }
        }
    }
}

impl FindingSource for Engine {
    fn flagged(&self, boot: BootId) -> Option<&TaskFlags> {
        self.states.get(&boot)?.flags.tasks()
    }

    fn site(&self, boot: BootId, site: SiteId) -> Option<&Flag> {
        self.states.get(&boot)?.flags.site(site)
    }

    fn findings(&self, boot: BootId) -> Vec<&Finding> {
        self.states
            .get(&boot)
            .into_iter()
            .flat_map(|state| state.hysteresis.found())
            .map(|found| &found.shown)
            .collect()
    }

    fn undecided(&self, boot: BootId) -> Vec<(&'static str, String)> {
        self.states.get(&boot).map(|state| state.undecided.clone()).unwrap_or_default()
    }

    fn set_aside(&self, boot: BootId) -> Vec<(&'static str, String)> {
        let Some(state) = self.states.get(&boot) else { return Vec::new() };
        let now_ns = state.evaluated_ns.unwrap_or(0);
        let present = state.doubtful.present(now_ns);
        with_ids(present.filter(|(detector, key, _)| !state.hysteresis.is_told(*detector, *key)))
    }

    fn note(&self, boot: BootId) -> Option<String> {
        let state = self.states.get(&boot)?;
        let refused = state.hysteresis.refused().saturating_add(state.doubtful.refused());
        let dropped = state.dropped.saturating_add(refused);
        let room = (dropped > 0).then(|| {
            format!("{} findings are not shown: there are too many at once.", Value::Count(dropped))
        });
        match (&state.note, room) {
            (Some(note), Some(room)) => Some(format!("{note} {room}")),
            (note, room) => room.or_else(|| note.clone()),
        }
    }

    fn poll_limit_ns(&self, boot: BootId) -> u64 {
        let policy = self.states.get(&boot).map_or(&self.policy, |state| &state.policy);
        policy.poll_limit_ns()
    }
}

/// Each piece of evidence with its detector's id.
fn with_ids<'a>(doubts: impl Iterator<Item = (usize, FindingKey, &'a str)>) -> Vec<(&'static str, String)> {
    doubts.map(|(detector, _, reason)| (ALL[detector].id, reason.to_owned())).collect()
}

impl ProcessState {
    fn new(process: &Process, default: &Arc<Policy>) -> Self {
        let hello = process.hello();
        let (policy, note) = match Policy::brought(&hello.policy) {
            Ok(_) if hello.policy.is_empty() => (default.clone(), None),
            Ok(policy) => (Arc::new(policy), None),
            Err(error) => {
                let note = format!("The policy of {} is not used, because of {error}.", process.label());
                (default.clone(), Some(note))
            }
        };
        Self {
            policy,
            note,
            history: DetectorHistory::new(process.now_ns()),
            scan_state: ScanState::default(),
            hysteresis: Hysteresis::default(),
            evaluated_ns: None,
            cpu: Cpu::UNKNOWN,
            cpu_minute: Cpu::UNKNOWN,
            undecided: Vec::new(),
            doubtful: DoubtfulEvidence::default(),
            flags: Flags::default(),
            dropped: 0,
        }
    }

    fn evaluate(&mut self, process: &Process, number: &mut u64) {
        let policy = self.policy.clone();
        self.evaluated_ns = Some(process.now_ns());
        for (index, detector) in ALL.iter().enumerate() {
            if let Some(counts) = detector.retention().counts {
                let (alive, window_ns) = counts(policy.rule(index));
                self.history.record_counts(process, alive, window_ns);
            }
        }
        let cpu = self.history.cpu(process);
        let now_ns = process.now_ns();
        let cpu_minute = self.history.cpu_minute(cpu, now_ns);
        (self.cpu, self.cpu_minute) = (cpu, cpu_minute);
        let moment = Moment { process, now_ns, cpu, cpu_minute };
        let scan = scan::scan_tasks(moment, &policy, &mut self.scan_state);
        let view = View::new(moment, &self.history);
        self.undecided.clear();
        for (index, detector) in ALL.iter().enumerate() {
            let rule = policy.rule(index);
            let mut output = DetectorOutput::default();
            if let Some(reason) = detector.not_measured(process) {
                output.set_undecided(reason);
            } else {
                if let (Some(rules), Some(groups)) = (detector.tasks, scan.groups_of(index)) {
                    for group in groups {
                        output.push_with(|| (rules.signal)(&view, rule, group));
                    }
                }
                if let Some(whole) = detector.whole {
                    whole(&view, rule, &mut output);
                }
            }
            self.undecided.extend(output.undecided().map(|reason| (detector.id, reason.to_owned())));
            self.dropped = self.dropped.saturating_add(output.dropped());
            self.doubtful.take(index, rule.for_ns, output.take_set_aside(), now_ns);
            self.hysteresis.take(&view, index, rule, output.signals(), number);
        }
        let stuck = self.open_polls(process, &scan);
        let wait_p99 = view.waits().quantile(0.99);
        self.flags = Flags::new(self.hysteresis.found(), &scan, process);
        for (task, nth, key) in stuck {
            self.history.record_stuck(task, nth, key);
        }
        let is_state = |found: &&TrackedFinding| found.shown.open && ALL[found.detector].retention().states;
        let states = self.hysteresis.found().filter(is_state);
        let states = states.filter(|found| found.shown.level > Level::Allow);
        self.history.record_open(states.map(|found| (ALL[found.detector].id, found.key)));
        self.history.finish_evaluation(process, wait_p99);
    }

    /// The open polls that are part of an open finding: task, number of the poll, what the finding is about.
    fn open_polls(&self, process: &Process, scan: &ScanResult) -> Vec<(TaskId, u64, FindingKey)> {
        let found = scan.flagged.iter().filter_map(|(task, detector, _)| {
            let open_poll = ALL[*detector].retention().open_poll?;
            let task = process.task(*task)?;
            let key = FindingKey::Named(task.site, task.name);
            Some((task.id, open_poll(&task)?, key)).filter(|_| self.hysteresis.is_open(*detector, key))
        });
        found.collect()
    }
}

#[cfg(test)]
mod tests;
