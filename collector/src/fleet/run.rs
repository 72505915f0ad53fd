//! What the fleet's thread owns, and how it shares its time: orders, questions, ticks, slices of large reports
//! and looks of the detectors are taken in fair turns, so that no peer's work holds up another's for longer
//! than one slice.

use std::collections::VecDeque;
use std::time::Duration;

use pollscope_model::entity::presence::Presence;
use pollscope_model::id::BootId;
use pollscope_model::monitor::Monitor;
use pollscope_model::report::{Report, ReportKind};
use pollscope_model::world::{Applied, Folding, Process, WorldLimits};
use tokio::sync::{mpsc, oneshot, watch};

use super::leases::Leases;
use super::{Lease, NoLease, Order, Question, Taken};

/// How often the detectors judge and silence is noticed.
const TICK: Duration = Duration::from_millis(250);

/// Rows of a report that are folded at once: a few milliseconds.
const SLICE: usize = 2_048;

pub(super) struct FleetLoop {
    monitor: Monitor,
    leases: Leases,
    /// Reports that are folded in part, each with the stream that waits for it.
    begun: VecDeque<(Folding, oneshot::Sender<Taken>)>,
    /// Processes that the detectors look at in this round.
    looks: VecDeque<BootId>,
    changed: watch::Sender<u64>,
    now: Box<dyn FnMut() -> u64 + Send>,
}

impl FleetLoop {
    pub(super) fn new(
        limits: WorldLimits,
        changed: watch::Sender<u64>,
        now: impl FnMut() -> u64 + Send + 'static,
    ) -> Self {
        Self {
            monitor: Monitor::new(limits),
            leases: Leases::default(),
            begun: VecDeque::new(),
            looks: VecDeque::new(),
            changed,
            now: Box::new(now),
        }
    }

    pub(super) async fn run(
        &mut self,
        mut orders: mpsc::Receiver<Order>,
        mut questions: mpsc::Receiver<Question>,
    ) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let busy = !self.begun.is_empty() || !self.looks.is_empty();
            tokio::select! {
                Some(order) = orders.recv() => self.handle(order),
                Some(question) = questions.recv() => self.answer(question),
                _ = tick.tick() => self.tick(),
                () = tokio::task::yield_now(), if busy => {}
                else => return,
            }
            // A flood of small work does not hold up the large either: each turn does one slice of it.
            self.fold_on();
            self.look();
        }
    }

    pub(super) fn handle(&mut self, order: Order) {
        let now_ns = (self.now)();
        match order {
            Order::Greet { hello, reply } => {
                let boot = hello.boot;
                if self.leases.is_taken(boot) && self.is_live(boot) {
                    let _ = reply.send(Err(NoLease::Taken));
                    return;
                }
                self.finish(boot);
                let lease = self.monitor.connect(*hello, now_ns).map_err(NoLease::from).map(|welcome| {
                    let (number, wants) = self.leases.take(boot);
                    Lease { boot, label: welcome.label, last_seq: welcome.last_seq, wants, number }
                });
                // Failing means that the stream ended meanwhile: nothing else will part for it.
                if let Err(Ok(lease)) = reply.send(lease) {
                    self.part(boot, lease.number, "connection lost during the greeting", now_ns);
                }
            }
            Order::Renew { lease, hello, reply } => {
                if self.leases.holds(hello.boot, lease) {
                    // There is room for a process that is known. If it was forgotten, its next report
                    // ends the stream.
                    let _ = self.monitor.connect(*hello, now_ns);
                }
                let _ = reply.send(());
            }
            Order::Apply { boot, lease, report, reply } => self.take(boot, lease, *report, reply, now_ns),
            Order::Part { boot, lease, reason } => {
                self.finish(boot);
                self.part(boot, lease, &reason, now_ns);
            }
        }
        self.changed();
    }

    /// Whether a report of the process came lately.
    fn is_live(&self, boot: BootId) -> bool {
        self.monitor.world().process(boot).is_some_and(|process| process.presence() == Presence::Live)
    }

    /// Begins a report; a small one is folded at once.
    fn take(&mut self, boot: BootId, lease: u64, report: Report, reply: oneshot::Sender<Taken>, now_ns: u64) {
        // The stream ended while its report waited: what was not acknowledged comes again.
        if reply.is_closed() {
            return;
        }
        if !self.leases.holds(boot, lease) {
            let _ = reply.send(Taken::NoLease);
            return;
        }
        let known = self.monitor.world().process(boot).map(|process| process.reported_seq().unwrap_or(0));
        let begins = matches!(report.kind, ReportKind::Snapshot { part: 0, .. });
        match (known, report.kind) {
            (Some(known), ReportKind::Delta) if !follows(&report, known) => {
                let _ = reply.send(Taken::OutOfOrder);
                return;
            }
            // A process never counts backwards: the higher number was not its own.
            (Some(known), _) if begins && report.seq < known => self.monitor.reset_process(boot, now_ns),
            _ => {}
        }
        self.leases.reported(&report);
        self.begun.push_front((Folding::new(report), reply));
        self.fold_on();
    }

    /// Folds one slice of the report that is first in the row, which then is the last.
    fn fold_on(&mut self) {
        let Some((mut folding, reply)) = self.begun.pop_front() else { return };
        match self.monitor.fold(&mut folding, SLICE, (self.now)()) {
            Some(applied) => self.reply(applied, reply),
            None => self.begun.push_back((folding, reply)),
        }
    }

    /// Folds the rest of what was begun of a process: what follows must find it whole.
    fn finish(&mut self, boot: BootId) {
        let Some(at) = self.begun.iter().position(|(folding, _)| folding.boot() == boot) else { return };
        let Some((mut folding, reply)) = self.begun.remove(at) else { return };
        let now_ns = (self.now)();
        loop {
            if let Some(applied) = self.monitor.fold(&mut folding, usize::MAX, now_ns) {
                return self.reply(applied, reply);
            }
        }
    }

    /// Failing means that the stream has ended meanwhile; its process will send the report again.
    fn reply(&self, applied: Applied, reply: oneshot::Sender<Taken>) {
        let _ = reply.send(Taken::Applied(applied));
        self.changed();
    }

    fn part(&mut self, boot: BootId, lease: u64, reason: &str, now_ns: u64) {
        if self.leases.leave(boot, lease) {
            self.monitor.disconnect(boot, reason, now_ns);
        }
    }

    fn answer(&mut self, question: Question) {
        // The asking stream may have gone while the question waited.
        if question.reply.is_closed() {
            return;
        }
        let now_ns = (self.now)();
        let settled = self.leases.want(&question.ask, now_ns);
        let answer = (settled || !question.may_wait).then(|| self.monitor.answer(&question.ask, now_ns));
        let _ = question.reply.send(answer);
    }

    /// Lets time pass, and begins a round of looks when the one before is over.
    pub(super) fn tick(&mut self) {
        let now_ns = (self.now)();
        self.monitor.expire(now_ns);
        if self.looks.is_empty() {
            self.looks.extend(self.monitor.world().processes().map(Process::boot));
        }
        for boot in self.monitor.take_alarms() {
            self.leases.want_events(boot, now_ns);
        }
        self.changed();
    }

    /// Has the detectors look at the next process. Half of a report may lead to findings that the whole does not.
    fn look(&mut self) {
        let Some(boot) = self.looks.pop_front() else { return };
        if !self.begun.iter().any(|(folding, _)| folding.boot() == boot) {
            self.monitor.evaluate(boot);
        }
        if self.looks.is_empty() {
            self.changed();
        }
    }

    #[cfg(test)]
    pub(super) fn monitor(&self) -> &Monitor {
        &self.monitor
    }

    fn changed(&self) {
        self.changed.send_modify(|version| *version += 1);
    }
}

/// Whether a delta continues what is known, or repeats it.
fn follows(report: &Report, known: u64) -> bool {
    report.seq <= known || Some(report.first_seq) == known.checked_add(1)
}
