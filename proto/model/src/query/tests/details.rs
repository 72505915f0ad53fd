//! Details and the overview.

use super::*;
use crate::report::{Losses, Report};

#[test]
fn a_task_is_told_with_its_site_and_relatives() {
    let shop = shop();
    let Answer::Task(task) = shop.ask(&Ask::Task(shop.script.boot(), shop.slow)) else { panic!("no task") };
    assert_eq!((task.children.len(), task.children_total), (20, 99));
    assert_eq!((task.poll.count(), task.poll.max()), (1, 412 * MILLISECOND));
    assert_eq!((task.slow_polls.len(), task.findings.len(), task.poll_limit_ns), (1, 1, 10 * MILLISECOND));
    let fact = |label: &str| {
        let fact = task.facts.iter().find(|(known, _)| &**known == label);
        fact.map_or_else(|| panic!("no fact {label}: {:?}", task.facts), |(_, text)| text.to_string())
    };
    assert_eq!(fact("wakers"), "1 alive, 1 cloned, 0 dropped");
    assert_eq!(fact("join handle"), "held");
    assert_eq!(fact("last poll ended"), "999ms ago");
    let Answer::Task(child) = shop.ask(&Ask::Task(shop.script.boot(), shop.over)) else { panic!("no task") };
    assert_eq!(
        child.ancestors.iter().map(|link| link.label.to_string()).collect::<Vec<_>>(),
        ["render_cart"]
    );
    assert!(child.findings.is_empty());
}

#[test]
fn a_ring_of_parents_ends() {
    let mut shop = shop();
    let (a, b) = (shop.slow, TaskId(2));
    shop.script.edit(a, |task| task.parent = Some(b));
    let report = shop.script.second();
    shop.world.apply(report, 0);
    let Answer::Task(task) = shop.ask(&Ask::Task(shop.script.boot(), a)) else { panic!("no task") };
    assert!(task.ancestors.len() <= 20);
}

#[test]
fn a_site_is_told_with_its_tasks_and_their_names() {
    let shop = shop();
    let site = |text: &str| match shop.ask(&Ask::Site(Scope::All, text.into())) {
        Answer::Site(site) => site,
        other => panic!("{other:?}"),
    };
    let serve = site("src/serve.rs:40:5");
    assert_eq!((serve.tasks.len(), serve.names.len(), serve.poll.count()), (20, 20, 5_050));
    assert_eq!(serve.heat.len(), 1);
    assert_eq!(serve.heat[0].decades, [0, 0, 5_050, 0, 0, 0, 0, 0]);
    let cart = site("src/cart.rs:88:9");
    assert_eq!(cart.names, [("render_cart".into(), 1)]);
    assert_eq!((cart.findings.len(), cart.row.level), (1, Some(Level::Deny)));
}

#[test]
fn one_liar_does_not_hide_what_others_lost() {
    let mut world = World::new(crate::world::WorldLimits::default());
    for (pid, lost) in [(1, u64::MAX), (2, 12), (3, 0)] {
        let mut script = crate::testkit::Script::of(crate::testkit::hello("worker", pid));
        world.connect(script.hello(), 0).expect("there is room");
        script.lose(Losses { slow_polls: lost, ..Losses::default() });
        world.apply(script.second(), 0);
    }
    let engine = crate::engine::Engine::new();
    let Answer::Overview(overview) = crate::query::answer(&world, &engine, &Ask::Overview(Scope::All), 0)
    else {
        panic!("no overview")
    };
    assert_eq!(overview.meta.lost, u64::from(u32::MAX) + 12);
    let words = "2 of 3 processes lost something: worker#1 (18446744T), worker#2 (12).";
    assert!(overview.notes.iter().any(|note| &**note == words), "{:?}", overview.notes);
}

#[test]
fn the_overview_counts_and_tells_what_is_missing() {
    let mut shop = shop();
    shop.script.lose(Losses {
        slow_polls: 4,
        dict_entries: 2,
        connections_refused: 284,
        viewers_refused: 1,
        ..Losses::default()
    });
    let _never_arrives = shop.script.second();
    let report = shop.script.second();
    shop.world.apply(report, shop.script.now_unix_ns());
    let Answer::Overview(overview) = shop.ask(&Ask::Overview(Scope::All)) else { panic!("no overview") };
    assert_eq!((overview.presence, overview.tasks, overview.findings), ([1, 0, 0], 100, [1, 0]));
    assert_eq!((overview.meta.lost, overview.lag_ns), (7, 0));
    assert_eq!((overview.ribbon.clone(), overview.marks.clone()), (vec![Some(500e6)], vec![0]));
    assert_eq!(overview.workers.len(), 2);
    assert_eq!((overview.runtimes[0].name.as_ref(), overview.runtimes[0].seen_tasks), ("main", Some(0)));
    assert_eq!(overview.undecided, [("task-leak".into(), "needs 5m of history".into())]);
    assert_eq!(overview.set_aside, [("blocking-poll".into(), "9 polls took over 10ms".into())]);
    let notes = overview.notes.join("\n");
    assert!(notes.contains("1 report of checkout#1 never arrived: totals are short"), "{notes}");
    assert!(notes.contains("The policy is not used."), "{notes}");
    assert!(notes.contains("4 × slow poll without evidence"), "{notes}");
    assert!(
        notes.contains("The door of checkout#1 refused 284 connections and 1 viewer: too many"),
        "{notes}"
    );
    assert!(
        notes.contains("2 × site or name over the limit") && notes.contains("`task(\"conn\")`"),
        "{notes}"
    );
    shop.world.disconnect(shop.script.boot(), "connection reset", shop.script.now_unix_ns());
    let Answer::Overview(overview) = shop.ask(&Ask::Overview(Scope::All)) else { panic!("no overview") };
    assert_eq!(overview.presence, [0, 0, 1]);
    let notes = overview.notes.join("\n");
    assert!(notes.contains("checkout#1 is gone since 00:00:03 UTC (connection reset)"), "{notes}");
}

#[test]
fn what_a_mode_cannot_see_is_said_with_the_reason() {
    let mut script = Script::new("batch").mode(Mode::Sample);
    let mut world = World::new(WorldLimits::default());
    world.connect(script.hello(), 0).unwrap();
    world.apply(Report { sites: Vec::new(), ..script.second() }, 0);
    let overview = |scope| match answer(&world, &(), &Ask::Overview(scope), 0) {
        Answer::Overview(overview) => overview,
        other => panic!("{other:?}"),
    };
    let notes = overview(Scope::Process(script.boot())).notes.join("\n");
    assert!(notes.contains("Not measured here: polls, spawn-sites"), "{notes}");
    assert!(notes.contains("spawn through pollscope"), "{notes}");
    let empty = answer(&World::default(), &(), &Ask::Overview(Scope::All), 0);
    assert!(matches!(empty, Answer::Overview(overview) if overview.ribbon.is_empty()));
}
