//! A process that is stopped as a whole while one of its tasks is inside a poll: the poll is not to blame, and one
//! that really blocks still is.
#![cfg(target_os = "linux")]

use std::hint::black_box;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pollscope_model::entity::slow_poll::SlowPoll;
use pollscope_model::measured::{Metric, Mode};

use crate::rig::{Rig, runtime};

/// Set for the process that is stopped.
const BE_STOPPED: &str = "POLLSCOPE_TEST_BE_STOPPED";

/// For so long it is stopped at least, and a poll blocks.
const LONG: Duration = Duration::from_millis(600);

/// What the recorder's clock calls it at least: its rate is measured in 10 ms, to a hundredth at worst.
const AT_LEAST_NS: u64 = LONG.as_nanos() as u64 / 100 * 99;

fn ns(time: Duration) -> u64 {
    time.as_nanos() as u64
}

/// Kills the process if the test fails.
struct Stopped(Child);

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Stopped {
    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.0.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Whether each of its threads stands still: the signal reaches them one by one, each when it has a CPU.
    fn is_stopped(&self) -> bool {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.0.id())).unwrap();
        threads.map_while(Result::ok).all(|thread| {
            let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
            stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
        })
    }
}

#[test]
fn a_stopped_process_is_not_a_poll_that_blocks() {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "stopped::the_process_that_is_stopped", "--nocapture"]).env(BE_STOPPED, "yes");
    command.stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = Stopped(command.spawn().unwrap());
    let mut lines = BufReader::new(child.0.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("is polled")), "it came to its poll");
    child.signal("-STOP");
    let begin = Instant::now();
    while !child.is_stopped() {
        assert!(begin.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(1));
    }
    // Only from here on does all of it stand still.
    std::thread::sleep(LONG);
    child.signal("-CONT");
    writeln!(child.0.stdin.take().unwrap(), "end the poll").unwrap();
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    assert!(child.0.wait().unwrap().success(), "{rest:#?}");
}

/// The process that the test above starts; without its mark there is nothing to do.
#[test]
#[expect(clippy::disallowed_methods, reason = "how the child knows what it is")]
fn the_process_that_is_stopped() {
    if std::env::var_os(BE_STOPPED).is_none() {
        return;
    }
    let rig = Rig::start(Mode::Wrap);
    let runtime = runtime(2);
    let is_over = Arc::new(AtomicBool::new(false));
    let ends = Arc::clone(&is_over);
    let computes = async move {
        // On the CPU all the time, as far as the task knows.
        while !ends.load(Ordering::Relaxed) {
            black_box(());
        }
    };
    let computes = pollscope::task("computes").spawn_on(computes, runtime.handle());
    if rig.measures(Metric::Stalls) {
        // What stands still before the watchdog looks is no pause of its own.
        rig.until("the watchdog to look", |seen| seen.stalls().next().map(drop));
    }
    eprintln!("is polled");
    std::io::stdin().read_line(&mut String::new()).unwrap();
    is_over.store(true, Ordering::Relaxed);
    runtime.block_on(computes).unwrap();
    let blocks = pollscope::task("blocks").spawn_on(async { std::thread::sleep(LONG) }, runtime.handle());
    runtime.block_on(blocks).unwrap();

    if !rig.measures(Metric::PollSplit) {
        // Nothing tells here what a poll did.
        return;
    }
    // A poll that slept may wait for what the watchdog knows of stops before it is told.
    let is_long = |poll: &&SlowPoll| poll.wall_ns >= AT_LEAST_NS;
    let (seen, mut long) = rig.until("both polls", |seen| {
        let long: Vec<_> = seen.report.slow_polls.iter().filter(is_long).cloned().collect();
        (long.len() == 2).then(|| (seen.report.clone(), long))
    });
    long.sort_by_key(|poll| poll.start_ns);
    let [computed, blocked] = &long[..] else { panic!("{long:#?}") };
    let stopped_ns: u64 = seen.stops.iter().map(|stop| stop.to_ns - stop.from_ns).sum();
    assert!(stopped_ns >= AT_LEAST_NS, "{:?}", seen.stops);
    assert!(computed.blocked_ns().unwrap() < ns(LONG) / 2, "{computed:?} {:?}", seen.stops);
    assert!(blocked.blocked_ns().unwrap() >= ns(LONG) / 2, "{blocked:?} {:?}", seen.stops);
}
