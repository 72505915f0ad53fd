//! The settings of one process and the [`Builder`] that makes them. Pure: reads no environment,
//! opens nothing.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use pollscope_model::measured::Mode;
use pollscope_model::time::Nanos;

use crate::guard::Guard;
use crate::init::{self, InitError};
use crate::notice::LogLevel;
use crate::overload;
use crate::record::Settings;

/// Time between two reports while somebody reads them.
///
/// A quarter of a second: new tasks are on screen before a person wonders, and the drain, whose cost
/// follows what changed, stays far below one per cent of a core for a service of ordinary size.
pub(crate) const DEFAULT_INTERVAL: Duration = Duration::from_millis(250);
const INTERVALS: std::ops::RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(60);
/// Bytes that the files of a recording may take together.
pub(crate) const DEFAULT_RECORD_LIMIT: u64 = 256 << 20;
/// Below that a recording would be all beginnings.
const MIN_RECORD_LIMIT: u64 = 1 << 20;
/// Polls that are open for longer are looked at: what `blocking-poll` warns of.
pub(crate) const DEFAULT_STALL: Duration = Duration::from_millis(10);
/// The most that a policy may take: it travels in every greeting.
const MAX_POLICY_BYTES: usize = 256 * 1024;

/// Where a process can be attached to. Prints as a value for `--from`.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum Listen {
    /// A Unix socket named after the process id, in `$XDG_RUNTIME_DIR/pollscope/` or
    /// `/tmp/pollscope-<uid>/`.
    #[default]
    Auto,
    /// Nowhere.
    Off,
    /// That Unix socket.
    Unix(PathBuf),
    /// TCP on a loopback address; port 0 takes a free one.
    Tcp(SocketAddr),
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("unix"),
            Self::Off => f.write_str("off"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(address) => address.fmt(f),
        }
    }
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim() {
            "unix" => Ok(Self::Auto),
            "off" => Ok(Self::Off),
            text => match text.strip_prefix("unix:") {
                Some("") => Err("the path is empty".to_owned()),
                Some(path) => Ok(Self::Unix(path.into())),
                None => text
                    .replacen("localhost:", "127.0.0.1:", 1)
                    .parse()
                    .map(Self::Tcp)
                    .map_err(|_| "that is no address".to_owned()),
            },
        }
    }
}

/// Where to record, and how much.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Record {
    /// A file if it ends in `.mcap`, else a folder.
    pub(crate) path: PathBuf,
    /// Bytes of all its files together.
    pub(crate) limit: u64,
}

/// When the flight recorder records: single polls and wakes, the newest of each thread.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum Flight {
    /// Never: whoever asks is told so.
    Off,
    /// While somebody looks at them.
    #[default]
    Demand,
    /// From the start, so that whoever asks also gets the moments before. A file that is recorded into
    /// (`POLLSCOPE_RECORD`) holds them all then.
    Always,
}

impl Flight {
    const ALL: [Self; 3] = [Self::Off, Self::Demand, Self::Always];

    /// The name in `POLLSCOPE_FLIGHT`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Demand => "demand",
            Self::Always => "always",
        }
    }
}

impl FromStr for Flight {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = Self::ALL.into_iter().find(|mode| mode.as_str() == text.trim());
        named.ok_or_else(|| "there is no such setting".to_owned())
    }
}

/// A signal that asks a process for a dump.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum DumpSignal {
    /// `SIGUSR1`.
    Usr1,
    /// `SIGUSR2`.
    Usr2,
}

impl DumpSignal {
    const ALL: [Self; 2] = [Self::Usr1, Self::Usr2];

    /// The name in `POLLSCOPE_DUMP_SIGNAL`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Usr1 => "usr1",
            Self::Usr2 => "usr2",
        }
    }
}

impl FromStr for DumpSignal {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = Self::ALL.into_iter().find(|signal| signal.as_str() == text.trim());
        named.ok_or_else(|| "that is none of them".to_owned())
    }
}

/// Where to dump, and on which signal.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Dump {
    pub(crate) folder: Option<PathBuf>,
    pub(crate) signal: Option<DumpSignal>,
}

/// What was decided; see [`Builder`] for the meaning of each.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) enabled: bool,
    pub(crate) name: Option<String>,
    pub(crate) listen: Listen,
    pub(crate) endpoint: Option<String>,
    pub(crate) interval: Duration,
    pub(crate) overload_limit: Duration,
    pub(crate) record: Option<PathBuf>,
    pub(crate) record_limit: u64,
    pub(crate) dump: Dump,
    pub(crate) recorder: Settings,
    /// `None`: no watchdog.
    pub(crate) stall: Option<Duration>,
    pub(crate) policy: String,
    pub(crate) log: LogLevel,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            enabled: true,
            name: None,
            listen: Listen::Auto,
            endpoint: None,
            interval: DEFAULT_INTERVAL,
            overload_limit: overload::DEFAULT_LIMIT,
            record: None,
            record_limit: DEFAULT_RECORD_LIMIT,
            dump: Dump::default(),
            recorder: Settings::default(),
            stall: Some(DEFAULT_STALL),
            policy: String::new(),
            log: LogLevel::default(),
        }
    }
}

impl Config {
    /// The recording that is asked for.
    pub(crate) fn recording(&self) -> Option<Record> {
        self.record.clone().map(|path| Record { path, limit: self.record_limit })
    }
}

/// A path to record into.
pub(crate) fn record(path: PathBuf) -> Result<PathBuf, String> {
    if path.as_os_str().is_empty() {
        return Err("the path is empty".to_owned());
    }
    if path.to_string_lossy().contains(char::is_control) {
        return Err("the path has control characters".to_owned());
    }
    Ok(path)
}

pub(crate) fn record_limit(bytes: u64) -> Result<u64, String> {
    if bytes < MIN_RECORD_LIMIT { Err("it is below 1MiB".to_owned()) } else { Ok(bytes) }
}

/// Checks a collector's address and brings it into the form `http://host:port`.
pub(crate) fn endpoint(text: &str) -> Result<String, String> {
    let text = text.trim().trim_end_matches('/');
    let rest = match text.split_once("://") {
        Some(("http", rest)) => rest,
        Some(("https", _)) => return Err("TLS is not supported yet".to_owned()),
        Some(_) => return Err("the scheme is not http".to_owned()),
        None => text,
    };
    let (host, port) = rest.rsplit_once(':').ok_or("the port is missing")?;
    let bad = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']'));
    if host.is_empty() || host.contains(bad) {
        return Err("that is no host".to_owned());
    }
    match port.parse::<u16>() {
        Ok(port) if port > 0 => Ok(format!("http://{host}:{port}")),
        _ => Err("that is no port".to_owned()),
    }
}

pub(crate) fn interval(interval: Duration) -> Result<Duration, String> {
    if INTERVALS.contains(&interval) { Ok(interval) } else { Err("it is out of range".to_owned()) }
}

pub(crate) fn policy(text: String) -> Result<String, String> {
    if text.len() > MAX_POLICY_BYTES { Err("it is over 256 KiB".to_owned()) } else { Ok(text) }
}

/// Every setting of pollscope, for a process that wants more than [`init`](crate::init()).
///
/// The environment overrides what is set here (see [`env`](crate::env)), so that whoever runs the
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

    /// Time between two reports, 10 ms to 60 s; by default 250 ms. While nobody reads, at least 1 s.
    pub fn interval(self, between: Duration) -> Self {
        let what = format!("interval {}", Nanos(between.as_nanos() as u64));
        self.set(&what, interval(between), |config, interval| config.interval = interval)
    }

    /// Where to record what viewers would be told: a file if the path ends in `.mcap`, else a folder
    /// with a file for each process, made if it is missing. `pollscope open FILE` replays it.
    ///
    /// Files that are there already, and files that are full, become `name.1.mcap` to `name.3.mcap`, and
    /// the oldest leaves. A thread of its own writes; a killed process loses a second at most. Needs the
    /// `recording` feature, which is on by default.
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
    /// seconds at most; the newest ten of a service stay. Needs the `recording` feature, which is on by
    /// default.
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

    /// Nobody looks at polls while they are open: no watchdog, no stacks, no stalls.
    pub fn no_stalls(mut self) -> Self {
        self.config.stall = None;
        self
    }

    /// Most tasks that get a record of their own; further ones are counted per site only.
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
        init::start_anyway(self.config, self.complaints)
    }

    /// Starts, or says what is in the way; then nothing is running.
    pub fn try_init(self) -> Result<Guard, InitError> {
        init::start_strictly(self.config, self.complaints)
    }

    fn set<T>(mut self, what: &str, value: Result<T, String>, put: impl FnOnce(&mut Config, T)) -> Self {
        match value {
            Ok(value) => put(&mut self.config, value),
            Err(why) => self.complaints.push(format!("{what} is ignored: {why}")),
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_they_print() {
        for text in ["unix", "off", "unix:/run/x.sock", "127.0.0.1:0", "[::1]:7000"] {
            assert_eq!(text.parse::<Listen>().map(|listen| listen.to_string()), Ok(text.to_owned()));
        }
        assert_eq!("localhost:80".parse(), Ok(Listen::Tcp(([127, 0, 0, 1], 80).into())));
        for bad in ["", "unix:", "somewhere", "127.0.0.1", "127.0.0.1:99999"] {
            assert!(bad.parse::<Listen>().is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn a_collector_is_a_host_and_a_port() {
        assert_eq!(endpoint("collector:7700"), Ok("http://collector:7700".to_owned()));
        assert_eq!(endpoint("http://[::1]:7700/"), Ok("http://[::1]:7700".to_owned()));
        for bad in ["", "collector", "https://collector:7700", "ftp://c:1", "a b:1", "c:0", "c:x", ":7"] {
            assert!(endpoint(bad).is_err(), "{bad:?} was taken");
        }
    }
}
