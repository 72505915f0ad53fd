//! The [`Builder`], every setting by a method of its own, and [`init`], which starts without one.
//!
//! Above everything that it starts; the crate's root shows it, and no other room calls it.

use std::path::PathBuf;
use std::time::Duration;

use pollscope_model::measured::Mode;
use pollscope_model::time::Nanos;
use pollscope_recorder::flight::Flight;

use crate::report::overload;
use crate::setup::config::{Config, DumpSignal, Listen, endpoint, interval, policy, record, record_limit};
use crate::setup::error::InitError;
use crate::setup::guard::Guard;
use crate::setup::init::{start_anyway, start_strictly};
use crate::setup::notice::LogLevel;

/// Every setting of pollscope, for a process that wants more than [`init`](crate::init()).
///
/// The environment overrides what is set here (see [`env`](crate::setup::env)), so that the operator of the
/// service has the last word. A setting that cannot be used is reported by [`Builder::try_init`],
/// and by [`Builder::init`] with one line on stderr.
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until `init` or `try_init`"]
pub struct Builder {
    config: Config,
    complaints: Vec<String>,
}

impl Builder {
    /// Default settings.
    pub fn new() -> Self {
        Self::default()
    }

    /// The service's name; by default the executable's file name.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.config.name = Some(name.into());
        self
    }

    /// Where the process can be attached to; by default a Unix socket of its own.
    pub fn listen(mut self, listen: Listen) -> Self {
        self.config.listen = listen;
        self
    }

    /// A collector to report to, such as `http://collector:7700`. While it is away, reports are kept
    /// in a bounded buffer.
    pub fn endpoint(self, url: &str) -> Self {
        self.set(&format!("endpoint `{url}`"), endpoint(url), |config, url| config.endpoint = Some(url))
    }

    /// Time between two reports, 10 ms to 60 s; by default 250 ms. Without a reader, at least 1 s.
    pub fn interval(self, between: Duration) -> Self {
        let what = format!("interval {}", Nanos(between.as_nanos() as u64));
        self.set(&what, interval(between), |config, interval| config.interval = interval)
    }

    /// Where to record what viewers would be told: a file if the path ends in `.mcap`, else a folder
    /// with a file for each process, made if it is missing. `pollscope open FILE` replays it.
    ///
    /// Files that are there already, and files that are full, become `name.1.mcap` to `name.3.mcap`, and
    /// the oldest leaves. A thread of its own writes; a killed process loses a second at most. Needs the
    /// `recording` feature; in a folder in which `pollscope check -- CMD` waits, what would be written is pushed to that
    /// command instead, which needs no feature but `export`.
    pub fn record(self, path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let what = format!("record {}", path.display());
        self.set(&what, record(path), |config, path| config.record = Some(path))
    }

    /// Bytes that the files of a recording may take together; by default 256 MiB, at least 1 MiB. A file
    /// holds a quarter of it, or twice its own snapshot where that is more.
    pub fn record_limit(self, bytes: u64) -> Self {
        let what = format!("record limit of {bytes} bytes");
        self.set(&what, record_limit(bytes), |config, bytes| config.record_limit = bytes)
    }

    /// A folder, made if it is missing, in which each dump also becomes a file: a small recording of the
    /// whole state and the single polls and wakes of the last moments, for `pollscope open FILE`. A dump is
    /// asked for by a call ([`dump`](crate::dump()), [`Guard::dump`]) or by a [signal](Self::dump_on).
    ///
    /// To have the moments before, it needs [`Flight::Always`]. A thread of its own writes, one file in five
    /// seconds at most; the newest ten of a service stay. Needs the `recording` feature.
    pub fn dump_to(self, folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        let what = format!("dump folder {}", folder.display());
        self.set(&what, record(folder), |config, folder| config.dump.folder = Some(folder))
    }

    /// Dumps the last 15 s when that signal comes, within about a tenth of a second; by default on none. Refused if the
    /// process has a handler for it already; ours does nothing but set a flag, and stays until the process
    /// ends. Unix only; needs the `recording` feature.
    pub fn dump_on(mut self, signal: DumpSignal) -> Self {
        self.config.dump.signal = Some(signal);
        self
    }

    /// The deepest mode that may be used; by default the deepest that the build allows.
    pub fn mode(mut self, limit: Mode) -> Self {
        self.config.recorder.limit = limit;
        self
    }

    /// Polls from this length on are slow: they leave evidence and count as such. By default 1 ms.
    pub fn slow_poll(mut self, limit: Duration) -> Self {
        self.config.recorder.slow_poll_ns = limit.as_nanos() as u64;
        self
    }

    /// Waits for a worker from this length on are an overload if they stay (see
    /// [`overloaded`](crate::overloaded)), 2 ms to 60 s; by default 50 ms.
    pub fn overload_limit(self, limit: Duration) -> Self {
        let what = format!("overload limit {}", Nanos(limit.as_nanos() as u64));
        self.set(&what, overload::limit(limit), |config, limit| config.overload_limit = limit)
    }

    /// Whether the runtimes that are attached from now on track how long each task waits for a worker: then tasks that
    /// only tokio's hooks see, libraries' included, have their schedule delay like wrapped ones. By default not.
    ///
    /// The delay is tokio's own, from the moment the task is put into a queue to its poll. A wake that comes during a poll
    /// counts from the end of that poll, as it does for wrapped tasks. Needs `--cfg tokio_unstable`, a 64-bit system, and
    /// this call before [`attach`](crate::attach). Tokio reads the clock twice more for each poll, of wrapped tasks too.
    pub fn schedule_delay(mut self, on: bool) -> Self {
        self.config.schedule_delay = on;
        self
    }

    /// When single polls and wakes are recorded; by default [`Flight::Demand`]. Recording them costs a
    /// poll and a wake some nanoseconds more.
    pub fn flight(mut self, when: Flight) -> Self {
        self.config.recorder.flight = when;
        self
    }

    /// How many single polls and wakes each thread keeps, 24 bytes each: rounded up to a power of two,
    /// by default 32,768. At most 128 threads keep them.
    pub fn flight_events(mut self, events: u32) -> Self {
        self.config.recorder.flight_events = events;
        self
    }

    /// A poll that is open for this long is looked at while it is: what its thread does, by the kernel's
    /// word and by its stack. By default 10 ms; never less than [`slow_poll`](Self::slow_poll).
    ///
    /// Costs a thread of our own about a thousandth of a core. The service's threads do nothing for it but
    /// answer a signal, at most 20 times a second, when they have been in one poll for so long.
    pub fn stall(mut self, limit: Duration) -> Self {
        self.config.stall = Some(limit);
        self
    }

    /// Polls are not looked at while they are open: no watchdog, no stacks, no stalls.
    pub fn no_stalls(mut self) -> Self {
        self.config.stall = None;
        self
    }

    /// Most tasks that get a record of their own while they live, a million by default; further ones are counted per
    /// site only. A record takes 224 bytes. Ended tasks whose wakers are still held somewhere have theirs beside these,
    /// as many again at most; a join handle or a `JoinSet` that is held keeps none.
    pub fn max_tasks(mut self, tasks: u32) -> Self {
        self.config.recorder.max_tasks = tasks;
        self
    }

    /// The policy that viewers and collectors are to judge this process by, as the text of a
    /// `pollscope.toml` of at most 256 KiB.
    pub fn policy(self, toml: impl Into<String>) -> Self {
        self.set("policy", policy(toml.into()), |config, text| config.policy = text)
    }

    /// How much pollscope says on stderr; by default [`LogLevel::Warn`].
    pub fn log(mut self, level: LogLevel) -> Self {
        self.config.log = level;
        self
    }

    /// Starts. Never panics and never fails: what does not work is said in one line on stderr each,
    /// and the rest goes on without it.
    pub fn init(self) -> Guard {
        start_anyway(self.config, self.complaints)
    }

    /// Starts, or says what is in the way, such as an earlier guard; then nothing that this call began is running.
    pub fn try_init(self) -> Result<Guard, InitError> {
        start_strictly(self.config, self.complaints)
    }

    fn set<T>(mut self, what: &str, value: Result<T, String>, put: impl FnOnce(&mut Config, T)) -> Self {
        match value {
            Ok(value) => put(&mut self.config, value),
            Err(why) => self.complaints.push(format!("{what} is ignored: {why}")),
        }
        self
    }
}

/// Starts pollscope with default settings, overridden by the environment (see
/// [`env`](mod@crate::setup::env)): the one line that a service adds.
///
/// ```no_run
/// let _guard = pollscope::init();
/// ```
///
/// Never panics, never fails: what does not work is said in one line on stderr. With `POLLSCOPE=off`
/// nothing happens at all. Guards are counted: while an earlier one is alive, this one joins it
/// ([`Status::Secondary`](crate::Status::Secondary)), and what runs ends with the last of them, as where each test of a
/// process calls `init`. One that comes while the last is ending waits for that, mostly for some milliseconds and
/// for five seconds at most, and starts anew.
///
/// A program that forks without `exec` (a daemon, a preforking server) calls it in the child: after a fork nothing that
/// ran before is recorded in the child any more, and a child of a process in which a guard is alive is refused here.
pub fn init() -> Guard {
    Builder::new().init()
}

/// Starts pollscope like [`init`], or says what is in the way, such as an earlier guard; then nothing that this call began
/// is running.
pub fn try_init() -> Result<Guard, InitError> {
    Builder::new().try_init()
}

/// Every setting, for a process that wants more than [`init`].
pub fn builder() -> Builder {
    Builder::new()
}
