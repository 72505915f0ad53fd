//! Recording into a file: one more reader of the reports, on a thread of its own, `pollscope-file`,
//! which may wait for the disk as long as it likes. What waits meanwhile is bounded and folds
//! ([`backlog`](super::backlog)). A disk that is full or gone ends the recording with one line; the
//! service goes on, and what was written is readable up to the last second.

mod place;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pollscope_model::report::{Report, ReportKind};
use pollscope_model::time::MILLISECOND;
use pollscope_proto::recording::Writer;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::backlog::{Backlog, Next};
use super::greeting::Greeting;
use super::{Opening, Shared, Start};
use crate::setup::error::{Failed, InitError};
use crate::setup::fork::held::Held;
use crate::setup::outlet::{Outlet, PATIENCE, Wanted};
use crate::setup::{notice, own_thread};
use place::Place;
pub(crate) use place::plain;

/// A chunk is closed at least so often, and at once behind a report with evidence of something grave: what
/// a killed process can lose.
const CHUNK: Duration = Duration::from_secs(1);

/// A poll of that length is evidence of a finding at deny, by the limits that hold unless a policy says
/// otherwise.
const GRAVE_NS: u64 = 100 * MILLISECOND;

/// A file that was opened and is not written yet.
struct Tape {
    place: Place,
    file: File,
    held: Held,
}

/// Opens the file that is wanted, or says in one line why it cannot be had.
pub(super) fn open(opening: &mut Opening, wanted: &mut Wanted, failed: Failed<'_>) -> Result<(), InitError> {
    let Some(setting) = wanted.record.take() else { return Ok(()) };
    let place = Place::of(&setting, &opening.identity);
    match place.begin() {
        Ok(file) => {
            let held = Held::of(&file);
            opening.opened.push(Box::new(Tape { place, file, held }));
            Ok(())
        }
        Err(why) => {
            let path = place.path().display();
            let remedy = "POLLSCOPE_RECORD takes a .mcap file, or a folder";
            failed(InitError::Record(format!("cannot record to {path}: {why}; {remedy}")))
        }
    }
}

/// Asks the thread to close the chunk and to say when that is done.
type Flush = Sender<()>;

/// The recording of one guard.
struct Recording {
    shared: Arc<Shared>,
    path: Box<Path>,
    flushes: UnboundedSender<Flush>,
    thread: JoinHandle<()>,
}

impl Start for Tape {
    fn start(self: Box<Self>, shared: Arc<Shared>) -> std::io::Result<Box<dyn Outlet>> {
        let tape = *self;
        let path: Box<Path> = tape.place.path().into();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let (flushes, asked) = unbounded_channel();
        let backlog = shared.new_backlog();
        // Here and not on the thread, so that the recording has all that the service does after `init`, and a caller
        // that flushes right after finds it subscribed.
        shared.reporter.subscribe_now(&backlog, PATIENCE);
        let keeper = Keeper { shared: shared.clone(), backlog, asked };
        let work = move || {
            let what = format!("recording to {}", tape.place.path().display());
            notice::info(&what);
            let kept = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                runtime.block_on(keeper.keep(tape))
            }));
            match kept {
                Ok(Ok(())) => {}
                Ok(Err(error)) => notice::warn(&format!("{what} stopped: {error}; the service goes on")),
                Err(_) => notice::warn(&format!("{what} stopped: internal error; the service goes on")),
            }
        };
        let thread = own_thread::start("file", work)?;
        Ok(Box::new(Recording { shared, path, flushes, thread }))
    }
}

impl Outlet for Recording {
    fn record_path(&self) -> Option<&Path> {
        Some(&self.path)
    }

    /// Waits until everything that was taken from the backlog can be read in the file.
    fn flush(&self, deadline: Instant) {
        self.shared.wait_until_delivered(deadline);
        let (done, wait) = channel();
        if self.flushes.send(done).is_ok() {
            let _ = wait.recv_timeout(deadline.saturating_duration_since(Instant::now()));
        }
    }

    /// Waits for the thread, whose backlog is closed; a disk that hangs is left behind.
    fn stop(self: Box<Self>, deadline: Instant) {
        if !own_thread::join(self.thread, deadline) {
            notice::warn(&format!("{} is not finished: the disk does not answer", self.path.display()));
        }
    }
}

/// What the thread works with.
struct Keeper {
    shared: Arc<Shared>,
    backlog: Arc<Backlog>,
    asked: UnboundedReceiver<Flush>,
}

impl Keeper {
    async fn keep(mut self, tape: Tape) -> std::io::Result<()> {
        let Tape { place, file, mut held } = tape;
        let (mut greeting, mut hello) = Greeting::new(self.shared.clone());
        let mut writer = Writer::new(file, &hello)?;
        writer.flush()?;
        let mut size = Size::default();
        let mut closed = Instant::now();
        let mut asked_for_events: Option<Instant> = None;
        let mut evidence = Evidence::default();
        loop {
            self.shared.keep_events(&self.backlog, &mut asked_for_events);
            let next = tokio::select! {
                biased;
                next = self.backlog.next() => Some(next),
                Some(done) = self.asked.recv() => {
                    writer.flush()?;
                    let _ = done.send(());
                    continue;
                }
                () = tokio::time::sleep(CHUNK) => None,
            };
            match next {
                Some(Next::Report(report)) => {
                    if size.rotates && is_start(&report) {
                        writer.finish()?;
                        let next = place.rotate()?;
                        drop(std::mem::replace(&mut held, Held::of(&next)));
                        writer = Writer::new(next, &hello)?;
                        size = Size::default();
                    }
                    if let Some(news) = greeting.news(&report) {
                        writer.hello(&news)?;
                        hello = news;
                    }
                    writer.report(&report)?;
                    if evidence.is_new_in(&report) {
                        writer.flush()?;
                        closed = Instant::now();
                    }
                    size.took(&report, writer.bytes());
                }
                Some(Next::Overrun) => self.shared.reporter.subscribe(&self.backlog),
                Some(Next::Closed) => {
                    writer.goodbye("the service stopped pollscope")?;
                    writer.finish()?;
                    return Ok(());
                }
                None => {}
            }
            if closed.elapsed() >= CHUNK {
                writer.flush()?;
                closed = Instant::now();
            }
            if !size.rotates && size.is_over(place.part_bytes()) {
                // The old file takes what comes before the snapshot that the new one begins with.
                size.rotates = true;
                self.shared.reporter.subscribe(&self.backlog);
            }
        }
    }
}

/// What a report tells that may be the last thing that a process tells: a poll that hangs, one that held
/// its worker for long, a panic. A chunk is closed behind it.
#[derive(Default)]
struct Evidence {
    /// The stalls of the report before: when they began, on which thread.
    open: Vec<(u64, Option<u32>)>,
}

impl Evidence {
    /// Whether the report tells of some that the one before did not.
    fn is_new_in(&mut self, report: &Report) -> bool {
        let open: Vec<_> = report.stalls.iter().map(|stall| (stall.since_ns, stall.tid)).collect();
        let before = std::mem::replace(&mut self.open, open);
        self.open.iter().any(|stall| !before.contains(stall))
            || report.slow_polls.iter().any(|poll| poll.judged_ns() >= GRAVE_NS)
            || report.kind == ReportKind::Delta && report.sites.iter().any(|site| site.panicked > 0)
    }
}

/// How much is in the file.
#[derive(Default)]
struct Size {
    snapshot: u64,
    all: u64,
    rotates: bool,
}

impl Size {
    fn took(&mut self, report: &Report, bytes: u64) {
        self.all = bytes;
        if report.kind != ReportKind::Delta && !self.rotates {
            self.snapshot = bytes;
        }
    }

    /// A file whose snapshot alone is large holds at least as much history.
    fn is_over(&self, part: u64) -> bool {
        self.all >= part.max(self.snapshot.saturating_mul(2))
    }
}

fn is_start(report: &Report) -> bool {
    matches!(report.kind, ReportKind::Snapshot { part: 0, .. })
}

#[cfg(test)]
mod tests {
    use pollscope_model::entity::site::SiteDelta;
    use pollscope_model::entity::slow_poll::SlowPoll;
    use pollscope_model::entity::stall::Stall;

    use super::*;

    #[test]
    fn what_is_grave_and_new_is_evidence() {
        let stall = |since_ns| Stall { since_ns, tid: Some(7), ..Stall::default() };
        let slow = |wall_ns| SlowPoll { wall_ns, ..SlowPoll::default() };
        let stalls = |stalls: &[Stall]| Report { stalls: stalls.to_vec(), ..Report::default() };
        let slow_polls = |polls: &[SlowPoll]| Report { slow_polls: polls.to_vec(), ..Report::default() };
        let panicked =
            Report { sites: vec![SiteDelta { panicked: 1, ..SiteDelta::default() }], ..stalls(&[]) };
        let total = Report { kind: ReportKind::Snapshot { part: 0, parts: 1 }, ..panicked.clone() };
        let mut evidence = Evidence::default();
        for (report, is_new) in [
            (stalls(&[]), false),
            (stalls(&[stall(5)]), true),
            (stalls(&[stall(5)]), false),
            (stalls(&[stall(5), stall(9)]), true),
            (stalls(&[stall(9)]), false),
            (slow_polls(&[slow(20 * MILLISECOND)]), false),
            (slow_polls(&[slow(20 * MILLISECOND), slow(150 * MILLISECOND)]), true),
            (panicked, true),
            (total, false),
        ] {
            assert_eq!(evidence.is_new_in(&report), is_new, "{report:?}");
        }
    }
}
