//! What else a session promises.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pollscope::check::{Flavor, Level, Outcome, Session, checkpoint};

use crate::decided;

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3_600);

fn message(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default()
}

#[test]
fn what_the_body_returns_comes_back_in_every_flavor() {
    for flavor in [Flavor::CurrentThread, Flavor::MultiThread, Flavor::Local] {
        let session = Session::new("returns").flavor(flavor).max_poll(Duration::from_secs(5));
        let answer = session.run(async { pollscope::spawn(async { 42 }).await.expect("returns") });
        assert_eq!(answer.assert_clean(), 42);
    }
}

#[test]
fn a_body_that_is_not_send_runs_where_it_is() {
    let word = String::from("borrowed");
    let body = async {
        let here = Rc::new(word.as_str());
        tokio::task::yield_now().await;
        here.len()
    };
    assert_eq!(Session::new("not send").run_local(body).assert_clean(), 8);
}

#[test]
fn the_bodys_own_polls_count_in_both_ways() {
    let session = || Session::new("own polls").max_poll(5 * MS);
    let line = line!() + 1;
    let sent = decided(|| session().run(async { std::thread::sleep(30 * MS) }));
    let kept = decided(|| session().run_local(async { std::thread::sleep(30 * MS) }));
    for (judged, line) in [(sent, line), (kept, line + 1)] {
        let finding = judged.verdict().failing().next().expect("the body blocked").clone();
        assert_eq!(&*finding.detector, "blocking-poll");
        assert!(finding.site.contains(&format!("session.rs:{line}:")), "{}", finding.site);
        let failed = catch_unwind(AssertUnwindSafe(|| judged.assert_clean())).expect_err("not clean");
        assert!(message(&*failed).contains("blocking-poll"));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_poll_that_falls_asleep_after_the_limit_is_seen_asleep() {
    // It is looked at after 11 ms, when it computes, and would be again after 110.
    let session = || Session::new("falls asleep").max_poll(15 * MS);
    let judged = decided(|| {
        session().run(async {
            let begin = Instant::now();
            while begin.elapsed() < 20 * MS {
                std::hint::spin_loop();
            }
            std::thread::sleep(80 * MS);
        })
    });
    let finding = judged.verdict().failing().next().expect("the body slept").clone();
    assert!(finding.waiting_in.contains("nanosleep"), "{}", judged.text());
}

#[test]
fn a_panic_stays_the_tests_own() {
    let session = Session::new("panics").max_poll(5 * MS);
    let body = async {
        std::thread::sleep(20 * MS);
        std::panic::resume_unwind(Box::new(7_u32));
    };
    let payload = catch_unwind(AssertUnwindSafe(|| session.run(body))).expect_err("panics");
    assert_eq!(payload.downcast_ref::<u32>(), Some(&7));
    let session = Session::new("panics in place");
    let body = async { std::panic::resume_unwind(Box::new(8_u32)) };
    let payload = catch_unwind(AssertUnwindSafe(|| session.run_local(body))).expect_err("panics");
    assert_eq!(payload.downcast_ref::<u32>(), Some(&8));
}

#[test]
fn a_paused_clock_is_tokios_and_what_is_judged_is_the_machines() {
    let session = || Session::new("paused").start_paused(true).leaks(Level::Deny);
    let begin = Instant::now();
    session().max_poll(HOUR).run(async { tokio::time::sleep(24 * HOUR).await }).assert_clean();
    assert!(begin.elapsed() < HOUR);

    let judged = decided(|| session().max_poll(5 * MS).run(async { std::thread::sleep(30 * MS) }));
    assert_eq!(judged.verdict().outcome, Outcome::Findings, "{}", judged.text());

    // Settling does not make the clock jump: who sleeps for an hour is left behind.
    let judged = session().run(async {
        pollscope::spawn(tokio::time::sleep(HOUR));
        tokio::task::yield_now().await;
    });
    let findings: Vec<_> = judged.verdict().failing().map(|finding| finding.detector.to_string()).collect();
    assert_eq!(findings, ["task-leak"], "{}", judged.text());
}

#[test]
fn tasks_that_are_about_to_end_are_waited_for() {
    for flavor in [Flavor::CurrentThread, Flavor::MultiThread] {
        let session = Session::new("about to end").flavor(flavor).leaks(Level::Deny).forgotten(Level::Deny);
        let judged = session.run(async {
            for _ in 0..50 {
                pollscope::spawn(async {
                    for _ in 0..20 {
                        tokio::task::yield_now().await;
                    }
                });
            }
            pollscope::spawn(std::future::pending::<()>()).abort();
            pollscope::task("stays").long_lived().spawn(std::future::pending::<()>());
        });
        assert!(judged.is_clean(), "{}", judged.text());
    }
}

#[test]
fn a_timeout_lists_every_task_and_fails() {
    for flavor in [Flavor::CurrentThread, Flavor::MultiThread] {
        let session = Session::new("hangs").flavor(flavor).timeout(100 * MS);
        let judged = session.run(async {
            let (_sender, receiver) = tokio::sync::oneshot::channel::<()>();
            let reply = pollscope::task("await_reply").spawn(async move { receiver.await.is_ok() });
            reply.await.expect("never");
            std::future::pending::<()>().await;
        });
        assert!(!judged.is_clean() && judged.output().is_none());
        let roll = judged.timed_out().expect("its time was up");
        assert!(roll.starts_with("timed out after 100ms with"), "{roll}");
        for part in ["`test`: idle for", "session.rs:", "waits for"] {
            assert!(roll.contains(part), "{part:?} is not in {roll}");
        }
        let failed = catch_unwind(AssertUnwindSafe(|| judged.assert_clean())).expect_err("not clean");
        assert!(message(&*failed).contains("timed out after 100ms"));
    }
}

#[test]
fn an_expectation_is_fulfilled_or_told() {
    let blocks = || async { std::thread::sleep(20 * MS) };
    let session = || {
        let session = Session::new("expected").max_poll(5 * MS);
        session.expect("blocking-poll", "session.rs", "reads its config once")
    };
    let judged = decided(|| session().run(blocks()));
    assert!(judged.is_clean(), "{}", judged.text());
    assert_eq!(&*judged.verdict().allowed[0].reason, "reads its config once");

    let judged = Session::new("not fulfilled").expect("task-leak", "", "a pool").run(async {});
    assert_eq!(judged.verdict().expectations_unused.len(), 1);
    assert!(judged.text().contains("task-leak"), "{}", judged.text());
}

#[test]
fn levels_are_what_the_test_says() {
    let leaks = || async {
        pollscope::spawn(tokio::time::sleep(HOUR));
        tokio::task::yield_now().await;
    };
    let outcome = |session: Session| session.run(leaks()).verdict().outcome;
    assert_eq!(outcome(Session::new("default")), Outcome::Clean);
    assert_eq!(outcome(Session::new("deny").deny("task-leak")), Outcome::Findings);
    assert_eq!(outcome(Session::new("deny").leaks(Level::Deny)), Outcome::Findings);
    assert_eq!(
        outcome(Session::new("the last counts").leaks(Level::Deny).allow("task-leak")),
        Outcome::Clean
    );
    let failed = catch_unwind(|| Session::new("typo").deny("task-leek")).expect_err("no such detector");
    assert!(message(&*failed).contains("did you mean `task-leak`?"));
}

#[test]
fn tests_beside_each_other_keep_their_books_apart() {
    fn run(pause: Duration) -> pollscope::check::Judged<()> {
        let session = Session::new("beside").max_poll(20 * MS).leaks(Level::Deny);
        session.flavor(Flavor::MultiThread).worker_threads(1).run(async move {
            // The same line in both.
            pollscope::spawn(async move { std::thread::sleep(pause) }).await.expect("returns");
        })
    }
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let faulty = scope.spawn(|| {
            let mut rounds = 0;
            while rounds == 0 || !over.load(Ordering::Relaxed) {
                let judged = decided(|| run(40 * MS));
                assert_eq!(judged.verdict().outcome, Outcome::Findings, "{}", judged.text());
                rounds += 1;
            }
        });
        for _ in 0..10 {
            let judged = run(Duration::ZERO);
            assert!(judged.is_clean(), "{}", judged.text());
        }
        over.store(true, Ordering::Relaxed);
        faulty.join().expect("each of them is found");
    });
}

#[test]
fn a_checkpoint_begins_a_phase() {
    let judged = Session::new("phases").run(async {
        pollscope::spawn(async {}).await.expect("returns");
        checkpoint("burst");
        for _ in 0..3 {
            pollscope::spawn(async {}).await.expect("returns");
        }
    });
    let phases = judged.phases();
    let names: Vec<_> = phases.iter().map(|phase| phase.name.as_str()).collect();
    assert_eq!(names, ["start", "burst"]);
    assert!(phases[0].polls >= 1 && phases[1].polls >= 4, "{phases:?}");
    assert!(phases[0].ended <= phases[1].began && phases[1].alive == 0, "{phases:?}");
    checkpoint("outside of all sessions");
}

#[test]
fn what_hooks_see_is_judged_and_what_nobody_sees_is_told() {
    let judged = decided(|| {
        Session::new("plain tokio").max_poll(10 * MS).leaks(Level::Deny).run(async {
            tokio::spawn(async { std::thread::sleep(40 * MS) }).await.expect("returns");
            tokio::spawn(std::future::pending::<()>());
            tokio::task::yield_now().await;
        })
    });
    let verdict = judged.verdict();
    let found: Vec<_> = verdict.failing().map(|finding| &*finding.detector).collect();
    assert!(found.contains(&"task-leak"), "{}", judged.text());
    // The feature decides nothing here: whether the hooks are in this build, the verdict itself says.
    let hooked = verdict.subjects[0].mode == pollscope_model::measured::Mode::Hooks;
    assert_eq!(found.contains(&"blocking-poll"), hooked, "{}", judged.text());
    assert_eq!(verdict.notes.iter().any(|note| note.contains("not seen in this build")), !hooked);
}

#[test]
fn callbacks_of_the_test_are_called_beside_the_sessions() {
    static STARTS: AtomicUsize = AtomicUsize::new(0);
    let callbacks =
        pollscope::Callbacks::new().on_thread_start(|| _ = STARTS.fetch_add(1, Ordering::Relaxed));
    let judged = Session::new("callbacks")
        .flavor(Flavor::MultiThread)
        .worker_threads(2)
        .callbacks(callbacks)
        .timeout(Duration::from_secs(60));
    judged
        .run(async {
            while STARTS.load(Ordering::Relaxed) < 2 {
                tokio::task::yield_now().await;
            }
        })
        .assert_clean();
}

/// Blocks the thread that drops it.
struct SlowToDrop;

impl Drop for SlowToDrop {
    fn drop(&mut self) {
        std::thread::sleep(100 * MS);
    }
}

async fn waits_with(held: SlowToDrop) {
    std::future::pending::<()>().await;
    drop(held);
}

#[test]
fn a_drop_that_blocks_a_worker_is_found_at_its_task() {
    let aborted = decided(|| {
        Session::new("aborted").max_poll(20 * MS).run(async {
            let task = pollscope::spawn(waits_with(SlowToDrop));
            tokio::task::yield_now().await;
            task.abort();
            task.await.is_err()
        })
    });
    let of_a_set = decided(|| {
        Session::new("of a set").max_poll(20 * MS).run(async {
            let mut set = pollscope::JoinSet::new();
            set.spawn(waits_with(SlowToDrop));
            tokio::task::yield_now().await;
            drop(set);
            tokio::task::yield_now().await;
            true
        })
    });
    let plain = cfg!(tokio_unstable).then(|| {
        decided(|| {
            Session::new("plain").max_poll(20 * MS).run(async {
                let task = tokio::spawn(waits_with(SlowToDrop));
                tokio::task::yield_now().await;
                task.abort();
                task.await.is_err()
            })
        })
    });
    for judged in [Some(aborted), Some(of_a_set), plain].into_iter().flatten() {
        let finding = judged.verdict().failing().next().expect("the drop blocked");
        assert_eq!(&*finding.detector, "blocking-poll");
        assert!(finding.site.contains("session.rs:"), "{}", finding.site);
        assert_eq!(judged.output(), Some(&true));
    }
}
