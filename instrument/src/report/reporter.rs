//! The reporter: one plain thread, `pollscope-drain`, that ticks the [`Drain`] and hands what it says
//! to its readers. It knows nothing of networks. It starts with the guard and ends with it.

#[cfg(any(feature = "export", feature = "recording"))]
mod subscription;

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pollscope_model::report::Report;
use pollscope_recorder::Recorder;

use crate::report::drain::Drain;
use crate::report::overload::OverloadSampler;
use crate::setup::{notice, own_thread};
#[cfg(any(feature = "export", feature = "recording"))]
pub(crate) use subscription::{Subscriber, Wants};

/// Time between two ticks without a reader: often enough to keep the recorder's buffers low.
const UNREAD_INTERVAL: Duration = Duration::from_secs(1);
/// Between two looks whether a snapshot's reader has room for the next part.
const COPY_PAUSE: Duration = Duration::from_millis(1);

/// One reader, as the reporter's thread sees it. It is closed when it is dropped.
trait Reader: Any + Send {
    /// Whether nothing reads any more.
    fn is_gone(&self) -> bool;
    /// Takes the delta that follows the last; with its single events if the reader has asked for them, or if `all`.
    fn push(&self, delta: &Arc<Report>, with_events: Option<&Arc<Report>>, all: bool);
    /// Gives the snapshot that is under way one part more if there is room for it, or in any case if it is the `last`
    /// chance. Whether it goes on.
    fn copy(&mut self, drain: &Drain, last: bool) -> bool;
}

enum Command {
    Do(Box<dyn FnOnce(&mut ReporterState) + Send>),
    Stop,
}

/// What was handed out on demand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Dumped {
    /// Single polls and wakes.
    pub(crate) events: u64,
    /// The delta that they came with; if none are recorded, the last one there was.
    pub(crate) seq: u64,
}

/// Speaks to the reporter's thread.
#[derive(Clone)]
pub(crate) struct Reporter {
    commands: Sender<Command>,
}

impl Reporter {
    /// Starts the thread.
    pub(crate) fn start(
        drain: Drain,
        interval: Duration,
        overload: OverloadSampler,
    ) -> io::Result<(Self, JoinHandle<()>)> {
        let (commands, inbox) = mpsc::channel();
        // There is no reader yet.
        drain.set_read(false);
        let thread = own_thread::start("drain", move || {
            let mut state = ReporterState {
                drain,
                interval,
                overload,
                readers: Vec::new(),
                copies: false,
                last: Instant::now(),
            };
            let outcome = catch_unwind(AssertUnwindSafe(|| state.work(&inbox)));
            if outcome.is_err() {
                Recorder::global().stop();
                notice::warn("internal error in pollscope-drain: recording is off, the service goes on");
            }
            // Readers are closed here: those that were added, and those that still wait in the inbox.
        })?;
        Ok((Self { commands }, thread))
    }

    /// Runs `work` on the reporter's thread, if that has not ended.
    fn send(&self, work: impl FnOnce(&mut ReporterState) + Send + 'static) {
        let _ = self.commands.send(Command::Do(Box::new(work)));
    }

    /// The same, and waits for what comes of it. `None` if the reporter has ended or is busy for too long.
    fn ask<T: Send + 'static>(
        &self,
        patience: Duration,
        work: impl FnOnce(&mut ReporterState) -> T + Send + 'static,
    ) -> Option<T> {
        let (done, wait) = mpsc::channel();
        self.send(move |state| _ = done.send(work(state)));
        wait.recv_timeout(patience).ok()
    }

    /// Hands the single events of the last nanoseconds to every subscriber, whether it asked for them or
    /// not. `None` if the reporter has ended or is busy for too long.
    pub(crate) fn dump(&self, last_ns: u64, patience: Duration) -> Option<Dumped> {
        self.ask(patience, move |state| state.dump(last_ns))
    }

    /// Ticks now and waits until the delta was handed out.
    pub(crate) fn tick(&self, patience: Duration) {
        self.ask(patience, ReporterState::tick);
    }

    /// The totals since the start. `None` if the reporter has ended or is busy for too long.
    pub(crate) fn totals(&self, patience: Duration) -> Option<Report> {
        self.ask(patience, |state| {
            state.tick();
            // One part holds all rows.
            state.drain.snapshot(usize::MAX).pop().unwrap_or_default()
        })
    }

    /// Ticks a last time, closes every subscriber and ends the thread.
    pub(crate) fn stop(&self) {
        let _ = self.commands.send(Command::Stop);
    }
}

/// What the thread works with.
struct ReporterState {
    drain: Drain,
    interval: Duration,
    overload: OverloadSampler,
    readers: Vec<Box<dyn Reader>>,
    /// A snapshot is under way.
    copies: bool,
    last: Instant,
}

impl ReporterState {
    fn work(&mut self, inbox: &Receiver<Command>) {
        loop {
            let copy = self.copies.then_some(COPY_PAUSE);
            let due = [self.overload.due_in(), copy].into_iter().flatten().fold(self.due_in(), Duration::min);
            match inbox.recv_timeout(due) {
                Err(RecvTimeoutError::Timeout) => {
                    if self.overload.due_in().is_some_and(|look| look.is_zero()) {
                        self.overload.look();
                    }
                    if self.due_in().is_zero() {
                        self.tick();
                    }
                    self.copy(false);
                }
                Ok(Command::Do(work)) => work(self),
                Ok(Command::Stop) | Err(RecvTimeoutError::Disconnected) => {
                    self.tick();
                    while self.copies {
                        self.copy(true);
                    }
                    return;
                }
            }
        }
    }

    fn due_in(&self) -> Duration {
        let interval = if self.is_unread() { self.interval.max(UNREAD_INTERVAL) } else { self.interval };
        interval.saturating_sub(self.last.elapsed())
    }

    fn is_unread(&self) -> bool {
        self.readers.iter().all(|reader| reader.is_gone())
    }

    fn tick(&mut self) {
        self.hand_out(false);
    }

    fn dump(&mut self, last_ns: u64) -> Dumped {
        let mut events = 0;
        if self.drain.records_events() {
            self.drain.ask_for_events(last_ns, Duration::from_secs(1));
            events = self.hand_out(true);
        }
        Dumped { events, seq: self.drain.seq() }
    }

    /// Ticks; `all` gives single events also to those who did not ask. Returns how many there were.
    fn hand_out(&mut self, all: bool) -> u64 {
        self.last = Instant::now();
        if self.is_unread() {
            self.drain.set_read(false);
        }
        let delta = Arc::new(self.drain.tick());
        let events = self.drain.events();
        let count = events.iter().map(|block| block.events.len() as u64).sum();
        // A reader that did not ask for single events gets the delta without them.
        let with_events = (!events.is_empty()).then(|| Arc::new(Report { events, ..Report::clone(&delta) }));
        self.readers.retain(|reader| !reader.is_gone());
        self.readers.iter().for_each(|reader| reader.push(&delta, with_events.as_ref(), all));
        count
    }

    /// Gives each snapshot's reader one part more.
    fn copy(&mut self, last: bool) {
        let goes_on = self.readers.iter_mut().map(|reader| reader.copy(&self.drain, last));
        self.copies = goes_on.fold(false, |any, goes_on| any | goes_on);
    }
}
