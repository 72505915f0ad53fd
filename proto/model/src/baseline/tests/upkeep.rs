//! Accepting, pruning, and findings that are known.

use super::*;
use crate::finding::Finding;

fn finding(fingerprint: &str, level: Level) -> Finding {
    Finding {
        number: 1,
        fingerprint: fingerprint.into(),
        count: 1,
        open: true,
        ..Finding::new("blocking-poll", level)
    }
}

#[test]
fn an_accepted_change_is_the_base_from_then_on_and_the_others_gain_a_run() {
    let mut baseline = of_runs((0..3).map(|seed| usual(seed).run()));
    let slower = |seed| {
        Recorded::new(seed)
            .polls(CART, "cart", 2_000, 3 * MILLISECOND)
            .polls(MAIL, "mail", 1_000, 2 * MILLISECOND)
            .run()
    };
    let accepted = baseline.accept(slower(7), None);
    assert_eq!(accepted.changed.len(), 1);
    assert_eq!(&*accepted.changed[0].site.key, "src/cart.rs cart");
    assert!(!baseline.compare(&slower(8)).is_worse());
    let cart = SiteKey::new("src/cart.rs", "cart");
    let mail = SiteKey::new("src/mail.rs", "mail");
    let runs_of = |key: &SiteKey| {
        baseline
            .runs
            .iter()
            .filter(|run| run.processes.values().any(|process| process.sites.contains_key(key)))
            .count()
    };
    assert_eq!((runs_of(&cart), runs_of(&mail)), (1, 4));
}

#[test]
fn one_site_can_be_accepted_by_itself() {
    let mut baseline = of_runs((0..3).map(|seed| usual(seed).run()));
    let slower = |seed| {
        Recorded::new(seed)
            .polls(CART, "cart", 2_000, 3 * MILLISECOND)
            .polls(MAIL, "mail", 1_000, 6 * MILLISECOND)
            .run()
    };
    let accepted = baseline.accept(slower(7), Some(&|site| site.key.contains("cart")));
    assert_eq!(accepted.changed.len(), 1);
    assert_eq!(regressed(&baseline.compare(&slower(8))), ["src/mail.rs:12:5 mail p99_poll"]);
    let before = baseline.clone();
    let accepted = baseline.accept(slower(8), Some(&|site| site.key.contains("no such site")));
    assert_eq!((accepted, baseline), (Accepted::default(), before));
}

#[test]
fn what_is_no_more_is_forgotten_and_nothing_else() {
    let mut baseline = of_runs((0..3).map(|seed| usual(seed).run()));
    let seen = Recorded::new(5).polls(MAIL, "mail", 10, MILLISECOND).run();
    let pruned = baseline.prune(&seen);
    assert_eq!(pruned.sites.iter().map(ToString::to_string).collect::<Vec<_>>(), ["src/cart.rs:88:9 cart"]);
    assert_eq!(baseline.runs.len(), 3);
    assert_eq!(baseline.prune(&seen), Pruned::default());
}

#[test]
fn an_accepted_finding_is_known_up_to_its_level() {
    let mut baseline = Baseline::default();
    assert!(baseline.accept_finding(&finding("blocking-poll src/cart.rs cart", Level::Warn)));
    assert!(!baseline.accept_finding(&finding("blocking-poll src/cart.rs cart", Level::Warn)));
    let knows = |fingerprint, level| baseline.knows(&finding(fingerprint, level));
    assert!(knows("blocking-poll src/cart.rs cart", Level::Warn));
    assert!(!knows("blocking-poll src/cart.rs cart", Level::Deny), "it got worse");
    assert!(knows("blocking-poll src/cart.rs cart in shop::render", Level::Warn), "a function was seen");
    assert!(!knows("blocking-poll src/cart.rs cart lists", Level::Warn), "another name");
    assert!(!knows("stuck-poll src/cart.rs cart", Level::Warn));
}

#[test]
fn a_finding_with_its_function_is_known_without_it_and_not_with_another() {
    let mut baseline = Baseline::default();
    baseline.accept_finding(&finding("blocking-poll src/cart.rs in shop::render", Level::Deny));
    assert!(baseline.knows(&finding("blocking-poll src/cart.rs", Level::Deny)));
    assert!(!baseline.knows(&finding("blocking-poll src/cart.rs in shop::mail", Level::Deny)));
    let gone = baseline.prune_findings(&[finding("blocking-poll src/cart.rs", Level::Warn)]);
    assert!(gone.is_empty());
    assert_eq!(baseline.prune_findings(&[]).len(), 1);
    assert!(baseline.known.is_empty());
}
