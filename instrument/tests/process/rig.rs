//! Child processes: this test binary again, told by a variable which program it is.
//!
//! A child says lines on its standard output, and goes on when it is told to on its standard input. It kills itself
//! after [`DEADLINE`], so that no test waits for ever.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child as Process, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

pub(crate) mod forked;
pub(crate) mod mask;
#[expect(dead_code, reason = "other tests ask more of it")]
#[path = "../transport/rig/viewer.rs"]
pub(crate) mod viewer;

/// Generous: a test waits this long only when it fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Tells a copy of this binary which program it is.
const PROGRAM: &str = "PROCESS_PROGRAM";
/// What lines of a child begin with, among those of the test harness.
const SAYS: &str = "child says ";

/// The program that this process is to be.
#[expect(clippy::disallowed_methods, reason = "how the child knows what it is")]
pub(crate) fn program() -> Option<String> {
    let program = std::env::var(PROGRAM).ok()?;
    std::thread::spawn(|| {
        std::thread::sleep(DEADLINE * 2);
        mask::end_process();
    });
    Some(program)
}

/// Says a line to the test.
#[expect(clippy::print_stdout, reason = "the child's words to the test that started it")]
pub(crate) fn say(line: &str) {
    println!("{SAYS}{line}");
}

/// Waits until the test tells the child to go on.
pub(crate) fn wait_for_test() {
    let _ = std::io::stdin().read(&mut [0]);
}

/// Waits until something holds.
#[track_caller]
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !holds() {
        assert!(start.elapsed() < DEADLINE, "still not so: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What a viewer of a child runs on.
pub(crate) fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// A child process.
pub(crate) struct Child {
    process: Process,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    _home: TempDir,
}

impl Child {
    /// Starts this binary as a program, without the variables of this process that mean pollscope.
    #[expect(clippy::disallowed_methods, reason = "a child without the variables of this process")]
    pub(crate) fn start(program: &str, variables: &[(&str, &str)]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "child", "--nocapture", "--test-threads=1"]);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("POLLSCOPE") {
                command.env_remove(name);
            }
        }
        command.env(PROGRAM, program).env("XDG_RUNTIME_DIR", home.path()).envs(variables.iter().copied());
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        Self { process, input, output: BufReader::new(output), _home: home }
    }

    /// What it says next.
    #[track_caller]
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        loop {
            line.clear();
            let read = self.output.read_line(&mut line).unwrap();
            // The harness says "test child ... " on the line of the first one.
            if let Some((_, said)) = line.split_once(SAYS) {
                return said.trim_end().to_owned();
            }
            assert!(read > 0, "the child says nothing more and ended with {:?}", self.process.wait());
        }
    }

    /// Tells it to go on.
    pub(crate) fn go_on(&mut self) {
        self.input.write_all(b"\n").unwrap();
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> ExitStatus {
        drop(self.input);
        // What it still says is read, so that it does not wait for room.
        let _ = std::io::copy(&mut self.output, &mut std::io::sink());
        self.process.wait().unwrap()
    }
}
