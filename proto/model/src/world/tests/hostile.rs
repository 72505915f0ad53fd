//! Whatever a peer sends, the world stays whole: no panic, no unbounded growth.

use super::*;
use crate::dict::DictEntry;
use crate::entity::runtime::{RuntimeRecord, WorkerDelta};
use crate::entity::task::TaskRecord;
use crate::hist::Hist;
use crate::id::{NameId, RuntimeId, WorkerId};

/// Numbers that like to overflow.
fn number() -> BoxedStrategy<u64> {
    prop_oneof![
        Just(0),
        Just(1),
        0u64..20,
        Just(u64::MAX),
        Just(u64::MAX - 1),
        Just(1 << 63),
        0u64..3_600 * SECOND,
        any::<u64>()
    ]
    .boxed()
}

fn small() -> BoxedStrategy<u32> {
    prop_oneof![0u32..4, Just(u32::MAX), any::<u32>()].boxed()
}

fn hist(first: u16, counts: &[u64], sum: u64, max: u64) -> Hist {
    let mut hist = Hist::new();
    counts.iter().enumerate().for_each(|(at, n)| hist.add_bucket(usize::from(first) + at, *n));
    hist.add_totals(sum, max);
    hist
}

prop_compose! {
    fn task()(n in prop::array::uniform16(number()), ids in prop::array::uniform4(small()), over in 0usize..6) -> TaskRecord {
        TaskRecord {
            id: TaskId(n[0]), site: SiteId(ids[0]), name: NameId(ids[1]), group: NameId(ids[2]),
            parent: Some(TaskId(n[1])), runtime: Some(RuntimeId(ids[3])), state: TaskState::ALL[over],
            spawned_ns: n[2], ended_ns: n[3], last_poll_end_ns: n[4], poll_start_ns: n[5],
            scheduled_since_ns: n[6], polls: n[7], busy_ns: n[8], max_poll_ns: n[9], scheduled_ns: n[10],
            wakes: n[11], self_wakes: n[12], waker_clones: n[13], future_bytes: n[14], ..TaskRecord::default()
        }
    }
}

prop_compose! {
    fn site()(n in prop::array::uniform8(number()), id in small(), first in any::<u16>(), counts in prop::collection::vec(number(), 0..4)) -> SiteDelta {
        SiteDelta {
            site: SiteId(id), spawned: n[0], completed: n[1], cancelled: n[2], panicked: n[3], ended: n[4],
            wakes: n[5], poll: hist(first, &counts, n[6], n[7]),
            sched: hist(first, &counts, n[7], n[6]), ..SiteDelta::default()
        }
    }
}

prop_compose! {
    fn report()(
        n in prop::array::uniform8(number()), ids in prop::array::uniform4(small()), snapshot in any::<bool>(),
        sites in prop::collection::vec(site().boxed(), 0..4), tasks in prop::collection::vec(task().boxed(), 0..6),
        top in any::<bool>(), gone in any::<bool>(),
    ) -> Report {
        let worker = WorkerId { runtime: RuntimeId(ids[0]), index: ids[1] };
        Report {
            kind: if snapshot { ReportKind::Snapshot { part: ids[2], parts: ids[3] } } else { ReportKind::Delta },
            first_seq: n[0], seq: n[1], start_ns: n[2], end_ns: n[3],
            detail: if top { crate::report::Detail::Top } else { crate::report::Detail::Full },
            dict: vec![DictEntry::Name(NameId(ids[1]), "x".into())],
            runtimes: vec![RuntimeRecord { id: RuntimeId(ids[0]), global_queue: Some(n[4]), gone, ..Default::default() }],
            workers: vec![WorkerDelta { id: worker, busy_ns: n[4], interval_ns: n[5], polling: Some((TaskId(n[6]), n[7])), ..Default::default() }],
            slow_polls: vec![SlowPoll { site: SiteId(ids[0]), start_ns: n[6], wall_ns: n[7], ..Default::default() }],
            stalls: vec![Stall { since_ns: n[6], ..Default::default() }; ids[3] as usize % 9],
            edges: (0..n[6] % 9).map(|from| WakeEdge { from: Waker::Site(SiteId(from as u32)), to: SiteId(ids[0]), count: n[7] }).collect(),
            sites, tasks, ..Report::default()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_that_a_peer_sends_panics(reports in prop::collection::vec((report().boxed(), number()), 1..12)) {
        let mut world = World::new(WorldLimits { ended_tasks: 4, tasks: 16, sites: 3, workers: 2, runtimes: 2, edges: 5, ..WorldLimits::default() });
        let mut hello = crate::testkit::hello("x", 1);
        hello.boot = BootId(0);
        hello.interval_ns = u64::MAX;
        world.connect(hello, 0).unwrap();
        for (report, now) in reports {
            world.apply(report, now);
            world.tick(now, |_, task| task.0 % 2 == 0);
        }
        for process in world.processes() {
            prop_assert!(process.task_rows() <= 16);
            prop_assert!(process.sites().count() <= 3 && process.workers().count() <= 2);
            prop_assert!(process.stalls().len() <= 2 && process.wakers_of(SiteId(0)).count() <= 5);
            let _ = (process.polls_per_s(), process.busy(), process.ribbon(), process.lost(), process.now_unix_ns());
            for site in process.sites() {
                let _ = (site.window(SECOND), site.window(u64::MAX), site.heat(), site.polls_series());
            }
            for worker in process.workers() {
                let _ = (worker.rates(u32::MAX), worker.busy_fives(), worker.busy_seconds());
            }
        }
    }
}

#[test]
fn a_clock_that_runs_to_the_end_of_the_world_and_back_goes_on() {
    let mut script = Script::new("checkout");
    let mut world = world_of(&script);
    let wild = Report { end_ns: u64::MAX, ..script.second() };
    world.apply(wild, 0);
    for report in busy_seconds(&mut script, 5) {
        world.apply(report, 0);
    }
    let process = only(&world);
    assert_eq!(process.now_ns(), 6 * SECOND);
    assert_eq!(process.covered_ns(10 * SECOND), 5 * SECOND);
    assert!(process.polls_per_s().is_some_and(|rate| (5.9..6.1).contains(&rate)));
}
