//! What runs amount to.

use super::*;
use crate::entity::runtime::{Flavor, RuntimeRecord, WorkerDelta};
use crate::entity::task::TaskKind;
use crate::id::{RuntimeId, WorkerId};
use crate::measured::Mode;
use crate::policy::CheckLimits;
use crate::report::Losses;
use crate::testkit::{Script, hello};
use crate::time::{MILLISECOND, SECOND};

mod counts;
mod lines;
mod machine;
mod scopes;
mod stopped;
mod undecided;

const MS: u64 = MILLISECOND;

/// A script and the monitor that hears it.
struct Stage {
    script: Script,
    monitor: Monitor,
}

impl Stage {
    fn new() -> Self {
        Self::of(Script::new("checkout"))
    }

    fn of(script: Script) -> Self {
        let mut monitor = Monitor::default();
        monitor.connect(script.hello(), script.now_unix_ns()).expect("there is room");
        Self { script, monitor }
    }

    fn second(&mut self) {
        let report = self.script.second();
        self.monitor.apply(report, self.script.now_unix_ns());
        self.monitor.tick(self.script.now_unix_ns());
    }

    fn judged(&self, terms: Terms) -> Verdict {
        let mut judge = Judge::new(terms);
        judge.add_run(&RunEvidence::of(&self.monitor));
        judge.verdict()
    }
}

fn limits(limits: CheckLimits) -> Terms {
    Terms { limits, ..Terms::default() }
}

fn max_poll(ns: u64) -> Terms {
    limits(CheckLimits { max_poll_ns: Some(ns), ..CheckLimits::default() })
}

#[test]
fn nothing_heard_is_never_green() {
    let verdict = Judge::new(Terms::default()).verdict();
    assert_eq!(verdict.outcome, Outcome::NoData);
    assert!(!verdict.armed.yes);

    let mut idle = Stage::new();
    idle.second();
    let verdict = idle.judged(Terms::default());
    assert_eq!(verdict.outcome, Outcome::NoData);
    assert_eq!(verdict.armed.why.as_deref(), Some("no task of checkout was polled while it was watched"));

    let mut sampled = Stage::of(Script::new("checkout").mode(Mode::Sample));
    sampled.second();
    let verdict = sampled.judged(Terms::default());
    assert_eq!(verdict.outcome, Outcome::NoData);
    let why = verdict.armed.why.unwrap_or_default();
    assert!(why.contains("sample mode cannot see it"), "{why}");
}

#[test]
fn the_body_of_a_current_thread_runtime_is_held_to_limits_and_that_of_another_is_not() {
    for (flavor, outcome) in
        [(Flavor::CurrentThread, Outcome::Findings), (Flavor::MultiThread, Outcome::Clean)]
    {
        let mut stage = Stage::new();
        let site = stage.script.site("src/main.rs:3:1");
        stage.script.runtime(RuntimeRecord { flavor, workers: 1, ..RuntimeRecord::default() });
        let body = stage.script.spawn(site);
        stage.script.edit(body, |task| {
            (task.kind, task.long_lived, task.runtime) = (TaskKind::BlockOn, true, Some(RuntimeId(0)));
        });
        stage.script.slow_poll(body, 150 * MS, MS, 0);
        stage.second();
        let verdict = stage.judged(max_poll(100 * MS));
        assert_eq!(verdict.outcome, outcome, "{flavor:?}");
    }
}

#[test]
fn a_session_that_was_not_armed_is_never_green() {
    let mut stage = Stage::new();
    let site = stage.script.site("src/cart.rs:88:9");
    let task = stage.script.spawn(site);
    stage.script.poll(task, 10, MS);
    stage.second();
    let mut judge = Judge::new(Terms::default());
    let armed = Some(Armed { yes: false, why: Some("the canary was not seen".into()) });
    judge.add_run(&RunEvidence { armed, ..RunEvidence::of(&stage.monitor) });
    let verdict = judge.verdict();
    assert_eq!((verdict.outcome, verdict.armed.yes), (Outcome::NoData, false));
}

#[test]
fn one_poll_over_the_limit_is_named_with_all_that_is_known() {
    let mut stage = Stage::new();
    let site = stage.script.site("src/cart.rs:88:9");
    let task = stage.script.spawn_named(site, "cart", "");
    stage.script.poll(task, 100, MS);
    stage.script.slow_poll(task, 50 * MS, MS, 0);
    stage.script.edit_slow_poll(|poll| {
        (poll.waiters, poll.waited_ns, poll.max_waited_ns) = (Some(3), Some(120 * MS), Some(48 * MS));
    });
    stage.second();
    let verdict = stage.judged(max_poll(10 * MS));
    assert_eq!(verdict.outcome, Outcome::Findings);
    let [finding] = &verdict.findings[..] else { panic!("one finding: {:?}", verdict.findings) };
    assert_eq!(&*finding.headline, "50ms in one poll, blocked (limit 10ms)");
    assert_eq!(
        (&*finding.site, &*finding.task_name, finding.level),
        ("src/cart.rs:88:9", "cart", Level::Deny)
    );
    assert_eq!(finding.max_waited_ns, Some(48 * MS));
    assert!(
        finding.why.starts_with("1 of 101 polls at cart.rs:88 took longer than that."),
        "{}",
        finding.why
    );
    assert!(finding.why.contains("3 tasks waited 120ms behind it, the longest 48ms."), "{}", finding.why);
    assert_eq!(verdict.distribution_of(finding).map(|one| one.poll.count()), Some(101));

    assert_eq!(stage.judged(max_poll(50 * MS)).outcome, Outcome::Clean, "the limit itself is allowed");
}

#[test]
fn time_without_a_cpu_is_not_judged_unless_asked_to() {
    let mut stage = Stage::new();
    let site = stage.script.site("src/cart.rs:88:9");
    let task = stage.script.spawn(site);
    stage.script.poll(task, 1_000, MS / 10);
    for _ in 0..40 {
        stage.script.slow_poll(task, 50 * MS, 4 * MS, 46 * MS);
    }
    stage.second();
    let both = |count_preempted| {
        limits(CheckLimits {
            max_poll_ns: Some(10 * MS),
            p99_poll_ns: Some(5 * MS),
            count_preempted,
            ..CheckLimits::default()
        })
    };
    let verdict = stage.judged(both(false));
    assert_eq!(verdict.outcome, Outcome::Clean, "{:?}", verdict.findings);
    let verdict = stage.judged(both(true));
    let headlines: Vec<&str> = verdict.findings.iter().map(|finding| &*finding.headline).collect();
    assert_eq!(verdict.findings.len(), 2, "{headlines:?}");
    assert!(headlines.contains(&"50ms in one poll, preempted (limit 10ms)"), "{headlines:?}");
    assert!(headlines.iter().any(|one| one.starts_with("1 in 100 polls takes 5")), "{headlines:?}");
    assert_ne!(verdict.findings[0].fingerprint, verdict.findings[1].fingerprint);
}

#[test]
fn a_limit_below_what_was_recorded_cannot_be_judged_and_is_not_green() {
    let mut hello = hello("checkout", 1);
    hello.slow_poll_ns = Some(20 * MS);
    let mut stage = Stage::of(Script::of(hello));
    let site = stage.script.site("src/cart.rs:88:9");
    let task = stage.script.spawn(site);
    stage.script.poll(task, 3, 12 * MS);
    stage.second();
    let verdict = stage.judged(max_poll(10 * MS));
    assert_eq!(verdict.outcome, Outcome::NoData);
    let why = verdict.armed.why.unwrap_or_default();
    assert!(why.starts_with("max-poll cannot be judged: 3 polls over 10ms at cart.rs:88"), "{why}");
    assert!(why.contains("POLLSCOPE_SLOW_POLL=10ms"), "{why}");
    assert_eq!(stage.judged(max_poll(15 * MS)).outcome, Outcome::Clean, "no poll was that long at all");
}

#[test]
fn evidence_that_was_lost_is_doubt_and_no_finding() {
    let mut stage = Stage::new();
    let site = stage.script.site("src/cart.rs:88:9");
    let task = stage.script.spawn(site);
    stage.script.poll(task, 1, 12 * MS);
    stage.second();
    let verdict = stage.judged(max_poll(10 * MS));
    assert!(verdict.findings.is_empty());
    let reasons: Vec<String> =
        verdict.undecided.iter().map(|one| format!("{}: {}", one.rule, one.reason)).collect();
    assert!(
        reasons.contains(
            &"max-poll: 1 poll over 10ms at cart.rs:88 left no evidence of where the time went".to_owned()
        ),
        "{reasons:?}"
    );
}

#[test]
fn where_no_split_is_measured_the_wall_decides_and_says_so() {
    let mut hello = hello("checkout", 1);
    for capability in &mut hello.capabilities {
        if capability.metric == Metric::PollSplit {
            capability.coverage = crate::measured::Coverage::NoTask;
            capability.reason = "this system does not tell".to_owned();
        }
    }
    let mut stage = Stage::of(Script::of(hello));
    let site = stage.script.site("src/cart.rs:88:9");
    let task = stage.script.spawn(site);
    stage.script.poll(task, 1, 12 * MS);
    stage.second();
    let verdict = stage.judged(max_poll(10 * MS));
    assert_eq!(verdict.outcome, Outcome::Findings);
    let notes = verdict.notes.join("\n");
    assert!(notes.contains("checkout#1: max-poll is judged by wall time"), "{notes}");
    assert!(notes.contains("this system does not tell"), "{notes}");
}

#[test]
fn what_is_left_at_the_end_is_a_leak_unless_it_is_meant_to_stay() {
    let mut stage = Stage::new();
    let site = stage.script.site("src/net.rs:31:5");
    let tasks: Vec<_> = (0..5).map(|_| stage.script.spawn(site)).collect();
    for task in &tasks {
        stage.script.poll(*task, 1, MS);
    }
    stage.script.end(tasks[0], crate::entity::task::TaskState::Completed);
    stage.script.edit(tasks[1], |task| task.long_lived = true);
    stage.second();
    let terms = || limits(CheckLimits { no_leaks: true, ..CheckLimits::default() });
    let verdict = stage.judged(terms());
    let [finding] = &verdict.findings[..] else { panic!("one finding: {:?}", verdict.findings) };
    assert_eq!((&*finding.detector, &*finding.headline), ("task-leak", "3 tasks are left at the end"));
    assert!(finding.why.contains("Left: task 3 (idle, for 999ms), task 4"), "{}", finding.why);

    let mut judge = Judge::new(terms());
    judge.add_run(&RunEvidence { ended: false, ..RunEvidence::of(&stage.monitor) });
    let verdict = judge.verdict();
    assert_eq!(verdict.outcome, Outcome::Clean);
    assert!(verdict.undecided.iter().any(|one| &*one.rule == "no-leaks" && !one.over_limit));
}

#[test]
fn a_delay_counts_as_far_as_the_machine_is_not_to_blame() {
    let with_share = |waited_ns: u64| {
        let mut stage = Stage::new();
        let runtime = RuntimeId(0);
        stage.script.runtime(RuntimeRecord { id: runtime, workers: 1, ..RuntimeRecord::default() });
        let site = stage.script.site("src/cart.rs:88:9");
        let task = stage.script.spawn(site);
        for _ in 0..3 {
            stage.script.worker(&WorkerDelta {
                id: WorkerId { runtime, index: 0 },
                cpu_ns: Some(SECOND / 4),
                preempted_ns: Some(waited_ns),
                ..WorkerDelta::default()
            });
            stage.script.poll(task, 1, MS);
            stage.script.wake(task, 1, 60 * MS);
            stage.second();
        }
        stage.judged(limits(CheckLimits { max_sched_delay_ns: Some(50 * MS), ..CheckLimits::default() }))
    };
    let verdict = with_share(0);
    assert_eq!(verdict.outcome, Outcome::Findings);
    assert_eq!(&*verdict.findings[0].headline, "60ms between a wake and its poll (limit 50ms)");
    let verdict = with_share(SECOND / 4);
    assert_eq!(verdict.outcome, Outcome::Clean, "{:?}", verdict.findings);
    assert!(
        verdict.undecided.iter().any(|one| &*one.rule == "max-sched-delay" && one.reason.contains("50%"))
    );
}

fn blocked(pid: u32) -> Stage {
    let mut stage = Stage::of(Script::of(hello("checkout", pid)));
    let site = stage.script.site("src/cart.rs:88:9");
    let task = stage.script.spawn(site);
    stage.script.slow_poll(task, 50 * MS + u64::from(pid) * MS, MS, 0);
    stage.second();
    stage
}

#[test]
fn the_same_fault_in_several_processes_is_one_finding() {
    let mut judge = Judge::new(max_poll(10 * MS));
    for pid in [1, 3, 2] {
        judge.add_run(&RunEvidence::of(&blocked(pid).monitor));
    }
    let mut idle = Stage::new();
    idle.second();
    judge.add_run(&RunEvidence::of(&idle.monitor));
    let verdict = judge.verdict();
    assert_eq!(verdict.outcome, Outcome::Findings);
    let [finding] = &verdict.findings[..] else { panic!("one finding: {:?}", verdict.findings) };
    assert_eq!((&*finding.process, finding.count), ("checkout#2", 3));
    assert!(finding.why.ends_with("The same in 2 other processes."), "{}", finding.why);
    assert_eq!(verdict.subject_of(finding).map(|subject| subject.pid), Some(3));
    assert_eq!(verdict.subjects.len(), 4, "who told nothing was judged too");
}

#[test]
fn what_is_expected_does_not_count_and_what_did_not_happen_is_told() {
    let expect = |site: &str| Expectation {
        detector: "blocking-poll".into(),
        site: Some(site.into()),
        reason: "it is known".into(),
        place: Some("pollscope.toml:3".into()),
    };
    let terms =
        Terms { expectations: vec![expect("src/cart.rs"), expect("src/gone.rs")], ..max_poll(10 * MS) };
    let verdict = blocked(1).judged(terms.clone());
    assert_eq!(verdict.outcome, Outcome::Clean, "an unused expectation is a warning");
    assert_eq!(verdict.allowed.len(), 1);
    assert_eq!(&*verdict.allowed[0].reason, "it is known");
    assert_eq!(verdict.expectations_unused, vec![expect("src/gone.rs")]);
    assert_eq!(&*verdict.findings[0].detector, "unused-expectation");
    let strict = Terms { fail_on: Level::Warn, ..terms };
    assert_eq!(blocked(1).judged(strict).outcome, Outcome::Findings);
}

#[test]
fn levels_that_were_set_decide() {
    let with = |level| Terms { levels: vec![("blocking-poll".into(), level)], ..max_poll(10 * MS) };
    assert_eq!(blocked(1).judged(with(Level::Deny)).outcome, Outcome::Findings);
    let verdict = blocked(1).judged(with(Level::Warn));
    assert_eq!((verdict.outcome, verdict.findings[0].level), (Outcome::Clean, Level::Warn));
    let verdict = blocked(1).judged(with(Level::Allow));
    assert_eq!((verdict.outcome, verdict.findings.len(), verdict.allowed.len()), (Outcome::Clean, 0, 1));
}

#[test]
fn losses_make_a_run_incomplete_but_never_hide_a_finding() {
    let lossy = |stage: &mut Stage| {
        stage.script.lose(Losses { dict_entries: 5, ..Losses::default() });
        stage.second();
    };
    let mut clean = Stage::new();
    let site = clean.script.site("src/cart.rs:88:9");
    let task = clean.script.spawn(site);
    clean.script.poll(task, 1_000, MS / 10);
    lossy(&mut clean);
    assert_eq!(clean.judged(Terms::default()).outcome, Outcome::Incomplete);
    let mut found = blocked(1);
    lossy(&mut found);
    assert_eq!(found.judged(max_poll(10 * MS)).outcome, Outcome::Findings);
}

#[test]
fn what_was_refused_makes_a_run_incomplete_and_never_hides_a_finding() {
    let judged = |stage: &Stage, terms| {
        let mut judge = Judge::new(terms);
        judge.add_run(&RunEvidence::of(&stage.monitor));
        judge.add_refusal("a guard");
        judge.verdict()
    };
    assert_eq!(judged(&blocked(1), max_poll(10 * MS)).outcome, Outcome::Findings);
    let verdict = judged(&blocked(1), max_poll(1_000 * MS));
    assert_eq!((verdict.outcome, &*verdict.refused[0]), (Outcome::Incomplete, "a guard"));
    let mut alone = Judge::new(Terms::default());
    alone.add_refusal("a guard");
    assert_eq!(alone.verdict().outcome, Outcome::Incomplete);
}

#[test]
fn tests_that_judged_themselves_and_passed_are_data() {
    let judged = |passed, failed| {
        let mut judge = Judge::new(Terms::default());
        judge.add_own_tests(OwnTests { passed, failed });
        judge.verdict()
    };
    let verdict = judged(2, 1);
    assert_eq!((verdict.outcome, verdict.armed.yes), (Outcome::Clean, true));
    assert_eq!(verdict.own_tests, OwnTests { passed: 2, failed: 1 });
    assert_eq!(judged(0, 1).outcome, Outcome::NoData, "none of them says that all is well");
}

#[test]
fn what_is_worse_than_the_baseline_regresses_and_what_it_knows_does_not_count() {
    let stage = |ns: u64, slow: u64| {
        let mut stage = Stage::new();
        let site = stage.script.site("src/cart.rs:88:9");
        let task = stage.script.spawn_named(site, "cart", "");
        stage.script.edit(task, |task| task.long_lived = true);
        stage.script.poll(task, 2_000, ns);
        for _ in 0..3 {
            stage.second();
            if slow > 0 {
                stage.script.slow_poll(task, slow, slow, 0);
            }
        }
        stage.second();
        stage
    };
    let against = |stage: &Stage, baseline: &Baseline| {
        let mut judge = Judge::new(Terms::default()).against(baseline.clone());
        judge.add_run(&RunEvidence::of(&stage.monitor));
        judge.verdict()
    };
    let usual = stage(MS, 0);
    let mut baseline = Baseline::default();
    baseline.add(baseline::Run::of([usual.monitor.world()]));
    let verdict = against(&usual, &baseline);
    assert_eq!(verdict.outcome, Outcome::Clean);
    assert!(verdict.comparison.is_some_and(|comparison| comparison.is_judged()));
    let verdict = against(&stage(3 * MS, 0), &baseline);
    assert_eq!(verdict.outcome, Outcome::Regressed, "{verdict:#?}");
    assert_eq!(verdict.comparison.map(|comparison| comparison.regressed().count()), Some(1));

    let blocking = stage(MS, 500 * MS);
    let found = blocking.judged(Terms::default()).findings;
    assert!(!found.is_empty());
    for finding in &found {
        assert!(baseline.accept_finding(finding));
    }
    let verdict = against(&blocking, &baseline);
    assert_eq!((verdict.outcome, verdict.findings.len()), (Outcome::Clean, 0), "{verdict:#?}");
    assert!(verdict.allowed.iter().all(|allowed| &*allowed.reason == "in the baseline"));
}
