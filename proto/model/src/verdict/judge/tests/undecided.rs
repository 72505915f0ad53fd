//! Evidence over a limit that proves nothing is told, each piece by itself, and counts where that is asked for.

use super::*;
use crate::dict::{Frame, Stack};

/// One poll at each of so many sites that slept for the kernel's lock on a short machine.
fn judged(sites: usize, terms: Terms) -> Verdict {
    let mut stage = Stage::new();
    for site in 0..sites {
        let site = stage.script.site(&format!("src/cart.rs:{}:9", site + 1));
        let task = stage.script.spawn(site);
        stage.script.slow_poll(task, 40 * MS, MS, 2 * MS);
        let word = stage.script.name("mmap");
        stage.script.edit_slow_poll(|poll| poll.waiting_in = Some(word));
    }
    stage.second();
    let mut judge = Judge::new(terms);
    judge.add_run(&RunEvidence { machine_short_ns: Some(30 * MS), ..RunEvidence::of(&stage.monitor) });
    judge.verdict()
}

#[test]
fn each_piece_of_undecided_evidence_is_told_with_its_numbers() {
    let verdict = judged(3, max_poll(10 * MS));
    assert_eq!((verdict.outcome, verdict.over_limit()), (Outcome::Clean, 3));
    for (line, one) in (1..).zip(&verdict.undecided[..3]) {
        assert!(one.over_limit && &*one.rule == "max-poll", "{one:?}");
        let words = format!("a poll at cart.rs:{line} slept in mmap");
        assert!(one.reason.contains(&words) && one.reason.contains("37ms blocked"), "{}", one.reason);
    }
    assert!(verdict.undecided[3..].iter().all(|one| !one.over_limit));
}

#[test]
fn so_many_pieces_are_told_and_the_rest_is_counted() {
    let verdict = judged(MAX_OVER_LIMIT + 2, max_poll(10 * MS));
    assert_eq!(verdict.over_limit(), MAX_OVER_LIMIT);
    assert!(verdict.notes.iter().any(|note| &**note == "2 more pieces of evidence are undecided."));
}

#[test]
fn only_who_asks_for_certainty_fails_on_it() {
    let strict = |max_poll_ns| {
        limits(CheckLimits { max_poll_ns: Some(max_poll_ns), strict: true, ..CheckLimits::default() })
    };
    assert_eq!(judged(1, strict(10 * MS)).outcome, Outcome::Incomplete);
    // What cannot tell for want of history is no evidence.
    let certain = judged(1, strict(50 * MS));
    assert!(!certain.undecided.is_empty());
    assert_eq!(certain.outcome, Outcome::Clean, "{:?}", certain.undecided);
}

/// A process of which a detector set evidence aside minutes before its end.
fn set_aside_early(terms: Terms) -> Verdict {
    let mut stage = Stage::new();
    let site = stage.script.site("src/cart.rs:88:9");
    let task = stage.script.spawn(site);
    stage.script.poll(task, 10, MS);
    stage.second();
    for _ in 0..4 {
        stage.script.slow_poll(task, 58 * MS, MS, MS);
    }
    // Of the time in which the worker could run it had a CPU for a third.
    stage.script.worker(&WorkerDelta {
        cpu_ns: Some(SECOND / 3),
        preempted_ns: Some(SECOND * 2 / 3),
        ..WorkerDelta::default()
    });
    stage.second();
    for _ in 0..90 {
        stage.script.poll(task, 1, MS / 10);
        stage.second();
    }
    stage.judged(terms)
}

#[test]
fn what_a_detector_set_aside_long_before_the_end_is_told() {
    let verdict = set_aside_early(Terms::default());
    assert_eq!((verdict.outcome, verdict.over_limit()), (Outcome::Clean, 1), "{:?}", verdict.undecided);
    let one = &verdict.undecided[0];
    assert!(one.reason.starts_with("4 of "), "{}", one.reason);
    assert_eq!(&*one.rule, "blocking-poll");

    let allowed = Terms { levels: vec![("blocking-poll".into(), Level::Allow)], ..Terms::default() };
    assert_eq!(set_aside_early(allowed).over_limit(), 0, "what does not count leaves no doubt");
    assert_eq!(set_aside_early(max_poll(SECOND)).over_limit(), 0, "a limit judges instead");
}

#[test]
fn a_denied_poll_names_the_line_that_an_earlier_one_showed() {
    let mut stage = Stage::new();
    let site = stage.script.site("src/serve.rs:389:9");
    let task = stage.script.spawn(site);
    let frame = |function: &str, users| Frame {
        function: function.into(),
        file: Some("src/catalog.rs".into()),
        line: 31,
        users,
    };
    let frames = vec![frame("std::sync::Mutex::lock", false), frame("catalog::price", true)];
    let stack = stage.script.stack(Stack { frames, ..Stack::default() });
    let word = stage.script.name("futex_wait");
    stage.script.slow_poll(task, 15 * MS, MS, 0);
    stage.script.edit_slow_poll(|poll| (poll.stack, poll.waiting_in) = (Some(stack), Some(word)));
    stage.second();
    // Longer ones and newer ones, of which none was looked at; and one of which only the word is known.
    for length in 0..30 {
        stage.script.slow_poll(task, (20 + length) * MS, MS, 0);
        stage.second();
    }
    stage.script.slow_poll(task, 60 * MS, MS, 0);
    stage.script.edit_slow_poll(|poll| poll.waiting_in = Some(word));
    stage.second();
    for terms in [max_poll(10 * MS), limits(CheckLimits { p99_poll_ns: Some(10 * MS), ..Default::default() })]
    {
        stage.script.poll(task, 100, MS / 10);
        stage.second();
        let verdict = stage.judged(terms);
        assert_eq!(verdict.outcome, Outcome::Findings);
        let headline = &verdict.findings[0].headline;
        assert!(
            headline.ends_with("it slept in futex_wait at catalog::price src/catalog.rs:31"),
            "{headline}"
        );
    }
}
