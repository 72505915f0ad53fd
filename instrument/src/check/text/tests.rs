//! Everything that a test says, of names that mean harm.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::time::Duration;

use pollscope_model::monitor::Monitor;
use pollscope_model::testkit::{self, HOSTILE, raw};
use pollscope_model::world::WorldLimits;

use super::super::{observer, roll};
use super::*;

#[test]
fn nothing_harmful_is_said_by_a_test() {
    let (script, reports) = testkit::hostile();
    let mut monitor = Monitor::new(WorldLimits::default());
    monitor.connect(script.hello(), script.now_unix_ns()).unwrap();
    for report in reports {
        monitor.apply(report, script.now_unix_ns());
    }
    let roll = roll::of(monitor.world().process(script.boot()).unwrap(), Duration::from_secs(1));
    let kept = Kept { path: Some(HOSTILE.into()), trouble: Some(HOSTILE.to_owned()) };
    let phase = Phase {
        name: HOSTILE.to_owned(),
        began: Duration::ZERO,
        ended: Duration::ZERO,
        polls: 1,
        longest_poll: Duration::ZERO,
        alive: 1,
    };
    let phases = [phase.clone(), phase];
    let mut said = vec![("last words".to_owned(), observer::last_words(HOSTILE, &roll, &kept))];
    for outcome in Outcome::ALL {
        let mut verdict = testkit::verdict_saying(HOSTILE);
        verdict.outcome = outcome;
        let more = std::iter::repeat_n(verdict.findings[0].clone(), IN_FULL);
        verdict.findings.extend(more);
        for timed_out in [None, Some(&*roll)] {
            said.push((format!("{outcome}"), of(HOSTILE, &verdict, timed_out, &phases, &kept)));
        }
        said.push((format!("{outcome} beside"), found_beside(HOSTILE, &verdict, &phases, &kept).unwrap()));
    }
    for (what, text) in said {
        assert_eq!(raw(&text, &[]), Vec::<String>::new(), "{what}");
        assert!(text.matches("cmd()").count() > 3, "{what} does not say it: {text}");
    }
}
