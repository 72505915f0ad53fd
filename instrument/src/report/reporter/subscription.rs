//! Subscribers: readers that get everything, beginning with a snapshot that is handed out part by part. Called by what
//! carries reports out of the process.

use std::any::Any;
use std::sync::{Arc, Weak};
use std::time::Duration;

use pollscope_model::report::Report;

use super::{Reader, Reporter, ReporterState};
use crate::report::drain::Drain;
use crate::report::drain::snapshot::Snapshot;

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

impl Reporter {
    /// From now on the subscriber gets everything, beginning with [`Subscriber::restart`]; again if
    /// it was subscribed before. It is forgotten when it is dropped, and closed at once if the
    /// reporter has ended.
    pub(crate) fn subscribe(&self, subscriber: &Arc<impl Subscriber + 'static>) {
        let weak: Weak<dyn Subscriber> = Arc::downgrade(subscriber) as Weak<dyn Subscriber>;
        let subscription = Subscription { subscriber: Some(weak), snapshot: None };
        self.send(move |state| subscription.begin(state));
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
        self.send(move |state| state.drain.ask_for_events(last_ns, ttl));
    }
}

/// One subscriber. Closed when this is dropped, also where it never reached the reporter's thread.
struct Subscription {
    /// `None` if another one stands for the subscriber.
    subscriber: Option<Weak<dyn Subscriber>>,
    /// The snapshot that is under way.
    snapshot: Option<Snapshot>,
}

impl Subscription {
    fn reader(&self) -> Option<Arc<dyn Subscriber>> {
        self.subscriber.as_ref()?.upgrade()
    }

    /// The tick before the snapshot makes the two meet: every other subscriber has the delta that the
    /// snapshot includes, and the next delta follows it for all.
    fn begin(mut self, state: &mut ReporterState) {
        state.tick();
        let Some(reader) = self.reader() else { return };
        state.drain.set_read(true);
        let mut snapshot = state.drain.begin_snapshot(SNAPSHOT_ROWS);
        if let Some(first) = state.drain.next_part(&mut snapshot) {
            reader.restart(first);
        }
        self.snapshot = Some(snapshot);
        match state.readers.iter_mut().find_map(|known| self.same(&mut **known)) {
            Some(known) => {
                known.snapshot = self.snapshot.take();
                self.subscriber = None;
            }
            None => state.readers.push(Box::new(self)),
        }
        state.copy(false);
    }

    fn same<'a>(&self, known: &'a mut dyn Reader) -> Option<&'a mut Self> {
        let known: &mut dyn Any = known;
        let known = known.downcast_mut::<Self>()?;
        Weak::ptr_eq(known.subscriber.as_ref()?, self.subscriber.as_ref()?).then_some(known)
    }
}

impl Reader for Subscription {
    fn is_gone(&self) -> bool {
        self.subscriber.as_ref().is_none_or(|subscriber| subscriber.strong_count() == 0)
    }

    fn push(&self, delta: &Arc<Report>, with_events: Option<&Arc<Report>>, all: bool) {
        if let Some(subscriber) = self.reader() {
            let full = with_events.filter(|_| all || subscriber.wants_events());
            subscriber.push(full.unwrap_or(delta));
        }
    }

    fn copy(&mut self, drain: &Drain, last: bool) -> bool {
        let (Some(reader), Some(snapshot)) = (self.reader(), &mut self.snapshot) else { return false };
        let goes_on = match reader.wants_part() {
            Wants::Nothing => false,
            Wants::Wait if !last => true,
            Wants::Wait | Wants::More => {
                let part = drain.next_part(snapshot);
                part.map(|part| reader.part(part)).is_some()
            }
        };
        if !goes_on {
            self.snapshot = None;
        }
        goes_on
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some(subscriber) = self.reader() {
            subscriber.close();
        }
    }
}
