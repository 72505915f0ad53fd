//! The recording of a session that fails: what its books tell while it runs, in a file of its own, for `pollscope open`.
//! It is written only where `POLLSCOPE_RECORD` asks for it; a session that passes takes its file with it, and what
//! cannot be written is a line of the failure's text. Never decides about a verdict.
//!
//! The file is in the folder that the variable names, or beside the file: `cart__burst-4711-20261121-081015.mcap`. None
//! is ever written over, and no name is given twice ([`name`]). Of one test of one process the newest [`KEPT`] stay.
//!
//! Reports wait until they are written, by a thread of ours; the newest fold where many wait. So a disk that is slow
//! makes time coarser, and so does a file that is full.

pub(super) mod name;

use std::collections::{HashMap, VecDeque};
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use pollscope_model::hello::Hello;
use pollscope_model::report::Report;
use pollscope_model::time::MILLISECOND;
use pollscope_proto::PROTOCOL;
use pollscope_proto::recording::Writer;

use super::TESTS;
use super::config::RecordSetting;
use super::kept::{Kept, Recording};
use crate::check::book::Book;
use crate::export::plain;
use crate::setup::own_thread;

/// Recordings of one test of one process that stay.
const KEPT: usize = 4;
/// A chunk is closed at least so often: what a process that is killed can lose.
const CHUNK: Duration = Duration::from_secs(1);
/// Reports that wait without being folded, and the shortest time that one covers.
const HELD: usize = 64;
const STEP_NS: u64 = 10 * MILLISECOND;
/// Rows of ended tasks that wait.
const MAX_ENDED: usize = 262_144;

/// A recording that is not begun.
pub(super) fn new(setting: RecordSetting) -> Box<dyn Recording> {
    Box::new(Tape { setting, phase: Phase::Blank, held: Vec::new(), ended_rows_lost: 0 })
}

/// See the module. One that is dropped leaves nothing behind.
struct Tape {
    setting: RecordSetting,
    phase: Phase,
    /// What is not written yet.
    held: Vec<Report>,
    ended_rows_lost: u64,
}

enum Phase {
    /// Nothing was worth writing so far.
    Blank,
    Open(Open),
    /// It cannot be written (any more): what is there, and why.
    Failed(Option<PathBuf>, String),
}

/// A file that is written.
struct Open {
    path: PathBuf,
    writer: Box<Writer<File>>,
    closed: Instant,
    /// A reader finds something in it.
    readable: bool,
}

impl Open {
    /// No more can be written: what can be read stays.
    fn fail(&self, error: &io::Error) -> (Option<PathBuf>, String) {
        let (path, why) = (self.path.display(), plain(error));
        if self.readable {
            return (Some(self.path.clone()), format!("{path} ends early: {why}"));
        }
        let _ = fs::remove_file(&self.path);
        (None, format!("cannot record to {path}: {why}"))
    }
}

impl Recording for Tape {
    fn hold(&mut self, report: &Report) {
        let waits = self.held.len();
        match self.held.last_mut() {
            Some(last) if waits >= HELD || report.end_ns.saturating_sub(last.start_ns) < STEP_NS => {
                last.fold(report.clone());
            }
            _ => self.held.push(report.clone()),
        }
        let ended = || self.held.iter().flat_map(|held| &held.tasks).filter(|task| task.state.is_ended());
        let rows = ended().count();
        if rows > MAX_ENDED {
            self.held.iter_mut().for_each(|held| held.tasks.retain(|task| !task.state.is_ended()));
            self.ended_rows_lost += rows as u64;
        }
        if let Some(last) = self.held.last_mut() {
            last.losses.ended_rows += self.ended_rows_lost;
        }
    }

    /// Nothing is written once the file is full.
    fn write(&mut self, book: &Book) {
        let full = |writer: &Writer<File>| writer.bytes().saturating_mul(KEPT as u64) >= self.setting.limit;
        if !matches!(&self.phase, Phase::Open(open) if full(&open.writer)) {
            self.write_all(book);
        }
    }

    fn keep(mut self: Box<Self>, book: &Book) -> Kept {
        let kept = own_thread::run("file", || {
            self.write_all(book);
            let complaint = self.setting.complaint.take();
            match std::mem::replace(&mut self.phase, Phase::Blank) {
                Phase::Blank => Kept { path: None, trouble: Some("there was nothing to record".to_owned()) },
                Phase::Failed(path, why) => Kept { path, trouble: Some(why) },
                Phase::Open(mut open) => {
                    let ended = open.writer.goodbye("the session ended").and_then(|()| open.writer.flush());
                    match ended {
                        // What it lacks without is an index.
                        Ok(()) => {
                            let _ = open.writer.finish();
                            Kept { path: Some(open.path), trouble: complaint }
                        }
                        Err(error) => {
                            let (path, why) = open.fail(&error);
                            Kept { path, trouble: Some(why) }
                        }
                    }
                }
            }
        });
        let kept =
            kept.unwrap_or_else(|| Kept { path: None, trouble: Some("no thread can write it".to_owned()) });
        if let Some(path) = &kept.path {
            make_room(self.setting.path(&book.file_stem(0), ""), path.clone());
        }
        kept
    }
}

impl Tape {
    fn write_all(&mut self, book: &Book) {
        let reports = std::mem::take(&mut self.held);
        if matches!(self.phase, Phase::Blank) && !reports.is_empty() {
            self.phase = self.begin(book);
        }
        let Phase::Open(open) = &mut self.phase else { return };
        let grave = reports.iter().any(|report| !report.stalls.is_empty());
        let mut written = reports.iter().try_for_each(|report| open.writer.report(report));
        if written.is_ok() && (grave || open.closed.elapsed() >= CHUNK) {
            open.closed = Instant::now();
            written = open.writer.flush();
            open.readable |= written.is_ok();
        }
        if let Err(error) = written {
            let (path, why) = open.fail(&error);
            self.phase = Phase::Failed(path, why);
        }
    }

    fn hello(&self, book: &Book) -> Hello {
        Hello { policy: self.setting.policy.clone(), ..book.hello(PROTOCOL) }
    }

    fn begin(&self, book: &Book) -> Phase {
        let opened = match name::create(&self.setting, book) {
            Ok((path, file)) => match Writer::new(file, &self.hello(book)) {
                Ok(writer) => {
                    let (writer, closed) = (Box::new(writer), Instant::now());
                    return Phase::Open(Open { path, writer, closed, readable: false });
                }
                Err(error) => {
                    let _ = fs::remove_file(path);
                    error
                }
            },
            Err(error) => error,
        };
        let folder = self.setting.folder.display();
        let why = match opened.kind() {
            ErrorKind::AlreadyExists | ErrorKind::NotADirectory => "that is no folder".to_owned(),
            _ => plain(&opened),
        };
        Phase::Failed(None, format!("cannot record to {folder}: {why}"))
    }
}

impl Drop for Tape {
    fn drop(&mut self) {
        match std::mem::replace(&mut self.phase, Phase::Blank) {
            Phase::Blank | Phase::Failed(None, _) => {}
            Phase::Failed(Some(path), _) => drop(fs::remove_file(path)),
            // A writer writes when it goes; and a file goes last, where one that is open cannot.
            Phase::Open(Open { path, writer, .. }) => {
                own_thread::run("file", || drop(writer));
                let _ = fs::remove_file(path);
            }
        }
    }
}

/// What there is of each test, oldest first.
pub(super) type Files = HashMap<PathBuf, VecDeque<PathBuf>>;

/// One more is kept: the oldest of the same test leave.
fn make_room(test: PathBuf, newest: PathBuf) {
    let mut files = TESTS.kept.lock().unwrap_or_else(PoisonError::into_inner);
    let of_test = files.entry(test).or_default();
    of_test.push_back(newest);
    while of_test.len() > KEPT {
        // Another process may have been first.
        let _ = of_test.pop_front().map(fs::remove_file);
    }
}
