//! How often a verdict is wrong on a machine that is short of CPU: four busy threads per CPU run beside the tests.
//!
//! `cargo run --release -p pollscope-examples --example verdict_rates -- 1000` runs the clean suite (every repaired
//! fault) as often and counts failures, and the blocking fault as often and counts catches. As `cargo test` does, it
//! runs several tests of one process at once: two for each CPU, or as many as a second argument says. With the name of
//! a case as third argument (`… -- 10000 4 starve`), only its repaired form runs. What was wrong is printed with its
//! text; the exit code is 1 if anything was, and 2 if there is no such case.

#![expect(clippy::print_stdout, reason = "a report")]

#[path = "../tests/verdicts/suite.rs"]
#[expect(dead_code, reason = "what the tests check is not all of interest here")]
mod suite;

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use pollscope::check::Judged;

/// Busy threads for each CPU.
const BUSY: usize = 4;
/// Tests that run at once for each CPU.
const AT_ONCE: usize = 2;
/// Texts that are printed.
const MAX_PRINTED: usize = 20;

#[expect(clippy::disallowed_methods, reason = "the rim: the program's arguments")]
fn main() -> ExitCode {
    let argument = |nth: usize| std::env::args().nth(nth).and_then(|text| text.parse::<u32>().ok());
    let rounds = argument(1).unwrap_or(100);
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let at_once = argument(2).map_or(cpus * AT_ONCE, |tests| tests.max(1) as usize);
    let only = std::env::args().nth(3);
    if let Some(name) = only.as_deref().filter(|name| suite::ALL.iter().all(|case| case.name != *name)) {
        println!("there is no case '{name}', there are: {}", suite::ALL.map(|case| case.name).join(", "));
        return ExitCode::from(2);
    }
    let load = Load::start(cpus * BUSY);
    let begun = AtomicU32::new(0);
    let count = Mutex::new(Count { begin: Instant::now(), rounds: 0, clean: 0, caught: 0, wrong: 0 });
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                while begun.fetch_add(1, Ordering::Relaxed) < rounds {
                    round(&count, rounds, only.as_deref());
                }
            });
        }
    });
    load.stop();
    let wrong = count.into_inner().unwrap_or_else(PoisonError::into_inner).wrong;
    println!("{at_once} tests at once beside {} busy threads on {cpus} CPUs: {wrong} wrong", cpus * BUSY);
    if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Every repaired fault once (or only one), and the blocking one as it is (unless only one is asked for).
fn round(count: &Mutex<Count>, of: u32, only: Option<&str>) {
    let count = || count.lock().unwrap_or_else(PoisonError::into_inner);
    for case in suite::ALL.iter().filter(|case| only.is_none_or(|only| case.name == only)) {
        let judged = (case.run)(false);
        let clean = judged.is_clean();
        count().clean += u32::from(clean);
        if !clean {
            count().print_wrong("false alarm", &judged);
        }
    }
    if only.is_some() {
        return count().end_round(of);
    }
    let judged = (suite::ALL[0].run)(true);
    let caught = judged.verdict().failing().any(|finding| *finding.detector == *suite::ALL[0].detector);
    count().caught += u32::from(caught);
    if !caught {
        count().print_wrong("missed", &judged);
    }
    count().end_round(of);
}

/// What came of it so far.
struct Count {
    begin: Instant,
    rounds: u32,
    clean: u32,
    caught: u32,
    wrong: usize,
}

impl Count {
    fn print_wrong(&mut self, what: &str, judged: &Judged<()>) {
        self.wrong += 1;
        if self.wrong <= MAX_PRINTED {
            println!("{what}: {}\n", judged.text());
        }
    }

    fn end_round(&mut self, of: u32) {
        self.rounds += 1;
        if self.rounds.is_multiple_of(50) || self.rounds == of {
            println!(
                "{} rounds in {:.0?}: {} clean tests passed, {} blocking faults caught",
                self.rounds,
                self.begin.elapsed(),
                self.clean,
                self.caught,
            );
        }
    }
}

/// Threads that do nothing but take time.
struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    fn start(threads: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let busy = |_| {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            })
        };
        let threads = (0..threads).map(busy).collect();
        Self { stop, threads }
    }

    fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            let _ = thread.join();
        }
    }
}
