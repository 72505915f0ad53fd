//! What carries reports out of the process, as `init` and the guard see it: served, pushed or written. What a build has
//! of it is handed in by `init` as one function ([`Open`]); what the settings ask for beyond that is refused here, in
//! words. Opens nothing itself and starts no thread.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pollscope_model::id::BootId;

use crate::report::reporter::{Dumped, Reporter};
use crate::setup::config::{Config, Dump, Listen, Record};
use crate::setup::error::{Failed, InitError};

/// Opens what is wanted, as far as this build can, and takes it out of the list.
pub(crate) type Open = fn(&Config, BootId, &mut Wanted, Failed<'_>) -> Result<Box<dyn Opened>, InitError>;

/// What was opened: its sockets and files are there, and no thread runs yet.
pub(crate) trait Opened {
    /// Starts the threads.
    fn start(self: Box<Self>, reporter: &Reporter) -> io::Result<Outlets>;
}

/// One way out, with threads of its own. The reporter has ended before it is stopped.
pub(crate) trait Outlet: Send + Sync {
    /// Where viewers can attach.
    fn address(&self) -> Option<&Listen> {
        None
    }

    /// The file that is recorded into.
    fn record_path(&self) -> Option<&Path> {
        None
    }

    /// What writes dumps into files.
    fn dump_files(&self) -> Option<Arc<dyn DumpFiles>> {
        None
    }

    /// Waits until everything was handed to the readers, but not beyond the deadline.
    fn flush(&self, deadline: Instant);

    /// Says to the threads that they end; waits for nothing.
    fn begin_stop(&mut self, _deadline: Instant) {}

    /// Waits for the threads' end; one that has not ended by the deadline is left behind.
    fn stop(self: Box<Self>, deadline: Instant);
}

/// Writes dumps into files.
pub(crate) trait DumpFiles: Send + Sync {
    /// Has the events handed out now, and written if it is their turn. `None` if the reporter has ended or is
    /// busy for too long.
    fn dump(&self, last_ns: u64, patience: Duration) -> Option<Dumped>;
}

/// How long stopping and flushing wait for readers.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);

/// The outlets of one guard.
#[derive(Default)]
pub(crate) struct Outlets(pub(crate) Vec<Box<dyn Outlet>>);

impl Outlets {
    /// Where viewers can attach.
    pub(crate) fn address(&self) -> Option<&Listen> {
        self.0.iter().find_map(|outlet| outlet.address())
    }

    /// The file that is recorded into.
    pub(crate) fn record_path(&self) -> Option<&Path> {
        self.0.iter().find_map(|outlet| outlet.record_path())
    }

    /// What writes dumps into files, if that is wanted.
    pub(crate) fn dump_files(&self) -> Option<Arc<dyn DumpFiles>> {
        self.0.iter().find_map(|outlet| outlet.dump_files())
    }

    /// Waits until everything was handed to the readers, for at most [`PATIENCE`] and not beyond the deadline.
    pub(crate) fn flush(&self, deadline: Instant) {
        let deadline = deadline.min(Instant::now() + PATIENCE);
        self.0.iter().for_each(|outlet| outlet.flush(deadline));
    }

    /// Says goodbye to the readers, completes the files and ends the threads; a thread that has not ended by the
    /// deadline is left behind. The reporter has ended before.
    pub(crate) fn stop(mut self, deadline: Instant) {
        self.0.iter_mut().for_each(|outlet| outlet.begin_stop(deadline));
        self.0.into_iter().for_each(|outlet| outlet.stop(deadline));
    }
}

const NO_EXPORT: &str = "pollscope is built without its `export` feature";
const NO_FILES: &str = if cfg!(feature = "export") {
    "pollscope is built without its `recording` feature"
} else {
    "pollscope is built without its features `export`, which `pollscope check -- CMD` needs, and `recording`, which \
     writes files"
};

/// What the settings ask for, less what was opened or failed to open.
pub(crate) struct Wanted {
    /// Where to listen.
    pub(crate) listen: Listen,
    /// The collector.
    pub(crate) endpoint: Option<String>,
    /// The recording.
    pub(crate) record: Option<Record>,
    /// Dumps.
    pub(crate) dump: Dump,
}

impl Wanted {
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            listen: config.listen.clone(),
            endpoint: config.endpoint.clone(),
            record: config.recording(),
            dump: config.dump.clone(),
        }
    }

    /// Says of what is left that this build cannot do it, and gives the collector to which nothing is sent.
    pub(crate) fn refuse(self, failed: Failed<'_>) -> Result<Option<String>, InitError> {
        let Self { listen, endpoint, record, dump } = self;
        if matches!(listen, Listen::Unix(_) | Listen::Tcp(_)) {
            failed(InitError::Listen(format!("cannot listen on {listen}: {NO_EXPORT}")))?;
        }
        if let Some(record) = record {
            failed(InitError::Record(format!("cannot record to {}: {NO_FILES}", record.path.display())))?;
        }
        if let Some(folder) = dump.folder {
            failed(InitError::Dump(format!("cannot dump to {}: {NO_FILES}", folder.display())))?;
        }
        if let Some(signal) = dump.signal {
            failed(InitError::Dump(format!("cannot dump on {}: {NO_FILES}", signal.as_str())))?;
        }
        Ok(endpoint.map(|url| format!("cannot report to {url}: {NO_EXPORT}")))
    }
}
