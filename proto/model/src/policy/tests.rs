//! What a policy says, and what it refuses to be told.

use super::*;
use crate::detect::{blocking_poll, large_future};
use crate::level::Level;
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

#[test]
fn a_check_asks_for_limits_and_levels() {
    let policy = Policy::parse(
        "[check]\nmax_poll = \"10ms\"\np99_poll = \"2ms\"\nmax_sched_delay = \"50ms\"\nno_leaks = true\n\
         count_preempted = true\nfail_on = \"warn\"\ndeny = [\"task-leak\"]\nallow = [\"large-future\"]\n",
    )
    .expect("a valid policy");
    let terms = policy.terms();
    let limits = terms.limits;
    assert_eq!(limits.max_poll_ns, Some(10 * MILLISECOND));
    assert_eq!(limits.p99_poll_ns, Some(2 * MILLISECOND));
    assert_eq!(limits.max_sched_delay_ns, Some(50 * MILLISECOND));
    assert!(limits.no_leaks && limits.count_preempted);
    assert_eq!(terms.fail_on, Level::Warn);
    let levels = [("large-future".into(), Level::Allow), ("task-leak".into(), Level::Deny)];
    assert!(levels.iter().all(|level| terms.levels.contains(level)), "{:?}", terms.levels);
}

#[test]
fn a_route_has_limits_of_its_own() {
    let policy = Policy::parse(
        "[check]\nmax_poll = \"10ms\"\n[check.scope.\"GET /price/{id}\"]\nmax_poll = \"5ms\"\n\
         [check.scope.\"GET /*\"]\np99_poll = \"2ms\"\n[profile.ci.check.scope.\"GET /price/{id}\"]\n\
         p99_poll = \"3ms\"\n",
    )
    .expect("a valid policy");
    let terms = policy.terms();
    let of = |terms: &Terms, route: &str| -> Vec<_> {
        let about = terms.scopes.iter().filter(|scope| scope.is_about(route));
        about.map(|scope| (scope.max_poll_ns, scope.p99_poll_ns)).collect()
    };
    let ms = |n: u64| Some(n * MILLISECOND);
    let mut both = of(&terms, "GET /price/{id}");
    both.sort_unstable();
    assert_eq!(both, [(None, ms(2)), (ms(5), None)]);
    assert_eq!((of(&terms, "GET /cart"), of(&terms, "POST /cart")), (vec![(None, ms(2))], vec![]));
    assert_eq!(least_poll_ns(&terms.limits, &terms.scopes), ms(2));
    let ci = policy.profile("ci").expect("it is there").terms();
    assert!(of(&ci, "GET /price/{id}").contains(&(ms(5), ms(3))), "what it does not name stays");
}

#[test]
fn mistakes_in_a_routes_limits_are_named_with_their_place() {
    for (text, message) in [
        (
            "[check.scope.\"GET /a\"]\nmax_pol = \"1ms\"",
            "line 2, column 1: unknown key in `check.scope.\"GET /a\"`: `max_pol`; did you mean `max_poll`?",
        ),
        (
            "[check.scope.\"GET /a\"]\nmax_poll = 10",
            "line 2, column 12: `check.scope.\"GET /a\".max_poll` is 10, expected a duration such as \"10ms\", \
             \"1.5s\" or \"5m\"",
        ),
        (
            "[check.scope.\"GET /a\"]\nno_leaks = true",
            "line 2, column 1: unknown key in `check.scope.\"GET /a\"`: `no_leaks`; there is max_poll, p99_poll",
        ),
        (
            "[check.scope]\nmax_poll = \"10ms\"",
            "line 2, column 12: `check.scope.\"max_poll\"` is \"10ms\", expected tables named by routes: \
             [check.scope.\"GET /price/{id}\"]",
        ),
    ] {
        assert_eq!(refused(text), message);
    }
}

#[test]
fn what_is_expected_has_a_reason_and_a_place() {
    let policy = Policy::parse_file(
        "[[expect]]\ndetector = \"blocking-poll\"\nsite = \"src/a.rs\"\nreason = \"known\"\n\n\
         [[expect]]\ndetector = \"task-leak\"\nreason = \"also\"\n",
        "ci/strict.toml",
    )
    .expect("a valid policy");
    let places: Vec<_> = policy.expectations().iter().map(|one| one.place.as_deref()).collect();
    assert_eq!(places, [Some("ci/strict.toml:2"), Some("ci/strict.toml:7")]);
    assert_eq!(policy.expectations()[0].site.as_deref(), Some("src/a.rs"));
    assert_eq!(policy.expectations()[1].site, None);
}

#[test]
fn a_profile_lies_on_the_rest() {
    let policy = Policy::parse(
        "[profile.ci.check]\nmax_poll = \"25ms\"\n[profile.ci.detectors.task-leak]\nalive = 5\n\
         [[profile.ci.expect]]\ndetector = \"task-leak\"\nreason = \"in ci\"\n\
         [check]\nmax_poll = \"10ms\"\nno_leaks = true\n",
    )
    .expect("a valid policy");
    assert_eq!(policy.check().limits.max_poll_ns, Some(10 * MILLISECOND));
    let ci = policy.profile("ci").expect("the profile");
    assert_eq!(ci.check().limits.max_poll_ns, Some(25 * MILLISECOND));
    assert!(ci.check().limits.no_leaks, "what it does not name stays");
    assert_eq!((ci.expectations().len(), policy.expectations().len()), (1, 0));
    assert_ne!(ci.rule_of("task-leak"), policy.rule_of("task-leak"));
    let unknown = |name| policy.profile(name).expect_err(name).to_string();
    assert_eq!(unknown("cj"), "there is no profile `cj`; did you mean `ci`?");
    assert_eq!(unknown("nightly"), "there is no profile `nightly`; there is ci");
    let none = Policy::default().profile("ci").expect_err("none").to_string();
    assert!(none.contains("the policy has none: add a table [profile.ci.check]"), "{none}");
}

#[test]
fn mistakes_in_a_check_are_named_with_their_place() {
    let cases = [
        (
            "[check]\nmax_pol = \"1ms\"",
            "line 2, column 1: unknown key in `check`: `max_pol`; did you mean `max_poll`?",
        ),
        (
            "[check]\nmax_poll = 10",
            "line 2, column 12: `check.max_poll` is 10, expected a duration such as \"10ms\", \"1.5s\" or \"5m\"",
        ),
        (
            "[check]\nno_leaks = \"yes\"",
            "line 2, column 12: `check.no_leaks` is \"yes\", expected true or false",
        ),
        (
            "[check]\nfail_on = \"allow\"",
            "line 2, column 11: `check.fail_on` is \"allow\", expected \"warn\" or \"deny\"",
        ),
        (
            "[check]\ndeny = [\n  \"task-leek\",\n]",
            "line 3, column 3: unknown detector `task-leek`; did you mean `task-leak`?",
        ),
        (
            "[[expect]]\ndetector = \"task-leak\"\n",
            "line 2, column 1: `expect` has no `reason`: say why this is all right",
        ),
        (
            "[[expect]]\ndetector = \"task-leak\"\nreason = \"  \"",
            "line 3, column 10: `expect.reason` is \"  \", expected a sentence: why this is all right",
        ),
        (
            "[[expect]]\nreason = \"x\"",
            "line 2, column 1: `expect` has no `detector`: name the detector that is expected",
        ),
        (
            "[expect]\nreason = \"x\"",
            "line 1, column 1: `expect` is [expect], expected a list of tables: [[expect]]",
        ),
        (
            "[profile.ci.chek]\n",
            "line 1, column 13: unknown key in `profile.ci`: `chek`; did you mean `check`?",
        ),
        (
            "[profile.ci.profile.x]\n",
            "line 1, column 13: unknown key in `profile.ci`: `profile`; there is detectors, check, expect",
        ),
        ("profile = 1", "line 1, column 11: `profile` is 1, expected a table"),
    ];
    for (text, message) in cases {
        assert_eq!(refused(text), message);
    }
}

#[test]
fn the_rules_of_a_test_are_a_policy_in_which_one_poll_over_its_limit_is_enough() {
    let own = Policy::parse("[detectors.task-leak]\nlevel = \"allow\"").expect("a policy");
    let rules = |limits: &CheckLimits| Policy::parse(&own.rules_for_test(limits)).expect("a policy");
    assert_eq!(rules(&CheckLimits::default()), own);
    let asked = rules(&CheckLimits { max_poll_ns: Some(2_000_000), ..CheckLimits::default() });
    let rule = asked.rule_of("blocking-poll").expect("a rule");
    let whole = |limit| rule.whole(&limit);
    assert_eq!((whole(blocking_poll::WARN), whole(blocking_poll::DENY)), (2_000_000, 2_000_000));
    assert_eq!((whole(blocking_poll::REPEATS), whole(blocking_poll::INITIAL)), (1, 0));
    assert_eq!(asked.rule_of("task-leak"), own.rule_of("task-leak"));
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in ".{0,200}") {
        let _ = Policy::parse(&text);
    }

    #[test]
    fn no_mutation_of_a_real_policy_panics(
        at in 0..4_000_usize,
        cut in 0..40_usize,
        put in proptest::sample::select(vec![
            "", "[", "]", "[[", "\"", "=", "\n", "0x", "é", "[check]\n", "[[expect]]\n", "[profile.", ".", "-1", "nan", "{", "}",
        ]),
    ) {
        let whole = format!(
            "[profile.a.check]\nfail_on = \"warn\"\n[[expect]]\ndetector = \"task-leak\"\nreason = \"r\"\n{}",
            Policy::default_toml()
        );
        let at = whole.char_indices().map(|(at, _)| at).nth(at % whole.chars().count()).unwrap_or(0);
        let rest: String = whole[at..].chars().skip(cut).collect();
        let _ = Policy::parse(&format!("{}{put}{rest}", &whole[..at]));
    }
}
