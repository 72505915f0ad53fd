//! The engine over scripted reports: hysteresis, flags, policies, bounds and late attachment.

use super::*;
use crate::hello::Hello;
use crate::level::Level;
use crate::query::answer;
use crate::query::ask::{Answer, Ask};
use crate::query::column::Kind;
use crate::query::page::Query;
use crate::testkit::{Script, hello};
use crate::time::MILLISECOND;
use crate::world::WorldLimits;

mod lines;
mod nested;

/// A process that is watched from its start.
struct Watched {
    script: Script,
    world: World,
    engine: Engine,
}

impl Watched {
    fn new(hello: Hello) -> Self {
        let script = Script::of(hello);
        let mut world = World::new(WorldLimits::default());
        world.connect(script.hello(), script.now_unix_ns()).expect("there is room");
        Self { script, world, engine: Engine::new() }
    }

    fn second(&mut self) {
        let report = self.script.second();
        self.world.apply(report, self.script.now_unix_ns());
        self.engine.tick(&self.world);
    }

    fn seconds(&mut self, seconds: u64) {
        (0..seconds).for_each(|_| self.second());
    }

    fn findings(&self) -> Vec<&Finding> {
        self.engine.findings(self.script.boot())
    }
}

fn shop() -> Watched {
    Watched::new(hello("shop", 1))
}

#[test]
fn a_site_with_hundreds_of_tasks_of_which_none_ended_is_marked_within_a_minute() {
    let mut shop = shop();
    let (feed, pool) = (shop.script.site("src/feed.rs:33:9"), shop.script.site("src/pool.rs:9:9"));
    shop.script.count(feed, |delta| delta.spawned += 240);
    shop.script.count(pool, |delta| delta.spawned += 240);
    shop.second();
    shop.script.count(pool, |delta| delta.completed += 1);
    shop.seconds(20);
    assert!(shop.findings().is_empty(), "a burst is no leak yet");
    shop.seconds(30);
    let flag = |site| shop.engine.site(shop.script.boot(), site).map(|flag| (flag.level, flag.letter));
    assert_eq!((flag(feed), flag(pool)), (Some((Level::Allow, 'K')), None));
    let sites = Ask::Page(Query::all(Kind::Sites, 10));
    let Answer::Page(page) = answer(&shop.world, &shop.engine, &sites, shop.script.now_unix_ns()) else {
        panic!("no page")
    };
    let marked =
        page.rows.iter().find(|row| row.cell("site").is_some_and(|site| site.to_string().contains("feed")));
    assert_eq!(marked.and_then(|row| row.cell("flag")), Some(&Value::Text(".K".into())));
}

#[test]
fn a_finding_closes_in_time_and_comes_back_under_its_number() {
    let mut shop = shop();
    let site = shop.script.site("src/slot.rs:18:13");
    let task = shop.script.spawn_named(site, "slot 17", "");
    shop.script.poll(task, 1, 1_000);
    shop.script.edit(task, |task| task.wakers = 0);
    shop.seconds(5);
    let first = shop.findings()[0].clone();
    assert!(first.open);
    assert_eq!(&*first.fingerprint, "lost-waker src/slot.rs slot #");
    assert_eq!(shop.engine.task(shop.script.boot(), task).map(|flag| flag.level), Some(Level::Deny));

    shop.script.edit(task, |task| task.wakers = 1);
    shop.seconds(3);
    assert!(shop.findings()[0].open, "it is not over at once");
    shop.seconds(3);
    assert!(!shop.findings()[0].open);
    assert_eq!(shop.engine.task(shop.script.boot(), task), None);
    assert_eq!(shop.engine.site(shop.script.boot(), site), None);

    shop.script.edit(task, |task| task.wakers = 0);
    shop.seconds(2);
    let again = shop.findings()[0];
    assert!(again.open && shop.findings().len() == 1);
    assert_eq!((again.number, again.first_ns), (first.number, first.first_ns));
    assert!(again.last_ns > first.last_ns);
}

#[test]
fn every_task_that_shows_it_is_flagged() {
    let mut shop = shop();
    let site = shop.script.site("src/slot.rs:18:13");
    let tasks: Vec<_> = (0..50).map(|_| shop.script.spawn_named(site, "slot", "")).collect();
    for task in &tasks {
        shop.script.poll(*task, 1, 1_000);
        shop.script.edit(*task, |task| task.wakers = 0);
    }
    let other = shop.script.spawn_named(site, "other", "");
    shop.script.poll(other, 1, 1_000);
    shop.seconds(5);
    let boot = shop.script.boot();
    assert_eq!(shop.findings().iter().map(|finding| finding.count).collect::<Vec<_>>(), [50]);
    for task in tasks {
        assert_eq!(shop.engine.task(boot, task).map(|flag| flag.detectors.clone()), Some(vec!["lost-waker"]));
    }
    assert_eq!(shop.engine.task(boot, other), None);
}

#[test]
fn a_policy_travels_with_the_process_and_a_bad_one_is_told() {
    let large = |policy: &str| {
        let mut shop = Watched::new(Hello { policy: policy.to_owned(), ..hello("shop", 1) });
        let site = shop.script.site("src/big.rs:1:1");
        shop.script.count(site, |site| site.max_future_bytes = 20_000);
        shop.second();
        let levels: Vec<_> = shop.findings().iter().map(|finding| finding.level).collect();
        (levels, shop.engine.note(shop.script.boot()))
    };
    assert_eq!(large(""), (vec![Level::Warn], None));
    assert_eq!(large("[detectors.large-future]\nsize = \"64KiB\""), (vec![], None));
    assert_eq!(large("[detectors.large-future]\nlevel = \"allow\""), (vec![Level::Allow], None));
    let (levels, note) = large("[detectors.large-futures]");
    assert_eq!(levels, [Level::Warn]);
    let note = note.expect("a note");
    assert!(note.contains("shop#1") && note.contains("did you mean `large-future`?"), "{note}");
}

#[test]
fn findings_are_bounded_and_the_rest_is_counted() {
    let mut shop = shop();
    for index in 0..300 {
        let site = shop.script.site(&format!("src/s{index}.rs:1:1"));
        shop.script.count(site, |site| {
            site.max_future_bytes = 20_000;
            site.swallowed_panics = 1;
        });
    }
    shop.second();
    assert_eq!(shop.findings().len(), 64, "not all at once");
    shop.seconds(600);
    // Of each of two detectors so many as it may give at one look.
    assert_eq!(shop.findings().len(), 2 * crate::detect::signal::MAX_SIGNALS);
    let note = shop.engine.note(shop.script.boot()).expect("a note");
    assert!(note.contains("are not shown: there are too many"), "{note}");
}

#[test]
fn who_attaches_late_hears_of_panics_but_not_of_old_slow_polls() {
    let mut shop = shop();
    let site = shop.script.site("src/refund.rs:9:5");
    let task = shop.script.spawn(site);
    shop.script.count(site, |site| site.swallowed_panics += 7);
    for _ in 0..5 {
        shop.script.pass(SECOND);
        shop.script.slow_poll(task, 300 * MILLISECOND, 300 * MILLISECOND, 0);
    }
    let mut old = shop.script.report();
    shop.script.pass(600 * SECOND);
    shop.script.second();
    // A snapshot carries the latest few slow polls along, however old.
    let mut late = Watched { world: World::new(WorldLimits::default()), engine: Engine::new(), ..shop };
    late.world.connect(late.script.hello(), late.script.now_unix_ns()).expect("there is room");
    for mut part in late.script.snapshot(1) {
        part.slow_polls.append(&mut old.slow_polls);
        late.world.apply(part, late.script.now_unix_ns());
    }
    late.engine.tick(&late.world);
    let serious = late.findings().into_iter().filter(|finding| finding.level > Level::Allow);
    let found: Vec<_> = serious.map(|finding| (&*finding.detector, finding.count)).collect();
    assert_eq!(found, [("swallowed-panic", 7)]);
}

#[test]
fn a_worse_poll_whose_evidence_comes_after_its_count_raises_the_level() {
    let mut shop = shop();
    let site = shop.script.site("src/cart.rs:88:9");
    let task = shop.script.spawn(site);
    shop.script.poll(task, 1, 1_000);
    shop.seconds(10);
    for _ in 0..3 {
        shop.script.slow_poll(task, 50 * MILLISECOND, 50 * MILLISECOND, 0);
    }
    shop.script.slow_poll(task, 300 * MILLISECOND, 300 * MILLISECOND, 0);
    // Its stack has no names yet, and it is told when it has.
    shop.script.pass(SECOND);
    let mut counted = shop.script.report();
    let late = counted.slow_polls.pop().expect("four were told");
    shop.world.apply(counted, shop.script.now_unix_ns());
    shop.engine.tick(&shop.world);
    let level = |shop: &Watched| shop.findings().first().map(|finding| finding.level);
    assert_eq!(level(&shop), Some(Level::Warn));
    shop.script.pass(SECOND);
    let mut told = shop.script.report();
    told.slow_polls.push(late);
    shop.world.apply(told, shop.script.now_unix_ns());
    shop.engine.tick(&shop.world);
    assert_eq!(level(&shop), Some(Level::Deny), "{:?}", shop.findings());
}

#[test]
fn what_was_found_in_a_process_that_is_gone_stays() {
    let mut shop = shop();
    let site = shop.script.site("src/big.rs:1:1");
    shop.script.count(site, |site| site.max_future_bytes = 20_000);
    shop.second();
    let now = shop.script.now_unix_ns();
    shop.world.disconnect(shop.script.boot(), "the stream ended", now);
    (1..100).for_each(|_| shop.engine.tick(&shop.world));
    assert!(shop.findings()[0].open);
    shop.world.tick(now + 3_600 * SECOND, |_, _| false);
    shop.engine.tick(&shop.world);
    assert!(shop.findings().is_empty());
}
