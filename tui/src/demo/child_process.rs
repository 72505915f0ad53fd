//! The demo's service as a child process that cannot outlive its parent: it ends when the pipe to
//! its standard input closes, which the system does for a parent that was killed, too.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::fault::Choice;
use crate::output::failure::Failure;
use crate::sources::target::Target;

/// How long the service may take to come up, and to go down.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it may take to end in good order before it is killed.
const GRACE: Duration = Duration::from_secs(2);

/// The running service. Dropping it ends it, and returns when it has ended.
pub(crate) struct ChildProcess {
    child: Child,
    /// Reads its standard error to the end, so that it never fills, and keeps the last line.
    errors: Option<JoinHandle<Option<String>>>,
    /// Where it listens.
    pub(crate) target: Target,
}

impl ChildProcess {
    /// Starts the service and waits until it listens.
    pub(crate) fn start(faults: &[Choice], collector: Option<&Target>) -> Result<Self, Failure> {
        let program =
            std::env::current_exe().map_err(|error| Failure::io("find this program's file", error))?;
        let mut command = Command::new(program);
        command.args(["demo", "--headless", "--leash"]);
        for fault in faults {
            command.args(["--fault", fault.as_str()]);
        }
        if let Some(collector) = collector {
            command.arg("--collector").arg(collector.to_string());
        }
        // The child must listen where this process can find it, whatever the shell exports for others.
        for name in ["POLLSCOPE", "POLLSCOPE_LISTEN", "POLLSCOPE_NAME", "POLLSCOPE_POLICY"] {
            command.env_remove(name);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| Failure::io("start the demo's service", error))?;
        let errors = child.stderr.take().map(|stderr| std::thread::spawn(move || last_line(stderr)));
        let mut child_process = Self { child, errors, target: Target::Name(super::service::NAME.to_owned()) };
        child_process.target = child_process.read_target()?;
        Ok(child_process)
    }

    /// Reads `listening on TARGET`; the failure is the line that the service wrote instead.
    fn read_target(&mut self) -> Result<Target, Failure> {
        let Some(stdout) = self.child.stdout.take() else {
            return Err(Failure::Unreachable("the demo's service has no standard output".to_owned()));
        };
        let (line, read) = mpsc::channel();
        std::thread::spawn(move || {
            let mut first = String::new();
            let _ = BufReader::new(stdout).read_line(&mut first);
            let _ = line.send(first);
        });
        let line = read.recv_timeout(PATIENCE).unwrap_or_default();
        match line.trim().strip_prefix("listening on ") {
            Some(target) => Ok(target.parse()?),
            None => Err(Failure::Unreachable(format!(
                "the demo's service did not come up: {}",
                self.last_error()
            ))),
        }
    }

    /// The last line of its standard error, read to its end: ends the service.
    fn last_error(&mut self) -> String {
        self.end();
        let last = self.errors.take().and_then(|errors| errors.join().ok()).flatten();
        last.unwrap_or_else(|| format!("it said nothing within {} s", PATIENCE.as_secs()))
    }

    fn end(&mut self) {
        drop(self.child.stdin.take());
        let deadline = Instant::now() + GRACE;
        while Instant::now() < deadline {
            if matches!(self.child.try_wait(), Ok(Some(_)) | Err(_)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        self.end();
    }
}

fn last_line(stderr: impl Read) -> Option<String> {
    let lines = BufReader::new(stderr).lines().map_while(Result::ok);
    lines.filter(|line| !line.trim().is_empty()).last()
}
