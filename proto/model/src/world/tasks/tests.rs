//! The table against the plainest thing that could be in its place: a map of records.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::entity::task::{HandleState, TaskKind, TaskState, WakesBy, WokenBy};
use crate::id::NameId;
use crate::measured::Mode;

/// Some that fit into a row and one that does not.
const RUNTIMES: [u32; 4] = [0, 1, 255, 256];

fn small_or_any(small: u64) -> impl Strategy<Value = u64> {
    prop_oneof![8 => 0..small, 1 => Just(u64::from(u32::MAX)), 1 => any::<u64>()]
}

fn one_of<T: Copy + std::fmt::Debug + 'static>(all: &'static [T]) -> impl Strategy<Value = T> {
    (0..all.len()).prop_map(|at| all[at])
}

fn record() -> impl Strategy<Value = TaskRecord> {
    let who = (0u64..40, 0u32..4, small_or_any(70_000), small_or_any(70_000), small_or_any(70_000));
    let what = (
        one_of(&[Mode::Sample, Mode::Wrap, Mode::Hooks]),
        one_of(&TaskKind::ALL),
        one_of(&TaskState::ALL),
        one_of(&[HandleState::Held, HandleState::Dropped, HandleState::Joined, HandleState::Aborted]),
        any::<bool>(),
    );
    let where_ = (
        prop::option::of(small_or_any(40)),
        prop::option::of(one_of(&RUNTIMES)),
        prop::option::of(0u32..300),
        prop_oneof![
            Just(WokenBy::Unknown),
            Just(WokenBy::Itself),
            Just(WokenBy::Runtime),
            Just(WokenBy::OtherThread),
            small_or_any(40).prop_map(|id| WokenBy::Task(TaskId(id))),
        ],
        any::<bool>(),
    );
    let numbers = prop::collection::vec(small_or_any(1 << 33), 14);
    (who, what, where_, numbers).prop_map(|(who, what, where_, n)| {
        let (id, site, name, group, scope) = who;
        let (mode, kind, state, handle, long_lived) = what;
        let (parent, runtime, worker, woken_by, odd) = where_;
        let wakers = n[9] as u32 % 70_000;
        TaskRecord {
            id: TaskId(id),
            site: SiteId(site),
            name: NameId(name as u32),
            group: NameId(group as u32),
            scope: NameId(scope as u32),
            parent: parent.map(TaskId),
            runtime: runtime.map(RuntimeId),
            mode,
            kind,
            state,
            long_lived,
            spawned_ns: n[0],
            // What a recorder never says together comes now and then as well.
            ended_ns: if odd || state.is_ended() { n[1] } else { 0 },
            last_poll_end_ns: n[2],
            poll_start_ns: if odd || state == TaskState::Running { n[3] } else { 0 },
            worker,
            scheduled_since_ns: if odd || state == TaskState::Scheduled { n[4] } else { 0 },
            polls: n[5],
            busy_ns: n[6],
            max_poll_ns: n[7],
            scheduled_ns: n[8],
            max_sched_ns: n[10],
            wakes: n[11],
            self_wakes: n[12],
            forced_yields: n[13],
            wakers,
            waker_clones: n[12],
            waker_drops: if odd { n[13] } else { n[12].saturating_sub(wakers.into()) },
            wakes_by: WakesBy {
                tasks: n[0] % 9,
                threads: n[1] % 9,
                runtime: if odd {
                    n[2]
                } else {
                    n[11].saturating_sub(n[12]).saturating_sub(n[0] % 9 + n[1] % 9)
                },
            },
            woken_by,
            handle,
            future_bytes: n[9],
        }
    })
}

#[derive(Clone, Debug)]
enum Step {
    Insertion(Box<TaskRecord>),
    Sweep(Vec<TaskRecord>),
    Shed(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => record().prop_map(|record| Step::Insertion(Box::new(record))),
        1 => prop::collection::vec(record(), 0..20).prop_map(Step::Sweep),
        1 => (0usize..8).prop_map(Step::Shed),
    ]
}

/// The table and the map after one record: what ended does not come back.
fn put(table: &mut TaskTable, map: &mut BTreeMap<TaskId, TaskRecord>, record: &TaskRecord) {
    assert_eq!(table.put(record.clone(), SECOND, usize::MAX), Insertion::Stored);
    let revives = |old: &TaskRecord| old.state.is_ended() && !record.state.is_ended();
    if !map.get(&record.id).is_some_and(revives) {
        map.insert(record.id, record.clone());
    }
}

fn check(table: &TaskTable, map: &BTreeMap<TaskId, TaskRecord>) {
    let mut rows: Vec<TaskRecord> = table.iter().map(|row| row.record()).collect();
    rows.sort_by_key(|row| row.id);
    assert_eq!(rows, map.values().cloned().collect::<Vec<_>>());
    assert_eq!(table.len(), map.len());
    let living = || map.values().filter(|record| !record.state.is_ended());
    for id in (0..40).map(TaskId) {
        assert_eq!(table.get(id).map(|row| row.record()), map.get(&id).cloned());
        let children = living().filter(|record| record.parent == Some(id));
        let short = children.clone().filter(|record| !record.long_lived).count();
        assert_eq!(table.children(id), (children.count() as u32, short as u32));
    }
    for site in (0..4).map(SiteId) {
        let long = living().filter(|record| record.site == site && record.long_lived).count();
        assert_eq!(table.site(site).long_lived, long as u64);
    }
    let jobs = || living().filter(|record| record.kind == TaskKind::Blocking);
    let is_off = |record: &TaskRecord| matches!(record.state, TaskState::Idle | TaskState::Scheduled);
    let waits = |record: &&TaskRecord| is_off(record) && record.polls == 0 && record.poll_start_ns == 0;
    let mut waiting: Vec<_> = jobs().filter(waits).map(|record| (record.spawned_ns, record.id)).collect();
    waiting.sort_unstable();
    assert_eq!(table.waiting_jobs().collect::<Vec<_>>(), waiting);
    let runs = |record: &&TaskRecord| record.state == TaskState::Running && record.poll_start_ns > 0;
    let mut running: Vec<_> = jobs().filter(runs).map(|record| (record.poll_start_ns, record.id)).collect();
    running.sort_unstable();
    assert_eq!(table.running_jobs().collect::<Vec<_>>(), running);
    for runtime in RUNTIMES.map(RuntimeId) {
        let on = living().filter(|record| record.runtime == Some(runtime)).count();
        assert_eq!(table.on_runtime(runtime), on as u64);
    }
}

proptest! {
    #[test]
    fn the_table_tells_what_was_put_into_it(steps in prop::collection::vec(step(), 1..60)) {
        let (mut table, mut map) = (TaskTable::default(), BTreeMap::new());
        for step in steps {
            match step {
                Step::Insertion(record) => put(&mut table, &mut map, &record),
                Step::Sweep(told) => {
                    table.begin_sweep();
                    for record in &told {
                        put(&mut table, &mut map, record);
                    }
                    table.sweep();
                    let told = |id: &TaskId| told.iter().any(|record| record.id == *id);
                    map.retain(|id, record| record.state.is_ended() || told(id));
                }
                Step::Shed(most) => {
                    table.evict_ended(most);
                    map.retain(|id, _| table.get(*id).is_some());
                    let ended = map.values().filter(|record| record.state.is_ended()).count();
                    prop_assert_eq!(ended, table.ended_len());
                    prop_assert!(ended <= most);
                }
            }
            check(&table, &map);
        }
    }

    #[test]
    fn who_looks_at_the_changes_alone_knows_every_row(
        steps in prop::collection::vec(prop::collection::vec(step(), 0..8), 1..12),
    ) {
        let (mut table, mut map) = (TaskTable::default(), BTreeMap::new());
        let (mut known, mut mark) = (BTreeMap::new(), table.changes_ever());
        for step in steps.into_iter().flatten() {
            match step {
                Step::Insertion(record) => put(&mut table, &mut map, &record),
                Step::Sweep(_) => {
                    table.begin_sweep();
                    table.sweep();
                }
                Step::Shed(most) => drop(table.evict_ended(most)),
            }
            for place in table.changes_since(mark).expect("so few are remembered") {
                known.insert(place, table.at(place).map(|row| row.record()));
            }
            mark = table.changes_ever();
            for (place, row) in table.places() {
                prop_assert_eq!(known.get(&place).cloned().flatten(), Some(row.record()));
            }
        }
    }
}

#[test]
fn an_ordinary_task_fits_into_its_row() {
    let record = TaskRecord {
        id: TaskId(u64::MAX),
        parent: Some(TaskId(3)),
        runtime: Some(RuntimeId(1)),
        worker: Some(7),
        mode: Mode::Wrap,
        state: TaskState::Running,
        poll_start_ns: u64::MAX,
        busy_ns: u64::MAX,
        scheduled_ns: u64::MAX,
        max_poll_ns: 1_000 * SECOND,
        max_sched_ns: 1_000 * SECOND,
        wakers: 2,
        waker_clones: 1_000_000,
        waker_drops: 999_998,
        wakes: 10,
        self_wakes: 3,
        wakes_by: WakesBy { tasks: 1, threads: 2, runtime: 4 },
        woken_by: WokenBy::Task(TaskId(9)),
        ..TaskRecord::default()
    };
    assert!(pack(record, 1, 1).2.is_none());
    assert_eq!((size_of::<Hot>(), size_of::<Cold>()), (64, 56));
}
