//! What is worse, what is not, and what cannot be told.

use super::*;

#[test]
fn twice_the_p99_at_one_site_names_exactly_that_site() {
    let slower = |seed| {
        Recorded::new(seed).polls(CART, "cart", 2_000, 2 * MILLISECOND).polls(
            MAIL,
            "mail",
            1_000,
            2 * MILLISECOND,
        )
    };
    for runs in [1, 2, 3, 5] {
        let baseline = of_runs((0..runs).map(|seed| usual(seed).run()));
        let comparison = baseline.compare(&slower(77).run());
        assert_eq!(
            regressed(&comparison),
            ["src/cart.rs:88:9 cart p99_poll"],
            "{runs} runs: {comparison:#?}"
        );
        let back = of_runs((0..runs).map(|seed| slower(seed).run())).compare(&usual(77).run());
        assert_eq!(judgement(&back, CART, Figure::Poll).0, Change::Improved, "{back:#?}");
        assert!(!back.is_worse());
    }
}

#[test]
fn a_route_is_a_site_like_any_other() {
    let run = |seed, ns| Recorded::new(seed).polls("GET /price/{id}", "", 2_000, ns).run();
    let baseline = of_runs((0..3).map(|seed| run(seed, MILLISECOND)));
    let comparison = baseline.compare(&run(77, 3 * MILLISECOND));
    assert_eq!(regressed(&comparison), ["GET /price/{id} p99_poll"], "{comparison:#?}");
}

#[test]
fn equal_code_is_unchanged_however_often_it_runs() {
    let baseline = of_runs((0..3).map(|seed| usual(seed).run()));
    for seed in 100..200 {
        let comparison = baseline.compare(&usual(seed).run());
        assert!(!comparison.is_worse(), "{:#?}", comparison.regressed().collect::<Vec<_>>());
        assert!(comparison.is_judged());
    }
}

/// A long tail: single p99s differ by a factor of two and more, and no site is accused.
#[test]
fn a_long_tail_is_no_regression() {
    let run = |seed: u64, n: u64| {
        let mut recorded = Recorded::new(seed);
        let site = recorded.script.site(CART);
        let task = recorded.script.spawn_named(site, "cart", "");
        for nth in 0..n {
            let draw = (mixed(seed << 32 | nth) >> 11) as f64 / (1_u64 << 53) as f64;
            // Pareto: the p99 is 100 times the shortest.
            recorded.script.poll(task, 1, (100_000.0 / (1.0 - draw)).min(1e10) as u64);
        }
        recorded.run()
    };
    let mut worse = 0;
    for seed in 0..200 {
        let runs = 1 + seed % 3;
        let baseline = of_runs((0..runs).map(|run_of| run(1_000 + seed * 10 + run_of, 300)));
        worse += usize::from(baseline.compare(&run(10_000 + seed, 300)).is_worse());
    }
    assert!(worse <= 1, "{worse} of 200 were accused");
}

/// Requests at ten times the rate: waits of a queue, lives that are longer for it, and the same polls.
#[test]
fn equal_code_on_another_load_does_not_regress() {
    let light = |seed| {
        let recorded = usual(seed).waits(CART, "cart", 400, 300 * MICROSECOND);
        Recorded { busy_ms: 100, ..recorded }
    };
    let heavy = |seed| {
        let recorded = Recorded::new(seed)
            .polls(CART, "cart", 20_000, MILLISECOND)
            .polls(MAIL, "mail", 10_000, 2 * MILLISECOND)
            .waits(CART, "cart", 4_000, 9 * MILLISECOND);
        Recorded { busy_ms: 900, ..recorded }
    };
    for runs in [1, 3] {
        let comparison = of_runs((0..runs).map(|seed| light(seed).run())).compare(&heavy(9).run());
        assert!(!comparison.is_worse(), "{comparison:#?}");
        let (change, reason) = judgement(&comparison, CART, Figure::Sched);
        assert_eq!(change, Change::Insufficient);
        assert!(reason.contains("base's workers were 10% busy, this run's 90%"), "{reason}");
        assert_eq!(judgement(&comparison, CART, Figure::Poll).0, Change::Unchanged);
        let back = of_runs((0..runs).map(|seed| heavy(seed).run())).compare(&light(9).run());
        assert!(!back.is_worse(), "{back:#?}");
    }
}

#[test]
fn longer_waits_under_a_like_load_regress_and_after_slower_polls_they_only_follow() {
    let run = |seed, wait, poll| {
        Recorded::new(seed).polls(MAIL, "mail", 2_000, poll).waits(CART, "cart", 1_000, wait).run()
    };
    let baseline = of_runs((0..3).map(|seed| run(seed, MILLISECOND, MILLISECOND)));
    let comparison = baseline.compare(&run(7, 3 * MILLISECOND, MILLISECOND));
    assert_eq!(regressed(&comparison), ["src/cart.rs:88:9 cart p99_sched"]);
    let comparison = baseline.compare(&run(7, 3 * MILLISECOND, 2 * MILLISECOND));
    assert_eq!(regressed(&comparison), ["src/mail.rs:12:5 mail p99_poll"]);
    let (change, reason) = judgement(&comparison, CART, Figure::Sched);
    assert_eq!(change, Change::Insufficient);
    assert!(reason.contains("follow from slower polls of src/mail.rs:12:5 mail"), "{reason}");
}

#[test]
fn too_few_samples_are_never_a_pass_in_silence() {
    let run = |seed, n, ns| Recorded::new(seed).polls(CART, "cart", n, ns).run();
    let comparison = of_runs([run(1, 2_000, MILLISECOND)]).compare(&run(2, 199, 4 * MILLISECOND));
    let (change, reason) = judgement(&comparison, CART, Figure::Poll);
    assert_eq!((change, &*reason), (Change::Insufficient, "this run has 199 polls, 200 are needed"));
    assert!(!comparison.is_judged() && !comparison.is_worse());
    let comparison = of_runs([run(1, 150, MILLISECOND)]).compare(&run(2, 2_000, 4 * MILLISECOND));
    assert_eq!(judgement(&comparison, CART, Figure::Poll).1, "base has 150 polls, 200 are needed");
    // Of 300 polls, 4 are above base's p99: that may be chance.
    let few_slow =
        Recorded::new(9).polls(CART, "cart", 296, MILLISECOND).polls(CART, "cart", 4, 9 * MILLISECOND);
    let comparison = of_runs([run(1, 300, MILLISECOND)]).compare(&few_slow.run());
    let (change, reason) = judgement(&comparison, CART, Figure::Poll);
    assert_eq!(change, Change::Insufficient);
    assert!(reason.contains("may be chance"), "{reason}");
}

#[test]
fn of_fewer_than_three_runs_it_is_unknown_how_much_they_differ() {
    let run = |seed, ns| Recorded::new(seed).polls(CART, "cart", 5_000, ns).run();
    let half_more = 7 * MILLISECOND / 5;
    let comparison = of_runs([run(1, MILLISECOND)]).compare(&run(9, half_more));
    let (change, reason) = judgement(&comparison, CART, Figure::Poll);
    assert_eq!(change, Change::Insufficient);
    assert!(reason.contains("base has 1 of the 3 runs"), "{reason}");
    assert!(comparison.notes[0].contains("1 of the 3 runs"), "{:?}", comparison.notes);
    let baseline = of_runs((0..3).map(|seed| run(seed, MILLISECOND)));
    assert!(baseline.compare(&run(9, half_more)).is_worse());
    // One of the base's runs was like this one.
    let mixed =
        of_runs([run(1, MILLISECOND), run(2, 2 * MILLISECOND), run(3, MILLISECOND), run(4, MILLISECOND)]);
    let comparison = mixed.compare(&run(9, 9 * MILLISECOND / 5));
    assert_eq!(judgement(&comparison, CART, Figure::Poll).0, Change::Unchanged, "{comparison:#?}");
}

#[test]
fn below_the_floor_nothing_regresses() {
    let run = |seed, ns| Recorded::new(seed).polls(CART, "cart", 5_000, ns).run();
    let baseline = of_runs((0..3).map(|seed| run(seed, 40 * MICROSECOND)));
    assert_eq!(
        judgement(&baseline.compare(&run(9, 80 * MICROSECOND)), CART, Figure::Poll).0,
        Change::Unchanged
    );
    assert!(baseline.compare(&run(9, 400 * MICROSECOND)).is_worse());
}

/// The machine was busy: threads that could run had to wait, and polls took longer by the clock.
#[test]
fn time_without_a_cpu_is_not_the_codes() {
    let preempted = |own_ns: u64| {
        let mut recorded = usual(5);
        let site = recorded.script.site(CART);
        let task = recorded.script.spawn_named(site, "cart", "");
        for _ in 0..100 {
            recorded.script.slow_poll(task, 20 * MILLISECOND, own_ns, 20 * MILLISECOND - own_ns);
        }
        Recorded { preempted_ms: 400, ..recorded }.run()
    };
    let baseline = of_runs((0..3).map(|seed| usual(seed).run()));
    let comparison = baseline.compare(&preempted(MILLISECOND));
    let (change, reason) = judgement(&comparison, CART, Figure::Poll);
    assert_eq!(change, Change::Insufficient);
    assert!(reason.contains("100 were long only because their thread had no CPU"), "{reason}");
    // Preempted, and slow by itself as well.
    assert_eq!(
        regressed(&baseline.compare(&preempted(15 * MILLISECOND))),
        ["src/cart.rs:88:9 cart p99_poll"]
    );
    // No single poll was split: what the threads lost in all has to do.
    let run = |seed, preempted_ms| {
        let recorded = Recorded::new(seed).polls(CART, "cart", 2_000, MILLISECOND * (1 + seed / 100));
        Recorded { preempted_ms, ..recorded }.run()
    };
    let baseline = of_runs((0..3).map(|seed| run(seed, 5)));
    assert!(baseline.compare(&run(100, 5)).is_worse());
    let (change, reason) = judgement(&baseline.compare(&run(100, 900)), CART, Figure::Poll);
    assert_eq!(change, Change::Insufficient);
    assert!(reason.contains("more than base's, enough to explain it"), "{reason}");
}

/// A poll that sleeps waits for a CPU when it wakes, however short it is: of what threads lost, a site may have had
/// its part of the polls.
#[test]
fn short_polls_that_sleep_lose_no_less_time_than_long_ones() {
    let run = |seed, mail_ns, preempted_ms| {
        let recorded = Recorded::new(seed).polls(CART, "cart", 400, 20 * MILLISECOND);
        Recorded { preempted_ms, ..recorded.polls(MAIL, "mail", 400, mail_ns) }.run()
    };
    let baseline = of_runs((0..3).map(|seed| run(seed, MILLISECOND, 5)));
    let longer = 2 * MILLISECOND;
    assert_eq!(regressed(&baseline.compare(&run(9, longer, 5))), ["src/mail.rs:12:5 mail p99_poll"]);
    let (change, reason) = judgement(&baseline.compare(&run(9, longer, 8)), MAIL, Figure::Poll);
    assert_eq!(change, Change::Insufficient, "{reason}");
    assert!(reason.contains("more than base's, enough to explain it"), "{reason}");
}

#[test]
fn new_and_vanished_sites_are_listed_and_judged_by_nothing_else() {
    let baseline = of_runs([Recorded::new(1).polls(CART, "cart", 500, MILLISECOND).run()]);
    let comparison = baseline.compare(&Recorded::new(2).polls(MAIL, "mail", 500, 900 * MILLISECOND).run());
    assert!(!comparison.is_worse() && comparison.figures.is_empty());
    assert_eq!(comparison.new[0].to_string(), "src/mail.rs:12:5 mail");
    assert_eq!(comparison.vanished[0].to_string(), "src/cart.rs:88:9 cart");
}

#[test]
fn a_site_is_known_again_after_its_line_moved_and_two_of_a_name_are_not_mixed_up() {
    let at = |seed, lines: &[(u32, u64)]| {
        let recorded = lines.iter().fold(Recorded::new(seed), |recorded, (line, ns)| {
            recorded.polls(&format!("src/cart.rs:{line}:9"), "cart", 2_000, *ns)
        });
        recorded.run()
    };
    let (short, long) = (MILLISECOND, 10 * MILLISECOND);
    let baseline = of_runs([at(1, &[(10, short), (90, long)])]);
    let moved = baseline.compare(&at(2, &[(14, short), (99, long)]));
    assert!(!moved.is_worse() && moved.new.is_empty() && moved.vanished.is_empty(), "{moved:#?}");
    assert!(baseline.compare(&at(2, &[(14, 3 * short), (99, long)])).is_worse());
    let unclear = baseline.compare(&at(2, &[(14, short), (50, long), (99, long)]));
    let (change, reason) = judgement(&unclear, "src/cart.rs:50:9", Figure::Poll);
    assert_eq!(change, Change::Insufficient);
    assert!(reason.contains("give their tasks names"), "{reason}");
    // The first was not reached in this run, and nothing moved.
    let fewer = baseline.compare(&at(2, &[(90, long)]));
    assert_eq!(judgement(&fewer, "src/cart.rs:90:9", Figure::Poll).0, Change::Unchanged);
    assert_eq!(fewer.vanished.len(), 1);
}

#[test]
fn another_class_of_machine_or_build_is_not_compared() {
    let baseline = of_runs([usual(1).run()]);
    let mut hello = crate::testkit::hello("checkout", 100);
    hello.process.build = "x86_64-linux release".to_owned();
    let mut other = Recorded::new(2);
    other.script = Script::of(hello);
    let comparison = baseline.compare(&other.polls(CART, "cart", 2_000, 9 * MILLISECOND).run());
    assert!(!comparison.is_worse() && !comparison.is_judged());
    assert_eq!(judgement(&comparison, CART, Figure::Poll).0, Change::Insufficient);
    assert!(
        comparison.notes.iter().any(|note| note.contains("x86_64-linux debug")),
        "{:?}",
        comparison.notes
    );
}

#[test]
fn processes_are_told_apart_by_name_and_a_single_one_may_be_renamed() {
    let named = |name: &str, ns| {
        let mut recorded = Recorded::new(3);
        recorded.script = Script::new(name);
        recorded.polls(CART, "cart", 2_000, ns).world()
    };
    let (cart, mail) = (named("cart", MILLISECOND), named("mail", 9 * MILLISECOND));
    let baseline = of_runs([Run::of([&cart, &mail])]);
    let slower = named("mail", 20 * MILLISECOND);
    assert_eq!(regressed(&compare(&baseline, [&cart, &slower])), ["src/cart.rs:88:9 cart p99_poll"]);
    let comparison = compare(&baseline, [&cart]);
    assert!(
        comparison.notes.iter().any(|note| note.contains("`mail` is in the base")),
        "{:?}",
        comparison.notes
    );
    let baseline = of_runs([Run::of([&cart])]);
    assert!(compare(&baseline, [&named("cart-0123456789abcdef", 3 * MILLISECOND)]).is_worse());
    assert!(compare(&baseline, [&named("new-name", 3 * MILLISECOND)]).is_worse());
}

#[test]
fn tasks_that_stay_and_tasks_that_wake_themselves_regress() {
    let run = |left: u64, self_wakes: u64| {
        let mut recorded = Recorded::new(1);
        let site = recorded.script.site(CART);
        for _ in 0..left {
            recorded.script.spawn(site);
        }
        for _ in 0..1_000 {
            let task = recorded.script.spawn(site);
            recorded.script.poll(task, 2, MICROSECOND);
            recorded.script.end(task, TaskState::Completed);
        }
        let task = recorded.script.spawn(site);
        recorded.script.self_wake(task, self_wakes);
        recorded.script.end(task, TaskState::Completed);
        recorded.run()
    };
    let baseline = of_runs([run(5, 100)]);
    assert!(!baseline.compare(&run(80, 300)).is_worse());
    assert_eq!(regressed(&baseline.compare(&run(400, 100))), ["src/cart.rs:88:9 left"]);
    assert_eq!(regressed(&baseline.compare(&run(5, 1_500))), ["src/cart.rs:88:9 self_wakes"]);
}

/// A recording ends after its runtime did; what its workers did is known all the same.
#[test]
fn the_load_of_a_runtime_that_is_shut_down_is_known() {
    let load_of = |gone: bool| {
        let mut recorded = usual(1);
        recorded.seconds = 1;
        let record = crate::entity::runtime::RuntimeRecord { workers: 2, gone, ..Default::default() };
        let mut script = recorded.script.clone();
        let mut world = World::new(WorldLimits::default());
        world.connect(script.hello(), 0).unwrap();
        script.worker(&WorkerDelta { busy_ns: 7, interval_ns: 10, ..WorkerDelta::default() });
        let report = script.second();
        world.apply(report, 1);
        script.runtime(record);
        let report = script.second();
        world.apply(report, 2);
        Run::of([&world]).processes["checkout"].load
    };
    assert_eq!(load_of(true), load_of(false));
    assert_eq!((load_of(true).workers, load_of(true).busy()), (1, Some(0.7)));
}
