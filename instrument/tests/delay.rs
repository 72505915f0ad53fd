//! The switch for the delays of hooked tasks: what a service has to set, and what it says where it has not.
#![cfg(all(tokio_unstable, target_pointer_width = "64", target_has_atomic = "64"))]

use std::time::Duration;

use pollscope::{Guard, Listen};
use pollscope_model::dict::Dictionary;
use pollscope_model::entity::site::SiteDelta;
use pollscope_model::measured::{Capability, Coverage, Metric};
use tokio::runtime::Builder;

const LONG: Duration = Duration::from_millis(20);

/// A hooked task that is due while its worker sleeps; its line.
fn run_victim() -> u32 {
    let mut builder = Builder::new_current_thread();
    pollscope::attach(&mut builder);
    let runtime = builder.build().expect("a runtime");
    let line = line!() + 2;
    runtime.block_on(async {
        let victim = tokio::spawn(async {});
        std::thread::sleep(LONG);
        victim.await.expect("no panic");
    });
    line
}

fn site_at(guard: &Guard, line: u32) -> SiteDelta {
    guard.flush();
    let report = guard.report().expect("the guard runs");
    let mut dict = Dictionary::default();
    for entry in &report.dict {
        dict.insert(entry.clone());
    }
    let here = |site: &&SiteDelta| {
        let place = dict.site(site.site);
        place.line == line && &*place.file == file!()
    };
    report.sites.iter().find(here).expect("the task's site").clone()
}

fn of(guard: &Guard, metric: Metric) -> Capability {
    guard.capabilities().into_iter().find(|it| it.metric == metric).expect("each metric is answered")
}

/// One test, since there is one switch in a process.
#[test]
fn the_switch_decides_for_the_runtimes_that_are_attached_after_it() {
    let guard = pollscope::builder().listen(Listen::Off).schedule_delay(false).init();
    let line = run_victim();
    let site = site_at(&guard, line);
    assert_eq!((site.poll.count(), site.sched.count()), (1, 0));
    for metric in [Metric::ScheduleDelay, Metric::Harm] {
        let off = of(&guard, metric);
        assert_eq!(off.coverage, Coverage::Wrapped);
        assert!(off.reason.contains("POLLSCOPE_SCHEDULE_DELAY=on"), "{}", off.reason);
    }
    drop(guard);

    let guard = pollscope::builder().listen(Listen::Off).schedule_delay(true).init();
    run_victim();
    // The counts of before are the process's, too.
    let site = site_at(&guard, line);
    assert_eq!((site.poll.count(), site.sched.count()), (2, 1));
    assert!(site.sched.max() >= LONG.as_nanos() as u64, "{}", site.sched.max());
    for metric in [Metric::ScheduleDelay, Metric::Harm] {
        assert_eq!(of(&guard, metric).coverage, Coverage::All);
    }
    drop(guard);

    // A task of a runtime that was built without it is one whose delay is not told.
    let guard = pollscope::builder().listen(Listen::Off).schedule_delay(false).init();
    run_victim();
    assert_eq!(of(&guard, Metric::ScheduleDelay).coverage, Coverage::Wrapped);
}
