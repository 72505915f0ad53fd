//! Long polls that may have been the machine's: they are doubt, and no finding.

use super::*;
use crate::dict::Stack;
use crate::entity::stall::Stall;
use crate::entity::task::TaskState;
use crate::id::NameId;

#[test]
fn a_sleep_for_the_kernels_own_lock_is_doubted_while_the_machine_was_short_of_cpu() {
    let touched = |word: &str, busy_ns: u64, machine_short_ns: Option<u64>, faults: u64| {
        let mut stage = Stage::new();
        let site = stage.script.site("src/cart.rs:88:9");
        let task = stage.script.spawn(site);
        stage.script.slow_poll(task, 40 * MS, busy_ns, 2 * MS);
        let word = stage.script.name(word);
        stage.script.edit_slow_poll(|poll| (poll.waiting_in, poll.faults) = (Some(word), faults));
        stage.second();
        let mut judge = Judge::new(max_poll(10 * MS));
        judge.add_run(&RunEvidence { machine_short_ns, ..RunEvidence::of(&stage.monitor) });
        judge.verdict()
    };
    let judged =
        |word: &str, busy_ns: u64, machine_short_ns: Option<u64>| touched(word, busy_ns, machine_short_ns, 0);
    let doubted = judged("mmap", MS, Some(30 * MS));
    assert_eq!(doubted.outcome, Outcome::Clean, "{:?}", doubted.findings);
    let doubt = doubted.undecided.iter().find(|one| &*one.rule == "max-poll");
    let Some(Undecided { reason: why, over_limit: true, .. }) = doubt else {
        panic!("a doubt: {:?}", doubted.undecided)
    };
    assert!(why.contains("slept in mmap") && why.contains("37ms blocked"), "{why}");

    let fails = |verdict: Verdict| verdict.outcome == Outcome::Findings;
    assert!(fails(judged("mmap", MS, Some(20 * MS))), "the machine was not short for so long");
    assert!(fails(judged("mmap", 15 * MS, Some(30 * MS))), "it computed for too long besides");
    for word in ["clock_nanosleep", "futex_wait", "read(fd 7, pipe)", "running", ""] {
        assert!(fails(judged(word, MS, Some(100 * MS))), "{word}");
    }
    for word in ["running", "runnable"] {
        assert!(!fails(touched(word, MS, Some(100 * MS), 1)), "{word}: it touched new memory");
        assert!(fails(touched(word, MS, Some(20 * MS), 1)), "{word}: the machine was not short");
    }
    assert!(fails(touched("clock_nanosleep", MS, Some(100 * MS), 1)), "it was seen asleep");
    assert!(fails(touched("", MS, Some(100 * MS), 1)), "not looked at");
}

#[test]
fn a_sleep_for_the_allocators_lock_is_doubted_while_the_machine_was_short_of_cpu() {
    const IN_ALLOCATOR: [&str; 3] = ["__lll_lock_wait_private", "malloc", "shop::render"];
    let judged = |word: &str, functions: &[&str], busy_ns: u64, machine_short_ns: Option<u64>| {
        let mut stage = Stage::new();
        let site = stage.script.site("src/cart.rs:88:9");
        let task = stage.script.spawn(site);
        stage.script.slow_poll(task, 40 * MS, busy_ns, 2 * MS);
        let word = Some(stage.script.name(word)).filter(|word| *word != NameId::NONE);
        let stack = stage.script.stack(Stack::of_functions(functions));
        stage.script.edit_slow_poll(|poll| (poll.waiting_in, poll.stack) = (word, Some(stack)));
        stage.second();
        let mut judge = Judge::new(max_poll(10 * MS));
        judge.add_run(&RunEvidence { machine_short_ns, ..RunEvidence::of(&stage.monitor) });
        judge.verdict()
    };
    for word in ["futex_wait", "runnable", ""] {
        let doubted = judged(word, &IN_ALLOCATOR, MS, Some(30 * MS));
        assert_eq!(doubted.outcome, Outcome::Clean, "{word}: {:?}", doubted.findings);
        let doubt = doubted.undecided.iter().find(|one| &*one.rule == "max-poll");
        let Some(Undecided { reason: why, over_limit: true, .. }) = doubt else {
            panic!("a doubt: {:?}", doubted.undecided)
        };
        assert!(why.contains("slept for the allocator's lock"), "{why}");
    }
    let fails = |verdict: Verdict| verdict.outcome == Outcome::Findings;
    assert!(fails(judged("futex_wait", &IN_ALLOCATOR, MS, Some(20 * MS))), "the machine was not short");
    assert!(fails(judged("futex_wait", &IN_ALLOCATOR, 15 * MS, Some(30 * MS))), "it computed besides");
    assert!(fails(judged("clock_nanosleep", &IN_ALLOCATOR, MS, Some(30 * MS))), "it was seen asleep before");
    let in_mutex = ["syscall", "std::sys::sync::mutex::futex::Mutex::lock_contended", "shop::render"];
    assert!(fails(judged("futex_wait", &in_mutex, MS, Some(30 * MS))), "its own lock");
    assert!(fails(judged("futex_wait", &[], MS, Some(30 * MS))), "a lock that is not known");
}

#[test]
fn an_open_poll_that_waits_for_the_allocators_lock_is_no_finding_while_the_machine_was_short_of_cpu() {
    let judged = |functions: &[&str], machine_short_ns: Option<u64>| {
        let mut stage = Stage::new();
        let site = stage.script.site("src/cart.rs:88:9");
        let task = stage.script.spawn(site);
        let word = stage.script.name("futex_wait");
        let stack = stage.script.stack(Stack::of_functions(functions));
        stage.script.poll(task, 10, MS / 10);
        stage.second();
        let since_ns = stage.script.now_ns();
        stage.script.stalls(vec![Stall {
            task: Some(task),
            site: Some(site),
            since_ns,
            waiting_in: Some(word),
            stack: Some(stack),
            ..Stall::default()
        }]);
        stage.second();
        let mut judge = Judge::new(max_poll(10 * MS));
        judge.add_run(&RunEvidence { machine_short_ns, ..RunEvidence::of(&stage.monitor) });
        judge.verdict().outcome
    };
    let in_allocator = ["__lll_lock_wait_private", "malloc", "shop::render"];
    assert_eq!(judged(&in_allocator, Some(10 * SECOND)), Outcome::Clean);
    assert_eq!(judged(&in_allocator, Some(0)), Outcome::Findings, "the machine was not short");
    assert_eq!(judged(&["syscall", "shop::render"], Some(10 * SECOND)), Outcome::Findings, "its own lock");
}

#[test]
fn a_p99_that_only_such_polls_are_over_is_doubted() {
    let judged = |others_over: u64| {
        let mut stage = Stage::new();
        let site = stage.script.site("src/cart.rs:88:9");
        let task = stage.script.spawn(site);
        stage.script.poll(task, 150 - others_over, MS / 10);
        let word = stage.script.name("mmap");
        for _ in 0..3 {
            stage.script.slow_poll(task, 40 * MS, MS, 2 * MS);
            stage.script.edit_slow_poll(|poll| poll.waiting_in = Some(word));
        }
        for _ in 0..others_over {
            stage.script.slow_poll(task, 20 * MS, 20 * MS, 0);
        }
        stage.second();
        let asked = CheckLimits { p99_poll_ns: Some(10 * MS), ..CheckLimits::default() };
        let mut judge = Judge::new(limits(asked));
        judge.add_run(&RunEvidence { machine_short_ns: Some(30 * MS), ..RunEvidence::of(&stage.monitor) });
        judge.verdict()
    };
    let doubted = judged(1);
    assert_eq!(doubted.outcome, Outcome::Clean, "{:?}", doubted.findings);
    let doubt = doubted.undecided.iter().find(|one| &*one.rule == "p99-poll");
    assert!(doubt.is_some_and(|one| one.reason.contains("slept in mmap")), "{:?}", doubted.undecided);
    let fails = judged(2);
    assert_eq!(fails.outcome, Outcome::Findings, "2 of 153 without them");
    assert!(fails.findings[0].why.starts_with("5 of 153 polls"), "{}", fails.findings[0].why);
}

#[test]
fn no_task_waits_longer_for_others_than_they_held_the_workers() {
    // A worker that was busy for so long, polls that took so long, and a wait of 100 ms.
    let judged = |busy_ns: u64, polled_ns: u64, without_cpu_ns: u64| {
        let mut stage = Stage::new();
        let runtime = RuntimeId(0);
        stage.script.runtime(RuntimeRecord { id: runtime, workers: 1, ..RuntimeRecord::default() });
        stage.script.worker(&WorkerDelta {
            id: WorkerId { runtime, index: 0 },
            busy_ns,
            preempted_ns: Some(20 * MS),
            ..WorkerDelta::default()
        });
        let site = stage.script.site("src/cart.rs:88:9");
        let task = stage.script.spawn(site);
        stage.script.poll(task, 1, polled_ns);
        stage.script.wake(task, 1, 100 * MS);
        stage.second();
        let mut judge =
            Judge::new(limits(CheckLimits { max_sched_delay_ns: Some(50 * MS), ..CheckLimits::default() }));
        judge.add_run(&RunEvidence {
            without_cpu_ns: Some(without_cpu_ns),
            ..RunEvidence::of(&stage.monitor)
        });
        judge.verdict()
    };
    let doubt = |verdict: Verdict| {
        assert_eq!(verdict.outcome, Outcome::Clean, "{:?}", verdict.findings);
        let doubts = verdict.undecided.iter().filter(|one| &*one.rule == "max-sched-delay");
        doubts.map(|one| one.reason.to_string()).collect::<String>()
    };
    // A thread that held one of the runtime's locks had no CPU, say.
    let why = doubt(judged(25 * MS, MS, 10 * MS));
    assert!(
        why.contains("held its workers for 5ms, threads of its runtime were without a CPU for 10ms"),
        "{why}"
    );
    let why = doubt(judged(200 * MS, MS, 60 * MS));
    assert!(why.contains("(threads of its runtime were without a CPU for 60ms)"), "{why}");

    let fails = |verdict: Verdict| verdict.outcome == Outcome::Findings;
    assert!(fails(judged(200 * MS, MS, 10 * MS)), "the worker was busy for so long");
    assert!(fails(judged(0, 90 * MS, 10 * MS)), "so were polls, of which its runtime has not told yet");
}

#[test]
fn tasks_that_live_longer_by_what_their_threads_had_no_cpu_are_doubted() {
    let judged = |without_cpu_ns: Option<u64>| {
        let mut stage = Stage::new();
        let site = stage.script.site("src/cart.rs:88:9");
        for nth in 0..300 {
            let task = stage.script.spawn(site);
            stage.script.poll(task, 2, MS / 10);
            stage.script.pass(if nth % 2 == 0 { 3 * MS } else { 58 * MS });
            stage.script.end(task, TaskState::Completed);
        }
        stage.second();
        let mut judge = Judge::new(Terms { fail_on: Level::Warn, ..Terms::default() });
        judge.add_run(&RunEvidence { without_cpu_ns, ..RunEvidence::of(&stage.monitor) });
        judge.verdict()
    };
    let doubted = judged(Some(55 * MS));
    assert_eq!(doubted.outcome, Outcome::Clean, "{:?}", doubted.findings);
    let doubt = doubted.undecided.iter().find(|one| &*one.rule == "tail-latency");
    let Some(Undecided { reason: why, over_limit: true, .. }) = doubt else {
        panic!("a doubt: {:?}", doubted.undecided)
    };
    assert!(why.starts_with("src/cart.rs:88:9: 1 task in 2 takes"), "{why}");
    assert!(why.ends_with("but threads of its runtime were without a CPU for 55ms"), "{why}");

    for without_cpu_ns in [None, Some(10 * MS)] {
        let verdict = judged(without_cpu_ns);
        assert_eq!(verdict.outcome, Outcome::Findings, "{without_cpu_ns:?}");
        assert_eq!(&*verdict.findings[0].detector, "tail-latency");
    }
}
