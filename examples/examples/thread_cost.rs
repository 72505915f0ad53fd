//! What threads leave behind that recorded something and ended: memory of the process, and CPU while it does nothing,
//! before them, while all of them live, and after them. Linux only.
//!
//! `cargo run --release -p pollscope-examples --example thread_cost [THREADS]`

use std::fs;
use std::future::{Future, pending};
use std::pin::pin;
use std::sync::Barrier;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use pollscope::Traced;

const SPAN: Duration = Duration::from_secs(5);
/// The state of a thread is given back some ticks after its end.
const SETTLED: Duration = Duration::from_secs(15);

#[expect(clippy::disallowed_methods, reason = "the rim: a program's own arguments")]
fn main() {
    let count = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(6_000);
    let _pollscope = pollscope::init();
    // Asks for the gauge, which looks at the threads most often.
    let _ = pollscope::overloaded();
    measure("no thread yet");
    let (begun, end) = (Barrier::new(count + 1), Barrier::new(count + 1));
    std::thread::scope(|scope| {
        for _ in 0..count {
            let threads = std::thread::Builder::new().stack_size(64 << 10);
            let work = || {
                record();
                begun.wait();
                end.wait();
            };
            threads.spawn_scoped(scope, work).expect("a thread starts");
        }
        begun.wait();
        measure(&format!("{count} threads"));
        end.wait();
    });
    std::thread::sleep(SETTLED);
    measure("all ended");
}

/// Something at each of eight sites.
fn record() {
    poll(async {}.traced("first"));
    poll(pending::<()>().traced("second"));
    poll(async {}.traced("third"));
    poll(pending::<()>().traced("fourth"));
    poll(async {}.traced("fifth"));
    poll(pending::<()>().traced("sixth"));
    poll(async {}.traced("seventh"));
    poll(std::future::poll_fn(wake_once()).traced("eighth"));
}

fn wake_once() -> impl FnMut(&mut Context<'_>) -> Poll<()> {
    |cx| {
        cx.waker().wake_by_ref();
        Poll::Ready(())
    }
}

fn poll(future: impl Future) {
    let _ = pin!(future).poll(&mut Context::from_waker(Waker::noop()));
}

#[expect(clippy::print_stdout, reason = "the result")]
fn measure(what: &str) {
    let (begin, before) = (Instant::now(), cpu());
    std::thread::sleep(SPAN);
    let share = before.zip(cpu()).map(|(before, after)| {
        after.saturating_sub(before).as_secs_f64() / begin.elapsed().as_secs_f64() * 100.0
    });
    let told = |value: Option<String>| value.unwrap_or_else(|| "not measured".to_owned());
    let share = told(share.map(|share| format!("{share:.2} % of a core")));
    let resident = told(resident_mib().map(|mib| format!("{mib} MiB")));
    println!("{what}: {resident}, {share}");
}

fn resident_mib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib >> 10)
}

/// CPU time of all threads that live.
fn cpu() -> Option<Duration> {
    let threads = fs::read_dir("/proc/self/task").ok()?.flatten();
    let of_thread = |path: std::path::PathBuf| {
        let text = fs::read_to_string(path.join("schedstat")).ok()?;
        text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
    };
    Some(threads.filter_map(|thread| of_thread(thread.path())).sum())
}
