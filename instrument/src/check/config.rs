//! What a session is judged by: the defaults, then `pollscope.toml`, then what the test asks for. The rim of this
//! room: files and the environment are read here and nowhere else.

use std::path::{Path, PathBuf};
use std::time::Duration;

use pollscope_model::detect;
use pollscope_model::level::Level;
use pollscope_model::policy::CheckLimits;
use pollscope_model::policy::Policy;
use pollscope_model::policy::Terms;
use pollscope_model::policy::least_poll_ns;
use pollscope_model::verdict::ending::EndingLevels;

use super::session::Asked;
use crate::setup::config::Record;
use crate::setup::env;

/// The policy's file name.
const FILE: &str = "pollscope.toml";
/// The largest policy that is read.
const MAX_BYTES: u64 = pollscope_system::file::MAX_TEXT_BYTES;
/// Slow polls are told one by one from there on, unless a limit is smaller.
const SLOW_POLL: Duration = Duration::from_millis(1);
/// The smallest length from which on they can be.
const LEAST_SLOW_POLL: Duration = Duration::from_micros(10);
/// The youngest open poll that is looked at.
const LEAST_STALL: Duration = Duration::from_millis(1);

/// A handle often resolves before its task has ended, and what it held is dropped after that.
const PATIENCE: Duration = Duration::from_millis(500);

/// Everything that decides about one session's verdict.
pub(super) struct Config {
    pub(super) policy: Policy,
    pub(super) terms: Terms,
    pub(super) levels: EndingLevels,
    pub(super) timeout: Option<Duration>,
    /// Polls from this length on leave evidence.
    pub(super) slow_poll: Duration,
    /// Polls that are open for longer are looked at, so that the failure has the line.
    pub(super) stall: Option<Duration>,
    /// How long tasks that are about to end may take.
    pub(super) patience: Duration,
}

impl Config {
    /// Of a session whose test lives in that folder, or why the policy cannot be used.
    pub(super) fn of(asked: &Asked, project: Option<&Path>) -> Result<Self, String> {
        let policy = match policy_file(project) {
            Some(path) => read(&path)?,
            None => Policy::default(),
        };
        let policy = match asked.profile.as_deref().filter(|name| !name.is_empty()) {
            Some(name) => policy.profile(name).map_err(|error| error.to_string())?.clone(),
            None => policy,
        };
        Ok(Self::with(asked, policy))
    }

    /// With a policy that is known.
    pub(super) fn with(asked: &Asked, policy: Policy) -> Self {
        let ns =
            |limit: Option<Duration>| limit.map(|limit| u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX));
        let terms = policy.terms();
        let limits = CheckLimits {
            max_poll_ns: ns(asked.max_poll).or(terms.limits.max_poll_ns),
            p99_poll_ns: ns(asked.p99_poll).or(terms.limits.p99_poll_ns),
            max_sched_delay_ns: ns(asked.max_sched_delay).or(terms.limits.max_sched_delay_ns),
            // What is left is told by the end of the test, with more of what is known.
            no_leaks: false,
            ..terms.limits
        };
        let (levels, set) = levels(asked, &policy);
        let smallest = least_poll_ns(&limits, &terms.scopes);
        let smallest = smallest.map_or(Duration::MAX, Duration::from_nanos);
        let expectations = terms.expectations.into_iter().chain(asked.expected.iter().cloned()).collect();
        // Over the limit: being looked at ends a sleep, and what the thread then waits for a CPU is off the
        // time that counts. So what had to count has counted before.
        let stall = smallest.min(Duration::from_millis(10));
        let stall = stall + stall / 8;
        Self {
            terms: Terms {
                limits,
                scopes: terms.scopes,
                levels: set.into_iter().map(|(detector, level)| (detector.into(), level)).collect(),
                fail_on: terms.fail_on,
                expectations,
            },
            policy,
            levels,
            timeout: asked.timeout,
            slow_poll: SLOW_POLL.min(smallest).max(LEAST_SLOW_POLL),
            stall: Some(stall.max(LEAST_STALL)),
            patience: PATIENCE,
        }
    }
}

/// The levels of what is left behind; and all levels that were set, of which the last counts.
fn levels(asked: &Asked, policy: &Policy) -> (EndingLevels, Vec<(&'static str, Level)>) {
    let mut levels = EndingLevels::default();
    let mut set = Vec::new();
    // A policy that makes a rule stricter or milder than it is by default means tests too.
    for (detector, default) in detect::ALL.iter().zip(detect::ALL.iter().map(|detector| detector.level)) {
        let level = policy.rule_of(detector.id).map_or(default, |rule| rule.level);
        if level != default {
            set.push((detector.id, level));
        }
    }
    for (detector, level) in &policy.check().levels {
        set.extend(detect::index_of(detector).map(|index| (detect::ALL[index].id, *level)));
    }
    if policy.check().limits.no_leaks {
        set.push(("task-leak", Level::Deny));
    }
    let own = [
        ("task-leak", asked.leaks),
        ("lost-waker", asked.lost_wakers),
        ("forgotten-task", asked.forgotten),
        ("self-wake-storm", asked.self_wake),
    ];
    set.extend(own.into_iter().filter_map(|(detector, level)| Some((detector, level?))));
    set.extend(asked.levels.iter().copied());
    for (detector, level) in &set {
        match *detector {
            "task-leak" => levels.leaks = *level,
            "lost-waker" => levels.lost_wakers = *level,
            "forgotten-task" => levels.forgotten = *level,
            "self-wake-storm" => levels.self_wake = *level,
            "swallowed-panic" => levels.swallowed_panics = *level,
            _ => {}
        }
    }
    (levels, set)
}

/// `POLLSCOPE_POLICY`, or the first `pollscope.toml` on the way up from the project's folder.
#[expect(clippy::disallowed_methods, reason = "the rim: the environment is read here")]
fn policy_file(project: Option<&Path>) -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("POLLSCOPE_POLICY").filter(|path| !path.is_empty()) {
        return Some(path.into());
    }
    let folder = project
        .map(Path::to_owned)
        .or_else(|| std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from))
        .or_else(|| std::env::current_dir().ok())?;
    folder.ancestors().map(|folder| folder.join(FILE)).find(|path| path.is_file())
}

fn read(path: &Path) -> Result<Policy, String> {
    let shown = path.display();
    let text = pollscope_system::file::read_text(path, MAX_BYTES)
        .map_err(|error| format!("cannot read the policy {shown}: {error}"))?;
    Policy::parse_file(&text, &shown.to_string()).map_err(|error| format!("{shown}: {error}"))
}

/// Where the sessions of this process that fail leave their recordings.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct RecordSetting {
    pub(super) folder: PathBuf,
    /// Before the names of the files.
    pub(super) prefix: String,
    /// Bytes of all files of one test together.
    pub(super) limit: u64,
    /// For viewers of the recording: `pollscope.toml` text.
    pub(super) policy: String,
    /// What of the environment is ignored, and why.
    pub(super) complaint: Option<String>,
}

impl RecordSetting {
    fn of(record: Record) -> Self {
        // A test may change its folder; and the path is read in another one.
        let path = std::path::absolute(&record.path).unwrap_or(record.path);
        let is_file = path.extension().is_some_and(|ending| ending == "mcap");
        match (path.parent(), path.file_stem()) {
            (Some(folder), Some(stem)) if is_file => Self {
                folder: folder.into(),
                prefix: format!("{}-", stem.to_string_lossy()),
                limit: record.limit,
                ..Self::default()
            },
            _ => Self { folder: path, limit: record.limit, ..Self::default() },
        }
    }

    /// Of a file with that name in the middle.
    #[cfg(any(feature = "recording", test))]
    pub(super) fn path(&self, stem: &str, ending: &str) -> PathBuf {
        self.folder.join(format!("{}{stem}{ending}", self.prefix))
    }
}

/// What `POLLSCOPE_RECORD` asks for, or why that is nothing that can be done.
#[expect(clippy::disallowed_methods, reason = "the rim: the environment is read here")]
pub(super) fn recording() -> Option<Result<RecordSetting, String>> {
    if is_switched_off() {
        return None;
    }
    let mut config = crate::setup::config::Config::default();
    let read = |name: &str| name.starts_with("POLLSCOPE_RECORD").then(|| std::env::var_os(name)).flatten();
    let complaint = env::apply(&mut config, read).into_iter().next();
    match config.recording() {
        Some(record) => Some(Ok(RecordSetting { complaint, ..RecordSetting::of(record) })),
        None => complaint.map(Err),
    }
}

/// Whether `POLLSCOPE` switches everything off.
#[expect(clippy::disallowed_methods, reason = "the rim: the environment is read here")]
pub(super) fn is_switched_off() -> bool {
    std::env::var_os("POLLSCOPE").is_some_and(|value| value == "off")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beside_a_file_that_is_named_and_in_a_folder() {
        let setting = |path: &str| RecordSetting::of(Record { path: path.into(), limit: 7 });
        let named = setting("/runs/ci.mcap").path("cart-1-2", ".mcap");
        assert_eq!(named, Path::new("/runs/ci-cart-1-2.mcap"));
        assert_eq!(setting("/runs/ci").path("cart-1-2", "-2.mcap"), Path::new("/runs/ci/cart-1-2-2.mcap"));
        assert!(setting("runs").folder.is_absolute());
    }
}
