//! How soon after attaching the faults of an ordinary service are named, and whether its repaired twin is silent: with
//! default rules, on this machine as it is and beside four busy threads for each CPU.
//!
//! `cargo build --release -p pollscope-examples --bins`, then
//! `cargo run --release -p pollscope-examples --example shop_times`: some six minutes. Prints one line for each of the
//! four; the exit code is 1 if a fault was not named or the repaired shop was not silent.

#![expect(clippy::print_stdout, reason = "a report")]

#[path = "../tests/scenarios/service.rs"]
#[expect(dead_code, reason = "what the tests need is not all of interest here")]
mod service;
#[path = "../tests/scenarios/viewer.rs"]
#[expect(dead_code, reason = "likewise")]
mod viewer;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pollscope_model::query::column::Kind;
use service::Service;
use viewer::{Cells, Viewer};

/// Busy threads for each CPU.
const BUSY: usize = 4;
/// A fault that is not named by then is missed; the repaired shop is looked at for as long.
const LONG: Duration = Duration::from_secs(120);
/// Tasks from which on a leak may be named.
const LEAKED: u64 = 200;

/// A fault: its detector, its route or the file of its spawn, the file of its line, and the kinds that are right.
struct Fault {
    detector: &'static str,
    site: &'static str,
    file: &'static str,
    kinds: &'static [&'static str],
}

/// Which poll of `price.rs` waits for the lock and which computes with it is chance.
const FAULTS: [Fault; 3] = [
    Fault { detector: "blocking-poll", site: "POST /login", file: "shop/login.rs:", kinds: &["busy"] },
    Fault {
        detector: "blocking-poll",
        site: "GET /price/{id}",
        file: "shop/price.rs:",
        kinds: &["busy", "blocked"],
    },
    Fault { detector: "task-leak", site: "shop/events.rs:", file: "", kinds: &[""] },
];

fn main() -> ExitCode {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let mut is_right = true;
    for busy in [0, BUSY * cpus] {
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..busy {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        std::hint::spin_loop();
                    }
                });
            }
            is_right &= names_faults(busy);
            is_right &= is_silent(busy);
            stop.store(true, Ordering::Relaxed);
        });
    }
    if is_right { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The shop, its customers, and a viewer of it.
fn open(word: Option<&str>) -> (Service, Service, Viewer) {
    let shop = Service::start_with(program("shop"), |command, _| {
        command.args(word);
    });
    let address = shop.wait_for_line("serving on ");
    let customers = Service::start_with(program("shop_load"), |command, _| {
        command.arg(address);
    });
    let viewer = Viewer::of_process(&shop.target());
    (shop, customers, viewer)
}

/// A program that stands beside this one's folder.
fn program(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("a program has a path");
    let folder = own.ancestors().nth(2).expect("examples stand in a folder of their own");
    folder.join(name)
}

fn names_faults(busy: usize) -> bool {
    let (_shop, _customers, mut viewer) = open(None);
    let begin = Instant::now();
    let (mut named, mut leaked) = ([None; FAULTS.len()], None);
    while begin.elapsed() < LONG && named.iter().any(Option::is_none) {
        viewer.wait_for("page", Kind::Findings, |findings| {
            for (fault, named) in FAULTS.iter().zip(&mut named) {
                if named.is_none() && findings.iter().any(|finding| fault.is_it(&finding)) {
                    *named = Some(begin.elapsed());
                }
            }
            Some(())
        });
        viewer.wait_for("page", Kind::Sites, |sites| {
            let alive =
                |site: Cells<'_>| site.number("alive").filter(|_| site.text("site").contains("events.rs"));
            if sites.iter().filter_map(alive).any(|alive| alive >= LEAKED) {
                leaked.get_or_insert_with(|| begin.elapsed());
            }
            Some(())
        });
        std::thread::sleep(Duration::from_millis(250));
    }
    let text = |time: Option<Duration>| {
        time.map_or("never".to_owned(), |time| format!("{:.1}s", time.as_secs_f64()))
    };
    let of_leak = named[2].map(|named| named.saturating_sub(leaked.unwrap_or_default()));
    println!(
        "shop beside {busy} busy threads: login {}, price {}, leak {} after its {LEAKED}th task",
        text(named[0]),
        text(named[1]),
        text(of_leak)
    );
    named.iter().all(Option::is_some)
}

fn is_silent(busy: usize) -> bool {
    let (_shop, _customers, mut viewer) = open(Some("repaired"));
    let begin = Instant::now();
    let mut told = Vec::new();
    while begin.elapsed() < LONG / 2 {
        viewer.wait_for("page", Kind::Findings, |findings| {
            let counted = findings.iter().filter(|finding| ["warn", "deny"].contains(&finding.text("level")));
            for finding in counted {
                let text = ["detector", "site", "headline"].map(|key| finding.text(key)).join(" ");
                if !told.contains(&text) {
                    told.push(text);
                }
            }
            Some(())
        });
        std::thread::sleep(Duration::from_millis(250));
    }
    println!("repaired shop beside {busy} busy threads: {} findings", told.len());
    for text in &told {
        println!("  {text}");
    }
    told.is_empty()
}

impl Fault {
    fn is_it(&self, finding: &Cells<'_>) -> bool {
        let is_there =
            finding.text("site").contains(self.site) && finding.text("headline").contains(self.file);
        finding.text("detector") == self.detector && is_there && self.kinds.contains(&finding.text("kind"))
    }
}

/// Asks again and again until there is an answer.
///
/// # Panics
/// After two minutes.
#[track_caller]
fn wait<T>(what: &str, mut ask: impl FnMut() -> Option<T>, state: impl Fn() -> String) -> T {
    let deadline = Instant::now() + LONG;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "no {what} within {LONG:?}; {}", state());
        std::thread::sleep(Duration::from_millis(20));
    }
}
