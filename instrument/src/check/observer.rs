//! Observes one session: keeps its world up to date while its body runs, on a thread of its own, and says when
//! the time is up. The thread ends with the body; what it knows then goes to the judge.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pollscope_model::hello::ProtocolVersion;
use pollscope_model::id::BootId;
use pollscope_model::monitor::{Message, Monitor};
use pollscope_model::policy::Policy;
use pollscope_model::report::Report;
use pollscope_model::text::clean;
use pollscope_model::world::{Process, WorldLimits};
use pollscope_recorder::clock;

use super::kept::{Kept, Recording};
use super::phase::{Phase, Phases};
use super::pressure::Pressure;
use super::roll;
use crate::check::book::Book;
use crate::setup::own_thread;

/// Time between two looks.
const INTERVAL: Duration = Duration::from_millis(250);
/// How long a body that is to end may take to come back from its poll.
const GRACE: Duration = Duration::from_secs(5);
/// The code of a test binary whose tests failed.
const FAILED: i32 = 101;

/// The books of a session, folded.
pub(super) struct Observer {
    pub(super) book: Arc<Book>,
    pub(super) monitor: Monitor,
    pub(super) boot: BootId,
    pub(super) phases: Phases,
    pub(super) pressure: Pressure,
    pub(super) began_ns: u64,
    /// What records it, or what is left without.
    record: Result<Box<dyn Recording>, Kept>,
}

impl Observer {
    /// With books that are open, and a runtime that is built.
    pub(super) fn new(book: Arc<Book>, policy: &Policy, record: Result<Box<dyn Recording>, Kept>) -> Self {
        let mut monitor = Monitor::with_policy(WorldLimits::default(), policy.clone());
        let hello = book.hello(ProtocolVersion { major: 1, minor: 0 });
        let boot = hello.boot;
        // A world of its own has room for one process.
        let _ = monitor.receive(Message::Hello(Box::new(hello)), unix_now());
        Self {
            book,
            monitor,
            boot,
            phases: Phases::default(),
            pressure: Pressure::begin(),
            began_ns: clock::now_ns(),
            record,
        }
    }

    /// Takes what is new.
    pub(super) fn fold(&mut self) {
        let report = self.book.report();
        self.take(report);
    }

    /// Takes what is new when the body has ended; the detectors look whatever the time. What they judge by its share
    /// of the time is judged here: the session goes on while its runtime settles and its stacks get their names.
    pub(super) fn fold_end_of_body(&mut self) {
        let report = self.book.report();
        self.take_and_judge(report);
    }

    /// Takes the rest, with the names of the stacks; the detectors look whatever the time.
    pub(super) fn fold_last(&mut self) {
        let report = self.book.last_report();
        self.take_and_judge(report);
    }

    fn take_and_judge(&mut self, report: Report) {
        self.record(&report);
        let now = unix_now();
        // Only a greeting can fail.
        let _ = self.monitor.receive(Message::Report(Box::new(report)), now);
        self.monitor.finish(now);
        self.look();
    }

    fn take(&mut self, report: Report) {
        self.record(&report);
        // Only a greeting can fail.
        let _ = self.monitor.receive_and_tick(Message::Report(Box::new(report)), unix_now());
        self.look();
    }

    fn look(&mut self) {
        if let Some(process) = self.monitor.world().process(self.boot) {
            self.pressure.look(process, self.book.session());
        }
    }

    fn record(&mut self, report: &Report) {
        if let Ok(record) = &mut self.record {
            record.hold(report);
        }
    }

    /// For the observer's own thread, which may wait for the disk.
    fn write(&mut self) {
        if let Ok(record) = &mut self.record {
            record.write(&self.book);
        }
    }

    /// The session failed: its recording, where one is wanted. Without that nothing is left of it.
    pub(super) fn keep(&mut self) -> Kept {
        match std::mem::replace(&mut self.record, Err(Kept::default())) {
            Ok(record) => record.keep(&self.book),
            Err(kept) => kept,
        }
    }

    /// The session's own process.
    pub(super) fn process(&self) -> Option<&Process> {
        self.monitor.world().process(self.boot)
    }

    /// How long the session has run.
    pub(super) fn span_ns(&self) -> u64 {
        clock::now_ns().saturating_sub(self.began_ns)
    }
}

fn unix_now() -> u64 {
    clock::anchor().to_unix_ns(clock::now_ns())
}

/// A request to the observer's thread.
pub(super) enum Order {
    /// A phase of that name begins; to be answered.
    Checkpoint(String, Sender<()>),
}

/// Whether the time is up, for the runtime's thread to wait for.
#[derive(Default)]
pub(super) struct Alarm(Mutex<State>);

#[derive(Default)]
struct State {
    /// What was going on when the time was up.
    rung: Option<String>,
    waker: Option<Waker>,
}

impl Alarm {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring(&self, text: String) {
        let waker = {
            let mut state = self.state();
            state.rung = Some(text);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Ready when it rings.
    pub(super) fn poll(&self, waker: &Waker) -> Poll<()> {
        let mut state = self.state();
        if state.rung.is_some() {
            return Poll::Ready(());
        }
        if !state.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            state.waker = Some(waker.clone());
        }
        Poll::Pending
    }

    /// What was going on when it rang.
    pub(super) fn take(&self) -> Option<String> {
        self.state().rung.take()
    }
}

/// The observer's thread while it runs.
pub(super) struct Watch {
    thread: JoinHandle<Observer>,
    stop: Sender<Order>,
    pub(super) alarm: Arc<Alarm>,
}

impl Watch {
    /// Starts the thread.
    pub(super) fn start(
        mut observer: Observer,
        name: &str,
        timeout: Option<Duration>,
    ) -> std::io::Result<Self> {
        let (stop, orders) = channel();
        let alarm = Arc::new(Alarm::default());
        let rings = Arc::clone(&alarm);
        let name = name.to_owned();
        let thread = own_thread::start("check", move || {
            work(&mut observer, &orders, &name, timeout, &rings);
            observer
        })?;
        Ok(Self { thread, stop, alarm })
    }

    /// Who takes checkpoints.
    pub(super) fn orders(&self) -> Sender<Order> {
        self.stop.clone()
    }

    /// Ends the thread. The observer is gone if it panicked, which would be a fault of ours.
    pub(super) fn end(self) -> Option<Observer> {
        drop(self.stop);
        self.thread.join().ok()
    }
}

fn work(
    observer: &mut Observer,
    orders: &Receiver<Order>,
    name: &str,
    timeout: Option<Duration>,
    alarm: &Alarm,
) {
    let mut deadline = timeout.and_then(|timeout| Some((Instant::now().checked_add(timeout)?, timeout)));
    let mut last_chance = None;
    if observer.record.is_ok() {
        // Where its time begins.
        observer.fold();
    }
    loop {
        let due = [deadline.map(|(at, _)| at), last_chance].into_iter().flatten().min();
        let left = due.map_or(INTERVAL, |at| at.saturating_duration_since(Instant::now()).min(INTERVAL));
        match orders.recv_timeout(left) {
            Err(RecvTimeoutError::Timeout) => {
                observer.fold();
                observer.write();
            }
            Err(RecvTimeoutError::Disconnected) => return,
            Ok(Order::Checkpoint(next, done)) => {
                observer.fold();
                observer.note_phase(Some(next));
                // The caller may be gone.
                let _ = done.send(());
            }
        }
        if let Some((_, timeout)) = deadline.filter(|(at, _)| Instant::now() >= *at) {
            deadline = None;
            last_chance = Instant::now().checked_add(GRACE);
            alarm.ring(observer.process().map(|process| roll::of(process, timeout)).unwrap_or_default());
        }
        if last_chance.is_some_and(|at| Instant::now() >= at) {
            observer.fold();
            give_up(observer, name, timeout.unwrap_or_default());
        }
    }
}

impl Observer {
    /// Closes the phase that is open; `next` begins.
    pub(super) fn note_phase(&mut self, next: Option<String>) {
        let at = clock::now_ns().saturating_sub(self.began_ns);
        let told = self.process().map(Phase::totals).unwrap_or_default();
        self.phases.close(at, told, next);
    }
}

/// The body holds its thread, so that only the end of the process ends it. Past every capture of output.
#[expect(clippy::disallowed_methods, reason = "a test that hangs for ever reports nothing")]
fn give_up(observer: &mut Observer, name: &str, timeout: Duration) -> ! {
    use std::io::Write as _;
    let roll = observer.process().map(|process| roll::of(process, timeout)).unwrap_or_default();
    let text = last_words(name, &roll, &observer.keep());
    let _ = std::io::stderr().write_all(text.as_bytes());
    std::process::exit(FAILED)
}

/// What is said before the process ends.
pub(super) fn last_words(name: &str, roll: &str, kept: &Kept) -> String {
    let mut text = format!(
        "pollscope: {} {roll}\nIts body does not return from a poll, so that it cannot be ended: the process exits.",
        clean(name)
    );
    kept.write_to(&mut text);
    text + "\n"
}
