//! What can be taken from the recording threads once only, tasks that were touched and slow polls, on its way
//! to all readers: the drain of the process, and that of each session.
//!
//! A reader takes for all, one at a time. What is of no interest to a reader it does not get; what no reader
//! wants is gone. Each reader's share waits in its own [`Inbox`], bounded, where the newest row of a task
//! replaces the one before. Rows of tasks are made while at least one reader has use for them.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

use pollscope_model::entity::slow_poll::SlowPoll;
use pollscope_model::entity::task::TaskRecord;
use pollscope_model::id::TaskId;
use pollscope_recorder::session::{self, Session};
use pollscope_recorder::thread;

use super::harm::Cases;
use super::tasks::Tasks;

/// Ended tasks that wait for a reader, beyond what one tick may bring.
const MAX_ENDED_ROWS: usize = 200_000;
/// Slow polls that wait for a reader.
const MAX_SLOW_POLLS: usize = 16_384;

struct Intake {
    tasks: Tasks,
    cases: Cases,
    readers: Vec<(Option<Session>, Weak<Mutex<Inbox>>)>,
}

static INTAKE: LazyLock<Mutex<Intake>> = LazyLock::new(|| {
    Mutex::new(Intake { tasks: Tasks::default(), cases: Cases::default(), readers: Vec::new() })
});

fn intake() -> MutexGuard<'static, Intake> {
    INTAKE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One reader's share.
#[derive(Default)]
pub(super) struct Inbox {
    /// The reader does not want rows of tasks.
    rowless: bool,
    rows: Vec<TaskRecord>,
    /// Where each task's row is, once there is more than one taking in it.
    places: HashMap<TaskId, usize>,
    /// The same for the slow polls, by task and start.
    poll_places: HashMap<(TaskId, u64), usize>,
    ended: usize,
    slow_polls: Vec<SlowPoll>,
    /// Losses: ends and slow polls that found no room, since the reader began.
    ends_unsaid: u64,
    slow_polls_lost: u64,
}

/// A reader, until it is dropped.
pub(super) struct Subscription(Arc<Mutex<Inbox>>);

/// What a reader takes.
pub(super) struct Taken {
    pub(super) tasks: Vec<TaskRecord>,
    /// New ones, and those of which more is known now.
    pub(super) slow_polls: Vec<SlowPoll>,
    /// Losses since the reader began.
    pub(super) ends_unsaid: u64,
    pub(super) slow_polls_lost: u64,
}

impl Subscription {
    /// Of everything, which begins with all tasks that live; or of a session that begins.
    pub(super) fn begin(of: Option<Session>) -> Self {
        let inbox = Arc::new(Mutex::new(Inbox::default()));
        let mut intake = intake();
        if of.is_none() {
            let living = intake.tasks.rows(0..intake.tasks.slots()).collect();
            lock(&inbox).add_rows(living);
        }
        intake.readers.push((of, Arc::downgrade(&inbox)));
        thread::want_rows(true);
        Self(inbox)
    }

    /// Whether the reader has use for rows of tasks. Those that changed meanwhile it does not get afterwards:
    /// a reader that wants rows again reads all of them, with [`rows`], and then what changes.
    pub(super) fn wants_rows(&self, wants: bool) {
        // A taking that goes on at this moment would have the last word.
        let intake = intake();
        {
            let mut inbox = lock(&self.0);
            inbox.rowless = !wants;
            if !wants {
                (inbox.rows, inbox.places, inbox.ended) = (Vec::new(), HashMap::new(), 0);
            }
        }
        thread::want_rows(intake.wants_rows());
    }

    /// Takes what there is, for all readers, and returns this one's share. The `last` time, slow polls do
    /// not wait for names.
    pub(super) fn take(&self, now: u64, last: bool) -> Taken {
        take_in(now, last);
        let mut inbox = lock(&self.0);
        inbox.places.clear();
        inbox.poll_places.clear();
        inbox.ended = 0;
        Taken {
            tasks: std::mem::take(&mut inbox.rows),
            slow_polls: std::mem::take(&mut inbox.slow_polls),
            ends_unsaid: inbox.ends_unsaid,
            slow_polls_lost: inbox.slow_polls_lost,
        }
    }
}

/// Takes what there is, for all readers.
pub(crate) fn take_in(now: u64, last: bool) {
    let mut intake = intake();
    thread::tick();
    intake.readers.retain(|(_, inbox)| inbox.strong_count() > 0);
    let wanted = intake.wants_rows();
    thread::want_rows(wanted);
    let (rows, unsaid) = intake.tasks.changed(wanted);
    let slow_polls = intake.cases.news(&thread::read(), now, last);
    intake.hand_out(rows, slow_polls, &unsaid);
    for ended in thread::fold_ended(|thread| intake.cases.is_done(thread)) {
        intake.cases.forget(ended);
    }
}

/// Slots of the records, free ones included; a task stays in its own.
pub(super) fn slots() -> usize {
    intake().tasks.slots()
}

/// Rows of the living tasks in those slots.
pub(super) fn rows(slots: Range<usize>) -> Vec<TaskRecord> {
    intake().tasks.rows(slots).collect()
}

fn lock(inbox: &Mutex<Inbox>) -> MutexGuard<'_, Inbox> {
    inbox.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Intake {
    /// Whether any reader has use for rows of tasks.
    fn wants_rows(&self) -> bool {
        let inboxes = self.readers.iter().filter_map(|(_, inbox)| inbox.upgrade());
        inboxes.map(|inbox| lock(&inbox).rowless).any(|rowless| !rowless)
    }

    /// `unsaid`: ends that found no room among the rows.
    fn hand_out(&self, rows: Vec<TaskRecord>, slow_polls: Vec<SlowPoll>, unsaid: &HashMap<u32, u64>) {
        let readers = self.readers.iter().filter_map(|(of, inbox)| Some((of, inbox.upgrade()?)));
        let (of_all, of_sessions): (Vec<_>, Vec<_>) = readers.partition(|(of, _)| of.is_none());
        for (of, inbox) in of_sessions {
            let mut inbox = lock(&inbox);
            let mine = |site: u32| Some(session::of_site(site)) == *of;
            inbox.add_rows(rows.iter().filter(|row| mine(row.site.0)).cloned().collect());
            inbox.add_slow_polls(slow_polls.iter().filter(|poll| mine(poll.site.0)).cloned().collect());
            inbox.ends_unsaid += unsaid.iter().filter(|(site, _)| mine(**site)).map(|(_, n)| n).sum::<u64>();
        }
        let (mut rows, mut slow_polls) = (Some(rows), Some(slow_polls));
        for (at, (_, inbox)) in of_all.iter().enumerate() {
            let mut inbox = lock(inbox);
            let last = at + 1 == of_all.len();
            inbox.add_rows(if last { rows.take() } else { rows.clone() }.unwrap_or_default());
            inbox.add_slow_polls(
                if last { slow_polls.take() } else { slow_polls.clone() }.unwrap_or_default(),
            );
            inbox.ends_unsaid += unsaid.values().sum::<u64>();
        }
    }
}

impl Inbox {
    fn add_rows(&mut self, rows: Vec<TaskRecord>) {
        if self.rowless {
            return;
        }
        if self.rows.is_empty() {
            self.ended = rows.iter().filter(|row| row.state.is_ended()).count();
            self.rows = rows;
            return;
        }
        if self.places.is_empty() {
            self.places = self.rows.iter().enumerate().map(|(at, row)| (row.id, at)).collect();
        }
        for row in rows {
            let ends = row.state.is_ended();
            if let Some(at) = self.places.get(&row.id) {
                self.ended += usize::from(ends && !self.rows[*at].state.is_ended());
                self.rows[*at] = row;
            } else if ends && self.ended >= MAX_ENDED_ROWS {
                self.ends_unsaid += 1;
            } else {
                self.ended += usize::from(ends);
                self.places.insert(row.id, self.rows.len());
                self.rows.push(row);
            }
        }
    }

    fn add_slow_polls(&mut self, polls: Vec<SlowPoll>) {
        if self.slow_polls.is_empty() {
            self.slow_polls = polls;
            return;
        }
        let key = |poll: &SlowPoll| (poll.task, poll.start_ns);
        if self.poll_places.is_empty() {
            self.poll_places = self.slow_polls.iter().map(key).zip(0..).collect();
        }
        for poll in polls {
            if let Some(at) = self.poll_places.get(&key(&poll)) {
                self.slow_polls[*at] = poll;
            } else if self.slow_polls.len() >= MAX_SLOW_POLLS {
                self.slow_polls_lost += 1;
            } else {
                self.poll_places.insert(key(&poll), self.slow_polls.len());
                self.slow_polls.push(poll);
            }
        }
    }
}
