//! What one reader has not been given yet, in bounded room.
//!
//! Up to [`MAX_REPORTS`] deltas wait as they are; then the newest two fold into one: time becomes
//! coarser, totals stay exact, and the reader is told how many were folded. Rows of ended tasks are
//! the only thing that grows under folding: over [`MAX_ROWS`] of them everything is dropped, and the
//! reader starts again from a snapshot, with the lost rows counted. The same happens to a reader that
//! takes nothing for [`STALLED`] and has more than [`STALLED_BYTES`] waiting: one that is away must not
//! hold a row for every living task.

#[cfg(feature = "export")]
mod collector;

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pollscope_model::report::{MAX_FOLDED_EVENTS, Report, ReportKind};
use tokio::sync::Notify;

use crate::report::reporter::{Subscriber, Wants};

/// Deltas that wait without being folded: four seconds at the default interval.
pub(super) const MAX_REPORTS: usize = 16;
/// Task rows that wait without being folded, and rows of ended tasks that wait at all.
pub(super) const MAX_ROWS: usize = 262_144;

/// A reader that takes nothing for so long is stalled, or away.
const STALLED: Duration = Duration::from_secs(10);
/// Bytes that wait for a stalled reader, about; 32 viewers, a collector and a recording hold 34 times that.
pub(super) const STALLED_BYTES: usize = 4 << 20;

/// Parts of a snapshot that wait.
const MAX_PARTS: usize = 2;
/// The longest that a request for single events holds without being renewed.
const MAX_EVENTS_TTL: Duration = Duration::from_secs(60);

/// What the reader does next.
#[derive(Debug)]
pub(super) enum Next {
    /// Send this.
    Report(Arc<Report>),
    /// Too much was missed: subscribe again.
    Overrun,
    /// Say goodbye.
    Closed,
}

/// One reader's backlog. Written by the reporter's thread, read by one task.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    state: Mutex<State>,
    ready: Notify,
    closing: Notify,
    delivered: Condvar,
}

#[derive(Debug, Default)]
struct State {
    phase: Phase,
    /// Parts of the newest snapshot, and deltas from before it: they go before everything in the queue.
    ahead: VecDeque<Arc<Report>>,
    /// Parts that have not come yet.
    due: u32,
    queue: VecDeque<Arc<Report>>,
    rows: usize,
    /// Since when something waits and none of it is taken.
    waiting_since: Option<Instant>,
    /// Sequence number of the newest report that was taken in.
    newest: u64,
    /// A snapshot was given before.
    begun: bool,
    /// The reader has been given a report and has not come back.
    in_hand: bool,
    folded: u64,
    ended_rows_lost: u64,
    /// Until when the reader wants single events.
    events_until: Option<Instant>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Phase {
    /// Takes nothing until it is restarted with a snapshot.
    #[default]
    Waiting,
    /// Takes deltas.
    Live,
    /// Dropped everything; the reader has to be told.
    Overrun,
    /// There is no more to come.
    Closed,
}

impl Subscriber for Backlog {
    fn restart(&self, first: Report) {
        let mut state = self.lock();
        if state.phase != Phase::Closed {
            state.phase = Phase::Live;
            state.begun = true;
            state.due = match first.kind {
                ReportKind::Snapshot { parts, .. } => parts,
                ReportKind::Delta => 1,
            };
            let older = std::mem::take(&mut state.queue);
            state.ahead.extend(older);
            state.rows = 0;
            state.append_part(first);
        }
        self.ready.notify_one();
    }

    fn wants_part(&self) -> Wants {
        let state = self.lock();
        match state.phase {
            Phase::Live if state.due == 0 => Wants::Nothing,
            Phase::Live if state.ahead.len() < MAX_PARTS => Wants::More,
            Phase::Live => Wants::Wait,
            Phase::Waiting | Phase::Overrun | Phase::Closed => Wants::Nothing,
        }
    }

    fn part(&self, next: Report) {
        self.lock().append_part(next);
        self.ready.notify_one();
    }

    fn push(&self, delta: &Arc<Report>) {
        let mut state = self.lock();
        match state.phase {
            Phase::Live => {
                state.take(delta);
                state.give_up_if_stalled(Instant::now());
            }
            Phase::Overrun => {
                state.ended_rows_lost += ended_rows(delta);
                state.folded += 1;
            }
            // Before the first snapshot no reader has missed anything yet.
            Phase::Waiting => state.folded += u64::from(state.begun),
            Phase::Closed => {}
        }
        self.ready.notify_one();
    }

    fn wants_events(&self) -> bool {
        self.lock().events_until.is_some_and(|until| Instant::now() < until)
    }

    fn close(&self) {
        self.lock().phase = Phase::Closed;
        self.ready.notify_one();
        self.closing.notify_waiters();
    }
}

impl Backlog {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The reader wants single events for so long.
    pub(super) fn ask_for_events(&self, ttl: Duration) {
        self.lock().events_until = Some(Instant::now() + ttl.min(MAX_EVENTS_TTL));
    }

    /// The next thing to do. Asking for it says that the last report was delivered.
    pub(super) async fn next(&self) -> Next {
        loop {
            if let Some(next) = self.try_next() {
                return next;
            }
            self.ready.notified().await;
        }
    }

    fn try_next(&self) -> Option<Next> {
        let mut state = self.lock();
        state.in_hand = false;
        if let Some(report) = state.pop() {
            state.in_hand = true;
            state.waiting_since = None;
            return Some(Next::Report(report));
        }
        self.delivered.notify_all();
        match state.phase {
            Phase::Closed => Some(Next::Closed),
            Phase::Overrun => {
                state.phase = Phase::Waiting;
                Some(Next::Overrun)
            }
            Phase::Waiting | Phase::Live => None,
        }
    }

    /// Waits until the reader has been given everything and has come back for more.
    pub(super) fn wait_until_delivered(&self, deadline: Instant) {
        let mut state = self.lock();
        while (!state.queue.is_empty() || !state.is_whole() || state.in_hand) && state.phase != Phase::Closed
        {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state = match self.delivered.wait_timeout(state, left) {
                Ok((state, _)) => state,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }
}

impl State {
    fn append_part(&mut self, part: Report) {
        self.newest = part.seq;
        self.due = self.due.saturating_sub(1);
        self.ahead.push_back(Arc::new(part));
    }

    /// No part of a snapshot waits or is still to come.
    fn is_whole(&self) -> bool {
        self.ahead.is_empty() && self.due == 0
    }

    fn append(&mut self, report: Arc<Report>) {
        self.newest = report.seq;
        self.rows += report.tasks.len();
        let fresh = !report.events.is_empty();
        self.queue.push_back(report);
        if fresh {
            self.bound_events();
        }
    }

    /// Of the single events that wait the oldest go; their numbers tell the reader that it missed some.
    fn bound_events(&mut self) {
        let mut waiting = 0;
        for report in self.queue.iter_mut().rev() {
            waiting += report.events.iter().map(|block| block.events.len()).sum::<usize>();
            if waiting > MAX_FOLDED_EVENTS && !report.events.is_empty() {
                Arc::make_mut(report).events = Vec::new();
            }
        }
    }

    fn take(&mut self, delta: &Arc<Report>) {
        let full = self.queue.len() >= MAX_REPORTS || self.rows + delta.tasks.len() > MAX_ROWS;
        if !full || !self.queue.back().is_some_and(|last| last.kind == ReportKind::Delta) {
            self.append(delta.clone());
            return;
        }
        self.fold_into_last(delta);
        self.folded += 1;
        if self.rows > MAX_ROWS && self.queue.iter().map(ended_rows).sum::<u64>() > MAX_ROWS as u64 {
            self.drop_queue();
            self.phase = Phase::Overrun;
        }
    }

    /// Drops what waits for a reader that has taken nothing for long, if it is much.
    fn give_up_if_stalled(&mut self, now: Instant) {
        let since = *self.waiting_since.get_or_insert(now);
        if now.saturating_duration_since(since) < STALLED {
            return;
        }
        let bytes: usize = self.ahead.iter().chain(&self.queue).map(|report| bytes_of(report)).sum();
        if bytes > STALLED_BYTES {
            self.drop_queue();
            self.waiting_since = None;
            self.phase = Phase::Overrun;
        }
    }

    fn fold_into_last(&mut self, delta: &Arc<Report>) {
        if let Some(last) = self.queue.pop_back() {
            self.rows -= last.tasks.len();
            let mut folded = Arc::unwrap_or_clone(last);
            folded.fold(Report::clone(delta));
            self.append(Arc::new(folded));
        }
    }

    /// What is dropped is part of the snapshot that will follow: totals stay exact, history does not.
    fn drop_queue(&mut self) {
        for report in self.ahead.drain(..).chain(self.queue.drain(..)) {
            self.folded += u64::from(report.kind == ReportKind::Delta);
            self.ended_rows_lost += ended_rows(&report);
        }
        self.rows = 0;
        self.due = 0;
    }

    fn pop(&mut self) -> Option<Arc<Report>> {
        let mut report = match self.ahead.pop_front() {
            Some(report) => report,
            // What follows a snapshot waits for its last part.
            None if self.due > 0 => return None,
            None => self.queue.pop_front().inspect(|report| self.rows -= report.tasks.len())?,
        };
        if self.folded > 0 || self.ended_rows_lost > 0 {
            let losses = &mut Arc::make_mut(&mut report).losses;
            losses.reports_folded += self.folded;
            losses.ended_rows += self.ended_rows_lost;
        }
        Some(report)
    }
}

/// The memory of a report, about: its tables.
pub(super) fn bytes_of(report: &Report) -> usize {
    size_of_val(report.tasks.as_slice())
        + size_of_val(report.sites.as_slice())
        + size_of_val(report.edges.as_slice())
        + size_of_val(report.slow_polls.as_slice())
        + size_of_val(report.workers.as_slice())
        + size_of_val(report.dict.as_slice())
}

fn ended_rows(report: &Arc<Report>) -> u64 {
    if report.kind != ReportKind::Delta {
        return 0;
    }
    report.tasks.iter().filter(|task| task.state.is_ended()).count() as u64
}

#[cfg(all(test, feature = "export"))]
mod tests;
