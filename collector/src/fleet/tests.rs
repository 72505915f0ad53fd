//! Which stream has a process's lease, and that no peer's work holds up another's.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::sync::atomic::{AtomicU64, Ordering};

use pollscope_model::entity::site::SiteDelta;
use pollscope_model::id::SiteId;
use pollscope_model::report::ReportKind;
use pollscope_model::testkit::Script;
use pollscope_model::time::SECOND;

use super::*;

/// A fleet with a clock that stands where it is put.
struct Bench {
    fleet: FleetLoop,
    now: Arc<AtomicU64>,
}

fn bench() -> Bench {
    let now = Arc::new(AtomicU64::new(SECOND));
    let clock = now.clone();
    let fleet =
        FleetLoop::new(WorldLimits::default(), watch::channel(0).0, move || clock.load(Ordering::Relaxed));
    Bench { fleet, now }
}

impl Bench {
    fn greet(&mut self, hello: &Hello) -> Result<Lease, NoLease> {
        let (reply, mut lease) = oneshot::channel();
        self.fleet.handle(Order::Greet { hello: Box::new(hello.clone()), reply });
        lease.try_recv().unwrap()
    }

    fn apply(&mut self, lease: &Lease, report: &Report) -> Taken {
        let (reply, mut taken) = oneshot::channel();
        let report = Box::new(report.clone());
        self.fleet.handle(Order::Apply { boot: lease.boot, lease: lease.number, report, reply });
        taken.try_recv().unwrap()
    }

    fn part(&mut self, lease: &Lease) {
        self.fleet.handle(Order::Part {
            boot: lease.boot,
            lease: lease.number,
            reason: "it broke off".into(),
        });
    }

    fn seq(&self, boot: BootId) -> Option<u64> {
        self.fleet.monitor().world().process(boot).unwrap().reported_seq()
    }
}

const NEW: Taken = Taken::Applied(Applied::New);

#[test]
fn a_process_that_speaks_cannot_be_silenced_by_another_stream() {
    let (mut bench, mut script) = (bench(), Script::new("checkout"));
    let lease = bench.greet(&script.hello()).unwrap();
    assert_eq!(bench.apply(&lease, &script.second()), NEW);
    assert_eq!(bench.greet(&script.hello()).unwrap_err(), NoLease::Taken);
    let far = Report { boot: lease.boot, first_seq: 1 << 40, seq: 1 << 40, ..Report::default() };
    let stranger = Lease { number: lease.number + 1, ..bench.greet(&Script::new("other").hello()).unwrap() };
    assert_eq!(bench.apply(&Lease { boot: lease.boot, ..stranger }, &far), Taken::NoLease);
    assert_eq!(bench.apply(&lease, &script.second()), NEW);
    assert_eq!(bench.seq(lease.boot), Some(2));
}

#[test]
fn a_number_out_of_order_changes_nothing() {
    let (mut bench, mut script) = (bench(), Script::new("checkout"));
    let lease = bench.greet(&script.hello()).unwrap();
    let far = |first_seq, seq| Report { boot: lease.boot, first_seq, seq, ..Report::default() };
    assert_eq!(bench.apply(&lease, &far(1 << 40, 1 << 40)), Taken::OutOfOrder, "the first delta is number 1");
    let (first, second, third) = (script.second(), script.second(), script.second());
    assert_eq!(bench.apply(&lease, &first), NEW);
    for wrong in [far(1 << 40, 1 << 40), far(3, 3), far(1, 2), far(u64::MAX, u64::MAX)] {
        assert_eq!(bench.apply(&lease, &wrong), Taken::OutOfOrder);
    }
    assert_eq!(bench.apply(&lease, &second), NEW);
    assert_eq!(bench.apply(&lease, &third), NEW);
    let process = bench.fleet.monitor().world().processes().next().unwrap();
    assert_eq!((process.reported_seq(), process.needs_snapshot(), process.lost()), (Some(3), false, 0));
}

#[test]
fn a_stream_that_was_silent_gives_way() {
    let (mut bench, mut script) = (bench(), Script::new("checkout"));
    let mut old = bench.greet(&script.hello()).unwrap();
    assert_eq!(bench.apply(&old, &script.second()), NEW);
    bench.now.fetch_add(10 * SECOND, Ordering::Relaxed);
    bench.fleet.tick();
    let new = bench.greet(&script.hello()).unwrap();
    assert_eq!(new.last_seq, Some(1));
    let report = script.second();
    assert_eq!(bench.apply(&old, &report), Taken::NoLease);
    assert!(old.wants.try_recv().is_err_and(|error| error == mpsc::error::TryRecvError::Disconnected));
    assert_eq!(bench.apply(&new, &report), NEW);
}

#[test]
fn a_number_that_was_not_the_processs_own_does_not_outlive_its_stream() {
    let (mut bench, mut script) = (bench(), Script::new("checkout"));
    let lease = bench.greet(&script.hello()).unwrap();
    assert_eq!(bench.apply(&lease, &script.second()), NEW);
    bench.part(&lease);
    // A stranger knows the boot id and comes before the process is back.
    let stranger = bench.greet(&script.hello()).unwrap();
    let far = Report { boot: lease.boot, first_seq: 2, seq: u64::MAX, ..Report::default() };
    assert_eq!(bench.apply(&stranger, &far), NEW);
    bench.part(&stranger);

    let lease = bench.greet(&script.hello()).unwrap();
    let site = script.site("src/cart.rs:88:9");
    script.spawn(site);
    script.second();
    let snapshot = script.snapshot(1).remove(0);
    assert!(matches!(snapshot.kind, ReportKind::Snapshot { .. }) && snapshot.seq < 10);
    assert_eq!(bench.apply(&lease, &snapshot), NEW);
    assert_eq!(bench.apply(&lease, &script.second()), NEW);
    let process = bench.fleet.monitor().world().processes().next().unwrap();
    assert_eq!((process.task_rows(), process.reported_seq()), (1, Some(snapshot.seq + 1)));
}

#[tokio::test]
async fn a_large_report_is_folded_between_others() {
    let mut bench = bench();
    let (large, mut small) = (Script::new("hostile"), Script::new("checkout"));
    let (hostile, honest) = (bench.greet(&large.hello()).unwrap(), bench.greet(&small.hello()).unwrap());
    let (orders, orders_in) = mpsc::channel(8);
    let (_questions, questions_in) = mpsc::channel(8);
    let apply = |lease: &Lease, report: Report| {
        let (reply, taken) = oneshot::channel();
        (Order::Apply { boot: lease.boot, lease: lease.number, report: Box::new(report), reply }, taken)
    };
    let sites = (0..60_000).map(|id| SiteDelta { site: SiteId(id), spawned: 1, ..SiteDelta::default() });
    let report =
        Report { boot: hostile.boot, first_seq: 1, seq: 1, sites: sites.collect(), ..Report::default() };
    let (order, mut late) = apply(&hostile, report);
    orders.send(order).await.unwrap();
    let (order, mut soon) = apply(&honest, small.second());
    orders.send(order).await.unwrap();
    let kept = bench.fleet.run(orders_in, questions_in);
    tokio::pin!(kept);
    tokio::select! {
        biased;
        taken = &mut soon => assert_eq!(taken.unwrap(), NEW),
        () = &mut kept => panic!("the fleet ended"),
    }
    assert!(late.try_recv().is_err(), "the large report was not folded at one go");
    tokio::select! {
        biased;
        taken = &mut late => assert_eq!(taken.unwrap(), NEW),
        () = &mut kept => panic!("the fleet ended"),
    }
}
