//! What the building blocks of any recorder cost on this machine: without them an added nanosecond
//! of one machine says nothing about another's.

use std::cell::Cell;
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use pollscope::__private::clock;

const BATCHES: usize = 31;
const OPS: u32 = 20_000;

/// The floors as one Markdown table: name, nanoseconds of CPU time, median of 31 batches.
pub fn markdown() -> String {
    let mut text = String::from("| floor on this machine | ns |\n|---|---|\n");
    for (name, ns) in measure() {
        text += &format!("| {name} | {ns:.1} |\n");
    }
    text
}

/// Name and cost of each.
fn measure() -> Vec<(&'static str, f64)> {
    thread_local!(static WORD: Cell<u64> = const { Cell::new(0) });
    static SHARED: AtomicU64 = AtomicU64::new(0);
    clock::calibrate();
    let empty = batches(|| ());
    let cost = |ns: f64| (ns - empty).max(0.0);
    vec![
        ("pollscope's clock, two reads as round a poll", cost(batches(two_reads))),
        ("Instant::now", cost(batches(|| black_box(Instant::now())))),
        ("read-modify-write, uncontended", cost(batches(|| SHARED.fetch_add(1, Ordering::Relaxed)))),
        ("thread-local get and set", cost(batches(|| WORD.with(|word| word.set(black_box(word.get() + 1)))))),
        (
            "relaxed load and store",
            cost(batches(|| SHARED.store(SHARED.load(Ordering::Relaxed) + 1, Ordering::Relaxed))),
        ),
        ("Box of 64 B, made and dropped", cost(batches(|| drop(black_box(Box::new([0u64; 8])))))),
    ]
}

/// Two reads with something in between that depends on neither.
fn two_reads() -> u64 {
    let start = clock::now_ns();
    black_box(&start);
    clock::now_ns().wrapping_sub(start)
}

fn batches<T>(mut f: impl FnMut() -> T) -> f64 {
    let mut ns: Vec<f64> = (0..BATCHES)
        .map(|_| {
            let begin = thread_cpu_ns();
            for _ in 0..OPS {
                black_box(f());
            }
            thread_cpu_ns().saturating_sub(begin) as f64 / f64::from(OPS)
        })
        .collect();
    ns.sort_by(f64::total_cmp);
    ns[BATCHES / 2]
}

fn thread_cpu_ns() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs()
}
