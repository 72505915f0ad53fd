//! Changed recordings and policy files, by the million, through everything that reads them: no panic, no
//! hang, no unbounded memory.
//!
//! ```sh
//! cargo run --release -p pollscope-proto --features recording --example fuzz_recordings -- 10000000
//! ```
//!
//! Of so many inputs every other one is a recording: its bytes changed, or its records, or what is inside of its
//! chunks, or the fields of its messages, with sound lengths and checksums round the change, so that it gets as
//! far as it can. It is opened, read to its end, folded, judged and asked. The others are policy files.
//!
//! An input is a function of its number alone: `-- 1 4711` runs number 4711 and nothing else. The work is done by
//! a child process with a limit on its memory. This one looks at it from outside, and names the input that it
//! died of, or that takes longer than a minute.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for a terminal")]

mod books;
mod chance;
mod guard;
mod mutate;
mod policies;
mod protobuf;
mod recordings;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use books::Books;
use chance::Chance;
use guard::Slots;

/// Inputs without an argument: a minute's worth.
const DEFAULT: u64 = 200_000;
/// Inputs that a thread takes at once.
const BLOCK: u64 = 256;

#[expect(clippy::disallowed_methods, reason = "this is the main function")]
fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let first = arguments.next();
    if first.as_deref() == Some(guard::CHILD) {
        let Some(orders) = guard::orders(arguments) else { return ExitCode::from(2) };
        return work(&orders);
    }
    let number = |text: Option<String>, default| text.map_or(Some(default), |text| text.parse().ok());
    let (Some(count), Some(from)) = (number(first, DEFAULT), number(arguments.next(), 0)) else {
        eprintln!("usage: fuzz_recordings [HOW MANY] [FROM WHICH NUMBER]");
        return ExitCode::from(2);
    };
    guard::watch(from, count)
}

/// The child's part.
fn work(orders: &guard::Orders) -> ExitCode {
    guard::limit_memory();
    let begin = Instant::now();
    let seeds = recordings::seeds();
    let next = AtomicU64::new(orders.from);
    let end = orders.from.saturating_add(orders.count);
    let books = std::thread::scope(|scope| {
        let thread = |index| {
            let (seeds, next, slots) = (&seeds, &next, &orders.slots);
            move || inputs(seeds, next, end, slots, index)
        };
        let threads: Vec<_> = (0..orders.threads).map(|index| scope.spawn(thread(index))).collect();
        let all = threads.into_iter().filter_map(|thread| thread.join().ok());
        all.fold(Books::default(), Books::add)
    });
    println!("{books}\nin {:.0} s, at most {} of memory", begin.elapsed().as_secs_f64(), guard::peak());
    ExitCode::from(u8::from(books.panics > 0 || books.inputs() < orders.count))
}

fn inputs(seeds: &[Vec<u8>], next: &AtomicU64, end: u64, slots: &Slots, index: usize) -> Books {
    let mut books = Books::default();
    loop {
        let first = next.fetch_add(BLOCK, Ordering::Relaxed);
        if first >= end {
            slots.done(index);
            return books;
        }
        for number in first..end.min(first.saturating_add(BLOCK)) {
            slots.begin(index, number);
            let begin = Instant::now();
            let mut chance = Chance::of(number);
            let one = catch_unwind(AssertUnwindSafe(|| match number % 2 {
                0 => recordings::one(seeds, &mut chance),
                _ => policies::one(&mut chance),
            }));
            let one = one.unwrap_or_else(|_| {
                eprintln!("input {number} panicked: run `-- 1 {number}`");
                Books { panics: 1, ..Books::default() }
            });
            books = books.add(one.took(begin.elapsed(), number));
        }
    }
}
