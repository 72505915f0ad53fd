//! Questions and answers over a small, known world.

#![allow(clippy::unwrap_used, reason = "a test that fails here is meant to say where")]

mod contract;
mod details;
mod pages;

use std::collections::HashMap;

use super::answer;
use super::ask::{Answer, Ask};
use super::column::{Kind, columns};
use super::flag::{FindingSource, Flag, TaskFlags};
use super::page::{Page, Query, Scope, Sort};
use crate::entity::runtime::{RuntimeRecord, WorkerDelta};
use crate::entity::task::TaskState;
use crate::finding::Finding;
use crate::id::{BootId, RuntimeId, SiteId, TaskId, WorkerId};
use crate::level::Level;
use crate::measured::Mode;
use crate::testkit::Script;
use crate::time::{MILLISECOND, SECOND};
use crate::value::Value;
use crate::world::{World, WorldLimits};

/// A judge that says what a test tells it.
#[derive(Default)]
struct Told {
    tasks: TaskFlags,
    sites: HashMap<SiteId, Flag>,
    findings: Vec<(BootId, Finding)>,
}

impl FindingSource for Told {
    fn flagged(&self, _: BootId) -> Option<&TaskFlags> {
        Some(&self.tasks)
    }

    fn site(&self, _: BootId, site: SiteId) -> Option<&Flag> {
        self.sites.get(&site)
    }

    fn findings(&self, boot: BootId) -> Vec<&Finding> {
        self.findings.iter().filter(|(of, _)| *of == boot).map(|(_, finding)| finding).collect()
    }

    fn undecided(&self, _: BootId) -> Vec<(&'static str, String)> {
        vec![("task-leak", "needs 5m of history".to_owned())]
    }

    fn set_aside(&self, _: BootId) -> Vec<(&'static str, String)> {
        vec![("blocking-poll", "9 polls took over 10ms".to_owned())]
    }

    fn note(&self, _: BootId) -> Option<String> {
        Some("The policy is not used.".to_owned())
    }

    fn poll_limit_ns(&self, _: BootId) -> u64 {
        10 * MILLISECOND
    }
}

fn finding(number: u64, task: TaskId, site: &str) -> Finding {
    Finding {
        number,
        fingerprint: "blocking-poll cart::render".into(),
        site: site.into(),
        task: Some(task),
        task_name: "render_cart".into(),
        process: "checkout#1".into(),
        value: Value::Nanos(412 * MILLISECOND),
        limit: Value::Nanos(10 * MILLISECOND),
        count: 3,
        first_ns: crate::testkit::START_UNIX_NS,
        last_ns: crate::testkit::START_UNIX_NS + SECOND,
        open: true,
        headline: "one poll took 412 ms".into(),
        why: "others waited".into(),
        fix: "spawn_blocking".into(),
        ..Finding::new("blocking-poll", Level::Deny)
    }
}

/// Two seconds of a shop: a slow renderer, a hundred connections, one of which is over.
struct Shop {
    script: Script,
    world: World,
    source: Told,
    slow: TaskId,
    over: TaskId,
}

fn shop() -> Shop {
    let mut script = Script::new("checkout");
    let (cart, serve) = (script.site("src/cart.rs:88:9"), script.site("src/serve.rs:40:5"));
    script.name("main");
    let slow = script.spawn_named(cart, "render_cart", "http");
    script.slow_poll(slow, 412 * MILLISECOND, 400 * MILLISECOND, 0);
    let mut over = slow;
    for n in 0..100 {
        let conn = script.spawn_named(serve, &format!("conn{{:{}}}", 51_000 + n), "http");
        script.edit(conn, |task| task.parent = Some(slow));
        script.poll(conn, n + 1, 10_000);
        over = conn;
    }
    script.end(over, TaskState::Completed);
    let runtime = RuntimeId(0);
    let main = script.name("main");
    script.runtime(RuntimeRecord { id: runtime, name: main, workers: 2, ..Default::default() });
    for index in 0..2 {
        script.worker(&WorkerDelta {
            id: WorkerId { runtime, index },
            busy_ns: u64::from(index + 1) * 300 * MILLISECOND,
            interval_ns: SECOND,
            parks: 10,
            parked: index == 0,
            polling: (index == 1).then_some((slow, 500 * MILLISECOND)),
            ..WorkerDelta::default()
        });
    }
    let mut world = World::new(WorldLimits::default());
    world.connect(script.hello(), script.now_unix_ns()).unwrap();
    world.apply(script.second(), script.now_unix_ns());
    let mut source = Told::default();
    let flag = Flag { level: Level::Deny, letter: 'L', detectors: vec!["blocking-poll"] };
    source.tasks.insert(slow, flag.clone());
    source.sites.insert(cart, flag);
    source.findings.push((script.boot(), finding(1, slow, "src/cart.rs:88:9")));
    Shop { script, world, source, slow, over }
}

impl Shop {
    fn ask(&self, ask: &Ask) -> Answer {
        answer(&self.world, &self.source, ask, self.script.now_unix_ns())
    }

    fn page(&self, query: Query) -> Page {
        match self.ask(&Ask::Page(query)) {
            Answer::Page(page) => page,
            other => panic!("no page: {other:?}"),
        }
    }
}

/// A cell by its key.
fn cell(kind: Kind, cells: &[Value], key: &str) -> Value {
    let at = columns(kind).iter().position(|column| column.key == key);
    cells[at.unwrap_or_else(|| panic!("{kind:?} has no column {key}"))].clone()
}
