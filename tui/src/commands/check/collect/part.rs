//! The files of what processes push: one for each process, and another when one is full. Called by
//! [`collect`](super), one message at a time.

use std::collections::{HashMap, VecDeque};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pollscope_model::hello::Hello;
use pollscope_model::id::BootId;
use pollscope_model::report::{Report, ReportKind};
use pollscope_proto::recording::{EXTENSION, Writer};
use tonic::Status;

/// Bytes of one file, and the files of one process that stay: what a process would write itself.
const PART_BYTES: u64 = 64 << 20;
const PARTS: usize = 4;
/// Names that are tried for one file.
const TRIES: u32 = 1_000;
/// A chunk is closed at least so often: what is lost when this program is killed.
const CHUNK: Duration = Duration::from_secs(1);

/// The files of all processes of a run.
pub(super) struct Parts {
    folder: PathBuf,
    processes: HashMap<BootId, Process>,
}

/// The files of one process.
#[derive(Default)]
struct Process {
    written: VecDeque<PathBuf>,
    open: Option<Open>,
}

/// The file that is written.
struct Open {
    writer: Box<Writer<File>>,
    closed: Instant,
    last_seq: Option<u64>,
    /// Bytes that the snapshot at its beginning took.
    snapshot: u64,
    changed: bool,
}

impl Parts {
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), processes: HashMap::new() }
    }

    /// A process greets, for the first time or again; gives the number of its last report.
    pub(super) fn greet(&mut self, hello: &Hello) -> io::Result<Option<u64>> {
        let process = self.processes.entry(hello.boot).or_default();
        if let Some(open) = &mut process.open {
            open.writer.hello(hello)?;
            return Ok(open.last_seq);
        }
        let (path, file) = create(&self.folder, hello)?;
        process.written.push_back(path);
        if process.written.len() > PARTS {
            let _ = process.written.pop_front().map(fs::remove_file);
        }
        let writer = Box::new(Writer::new(file, hello)?);
        let closed = Instant::now();
        process.open = Some(Open { writer, closed, last_seq: None, snapshot: 0, changed: false });
        Ok(None)
    }

    /// Writes a report. A file that is full ends, and so does the stream, after which the process begins again with
    /// a snapshot.
    pub(super) fn write(&mut self, report: &Report) -> Result<(), Status> {
        let process = self.processes.get_mut(&report.boot);
        let Some((process, open)) =
            process.and_then(|process| process.open.take().map(|open| (process, open)))
        else {
            return Err(Status::aborted("another recording of this process begins"));
        };
        let open = open.take(report).map_err(|error| super::refused(&error))?;
        if report.kind == ReportKind::Delta && open.is_full() {
            open.finish().map_err(|error| super::refused(&error))?;
            return Err(Status::aborted("this part of the recording is full and another one begins"));
        }
        process.open = Some(open);
        Ok(())
    }

    /// The process ended in good order.
    pub(super) fn end(&mut self, boot: BootId, reason: &str) -> io::Result<()> {
        match self.processes.get_mut(&boot).and_then(|process| process.open.take()) {
            Some(mut open) => open.writer.goodbye(reason).and_then(|()| open.finish()),
            None => Ok(()),
        }
    }

    /// What no process completes any more can be read as far as it came.
    pub(super) fn cut_all(&mut self) {
        for process in self.processes.values_mut() {
            if let Some(mut open) = process.open.take() {
                let _ = open.writer.flush();
            }
        }
    }
}

impl Open {
    fn take(mut self, report: &Report) -> io::Result<Self> {
        self.writer.report(report)?;
        self.last_seq = Some(report.seq);
        if report.kind != ReportKind::Delta && !self.changed {
            self.snapshot = self.writer.bytes();
        }
        self.changed |= report.kind == ReportKind::Delta;
        if self.closed.elapsed() >= CHUNK {
            self.writer.flush()?;
            self.closed = Instant::now();
        }
        Ok(self)
    }

    /// A file whose snapshot alone is large holds at least as much of what came after it.
    fn is_full(&self) -> bool {
        self.writer.bytes() >= PART_BYTES.max(self.snapshot.saturating_mul(2))
    }

    fn finish(self) -> io::Result<()> {
        self.writer.finish().map(drop)
    }
}

/// A file of a name that is free: `checkout-4711.mcap`.
fn create(folder: &Path, hello: &Hello) -> io::Result<(PathBuf, File)> {
    let plain = |c: char| if c.is_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' };
    let name = &hello.process.name;
    let beyond = name.chars().count().saturating_sub(64);
    let name: String = name.chars().skip(beyond).skip_while(|c| *c == '.').map(plain).collect();
    for number in 1..TRIES {
        let other = if number == 1 { String::new() } else { format!("-{number}") };
        let path = folder.join(format!("{name}-{}{other}.{EXTENSION}", hello.process.pid));
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            opened => return opened.map(|file| (path, file)),
        }
    }
    Err(io::Error::other(format!("{TRIES} files of that name are there")))
}
