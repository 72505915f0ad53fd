//! One session from its first line to its verdict: runtime, body, settling, judging, and only then the end of the
//! runtime.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use pollscope_model::entity::task::TaskKind;
use pollscope_model::text::clean;
use pollscope_model::verdict::{Armed, Outcome, Verdict, ending};
use pollscope_recorder::intern::NO_SITE;
use pollscope_recorder::task::Labels;
use pollscope_system::run_notes::{self, Note};

use super::config::{self, Config, RecordSetting};
use super::judged::Judged;
use super::kept::{Kept, Recording};
use super::observer::{Alarm, Observer, Watch};
use super::phase::Listed;
use super::runtime::Stage;
use super::session::Session;
use super::{judge, self_test, text};
use crate::api::future::Instrumented;
use crate::api::spawn::Spawn;
use crate::check::book::{Book, Settings};

/// What the body is called among the tasks.
const BODY: &str = "test";

/// What records a session, in a build that can.
#[cfg(feature = "recording")]
const RECORD: Option<fn(RecordSetting) -> Box<dyn Recording>> = Some(super::tape::new);
#[cfg(not(feature = "recording"))]
const RECORD: Option<fn(RecordSetting) -> Box<dyn Recording>> = None;
const NO_FILES: &str = "POLLSCOPE_RECORD: pollscope is built without its `recording` feature";

/// How a body ended; nothing if its time was up.
type Ended<T> = Result<Option<T>, Box<dyn Any + Send>>;

/// The spawn of a body that is an `F`.
pub(super) fn spawn_of_body<F>(place: &'static Location<'static>) -> Spawn {
    Spawn::at(place, Labels::new(BODY, ""), size_of::<F>())
}

/// Runs the body as a task of the runtime.
#[track_caller]
pub(super) fn spawned<F>(session: Session, spawn: Spawn, body: F) -> Judged<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    perform(session, |stage, book, alarm| {
        let handle = book.spawn_on(spawn, body, stage.handle());
        let abort = handle.abort_handle();
        match stage.block_on(until(alarm, handle)) {
            None => {
                abort.abort();
                Ok(None)
            }
            Some(Ok(output)) => Ok(Some(output)),
            Some(Err(error)) => {
                Err(error.try_into_panic().unwrap_or_else(|error| Box::new(error.to_string())))
            }
        }
    })
}

/// Runs the body on this thread, recorded like a task.
#[track_caller]
pub(super) fn in_place<F: Future>(session: Session, spawn: Spawn, body: F) -> Judged<F::Output> {
    perform(session, |stage, _, alarm| Ok(drive_in_place(stage, alarm, spawn, body)))
}

/// The calling thread has entered the session's books.
pub(super) fn drive_in_place<F: Future>(
    stage: &Stage,
    alarm: &Alarm,
    spawn: Spawn,
    body: F,
) -> Option<F::Output> {
    let site = spawn.site().unwrap_or(NO_SITE);
    let (life, tag) = spawn.begin(site, TaskKind::Local);
    // Its outcome is ours to see.
    if let Some(tag) = tag {
        tag.joined();
    }
    stage.block_on(until(alarm, Instrumented::new(body, life)))
}

/// The future's output, or nothing once the alarm rings.
async fn until<F: Future>(alarm: &Alarm, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| match alarm.poll(cx.waker()) {
        Poll::Ready(()) => Poll::Ready(None),
        Poll::Pending => future.as_mut().poll(cx).map(Some),
    })
    .await
}

#[track_caller]
fn perform<T>(session: Session, drive: impl FnOnce(&Stage, &Book, &Alarm) -> Ended<T>) -> Judged<T> {
    let config = match Config::of(&session.asked, session.project.as_deref()) {
        Ok(config) => config,
        Err(why) => panic!("pollscope: {}", clean(&why)),
    };
    let armed = self_test::armed();
    let mut folder = None;
    let (record, refused) = match config::recording() {
        None => (Err(Kept::default()), None),
        Some(Ok(record)) => {
            folder = Some(record.folder.clone());
            let policy = config.policy.rules_for_test(&config.terms.limits);
            let record = RecordSetting { policy, ..record };
            let refused = || Kept { path: None, trouble: Some(NO_FILES.to_owned()) };
            (RECORD.map(|begin| begin(record)).ok_or_else(refused), None)
        }
        Some(Err(why)) => (Err(Kept::default()), Some(why)),
    };
    let (mut done, verdict) = match conduct(session, &config, armed, record, drive) {
        Ok(done) => done,
        Err(why) => panic!("pollscope: {}", clean(&why)),
    };
    done.kept.trouble = done.kept.trouble.or(refused);
    // A check that waits for recordings in that folder counts the sessions: those that pass leave none.
    let count = |passed| {
        let note = if passed { Note::TestPassed } else { Note::TestFailed };
        if let Some(folder) = &folder {
            run_notes::leave(folder, note);
        }
    };
    match done.ended {
        Ok(output) => {
            let judged = Judged {
                name: done.name,
                output,
                verdict,
                timed_out: done.timed_out,
                phases: done.phases,
                kept: done.kept,
            };
            count(judged.is_clean());
            judged
        }
        Err(payload) => {
            count(false);
            text::print_beside(&done.name, &verdict, &done.phases, &done.kept);
            resume_unwind(payload)
        }
    }
}

/// What a session comes to, beside its verdict.
pub(super) struct Done<T> {
    name: String,
    pub(super) ended: Ended<T>,
    timed_out: Option<String>,
    phases: Vec<super::Phase>,
    kept: Kept,
}

/// The whole session, with everything decided. Fails if there is no runtime or no room for its books.
pub(super) fn conduct<T>(
    mut session: Session,
    config: &Config,
    armed: Armed,
    record: Result<Box<dyn Recording>, Kept>,
    drive: impl FnOnce(&Stage, &Book, &Alarm) -> Ended<T>,
) -> Result<(Done<T>, Verdict), String> {
    let name = session.name.clone();
    let settings = Settings {
        name: name.clone(),
        slow_poll: config.slow_poll,
        stall: config.stall,
        policy: String::new(),
    };
    let book = Arc::new(Book::open(settings).map_err(|error| error.to_string())?);
    let stage = Stage::build(&mut session, &book).map_err(|error| format!("no runtime: {error}"))?;
    let observer = Observer::new(Arc::clone(&book), &config.policy, record);
    let watch =
        Watch::start(observer, &name, config.timeout).map_err(|error| format!("no thread: {error}"))?;
    let entered = book.enter();
    let listed = Listed::here(watch.orders());
    let ended = catch_unwind(AssertUnwindSafe(|| drive(&stage, &book, &watch.alarm)));
    let ended = ended.unwrap_or_else(Err);
    drop(listed);
    let alarm = Arc::clone(&watch.alarm);
    let mut observer = watch.end().ok_or("internal error in pollscope-check")?;
    observer.fold_end_of_body();
    let returned = matches!(ended, Ok(Some(_)));
    if returned {
        stage.settle(config.patience, || {
            observer.fold();
            let left = observer.process().map_or(0, |process| ending::left_behind(process, &config.levels));
            left + judge::unseen(&observer, stage.handle())
        });
    }
    observer.fold_last();
    observer.note_phase(None);
    drop(entered);
    let mut verdict = judge::verdict(&observer, config, &name, armed, stage.handle(), returned);
    let timed_out = alarm.take();
    let passed = returned && timed_out.is_none() && verdict.outcome == Outcome::Clean;
    let kept = if passed { Kept::default() } else { observer.keep() };
    if let Some(path) = &kept.path {
        let path: Arc<str> = path.to_string_lossy().into();
        verdict.subjects.iter_mut().for_each(|subject| subject.recording = Some(Arc::clone(&path)));
    }
    // Jobs that do not end would keep the runtime for ever.
    let wait = timed_out.is_none() && !judge::has_jobs(&observer);
    stage.end(wait);
    Ok((Done { name, ended, timed_out, phases: observer.phases.into_all(), kept }, verdict))
}
