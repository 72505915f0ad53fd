//! What the watchdog's thread costs while nothing is wrong, in percent of a core: with a runtime that has
//! nothing to do, and with two busy workers. Linux only.
//!
//! `cargo run --release -p pollscope-examples --example watchdog_cost`

use std::fs;
use std::time::{Duration, Instant};

const WATCHDOG: &str = "pollscope-watch";
const SPAN: Duration = Duration::from_secs(5);

fn main() {
    let _pollscope = pollscope::init();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
    pollscope::observe(runtime.handle(), "busy");
    measure("nothing to do");
    for _ in 0..2 {
        runtime.spawn(async {
            loop {
                tokio::task::yield_now().await;
            }
        });
    }
    measure("two busy workers");
    runtime.shutdown_background();
}

#[expect(clippy::print_stdout, reason = "the result")]
fn measure(what: &str) {
    let (begin, before) = (Instant::now(), cpu());
    std::thread::sleep(SPAN);
    match (before, cpu()) {
        (Some(before), Some(after)) => {
            let share = after.saturating_sub(before).as_secs_f64() / begin.elapsed().as_secs_f64();
            println!("{what}: {:.3} % of a core", share * 100.0);
        }
        _ => println!("{what}: not measured (no thread {WATCHDOG} in /proc/self/task)"),
    }
}

/// CPU time of the watchdog's thread so far.
fn cpu() -> Option<Duration> {
    let mut threads = fs::read_dir("/proc/self/task").ok()?.flatten().map(|entry| entry.path());
    let thread = threads
        .find(|path| fs::read_to_string(path.join("comm")).is_ok_and(|name| name.trim_end() == WATCHDOG))?;
    let text = fs::read_to_string(thread.join("schedstat")).ok()?;
    text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}
