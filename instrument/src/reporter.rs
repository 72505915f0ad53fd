//! The reporter: one plain thread, `pollscope-drain`, that ticks the [`Drain`] and hands what it says
//! to the subscribers. It knows nothing of networks. It starts with the guard and ends with it.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pollscope_model::report::Report;
use pollscope_recorder::Recorder;

use crate::drain::{Drain, Snapshot};
use crate::overload::Lookout;
use crate::{notice, own_thread};

/// Time between two ticks without a reader: often enough to keep the recorder's buffers low.
const UNREAD_INTERVAL: Duration = Duration::from_secs(1);
/// Between two looks whether a snapshot's reader has room for the next part.
const COPY_PAUSE: Duration = Duration::from_millis(1);
/// Task rows of one part of a snapshot.
const SNAPSHOT_ROWS: usize = 16_384;

/// Takes reports. Called on the reporter's thread: returns at once, whatever became of its reader.
pub(crate) trait Subscriber: Send + Sync {
    /// The first part of the whole state as of now; what was not delivered yet is out of date.
    fn restart(&self, first: Report);
    /// How the snapshot goes on.
    fn wants_part(&self) -> Wants;
    /// The next part.
    fn part(&self, next: Report);
    /// The delta that follows the last, to be delivered after all parts of a snapshot.
    fn push(&self, delta: &Arc<Report>);
    /// Whether its reader has asked for single events.
    fn wants_events(&self) -> bool;
    /// There will be no more.
    fn close(&self);
}

/// What a subscriber says of the next part of its snapshot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wants {
    /// There is room for it.
    More,
    /// Not yet.
    Wait,
    /// Never: it is closed, or will begin again.
    Nothing,
}

enum Command {
    Subscribe(Weak<dyn Subscriber>),
    Tick(Sender<()>),
    Events { last_ns: u64, ttl: Duration },
    Dump { last_ns: u64, done: Sender<Dumped> },
    Totals(Sender<Report>),
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
        lookout: Lookout,
    ) -> io::Result<(Self, JoinHandle<()>)> {
        let (commands, inbox) = mpsc::channel();
        // There is no reader yet.
        drain.is_read(false);
        let thread = own_thread::start("drain", move || {
            let mut desk = Desk {
                drain,
                interval,
                lookout,
                subscribers: Vec::new(),
                copies: Vec::new(),
                last: Instant::now(),
            };
            let outcome = catch_unwind(AssertUnwindSafe(|| desk.work(&inbox)));
            if outcome.is_err() {
                Recorder::global().stop();
                notice::warn("internal error in pollscope-drain: recording is off, the service goes on");
            }
            let late = inbox.try_iter().filter_map(|command| match command {
                Command::Subscribe(subscriber) => Some(subscriber),
                _ => None,
            });
            desk.subscribers.extend(late);
            for subscriber in desk.subscribers.iter().filter_map(Weak::upgrade) {
                subscriber.close();
            }
        })?;
        Ok((Self { commands }, thread))
    }

    /// From now on the subscriber gets everything, beginning with [`Subscriber::restart`]; again if
    /// it was subscribed before. It is forgotten when it is dropped, and closed at once if the
    /// reporter has ended.
    pub(crate) fn subscribe(&self, subscriber: &Arc<impl Subscriber + 'static>) {
        let weak: Weak<dyn Subscriber> = Arc::downgrade(subscriber) as Weak<dyn Subscriber>;
        if self.commands.send(Command::Subscribe(weak)).is_err() {
            subscriber.close();
        }
    }

    /// The same for a subscriber that hears of all that happens after this call, for which the caller waits: without
    /// that a task which begins and ends at once may be over before the drain's thread takes the subscription.
    pub(crate) fn subscribe_now(&self, subscriber: &Arc<impl Subscriber + 'static>, patience: Duration) {
        self.subscribe(subscriber);
        self.tick(patience);
    }

    /// Single events are wanted for a while: of what comes, and of the last nanoseconds. They go to the
    /// subscribers that say so.
    pub(crate) fn ask_for_events(&self, last_ns: u64, ttl: Duration) {
        let _ = self.commands.send(Command::Events { last_ns, ttl });
    }

    /// Hands the single events of the last nanoseconds to every subscriber, whether it asked for them or
    /// not. `None` if the reporter has ended or is busy for too long.
    pub(crate) fn dump(&self, last_ns: u64, patience: Duration) -> Option<Dumped> {
        let (done, wait) = mpsc::channel();
        self.commands.send(Command::Dump { last_ns, done }).ok()?;
        wait.recv_timeout(patience).ok()
    }

    /// Ticks now and waits until the delta was handed out.
    pub(crate) fn tick(&self, patience: Duration) {
        let (done, wait) = mpsc::channel();
        if self.commands.send(Command::Tick(done)).is_ok() {
            let _ = wait.recv_timeout(patience);
        }
    }

    /// The totals since the start. `None` if the reporter has ended or is busy for too long.
    pub(crate) fn totals(&self, patience: Duration) -> Option<Report> {
        let (done, wait) = mpsc::channel();
        self.commands.send(Command::Totals(done)).ok()?;
        wait.recv_timeout(patience).ok()
    }

    /// Ticks a last time, closes every subscriber and ends the thread.
    pub(crate) fn stop(&self) {
        let _ = self.commands.send(Command::Stop);
    }
}

/// What the thread works with.
struct Desk {
    drain: Drain,
    interval: Duration,
    lookout: Lookout,
    subscribers: Vec<Weak<dyn Subscriber>>,
    /// Snapshots under way.
    copies: Vec<(Weak<dyn Subscriber>, Snapshot)>,
    last: Instant,
}

impl Desk {
    fn work(&mut self, inbox: &Receiver<Command>) {
        loop {
            let copy = (!self.copies.is_empty()).then_some(COPY_PAUSE);
            let due = [self.lookout.due_in(), copy].into_iter().flatten().fold(self.due_in(), Duration::min);
            match inbox.recv_timeout(due) {
                Err(RecvTimeoutError::Timeout) => {
                    if self.lookout.due_in().is_some_and(|look| look.is_zero()) {
                        self.lookout.look();
                    }
                    if self.due_in().is_zero() {
                        self.tick();
                    }
                    self.copy(false);
                }
                Ok(Command::Subscribe(subscriber)) => self.subscribe(subscriber),
                Ok(Command::Tick(done)) => {
                    self.tick();
                    let _ = done.send(());
                }
                Ok(Command::Events { last_ns, ttl }) => self.drain.ask_for_events(last_ns, ttl),
                Ok(Command::Dump { last_ns, done }) => {
                    let _ = done.send(self.dump(last_ns));
                }
                Ok(Command::Totals(done)) => {
                    self.tick();
                    let _ = done.send(self.totals());
                }
                Ok(Command::Stop) | Err(RecvTimeoutError::Disconnected) => {
                    self.tick();
                    while !self.copies.is_empty() {
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
        self.subscribers.iter().all(|subscriber| subscriber.strong_count() == 0)
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
            self.drain.is_read(false);
        }
        let delta = Arc::new(self.drain.tick());
        let events = self.drain.events();
        let count = events.iter().map(|block| block.events.len() as u64).sum();
        // A reader that did not ask for single events gets the delta without them.
        let with_events = (!events.is_empty()).then(|| Arc::new(Report { events, ..Report::clone(&delta) }));
        self.subscribers.retain(|subscriber| match subscriber.upgrade() {
            Some(subscriber) => {
                let full = with_events.as_ref().filter(|_| all || subscriber.wants_events());
                subscriber.push(full.unwrap_or(&delta));
                true
            }
            None => false,
        });
        count
    }

    /// The tick before the snapshot makes the two meet: every other subscriber has the delta that the
    /// snapshot includes, and the next delta follows it for all.
    fn subscribe(&mut self, subscriber: Weak<dyn Subscriber>) {
        self.tick();
        let Some(reader) = subscriber.upgrade() else { return };
        self.drain.is_read(true);
        let mut snapshot = self.drain.begin_snapshot(SNAPSHOT_ROWS);
        if let Some(first) = self.drain.next_part(&mut snapshot) {
            reader.restart(first);
        }
        self.subscribers.retain(|known| !Weak::ptr_eq(known, &subscriber));
        self.copies.retain(|(known, _)| !Weak::ptr_eq(known, &subscriber));
        self.subscribers.push(subscriber.clone());
        self.copies.push((subscriber, snapshot));
        self.copy(false);
    }

    /// Gives each snapshot's reader one part more if it has room for it, or in any case if it is the
    /// `last` chance.
    fn copy(&mut self, last: bool) {
        let drain = &self.drain;
        self.copies.retain_mut(|(subscriber, snapshot)| {
            let Some(reader) = subscriber.upgrade() else { return false };
            match reader.wants_part() {
                Wants::Nothing => return false,
                Wants::Wait if !last => return true,
                Wants::Wait | Wants::More => {}
            }
            let part = drain.next_part(snapshot);
            part.map(|part| reader.part(part)).is_some()
        });
    }

    fn totals(&mut self) -> Report {
        let mut parts = self.drain.snapshot(usize::MAX).into_iter();
        let mut whole = parts.next().unwrap_or_default();
        for part in parts {
            whole.dict.extend(part.dict);
            whole.runtimes.extend(part.runtimes);
            whole.workers.extend(part.workers);
            whole.sites.extend(part.sites);
            whole.tasks.extend(part.tasks);
            whole.slow_polls.extend(part.slow_polls);
        }
        whole
    }
}
