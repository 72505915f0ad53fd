//! How often a verdict is wrong on a machine that is short of CPU: four busy threads per CPU run beside the tests.
//!
//! `cargo run --release -p pollscope-examples --example verdict_rates -- 1000` runs the clean suite (every repaired
//! fault) as often and counts failures, and the blocking fault as often and counts catches. Both are printed with
//! the texts of what was wrong; the exit code is 1 if anything was.

#![expect(clippy::print_stdout, reason = "a report")]

#[path = "../tests/verdicts/suite.rs"]
#[expect(dead_code, reason = "what the tests check is not all of interest here")]
mod suite;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use pollscope::check::Judged;

/// Busy threads for each CPU.
const BUSY: usize = 4;
/// Texts that are printed.
const TOLD: usize = 20;

#[expect(clippy::disallowed_methods, reason = "the rim: the program's argument")]
fn main() -> ExitCode {
    let rounds: u32 = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(100);
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let load = Load::start(cpus * BUSY);
    let begin = Instant::now();
    let mut wrong = Wrong::default();
    let mut clean = 0;
    let mut caught = 0;
    for round in 1..=rounds {
        for case in &suite::ALL {
            let judged = (case.run)(false);
            if judged.is_clean() {
                clean += 1;
            } else {
                wrong.tell("false alarm", &judged);
            }
        }
        let judged = (suite::ALL[0].run)(true);
        let found = |judged: &Judged<()>| judged.verdict().failing().any(|f| &*f.detector == "blocking-poll");
        if found(&judged) {
            caught += 1;
        } else {
            wrong.tell("missed", &judged);
        }
        if round % 50 == 0 || round == rounds {
            println!(
                "{round} rounds in {:.0?}: {clean} of {} clean tests passed, {caught} of {round} blocking faults caught",
                begin.elapsed(),
                round as usize * suite::ALL.len()
            );
        }
    }
    load.stop();
    println!("beside {} busy threads on {cpus} CPUs: {} wrong", cpus * BUSY, wrong.0);
    if wrong.0 == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[derive(Default)]
struct Wrong(usize);

impl Wrong {
    fn tell(&mut self, what: &str, judged: &Judged<()>) {
        self.0 += 1;
        if self.0 <= TOLD {
            println!("{what}: {}\n", judged.text());
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
