//! Limits of single routes.

use super::*;

const PRICE: &str = "GET /price/{id}";
const CART: &str = "GET /cart";

/// Two routes and a line, each with two polls of 8 ms and a hundred short ones.
fn stage() -> Stage {
    let mut stage = Stage::new();
    for place in [PRICE, CART, "src/cart.rs:88:9"] {
        let site = stage.script.site(place);
        let task = stage.script.spawn(site);
        stage.script.edit(task, |task| task.kind = TaskKind::Request);
        stage.script.poll(task, 100, MS / 10);
        (0..2).for_each(|_| stage.script.slow_poll(task, 8 * MS, 0, 0));
    }
    stage.second();
    stage
}

fn scoped(scope: &str, max_poll_ns: Option<u64>, p99_poll_ns: Option<u64>, run: Terms) -> Terms {
    let scope = ScopeLimits { scope: scope.into(), max_poll_ns, p99_poll_ns };
    Terms { scopes: [vec![scope], run.scopes].concat(), ..run }
}

fn sites(verdict: &Verdict) -> Vec<&str> {
    verdict.findings.iter().map(|finding| &*finding.site).collect()
}

#[test]
fn a_route_is_held_to_its_own_limit_and_all_else_to_that_of_the_run() {
    let stage = stage();
    let strict = stage.judged(scoped(PRICE, Some(5 * MS), None, max_poll(10 * MS)));
    assert_eq!(sites(&strict), [PRICE]);
    assert_eq!(&*strict.findings[0].headline, "8ms in one poll, blocked (limit 5ms)");
    assert_eq!(&*strict.findings[0].scope, PRICE);
    let lenient = stage.judged(scoped("GET /*", Some(10 * MS), None, max_poll(5 * MS)));
    assert_eq!(sites(&lenient), ["src/cart.rs:88:9"]);
    let alone = stage.judged(scoped(CART, Some(5 * MS), None, Terms::default()));
    assert_eq!(sites(&alone), [CART], "without a limit for all of the run");
    let of_polls = stage.judged(scoped(CART, None, Some(5 * MS), max_poll(5 * MS)));
    let mut sites: Vec<_> = sites(&of_polls);
    sites.sort_unstable();
    assert_eq!(sites, [CART, CART, PRICE, "src/cart.rs:88:9"], "its p99, and the run's longest poll");
}

#[test]
fn of_several_limits_of_a_route_that_of_its_name_counts_else_the_longest_pattern() {
    let both = scoped("*", Some(5 * MS), None, scoped(PRICE, Some(10 * MS), None, Terms::default()));
    assert_eq!(sites(&stage().judged(both)), [CART]);
    let both = scoped("GET /pri*", Some(10 * MS), None, scoped("*", Some(5 * MS), None, Terms::default()));
    assert_eq!(sites(&stage().judged(both)), [CART]);
}

#[test]
fn a_limit_that_is_for_no_route_says_so() {
    let verdict = stage().judged(scoped("GET /prise", Some(MS), None, Terms::default()));
    let told = "[check.scope.\"GET /prise\"] judged nothing: no request of such a route was recorded.";
    assert!(verdict.notes.iter().any(|note| &**note == told), "{:?}", verdict.notes);
    assert_eq!(verdict.outcome, Outcome::Clean);
    let met = stage().judged(scoped(CART, Some(10 * MS), None, Terms::default()));
    assert!(!met.notes.iter().any(|note| note.contains("check.scope")), "{:?}", met.notes);
}
