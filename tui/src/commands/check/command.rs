//! `check -- CMD`: runs a command with recording switched on, and keeps or removes what was recorded.

use std::ffi::OsString;
use std::fs;
use std::io::{self, IsTerminal};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use pollscope_model::policy::{Terms, least_poll_ns};
use pollscope_model::rule::limit::Amount;
use pollscope_model::time::MILLISECOND;
use pollscope_system::run_notes::RunNotes;
use tokio::process::{Child, Command};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::collect::Collecting;
use crate::commands::recordings;
use crate::output::failure::Failure;

/// What a service takes for slow by default.
const SLOW_POLL_NS: u64 = MILLISECOND;
/// The share of a limit from which on polls leave evidence.
const EVIDENCE: u64 = 2;

/// How the command ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// The command, as it would be typed.
    pub(super) words: String,
    /// Its code if it failed: 128 and the signal's number if one ended it.
    pub(super) code: Option<u8>,
    /// That it failed, in words.
    pub(super) failed: Option<String>,
}

/// Runs it to its end; signals that come meanwhile are passed on.
pub(super) fn run(command: &[OsString], folder: &Folder, terms: &Terms) -> Result<Ended, Failure> {
    let words = command.iter().map(shown).collect::<Vec<_>>().join(" ");
    let [program, arguments @ ..] = command else {
        return Err(Failure::Usage("the command after `--` is missing".to_owned()));
    };
    let mut child = Command::new(program);
    child.args(arguments).env("POLLSCOPE_RECORD", folder.path());
    if let Some(slow_poll) = slow_poll(terms) {
        child.env("POLLSCOPE_SLOW_POLL", slow_poll);
    }
    let status = crate::commands::block_on(async {
        // Before the command is there, so that no signal is lost.
        let mut signals = Signals::new().map_err(|error| Failure::io("listen for signals", error))?;
        let collecting = Collecting::begin(folder.path())?;
        let mut child = child.spawn().map_err(|error| not_started(program, error))?;
        let status = signals.pass_on(&mut child).await;
        collecting.end().await;
        status.map_err(|error| Failure::io(format!("wait for `{words}`"), error))
    })??;
    let code = code_of(status);
    let failed = (code > 0).then(|| match status.signal() {
        Some(signal) => format!("`{words}` was ended by signal {signal}."),
        None => format!("`{words}` failed with code {code}."),
    });
    Ok(Ended { words, code: Some(code).filter(|code| *code > 0), failed })
}

fn not_started(program: &OsString, error: io::Error) -> Failure {
    let name = shown(program);
    if error.kind() == io::ErrorKind::NotFound {
        return Failure::Usage(format!("there is no program `{name}`; expected a command after `--`"));
    }
    Failure::io(format!("run `{name}`"), error)
}

/// What POLLSCOPE_SLOW_POLL must be for limits to be judged: polls near a limit leave evidence.
fn slow_poll(terms: &Terms) -> Option<String> {
    let least = least_poll_ns(&terms.limits, &terms.scopes)?;
    let from = (least / EVIDENCE).clamp(1, SLOW_POLL_NS);
    Some(Amount::Nanos(from).to_string().trim_matches('"').to_owned())
}

fn code_of(status: ExitStatus) -> u8 {
    match (status.code(), status.signal()) {
        (Some(code), _) => u8::try_from(code).unwrap_or(1),
        (None, Some(signal)) => u8::try_from(128 + signal).unwrap_or(255),
        (None, None) => 1,
    }
}

/// A word of a command line, quoted if a shell would split it.
fn shown(word: &OsString) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_alphanumeric() || "-_=./:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// The signals that are for the command.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    quit: Signal,
    /// A terminal sends its signals to the command as well.
    terminal: bool,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
            quit: signal(SignalKind::quit())?,
            terminal: io::stdin().is_terminal(),
        })
    }

    async fn pass_on(&mut self, child: &mut Child) -> io::Result<ExitStatus> {
        use rustix::process::{Pid, Signal, kill_process};
        loop {
            let (signal, by_terminal) = tokio::select! {
                status = child.wait() => return status,
                _ = self.interrupt.recv() => (Signal::INT, self.terminal),
                _ = self.quit.recv() => (Signal::QUIT, self.terminal),
                _ = self.hangup.recv() => (Signal::HUP, self.terminal),
                _ = self.terminate.recv() => (Signal::TERM, false),
            };
            let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
            if let Some(pid) = pid.filter(|_| !by_terminal) {
                // It may have ended just now; then `wait` returns its code.
                let _ = kill_process(pid, signal);
            }
        }
    }
}

/// Where the processes of a command record.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// The user named it: it stays, whatever the verdict is.
    named: bool,
    /// What was in it before.
    before: Vec<(PathBuf, u64, i64)>,
}

impl Folder {
    /// Makes it, for this user alone.
    pub(super) fn new(keep: Option<&PathBuf>) -> Result<Self, Failure> {
        let path = keep.cloned().unwrap_or_else(temporary);
        let failed = |error| Failure::io(format!("make the folder {}", path.display()), error);
        let mut builder = fs::DirBuilder::new();
        // A folder of the temporary ones that is there already belongs to another program.
        builder.mode(0o700).recursive(keep.is_some()).create(&path).map_err(failed)?;
        // The command may run in another folder.
        let path = fs::canonicalize(&path).map_err(failed)?;
        let mut folder = Self { path, named: keep.is_some(), before: Vec::new() };
        folder.before = folder.identities()?;
        Ok(folder)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What was recorded since it was made.
    pub(super) fn recordings(&self) -> Result<Vec<PathBuf>, Failure> {
        self.fresh(recordings::in_folder(&self.path)?)
    }

    /// What its processes said beside that.
    pub(super) fn notes(&self) -> Result<RunNotes, Failure> {
        Ok(RunNotes::read(&self.fresh(recordings::notes_in_folder(&self.path)?)?))
    }

    fn fresh(&self, found: Vec<PathBuf>) -> Result<Vec<PathBuf>, Failure> {
        let identities = self.identities()?;
        let is_fresh =
            |path: &PathBuf| identities.iter().any(|one| one.0 == *path && !self.before.contains(one));
        Ok(found.into_iter().filter(is_fresh).collect())
    }

    fn identities(&self) -> Result<Vec<(PathBuf, u64, i64)>, Failure> {
        let identity = |path: PathBuf| {
            let file = fs::metadata(&path).ok()?;
            Some((path, file.ino(), file.mtime_nsec().wrapping_add(file.mtime() << 30)))
        };
        let recordings = recordings::in_folder(&self.path)?.into_iter();
        Ok(recordings.chain(recordings::notes_in_folder(&self.path)?).filter_map(identity).collect())
    }

    /// Keeps it if the user named it or the run did not pass; gives it if it is kept.
    pub(super) fn settle(self, passed: bool) -> Option<PathBuf> {
        if self.named || !passed {
            return Some(self.path);
        }
        self.discard()
    }

    /// Removes it unless the user named it.
    pub(super) fn discard(self) -> Option<PathBuf> {
        if self.named {
            return Some(self.path);
        }
        // What cannot be removed is in the system's folder for such things.
        let _ = fs::remove_dir_all(&self.path);
        None
    }
}

#[expect(clippy::disallowed_methods, reason = "the rim: a name that no other run has")]
pub(super) fn temporary() -> PathBuf {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    std::env::temp_dir().join(format!("pollscope-check-{}-{}", std::process::id(), since.as_nanos()))
}

#[cfg(test)]
mod tests {
    use pollscope_model::policy::CheckLimits;

    use super::*;

    #[test]
    fn polls_near_the_smallest_limit_leave_evidence() {
        let of = |max, p99| {
            let limits = CheckLimits { max_poll_ns: max, p99_poll_ns: p99, ..CheckLimits::default() };
            slow_poll(&Terms { limits, ..Terms::default() })
        };
        assert_eq!(of(None, None), None, "no arguments change nothing");
        assert_eq!(of(Some(10 * MILLISECOND), None).as_deref(), Some("1ms"));
        assert_eq!(of(Some(10 * MILLISECOND), Some(MILLISECOND)).as_deref(), Some("500us"));
        assert_eq!(of(Some(0), None).as_deref(), Some("1ns"));
    }

    #[test]
    fn a_command_is_shown_as_it_is_typed() {
        assert_eq!(shown(&"cargo".into()), "cargo");
        assert_eq!(shown(&"two words".into()), "'two words'");
        assert_eq!(shown(&"".into()), "''");
        assert_eq!(shown(&"it's".into()), r"'it'\''s'");
    }
}
