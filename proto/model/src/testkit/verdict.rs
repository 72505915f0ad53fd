//! A made-up verdict with everything in it that a renderer has to show.

use std::sync::Arc;

use super::START_UNIX_NS;
use crate::baseline::{Change, Compared, Comparison, Figure, Measured, SiteName};
use crate::entity::slow_poll::PollKind;
use crate::finding::Finding;
use crate::hist::Hist;
use crate::id::TaskId;
use crate::level::Level;
use crate::measured::Mode;
use crate::policy::Expectation;
use crate::time::{MILLISECOND, SECOND};
use crate::value::Value;
use crate::verdict::{Allowed, Armed, Distribution, Outcome, OwnTests, Subject, Undecided, Verdict};

/// Two processes; a blocking poll at deny with all that can be known of one, a schedule delay and an
/// unused expectation at warn, an allowed leak, and a detector that could not tell.
pub fn verdict() -> Verdict {
    let expectation = Expectation {
        detector: "blocking-poll".into(),
        site: Some("src/config.rs".into()),
        reason: "reads its configuration once, before traffic".into(),
        place: Some("pollscope.toml:12".into()),
    };
    let mut poll = Hist::new();
    poll.record_n(40_000, 9_000);
    poll.record_n(2 * MILLISECOND, 990);
    poll.record_n(52 * MILLISECOND, 10);
    Verdict {
        outcome: Outcome::Findings,
        fail_on: Level::Deny,
        findings: vec![blocking(), delay(), unused(&expectation)],
        allowed: vec![Allowed {
            finding: leak(),
            reason: "connections live as long as their clients <& \"so\" do>".into(),
        }],
        expectations_unused: vec![expectation],
        undecided: vec![
            Undecided {
                rule: "max-sched-delay".into(),
                reason: "a task of search.rs:7 waited 61ms, but the machine was short of CPU".into(),
                over_limit: true,
            },
            Undecided {
                rule: "lost-waker".into(),
                reason: "wakes not measured in hooks mode".into(),
                over_limit: false,
            },
        ],
        armed: Armed { yes: true, why: None },
        own_tests: OwnTests::default(),
        refused: Vec::new(),
        subjects: vec![
            subject("checkout#1", 4_711, Mode::Wrap, Some("target/pollscope/checkout-4711.mcap")),
            subject("search#1", 4_712, Mode::Hooks, None),
        ],
        distributions: vec![Distribution {
            process: "checkout#1".into(),
            site: "src/cart.rs:88:9".into(),
            poll,
            sched: Hist::new(),
            life: Hist::new(),
        }],
        comparison: None,
        notes: vec!["search-4712.mcap was cut: it is read up to its last whole chunk.".into()],
    }
}

fn subject(process: &str, pid: u32, mode: Mode, recording: Option<&str>) -> Subject {
    Subject {
        process: process.into(),
        pid,
        mode,
        lost: 0,
        told: 20_000,
        span_ns: 12 * SECOND,
        wrapped_only: false,
        recording: recording.map(Arc::from),
    }
}

/// A finding at warn that is about nothing in particular.
fn finding(number: u64, detector: &str, headline: &str) -> Finding {
    Finding {
        number,
        fingerprint: format!("{detector} src/cart.rs").into(),
        count: 1,
        first_ns: START_UNIX_NS + SECOND,
        last_ns: START_UNIX_NS + 9 * SECOND,
        headline: headline.into(),
        ..Finding::new(detector, Level::Warn)
    }
}

fn blocking() -> Finding {
    Finding {
        level: Level::Deny,
        fingerprint: "blocking-poll src/cart.rs cart in checkout::cart::load".into(),
        site: "src/cart.rs:88:9".into(),
        line: "src/cart.rs:93".into(),
        task: Some(TaskId(412)),
        task_name: "cart 51028".into(),
        process: "checkout#1".into(),
        value: Value::Nanos(52 * MILLISECOND),
        limit: Value::Nanos(10 * MILLISECOND),
        count: 10,
        kind: Some(PollKind::Blocked),
        waiting_in: "read(fd 7)".into(),
        waiters: Some(31),
        waited_ns: Some(900 * MILLISECOND),
        max_waited_ns: Some(51 * MILLISECOND),
        stack: [
            "checkout::cart::load (src/cart.rs:93)",
            "checkout::main::{closure#0} (src/main.rs:20)",
            "std::fs::read (library/std/src/fs.rs:320)",
        ]
        .map(Arc::from)
        .to_vec(),
        why: "10 of 10000 polls at cart.rs:88 were slow. Meanwhile its worker ran nothing else.".into(),
        fix: "Use tokio's counterpart, or put it into spawn_blocking.".into(),
        ..finding(1, "blocking-poll", "52ms in one poll, blocked (limit 10ms) in checkout::cart::load")
    }
}

fn delay() -> Finding {
    Finding {
        process: "search#1".into(),
        value: Value::Nanos(61 * MILLISECOND),
        limit: Value::Nanos(50 * MILLISECOND),
        why: "Woken tasks waited for a worker.".into(),
        fix: "Find what holds the workers.".into(),
        ..finding(2, "sched-delay", "61ms between wake and poll (limit 50ms)")
    }
}

fn unused(expectation: &Expectation) -> Finding {
    Finding {
        count: 0,
        why: format!("It says: {}.", expectation.reason).into(),
        fix: "Remove it, or correct its site.".into(),
        ..finding(3, "unused-expectation", "blocking-poll at src/config.rs is expected and did not happen")
    }
}

fn leak() -> Finding {
    Finding {
        site: "src/net.rs:31:5".into(),
        process: "checkout#1".into(),
        value: Value::Count(140),
        limit: Value::Count(100),
        why: "They grow without end.".into(),
        fix: "Await or abort them.".into(),
        ..finding(4, "task-leak", "140 tasks alive (limit 100)")
    }
}

/// A comparison of every kind: a p99 that doubled, one that cannot be told, a better one, one that
/// stayed, a new site and one that is gone.
pub fn comparison() -> Comparison {
    let site = |place: &str, key: &str| SiteName {
        process: "checkout".into(),
        key: key.into(),
        place: place.into(),
        one_of_several: false,
    };
    let figure = |place: &str, key: &str, figure, change, (base, head): (u64, u64), reason: &str| Compared {
        site: site(place, key),
        figure,
        change,
        base: Some(Measured { value: base, bounds: None, n: 2_000 }),
        head: Measured { value: head, bounds: None, n: 2_000 },
        reason: reason.into(),
        suspect: false,
    };
    let cart = ("src/cart.rs:88:9", "src/cart.rs handle_cart");
    let mail = ("src/mail.rs:12:5", "src/mail.rs");
    let ms = |ms: u64| ms * MILLISECOND;
    Comparison {
        figures: vec![
            figure(cart.0, cart.1, Figure::Poll, Change::Regressed, (ms(2), ms(4)), "2.00×, 2ms longer"),
            figure(
                cart.0,
                cart.1,
                Figure::Sched,
                Change::Insufficient,
                (ms(1), ms(3)),
                "depends on the load: base's workers were 20% busy, this run's 60%",
            ),
            figure(mail.0, mail.1, Figure::Poll, Change::Improved, (ms(9), ms(3)), "0.33×, 6ms shorter"),
            figure(mail.0, mail.1, Figure::Life, Change::Unchanged, (ms(20), ms(21)), ""),
        ],
        new: vec![site("src/search.rs:7:3", "src/search.rs")],
        vanished: vec![site("src/old.rs:1:1", "src/old.rs")],
        runs: 3,
        notes: vec!["`search` is in the base and was not recorded in this run.".into()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_it_says() {
        let verdict = verdict();
        assert_eq!(verdict.failing().count(), 1);
        let worst = &verdict.findings[0];
        assert_eq!(verdict.subject_of(worst).map(|subject| subject.pid), Some(4_711));
        assert_eq!(verdict.distribution_of(worst).map(|one| one.poll.count()), Some(10_000));
        assert!(verdict.subjects.iter().all(|subject| !subject.is_incomplete()));
    }

    #[test]
    fn one_lost_in_a_thousand_is_the_limit() {
        let with = |lost, told| Subject { lost, told, ..subject("a", 1, Mode::Wrap, None) };
        assert!(!with(0, 0).is_incomplete());
        assert!(!with(1, 999).is_incomplete());
        assert!(with(2, 999).is_incomplete());
        assert!(with(1, 0).is_incomplete());
    }
}
