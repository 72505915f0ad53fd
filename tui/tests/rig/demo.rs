//! The built binary: running it to its end, and a demo service that lives no longer than its test.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};

/// The program, untouched by whatever this machine's environment says.
#[expect(clippy::disallowed_methods, reason = "a child without the variables of this process")]
pub(crate) fn pollscope(runtime: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pollscope"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("POLLSCOPE") {
            command.env_remove(name);
        }
    }
    command.env("XDG_RUNTIME_DIR", runtime).stdin(Stdio::null());
    command
}

/// Runs the program with the arguments to its end.
pub(crate) fn run(runtime: &Path, arguments: &[&str]) -> Output {
    pollscope(runtime).args(arguments).output().expect("the program runs")
}

/// What was said on standard error.
pub(crate) fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A headless demo. Dropping it ends it.
pub(crate) struct Demo {
    child: Child,
    /// The value for `--from`.
    pub(crate) target: String,
    /// Where its socket is, and nothing else.
    pub(crate) runtime: tempfile::TempDir,
}

impl Demo {
    /// Starts it with these faults.
    pub(crate) fn start(faults: &[&str]) -> Self {
        let runtime = tempfile::tempdir().expect("a folder");
        let mut command = pollscope(runtime.path());
        command.args(["demo", "--headless"]).stdout(Stdio::piped()).stderr(Stdio::null());
        for fault in faults {
            command.args(["--fault", fault]);
        }
        let mut child = command.spawn().expect("the demo starts");
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line).expect("its first line");
        }
        let target = line.trim().strip_prefix("listening on ").map(str::to_owned);
        let mut demo = Self { child, target: String::new(), runtime };
        demo.target = target.unwrap_or_else(|| panic!("the demo said {line:?}"));
        demo
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to stop and waits until it has; whether it ended in good order.
    pub(crate) fn stop(&mut self) -> bool {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a pid");
        let _ = kill_process(pid, Signal::TERM);
        self.child.wait().is_ok_and(|status| status.success())
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
