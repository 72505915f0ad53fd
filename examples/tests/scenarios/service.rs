//! An example as a child process.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use tempfile::TempDir;

use crate::wait;

/// A running service. Dropping it kills it.
pub(crate) struct Service {
    child: Child,
    /// Everything that it has said, on both streams, line by line.
    said: Arc<Mutex<Vec<String>>>,
    folder: TempDir,
}

impl Service {
    /// Starts a program that listens on a socket of its own, in an environment without pollscope's
    /// variables.
    pub(crate) fn start(program: &str) -> Self {
        Self::start_with(program, |_, _| {})
    }

    /// The same, with changes to its command; `folder` is its own, to be removed with it.
    #[expect(clippy::disallowed_methods, reason = "a child without the variables of this process")]
    pub(crate) fn start_with(
        program: impl AsRef<OsStr>,
        change: impl FnOnce(&mut Command, &std::path::Path),
    ) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut command = Command::new(program);
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("POLLSCOPE"))
        {
            command.env_remove(name);
        }
        command.env("POLLSCOPE_LISTEN", format!("unix:{}", socket(folder.path()).display()));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        change(&mut command, folder.path());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let said = Arc::default();
        listen(child.stdout.take(), &said);
        listen(child.stderr.take(), &said);
        Self { child, said, folder }
    }

    /// Its socket as a target, which is there from the moment it listens.
    pub(crate) fn target(&self) -> String {
        let socket = socket(self.folder.path());
        self.wait_for("socket", || socket.exists().then(|| format!("unix:{}", socket.display())))
    }

    /// What it has said so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The rest of the first line that it says with this beginning.
    pub(crate) fn wait_for_line(&self, beginning: &str) -> String {
        self.wait_for(&format!("line `{beginning}…`"), || {
            self.lines().iter().find_map(|line| line.strip_prefix(beginning).map(str::to_owned))
        })
    }

    /// Waits as [`wait`] does, and tells what the service said if it was in vain.
    #[track_caller]
    pub(crate) fn wait_for<T>(&self, what: &str, ask: impl FnMut() -> Option<T>) -> T {
        wait(what, ask, || format!("the service said {:#?}", self.lines()))
    }

    /// `kill -USR2`.
    pub(crate) fn signal(&self) {
        let sent = Command::new("kill").args(["-USR2", &self.child.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "our own child can be sent a signal");
    }

    /// Waits until it has ended by itself.
    pub(crate) fn wait_to_end(&mut self) {
        let ended = self.child.wait().expect("our own child can be waited for");
        assert!(ended.success(), "it ended with {ended}; it said {:#?}", self.lines());
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("our own child can be killed");
        self.child.wait().expect("our own child can be waited for");
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may be gone already; either way it is gone afterwards.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn socket(folder: &std::path::Path) -> PathBuf {
    folder.join("socket")
}

/// Keeps what the child says; the thread ends with the stream.
fn listen(stream: Option<impl Read + Send + 'static>, said: &Arc<Mutex<Vec<String>>>) {
    let stream = stream.expect("the stream is piped");
    let said = Arc::clone(said);
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            said.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
    });
}
