//! What a task costs on the wire.

use pollscope_model::entity::site::SiteDelta;
use pollscope_model::entity::task::{TaskRecord, WakesBy, WokenBy};
use pollscope_model::id::{NameId, RuntimeId, SiteId, TaskId};
use pollscope_model::measured::Mode;
use pollscope_model::report::Report;

use super::through_bytes;

/// A spread of numbers without a random source: the same in every run.
struct Spread(u64);

impl Spread {
    /// A number whose size in bits is spread evenly up to `bits`.
    fn up_to(&mut self, bits: u32) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let shift = 63 - (self.0 >> 33) as u32 % bits;
        self.0.rotate_left(13) >> shift
    }
}

/// A service with 100,000 tasks of 20 sites, of which a tenth was polled in the last interval.
fn busy_service() -> Report {
    let mut spread = Spread(42);
    let end_ns = 3_600_000_000_000;
    let mut spawned = 1_000_000_000;
    let tasks = (0..10_000u64)
        .map(|n| {
            spawned += spread.up_to(22);
            let polls = 1 + spread.up_to(12);
            let site = spread.up_to(5) % 20;
            let self_wakes = if n % 20 == 0 { polls / 2 } else { 0 };
            let tasks = if n % 2 == 0 { (polls - self_wakes).min(spread.up_to(10)) } else { 0 };
            let threads = if n % 50 == 0 { polls - self_wakes - tasks } else { 0 };
            TaskRecord {
                id: TaskId(n * 10 + spread.up_to(3)),
                site: SiteId(site as u32),
                name: NameId(site as u32 % 4),
                parent: Some(TaskId(7)),
                runtime: Some(RuntimeId(0)),
                mode: Mode::Wrap,
                spawned_ns: spawned,
                last_poll_end_ns: end_ns - spread.up_to(28),
                polls,
                busy_ns: polls * spread.up_to(15),
                max_poll_ns: spread.up_to(20),
                scheduled_ns: polls * spread.up_to(14),
                max_sched_ns: spread.up_to(20),
                wakes: polls,
                self_wakes,
                wakes_by: WakesBy { tasks, threads, runtime: polls - self_wakes - tasks - threads },
                wakers: 1,
                waker_clones: polls,
                waker_drops: polls - 1,
                woken_by: if n % 2 == 0 { WokenBy::Runtime } else { WokenBy::Task(TaskId(n / 2)) },
                future_bytes: 512 + site * 64,
                ..TaskRecord::default()
            }
        })
        .collect();
    Report { seq: 100, first_seq: 100, start_ns: end_ns - 250_000_000, end_ns, tasks, ..Report::default() }
}

#[test]
fn bytes_per_task() {
    let report = busy_service();
    let (messages, back) = through_bytes(&report);
    assert!(back == report, "the report came back different");
    let bytes: usize = messages.iter().map(Vec::len).sum();
    let each = bytes as f64 / report.tasks.len() as f64;
    let line = format!(
        "{each:.1} bytes per changed task ({} tasks, {} messages)",
        report.tasks.len(),
        messages.len()
    );
    eprint_line(&line);
    assert!(each <= 40.0, "{line}");
}

#[test]
fn bytes_per_site() {
    let mut spread = Spread(7);
    let site = |n: u32| {
        let mut site = SiteDelta { site: SiteId(n), spawned: spread.up_to(8), ..SiteDelta::default() };
        for _ in 0..200 {
            site.poll.record(spread.up_to(20));
            site.sched.record(spread.up_to(16));
        }
        site
    };
    let report = Report { sites: (0..100).map(site).collect(), ..Report::default() };
    let (messages, back) = through_bytes(&report);
    assert!(back == report, "the report came back different");
    let bytes: usize = messages.iter().map(Vec::len).sum();
    eprint_line(&format!("{} bytes per site with two histograms of 200 values", bytes / report.sites.len()));
}

#[expect(clippy::print_stderr, reason = "the measured size is this test's message to its reader")]
fn eprint_line(line: &str) {
    eprintln!("{line}");
}
