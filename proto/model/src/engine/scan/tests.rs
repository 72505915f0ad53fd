//! A look at what changed and whose time has come finds what a look at every task finds.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::detect::cpu::Cpu;
use crate::entity::task::{TaskKind, TaskState, WokenBy};
use crate::testkit::Script;
use crate::time::SECOND;
use crate::world::{Process, World, WorldLimits};

/// What happens to one of the tasks in a second.
#[derive(Clone, Copy, Debug)]
enum Event {
    Spawn { kind: usize, long_lived: bool },
    Poll,
    Open,
    Wake(WokenBy),
    Wakers(u32),
    End,
    Nothing,
}

fn event() -> impl Strategy<Value = (usize, Event)> {
    let event = prop_oneof![
        2 => (0usize..5, any::<bool>()).prop_map(|(kind, long_lived)| Event::Spawn { kind, long_lived }),
        3 => Just(Event::Poll),
        1 => Just(Event::Open),
        1 => Just(Event::Wake(WokenBy::Runtime)),
        1 => Just(Event::Wake(WokenBy::OtherThread)),
        2 => (0u32..2).prop_map(Event::Wakers),
        1 => Just(Event::End),
        4 => Just(Event::Nothing),
    ];
    (0usize..8, event)
}

fn play(script: &mut Script, tasks: &mut Vec<TaskId>, (at, event): (usize, Event)) {
    let site = script.site("src/a.rs:1:1");
    let now_ns = script.now_ns();
    if let Event::Spawn { kind, long_lived } = event {
        let task = script.spawn(site);
        let parent = (!tasks.is_empty()).then(|| tasks[at % tasks.len()]);
        script.edit(task, |record| {
            (record.kind, record.long_lived, record.parent) = (TaskKind::ALL[kind], long_lived, parent);
        });
        return tasks.push(task);
    }
    if tasks.is_empty() {
        return;
    }
    let task = tasks[at % tasks.len()];
    match event {
        Event::Poll => {
            script.poll(task, 1, 1_000);
            script.edit(task, |record| (record.state, record.poll_start_ns) = (TaskState::Idle, 0));
        }
        Event::Open => script.edit(task, |record| {
            (record.state, record.poll_start_ns, record.scheduled_since_ns) =
                (TaskState::Running, now_ns + 1, 0);
        }),
        Event::Wake(by) => {
            script.edit(task, |record| (record.wakes, record.woken_by) = (record.wakes + 1, by));
        }
        Event::Wakers(wakers) => script.edit(task, |record| record.wakers = wakers),
        Event::End => {
            script.end(task, TaskState::Completed);
            tasks.remove(at % tasks.len());
        }
        Event::Spawn { .. } | Event::Nothing => {}
    }
}

fn moment(process: &Process) -> Moment<'_> {
    let cpu = Cpu { share: Some(1.0), best: 1.0 };
    Moment { process, now_ns: process.now_ns(), cpu, cpu_minute: cpu }
}

/// Every task held against every rule.
fn every_hit(moment: Moment<'_>, policy: &Policy) -> BTreeMap<(TaskId, usize), Option<Level>> {
    let mut hits = BTreeMap::new();
    for (index, detector) in ALL.iter().enumerate() {
        let Some(rule) = detector.tasks else { continue };
        let test = (rule.test)(moment, policy.rule(index));
        for row in moment.process.tasks().filter(|row| !row.state().is_ended()) {
            if let Some(hit) = test(&row.record()) {
                hits.insert((row.id(), index), hit.level);
            }
        }
    }
    hits
}

proptest! {
    #[test]
    fn no_task_is_overlooked(
        seconds in prop::collection::vec((prop::collection::vec(event(), 0..4), 1u64..40), 1..25),
        looks in prop::collection::vec(any::<bool>(), 25),
    ) {
        let mut script = Script::new("checkout");
        let mut world = World::new(WorldLimits::default());
        world.connect(script.hello(), 0).expect("there is room");
        let (policy, mut scan_state, mut tasks) = (Policy::default(), ScanState::default(), Vec::new());
        for ((events, pause), look) in seconds.into_iter().zip(looks) {
            for event in events {
                play(&mut script, &mut tasks, event);
            }
            script.pass(pause * SECOND / 2);
            world.apply(script.second(), 0);
            if !look {
                continue;
            }
            let moment = moment(world.processes().next().expect("it greeted"));
            let all = every_hit(moment, &policy);
            let scan = scan_tasks(moment, &policy, &mut scan_state);
            let flagged: BTreeMap<_, _> =
                scan.flagged.iter().map(|(task, index, level)| ((*task, *index), *level)).collect();
            let above: BTreeMap<_, _> = all
                .iter()
                .filter_map(|((task, index), level)| {
                    Some(((*task, *index), (*level)?.min(policy.rule(*index).level)))
                })
                .collect();
            prop_assert_eq!(flagged, above);
            let grouped: usize = scan.groups.iter().map(|(_, groups)| groups.len()).sum();
            let rules: std::collections::BTreeSet<_> = all.keys().map(|(_, index)| *index).collect();
            prop_assert_eq!(grouped, rules.len(), "one site and no name: a group for each rule");
        }
    }
}
