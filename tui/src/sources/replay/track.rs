//! A track: the messages of a source, and how to come to the state of any moment of it.
//!
//! Copies of the state ([`Checkpoint`]) stand along the track, at most [`MAX_CHECKPOINTS`] of them and
//! not more than [`MAX_ROWS`] task rows together: as the track grows, every second one leaves.

use std::collections::VecDeque;

use pollscope_model::id::BootId;
use pollscope_model::monitor::{Monitor, Received};
use pollscope_model::time::SECOND;

/// Copies of the state that are kept.
const MAX_CHECKPOINTS: usize = 32;
/// Task rows of all copies together: some hundred megabytes.
const MAX_ROWS: usize = 500_000;
/// Time between two copies at first.
const SPACING_NS: u64 = 5 * SECOND;
/// Findings whose time is remembered.
const MAX_FINDINGS: usize = 1_024;

/// What is missing where a recording ends too early.
pub(super) const UNTOLD: &str = "it ends before its process had told its state: what was not told is missing";

/// Where messages are kept, by number from 0.
pub(in crate::sources) trait Tape {
    /// The message of that number and its time, `None` if it is not there. Meant to be called with
    /// rising numbers; any other costs a search.
    fn read(&mut self, number: u64) -> Option<(u64, Received)>;
    /// Messages before that number are not needed any more.
    fn forget_before(&mut self, _number: u64) {}
    /// Whether more comes as time goes on.
    fn follows(&self) -> bool {
        false
    }
}

/// A place where time can stand.
#[derive(Clone, Copy, Debug)]
struct Moment {
    unix_ns: u64,
    /// Messages up to here.
    position: u64,
}

struct Checkpoint {
    /// The number of its moment; the state is that after it.
    moment: u64,
    state: State,
}

/// The folded state at some place.
#[derive(Clone, Debug, Default)]
pub(in crate::sources) struct State {
    pub(in crate::sources) monitor: Monitor,
    /// How much is folded in.
    position: u64,
}

/// See the [module](self).
pub(in crate::sources) struct Track<T> {
    pub(in crate::sources) tape: T,
    moments: VecDeque<Moment>,
    /// The number of the first moment that is kept.
    first: u64,
    checkpoints: VecDeque<Checkpoint>,
    spacing_ns: u64,
    /// When findings opened and at which moment.
    findings: VecDeque<(u64, u64)>,
    findings_ever: u64,
}

impl<T: Tape> Track<T> {
    pub(in crate::sources) fn new(tape: T) -> Self {
        Self {
            tape,
            moments: VecDeque::new(),
            first: 0,
            checkpoints: VecDeque::new(),
            spacing_ns: SPACING_NS,
            findings: VecDeque::new(),
            findings_ever: 0,
        }
    }

    /// The number of the newest moment; `None` if there is none.
    pub(in crate::sources) fn newest(&self) -> Option<u64> {
        (self.first + self.moments.len() as u64).checked_sub(1).filter(|_| !self.moments.is_empty())
    }

    /// The number of the oldest moment.
    pub(in crate::sources) fn oldest(&self) -> u64 {
        self.first
    }

    /// When a moment was; that of the nearest one if it is not there.
    pub(in crate::sources) fn time_of(&self, moment: u64) -> u64 {
        let at = usize::try_from(moment.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let at = at.min(self.moments.len().saturating_sub(1));
        self.moments.get(at).map_or(0, |moment| moment.unix_ns)
    }

    /// The newest moment that is not after that time.
    pub(in crate::sources) fn moment_at(&self, unix_ns: u64) -> u64 {
        let after = self.moments.partition_point(|moment| moment.unix_ns <= unix_ns);
        self.first + (after as u64).saturating_sub(1)
    }

    /// When findings opened.
    pub(in crate::sources) fn finding_times(&self) -> impl Iterator<Item = u64> + '_ {
        self.findings.iter().map(|(unix_ns, _)| *unix_ns)
    }

    /// The moment of the finding after that one, or before it.
    pub(in crate::sources) fn finding_from(&self, moment: u64, on: bool) -> Option<u64> {
        let moments = || self.findings.iter().map(|(_, at)| *at);
        if on { moments().find(|at| *at > moment) } else { moments().rev().find(|at| *at < moment) }
    }

    /// A moment has come: so many messages are folded into the monitor.
    pub(in crate::sources) fn follow(&mut self, unix_ns: u64, position: u64, monitor: &Monitor) {
        let unix_ns = self.moments.back().map_or(unix_ns, |last| last.unix_ns.max(unix_ns));
        self.moments.push_back(Moment { unix_ns, position });
        self.look_for_findings(monitor);
        self.mark(position, monitor);
    }

    /// Remembers when findings opened that were not there at the last look.
    pub(in crate::sources) fn look_for_findings(&mut self, monitor: &Monitor) {
        let ever = monitor.engine().findings_opened();
        if ever > std::mem::replace(&mut self.findings_ever, ever)
            && let Some(newest) = self.newest()
        {
            self.findings.push_back((self.time_of(newest), newest));
            if self.findings.len() > MAX_FINDINGS {
                self.findings.pop_front();
            }
        }
    }

    /// Keeps a copy of the state of the newest moment, if it is time for one.
    fn mark(&mut self, position: u64, monitor: &Monitor) {
        let Some(newest) = self.newest() else { return };
        let since = self.checkpoints.back().map(|checkpoint| self.time_of(checkpoint.moment));
        let due = since.is_none_or(|since| self.time_of(newest).saturating_sub(since) >= self.spacing_ns);
        if !due {
            return;
        }
        let state = State { monitor: monitor.clone(), position };
        self.checkpoints.push_back(Checkpoint { moment: newest, state });
        let room = (MAX_ROWS / rows(monitor).max(1)).clamp(2, MAX_CHECKPOINTS);
        while self.checkpoints.len() > room {
            let mut odd = false;
            // The first stays: nothing before it can be reached.
            self.checkpoints.retain(|_| {
                odd = !odd;
                odd
            });
            self.spacing_ns = self.spacing_ns.saturating_mul(2);
        }
    }

    /// Leaves out the oldest part, up to the second copy of the state; false if there is none.
    pub(in crate::sources) fn shorten(&mut self) -> bool {
        if self.checkpoints.len() < 2 {
            return false;
        }
        self.checkpoints.pop_front();
        let Some(base) = self.checkpoints.front() else { return false };
        let gone = usize::try_from(base.moment - self.first).unwrap_or(0).min(self.moments.len());
        self.moments.drain(..gone);
        self.first = base.moment;
        self.tape.forget_before(base.state.position);
        let first = self.first;
        self.findings.retain(|(_, moment)| *moment >= first);
        true
    }

    /// Forgets everything.
    pub(in crate::sources) fn clear(&mut self, position: u64) {
        self.first += self.moments.len() as u64;
        self.moments.clear();
        self.checkpoints.clear();
        self.findings.clear();
        self.spacing_ns = SPACING_NS;
        self.tape.forget_before(position);
    }

    /// The state at a moment, from a state at or before it where that is nearer than a copy.
    pub(in crate::sources) fn state_at(&mut self, moment: u64, from: Option<State>) -> State {
        let at = usize::try_from(moment.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let Some(target) = self.moments.get(at).map(|moment| moment.position) else {
            return from.unwrap_or_default();
        };
        let copy = self.checkpoints.iter().rev().find(|checkpoint| checkpoint.state.position <= target);
        let nearest = match (from.filter(|state| state.position <= target), copy) {
            (Some(state), Some(copy)) if state.position >= copy.state.position => Some(state),
            (_, Some(copy)) => Some(copy.state.clone()),
            (from, None) => from,
        };
        let mut state = nearest.unwrap_or_default();
        while state.position < target {
            let Some((unix_ns, received)) = self.tape.read(state.position) else { break };
            state.receive(received, unix_ns);
        }
        state
    }
}

impl State {
    /// The state of a source that folds by itself.
    pub(in crate::sources) fn of(monitor: Monitor, position: u64) -> Self {
        Self { monitor, position }
    }

    /// Folds the next message of the tape, and adds its moment to the track; false at the tape's end.
    pub(in crate::sources) fn take_next<T: Tape>(&mut self, track: &mut Track<T>) -> bool {
        let Some((unix_ns, received)) = track.tape.read(self.position) else { return false };
        let completes_state = received.completes_state();
        self.receive(received, unix_ns);
        if completes_state {
            track.follow(unix_ns, self.position, &self.monitor);
        }
        true
    }

    fn receive(&mut self, received: Received, unix_ns: u64) {
        // Too many processes in one track: those over the limit are not shown, as live.
        let _ = self.monitor.receive_and_tick(received, unix_ns);
        self.position += 1;
    }
}

/// The tape has no more: the detectors look at the last reports, so that every command judges the same, and nothing
/// waits for a process whose state is not whole, since it never will be. Returns whether there was
/// one. A second call changes nothing.
pub(super) fn end(monitor: &mut Monitor, unix_ns: u64) -> bool {
    monitor.finish(unix_ns);
    let unfinished = monitor.world().processes().filter(|process| process.loading().is_some());
    let unfinished: Vec<BootId> = unfinished.map(|process| process.hello().boot).collect();
    for boot in &unfinished {
        monitor.disconnect(*boot, UNTOLD, unix_ns);
    }
    !unfinished.is_empty()
}

/// Task rows that a copy costs.
pub(in crate::sources) fn rows(monitor: &Monitor) -> usize {
    monitor.world().processes().map(pollscope_model::world::Process::task_rows).sum()
}

#[cfg(test)]
mod tests;
