//! Bytes have a ceiling, for one process and for all, and who takes most gives way.

use super::*;
use crate::dict::{DictEntry, Frame, MAX_BYTES, Stack};
use crate::hist::{BUCKETS, Hist};
use crate::id::{NameId, StackId};
use crate::testkit::hello;

const MIB: usize = 1 << 20;

/// A histogram that names every `step`th bucket, which costs two bytes each on the wire.
fn named(step: usize) -> Hist {
    let mut hist = Hist::new();
    (0..BUCKETS).step_by(step).for_each(|bucket| hist.add_bucket(bucket, 1));
    hist.add_totals(1 << 40, u64::MAX);
    hist
}

fn sites(ids: std::ops::Range<u32>, hist: &Hist) -> Vec<SiteDelta> {
    let site = |id| SiteDelta {
        site: SiteId(id),
        spawned: 1,
        poll: hist.clone(),
        sched: hist.clone(),
        life: hist.clone(),
        ..SiteDelta::default()
    };
    ids.map(site).collect()
}

fn delta(boot: BootId, seq: u64, sites: Vec<SiteDelta>) -> Report {
    Report {
        boot,
        first_seq: seq,
        seq,
        start_ns: (seq - 1) * SECOND,
        end_ns: seq * SECOND,
        sites,
        ..Report::default()
    }
}

/// The weight that is counted as things change is the weight that a walk finds.
fn weigh_again(process: &Process) {
    let walked: usize = process.sites.values().map(crate::world::site::SiteState::held_bytes).sum();
    assert_eq!(process.site_bytes, walked);
    assert!(process.held_bytes() >= walked);
}

#[test]
fn many_sites_with_every_bucket_named_stay_below_the_ceiling_and_count_exactly() {
    let limits = WorldLimits { site_bytes: 4 * MIB, ..WorldLimits::default() };
    let mut world = World::new(limits);
    let hello = hello("hostile", 1);
    world.connect(hello.clone(), 0).unwrap();
    let hist = named(1);
    for seq in 1..=20 {
        assert_eq!(world.apply(delta(hello.boot, seq, sites(0..400, &hist)), 0), Applied::New);
        assert!(world.held_bytes() < 10 * MIB, "{} bytes after {seq} reports", world.held_bytes());
    }
    let process = only(&world);
    weigh_again(process);
    assert!(process.reduced_sites() > 0);
    for site in process.sites() {
        let totals = site.totals();
        // The first interval of a site may have been refused for want of room, the others not.
        assert_eq!(totals.poll.count(), totals.spawned * BUCKETS as u64);
        assert_eq!((totals.poll.max(), totals.poll.quantile(1.0)), (u64::MAX, Some(u64::MAX)));
    }
    let kept: u64 = process.sites().map(|site| site.totals().spawned).sum();
    assert_eq!(kept + process.refused().sites, 20 * 400, "what found no room is counted");
}

#[test]
fn a_snapshot_of_many_sites_stays_below_the_ceiling_too() {
    let mut world = World::new(WorldLimits { site_bytes: 4 * MIB, ..WorldLimits::default() });
    let hello = hello("hostile", 1);
    world.connect(hello.clone(), 0).unwrap();
    let hist = named(1);
    for part in 0..20 {
        let report = Report {
            kind: ReportKind::Snapshot { part, parts: 20 },
            boot: hello.boot,
            seq: 7,
            end_ns: SECOND,
            sites: sites(part * 100..(part + 1) * 100, &hist),
            ..Report::default()
        };
        assert_eq!(world.apply(report, 0), Applied::New);
        assert!(world.held_bytes() < 20 * MIB, "{} bytes after part {part}", world.held_bytes());
    }
    weigh_again(only(&world));
    assert!(world.held_bytes() < 8 * MIB && only(&world).refused().sites > 0);
}

#[test]
fn a_dictionary_of_long_texts_stays_below_its_ceiling() {
    let mut world = World::new(WorldLimits::default());
    let hello = hello("hostile", 1);
    world.connect(hello.clone(), 0).unwrap();
    let long: std::sync::Arc<str> = "x".repeat(4_096).into();
    let frame =
        Frame { function: "f".repeat(512).into(), file: Some("g".repeat(512).into()), line: 1, users: true };
    let stack = Stack { frames: vec![frame; 64], ..Stack::default() };
    for n in 0..20 {
        let mut report = delta(hello.boot, n + 1, Vec::new());
        let ids = (n as u32 * 1_000)..(n as u32 + 1) * 1_000;
        let names = ids.clone().map(|id| DictEntry::Name(NameId(id), long.to_string().into()));
        let places = ids.clone().map(|id| {
            DictEntry::Site(
                SiteId(id),
                crate::dict::Site { file: long.to_string().into(), line: 1, column: 1 },
            )
        });
        let stacks = ids.take(100).map(|id| DictEntry::Stack(StackId(id % 2_048), stack.clone()));
        report.dict = names.chain(places).chain(stacks).collect();
        world.apply(report, 0);
    }
    let dictionary = only(&world).dictionary();
    assert!(dictionary.held_bytes() < MAX_BYTES + 6 * MIB, "{}", dictionary.held_bytes());
    assert!(dictionary.refused() > 10_000 && only(&world).lost() > 10_000);
    assert_eq!(&*dictionary.name(NameId(0)), &*long, "what was there stays");
}

#[test]
fn rows_that_do_not_fit_into_a_row_have_a_ceiling() {
    let mut world = World::new(WorldLimits { tasks: 800, ..WorldLimits::default() });
    let hello = hello("hostile", 1);
    world.connect(hello.clone(), 0).unwrap();
    let task = |id, polls| TaskRecord { id: TaskId(id), polls, ..TaskRecord::default() };
    let mut report = delta(hello.boot, 1, Vec::new());
    report.tasks = (0..700).map(|id| task(id, u64::MAX)).collect();
    world.apply(report, 0);
    assert_eq!((only(&world).task_rows(), only(&world).refused().tasks), (400, 300));
    let mut report = delta(hello.boot, 2, Vec::new());
    report.tasks = (0..700).map(|id| task(id, 1)).collect();
    world.apply(report, 0);
    assert_eq!(only(&world).task_rows(), 700, "narrow ones have all of the room");
}

#[test]
fn above_the_ceiling_of_all_the_gone_leave_first_then_the_heaviest_gives_way() {
    let mut world = World::new(WorldLimits { bytes: 6 * MIB, site_bytes: 8 * MIB, ..WorldLimits::default() });
    let (honest, gone) = (hello("honest", 1), hello("gone", 2));
    let hist = named(64);
    for hello in [&honest, &gone] {
        world.connect(hello.clone(), 0).unwrap();
        world.apply(delta(hello.boot, 1, sites(0..20, &hist)), 0);
    }
    world.disconnect(gone.boot, "it ended", 1);
    let hist = named(1);
    let hostile: Vec<_> = (10..40).map(|pid| hello("hostile", pid)).collect();
    let mut ends = Vec::new();
    for hello in &hostile {
        world.connect(hello.clone(), 0).unwrap();
        for seq in 1..=4 {
            ends.push(world.apply(delta(hello.boot, seq, sites(0..100, &hist)), 0));
            assert!(world.held_bytes() <= 6 * MIB, "{} bytes", world.held_bytes());
        }
    }
    assert!(world.process(gone.boot).is_none());
    assert!(world.evicted > 0, "{}", world.evicted);
    assert!(ends.contains(&Applied::New));
    assert_eq!(world.apply(delta(honest.boot, 2, sites(0..20, &named(64))), 0), Applied::New);
    let honest = world.process(honest.boot).unwrap();
    assert_eq!((honest.reduced_sites(), honest.sites().count()), (0, 20), "it pays nothing for others");
    let counted: usize = world.processes().map(Process::held_bytes).sum();
    assert_eq!(world.held_bytes(), counted);
}

#[test]
fn short_lived_processes_push_out_their_namesakes_only() {
    let mut world = World::new(WorldLimits { processes: 16, ..WorldLimits::default() });
    let crashed = hello("checkout", 1);
    world.connect(crashed.clone(), 0).unwrap();
    world.disconnect(crashed.boot, "it crashed", 1);
    for pid in 2..200 {
        let short = hello("cron", pid);
        world.connect(short.clone(), u64::from(pid)).unwrap();
        world.disconnect(short.boot, "it ended", u64::from(pid));
    }
    assert!(world.process(crashed.boot).is_some(), "another name's last state stays");
    assert_eq!(world.processes().count(), 16);
    assert!(world.process(hello("cron", 199).boot).is_some(), "of one name the newest stay");
}
