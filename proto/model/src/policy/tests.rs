//! What a policy says, and what it refuses to be told.

use super::*;
use crate::detect::{blocking_poll, large_future};
use crate::time::MILLISECOND;

fn refused(text: &str) -> String {
    Policy::parse(text).expect_err(text).to_string()
}

#[test]
fn the_printed_default_is_the_default() {
    assert_eq!(Policy::parse(&Policy::default_toml()), Ok(Policy::default()));
    assert_eq!(Policy::parse(""), Ok(Policy::default()));
}

#[test]
fn what_is_named_changes_and_the_rest_stays() {
    let policy = Policy::parse(
        "[detectors.blocking-poll]\nlevel = \"warn\"\nwarn = \"25ms\"\nfor = \"2s\"\n\
         [detectors.large-future]\nsize = \"64KiB\"\n",
    )
    .expect("a valid policy");
    let rule = policy.rule_of("blocking-poll").expect("a known detector");
    assert_eq!(rule.level, Level::Warn);
    assert_eq!(rule.for_ns, 2_000 * MILLISECOND);
    assert_eq!(rule.whole(&blocking_poll::WARN), 25 * MILLISECOND);
    assert_eq!(rule.whole(&blocking_poll::DENY), 100 * MILLISECOND);
    assert_eq!(policy.rule_of("large-future").map(|rule| rule.whole(&large_future::SIZE)), Some(64 << 10));
    assert_eq!(policy.rule_of("stuck-poll"), Policy::default().rule_of("stuck-poll"));
    assert_eq!(policy.rule_of("no-such"), None);
}

#[test]
fn mistakes_are_named_with_their_place_and_the_nearest_name() {
    let cases = [
        (
            "\n[detectors.blocking-pol]\nwarn = \"1ms\"",
            "line 2, column 12: unknown detector `blocking-pol`; did you mean `blocking-poll`?",
        ),
        (
            "[detectors.blocking-poll]\n  warm = \"1ms\"",
            "line 2, column 3: unknown key in `detectors.blocking-poll`: `warm`; did you mean `warn`?",
        ),
        ("[detector]\n", "line 1, column 2: unknown key `detector`; did you mean `detectors`?"),
        (
            "[detectors.blocking-poll]\nwarn = \"ten\"",
            "line 2, column 8: `detectors.blocking-poll.warn` is \"ten\", expected a duration such as \
             \"10ms\", \"1.5s\" or \"5m\"",
        ),
        (
            "[detectors.blocking-poll]\nlevel = \"loud\"",
            "line 2, column 9: `detectors.blocking-poll.level` is \"loud\", expected \"allow\", \"warn\" or \
             \"deny\"",
        ),
        ("detectors = 3", "line 1, column 13: `detectors` is 3, expected a table"),
    ];
    for (text, message) in cases {
        assert_eq!(refused(text), message);
    }
    assert!(refused("[detectors.blocking-poll]\nxyzzy = 1").contains("there is level, for, clear, warn"));
    assert!(refused("[detectors.blocking-poll").starts_with("line 1, column "));
    assert!(refused("a = 1\na = 2").starts_with("line 2, column "));
}
