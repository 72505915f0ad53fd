//! Blocking that the code allows itself.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::sleep;
use std::time::Duration;

use pollscope::allow_blocking;
use pollscope::check::{Level, Outcome, Session};

use crate::decided;

const MS: Duration = Duration::from_millis(1);
const WHY: &str = "reads its config once";

#[test]
fn what_is_allowed_passes_and_is_listed_with_its_reason() {
    let reads = || async {
        sleep(MS);
        allow_blocking(WHY, || {
            sleep(60 * MS);
            7
        })
    };
    let session = || Session::new("allowed").max_poll(50 * MS);
    let wrapped = session().run(async move { pollscope::spawn(reads()).await.expect("returns") });
    let hooked = session().run(async move { tokio::spawn(reads()).await.expect("returns") });
    let mut seen = vec![wrapped];
    if cfg!(tokio_unstable) {
        seen.push(hooked);
    }
    for judged in seen {
        let verdict = judged.verdict();
        assert_eq!(verdict.outcome, Outcome::Clean, "{}", judged.text());
        let [allowed] = &verdict.allowed[..] else { panic!("{:?}", verdict.allowed) };
        assert_eq!((&*allowed.finding.detector, &*allowed.reason), ("blocking-poll", WHY));
        assert!(allowed.finding.why.contains("tests/check/allowed.rs:"), "{}", allowed.finding.why);
    }
}

#[test]
fn what_is_not_allowed_fails_with_its_own_part() {
    let judged = decided(|| {
        Session::new("half").max_poll(20 * MS).run(async {
            sleep(150 * MS);
            allow_blocking(WHY, || sleep(150 * MS));
        })
    });
    let verdict = judged.verdict();
    assert_eq!(verdict.outcome, Outcome::Findings, "{}", judged.text());
    let finding = verdict.failing().next().expect("it blocked");
    let took = finding.value.number().expect("a time");
    let wall = verdict.distribution_of(finding).expect("its site").poll.max() as f64;
    // What the machine took is off as well, and that may be anything.
    assert!(took > 20e6 && took <= wall - 150e6, "{took} of {wall}");
    assert!(finding.why.contains(WHY), "{}", finding.why);
}

#[test]
fn it_nests_and_unwinds() {
    let judged = Session::new("nested").max_poll(50 * MS).run(async {
        let panics = || allow_blocking("inner", || std::panic::resume_unwind(Box::new(7_u32)));
        let outer = || {
            let inner: Result<(), _> = catch_unwind(AssertUnwindSafe(panics));
            sleep(60 * MS);
            inner
        };
        let payload = allow_blocking(WHY, outer).expect_err("panics");
        assert_eq!(payload.downcast_ref::<u32>(), Some(&7));
        let again = catch_unwind(AssertUnwindSafe(panics));
        assert!(again.is_err());
    });
    assert_eq!(judged.verdict().outcome, Outcome::Clean, "{}", judged.text());
    assert_eq!(judged.verdict().allowed.len(), 1);
    assert_eq!(allow_blocking("outside of polls it is only a call", || 3), 3);
}

#[test]
fn one_that_blocks_nobody_any_more_is_told() {
    // Nothing in it can be slow, but the machine: a limit that no machine comes near.
    let session = |name| Session::new(name).max_poll(Duration::from_secs(3_600));
    let line = line!() + 1;
    let fast = || allow_blocking(WHY, || 7);
    let judged = session("stale").run(async move {
        pollscope::spawn(async move { fast() }).await.expect("returns");
        fast()
    });
    assert!(judged.is_clean(), "a warning alone fails nothing: {}", judged.text());
    let verdict = judged.verdict();
    let unused: Vec<_> =
        verdict.findings.iter().filter(|one| &*one.detector == "unused-expectation").collect();
    let [finding] = &unused[..] else { panic!("{unused:?}") };
    assert_eq!(finding.level, Level::Warn);
    assert!(finding.headline.contains(&format!("allowed.rs:{line} ")), "{}", finding.headline);
    assert!(finding.why.starts_with("It ran 2 times"), "{}", finding.why);
    assert_eq!(&*verdict.expectations_unused[0].reason, WHY);

    // Not come by, or only in another session: nothing is said.
    let judged = session("never").run(async {});
    assert!(judged.verdict().expectations_unused.is_empty());

    // Needed once is needed.
    let judged = Session::new("needed").max_poll(50 * MS).run(async {
        for blocks in [0, 60] {
            allow_blocking(WHY, || sleep(blocks * MS));
            tokio::task::yield_now().await;
        }
    });
    assert!(judged.verdict().expectations_unused.is_empty(), "{:?}", judged.verdict().expectations_unused);
}
