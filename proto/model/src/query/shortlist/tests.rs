//! Whatever happened since a list was made, the page out of it is the one by a walk over all rows.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::entity::task::TaskState;
use crate::hello::Hello;
use crate::id::SiteId;
use crate::level::Level;
use crate::measured::Mode;
use crate::query::answer;
use crate::query::answer::meta;
use crate::query::ask::{Answer, Ask};
use crate::query::column::Kind;
use crate::query::flag::{Flag, TaskFlags};
use crate::query::page::{Scope, Sort};
use crate::testkit::{self, Script};
use crate::time::{MILLISECOND, SECOND};
use crate::world::{World, WorldLimits};

/// A judge that flags the tasks that it is told to.
#[derive(Default)]
struct Flags(HashMap<BootId, TaskFlags>);

impl FindingSource for Flags {
    fn flagged(&self, boot: BootId) -> Option<&TaskFlags> {
        self.0.get(&boot)
    }
}

/// Two processes, and who reads pages of them.
struct Rig {
    scripts: Vec<(Script, SiteId, Vec<TaskId>)>,
    world: World,
    flags: Flags,
    lists: Shortlists,
}

/// What happens to the tasks of a process; a task is told by a number modulo how many there are.
#[derive(Clone, Debug)]
enum Step {
    Spawn(u8),
    Poll(u8, u64),
    Open(u8),
    Wait(u8),
    End(u8),
    Flag(u8, Level),
    Unflag(u8),
    Report,
    /// A snapshot in which the rows of the first so many are not told any more.
    Lose(u8),
    /// It is forgotten and comes back.
    Reborn,
}

impl Rig {
    fn new() -> Self {
        let limits = WorldLimits { ended_tasks: 6, keep_ended_ns: 3 * SECOND, ..WorldLimits::default() };
        let mut rig = Self {
            scripts: Vec::new(),
            world: World::new(limits),
            flags: Flags::default(),
            lists: Shortlists::default(),
        };
        for (pid, mode) in [(100, Mode::Wrap), (101, Mode::Hooks)] {
            let mut script = Script::of(Hello { mode, ..testkit::hello("shop", pid) });
            let site = script.site("src/cart.rs:88:9");
            rig.scripts.push((script, site, Vec::new()));
            rig.do_to(usize::from(pid == 101), &Step::Reborn);
        }
        rig
    }

    fn do_to(&mut self, at: usize, step: &Step) {
        let (script, site, tasks) = &mut self.scripts[at];
        let task = |n: u8| tasks.get(usize::from(n) % tasks.len().max(1)).copied();
        let alive = |n: u8| task(n).filter(|id| script.task(*id).is_some_and(|row| !row.state.is_ended()));
        let flags = self.flags.0.entry(script.boot()).or_default();
        match step {
            Step::Spawn(count) => tasks.extend((0..*count).map(|_| script.spawn(*site))),
            Step::Poll(n, _) | Step::Open(n) | Step::Wait(n) | Step::End(n) => {
                let Some(id) = alive(*n) else { return };
                let now_ns = script.now_ns().max(1);
                match step {
                    Step::Poll(_, wall_ns) => script.poll(id, 1, *wall_ns),
                    Step::Open(_) => script.open_poll(id, 0),
                    Step::Wait(_) => script.edit(id, |row| {
                        (row.state, row.scheduled_since_ns) = (TaskState::Scheduled, now_ns);
                        row.poll_start_ns = 0;
                    }),
                    _ => script.end(id, TaskState::Completed),
                }
            }
            Step::Flag(n, level) => {
                let flag = Flag { level: *level, letter: 'L', detectors: vec!["blocking-poll"] };
                flags.extend(task(*n).map(|id| (id, flag)));
            }
            Step::Unflag(n) => flags.retain(|id, _| Some(*id) != task(*n)),
            Step::Report => {
                let report = script.second();
                self.world.apply(report, script.now_unix_ns());
            }
            Step::Lose(untold) => {
                script.pass(SECOND);
                let mut parts = script.snapshot(8);
                let gone: Vec<TaskId> = tasks.iter().copied().take(usize::from(*untold) % 8).collect();
                for part in &mut parts {
                    part.tasks.retain(|row| !gone.contains(&row.id));
                }
                for part in parts {
                    self.world.apply(part, script.now_unix_ns());
                }
            }
            Step::Reborn => {
                self.world.disconnect(script.boot(), "gone", script.now_unix_ns());
                let later = script.now_unix_ns() + 10_000 * SECOND;
                self.world.tick(later, |_, _| false);
                self.lists.forget(script.boot());
                let greeted = self.world.connect(script.hello(), script.now_unix_ns());
                assert!(greeted.is_ok());
                for part in script.snapshot(8) {
                    self.world.apply(part, script.now_unix_ns());
                }
            }
        }
        let now_unix_ns = script.now_unix_ns();
        self.world.tick(now_unix_ns, |_, _| false);
    }

    /// The page, if there was a list for it or one was made; checked against the walk.
    fn check(&self, query: &Query, spare: u64) -> Option<Page> {
        let scope: Vec<&Process> = match query.scope {
            Scope::All => self.world.processes().collect(),
            Scope::Process(boot) => self.world.process(boot).into_iter().collect(),
        };
        let page = self.lists.page_sparing(spare, query, &meta(&scope), &scope, &self.flags);
        let page = page.expect("a query that can be run")?;
        let whole = answer(&self.world, &self.flags, &Ask::Page(query.clone()), 0);
        assert_eq!(Answer::Page(page.clone()), whole, "{query:?}");
        Some(page)
    }
}

fn step() -> impl Strategy<Value = Step> {
    let level = prop_oneof![Just(Level::Allow), Just(Level::Warn), Just(Level::Deny)];
    prop_oneof![
        3 => (1u8..12).prop_map(Step::Spawn),
        8 => (any::<u8>(), 0u64..4).prop_map(|(n, ms)| Step::Poll(n, ms * MILLISECOND)),
        2 => any::<u8>().prop_map(Step::Open),
        2 => any::<u8>().prop_map(Step::Wait),
        3 => any::<u8>().prop_map(Step::End),
        2 => (any::<u8>(), level).prop_map(|(n, level)| Step::Flag(n, level)),
        1 => any::<u8>().prop_map(Step::Unflag),
        8 => Just(Step::Report),
        1 => any::<u8>().prop_map(Step::Lose),
        1 => Just(Step::Reborn),
    ]
}

fn still() -> Vec<&'static str> {
    FIELDS.iter().filter(|field| field.column.still).map(|field| field.column.key).collect()
}

fn query() -> impl Strategy<Value = Query> {
    let sort = (prop::sample::select(still()), any::<bool>())
        .prop_map(|(column, descending)| Sort { column: column.to_owned(), descending });
    (prop::collection::vec(sort, 0..3), 0u64..4, 0u64..6).prop_map(|(sort, offset, limit)| Query {
        sort,
        offset,
        ..Query::all(Kind::Tasks, limit)
    })
}

proptest! {
    #[test]
    fn a_page_out_of_a_list_is_the_page_by_a_walk(
        begin in prop::collection::vec((0usize..2, 5u8..30), 1..3),
        queries in prop::collection::vec((query(), 0u64..8), 1..4),
        steps in prop::collection::vec((0usize..2, step()), 1..60),
    ) {
        let mut rig = Rig::new();
        for (at, tasks) in begin {
            rig.do_to(at, &Step::Spawn(tasks));
            rig.do_to(at, &Step::Report);
        }
        for (nth, (at, step)) in steps.iter().enumerate() {
            rig.do_to(*at, step);
            let (query, spare) = &queries[nth % queries.len()];
            rig.check(query, *spare);
            let one = Query { scope: Scope::Process(rig.scripts[0].0.boot()), ..query.clone() };
            rig.check(&one, *spare);
        }
    }
}

#[test]
fn a_list_is_used_until_too_few_are_left_before_its_bound() {
    let mut rig = Rig::new();
    rig.do_to(0, &Step::Spawn(100));
    for n in 0..100 {
        rig.do_to(0, &Step::Poll(n, u64::from(n) * MILLISECOND));
    }
    rig.do_to(0, &Step::Report);
    let query = Query::all(Kind::Tasks, 5);
    let bound = |rig: &Rig| rig.lists.lists().first().map(|list| format!("{:?}", list.bound));
    assert!(rig.check(&query, 0).is_some());
    let first = bound(&rig);
    assert!(first.is_some());
    // Those that end come last, and others move up: for five of the ten that were kept there is no walk.
    for n in 95..100 {
        rig.do_to(0, &Step::End(n));
        rig.do_to(0, &Step::Report);
        assert!(rig.check(&query, 0).is_some());
        assert_eq!(bound(&rig), first, "{n}");
    }
    rig.do_to(0, &Step::End(94));
    rig.do_to(0, &Step::Report);
    assert!(rig.check(&query, 0).is_some());
    assert_ne!(bound(&rig), first);
    // Nor is the list longer and longer while all others overtake.
    for n in 0..60 {
        rig.do_to(0, &Step::Poll(n, SECOND));
        rig.do_to(0, &Step::Report);
        assert!(rig.check(&query, 0).is_some());
        assert!(rig.lists.lists()[0].members.len() <= 20);
    }
}

#[test]
fn what_is_filtered_or_moves_with_time_has_no_list() {
    let mut rig = Rig::new();
    rig.do_to(0, &Step::Spawn(100));
    rig.do_to(0, &Step::Report);
    let by = |column: &str| vec![Sort { column: column.to_owned(), descending: true }];
    let all = Query::all(Kind::Tasks, 5);
    for query in [
        Query { filter: "cart".to_owned(), ..all.clone() },
        Query { sort: by("age"), ..all.clone() },
        Query { sort: by("name"), ..all.clone() },
        Query { offset: DEEPEST, ..all.clone() },
    ] {
        assert_eq!(rig.check(&query, 0), None, "{query:?}");
    }
    assert!(rig.check(&all, 0).is_some());
    for column in still() {
        assert!(rig.check(&Query { sort: by(column), ..all.clone() }, 0).is_some());
    }
    assert_eq!(rig.lists.lists().len(), LISTS);
}
