//! The file: what is written is read again, and nothing else is.

use proptest::prelude::*;

use super::*;

fn rich() -> Baseline {
    let mut baseline = of_runs((0..3).map(|seed| usual(seed).waits(CART, "cart", 300, MILLISECOND).run()));
    baseline.known.insert("blocking-poll src/cart.rs cart in shop::\"render\"".into(), Level::Deny);
    baseline.known.insert("task-leak src/mail.rs".into(), Level::Warn);
    baseline
}

#[test]
fn what_is_written_is_read_again_and_written_the_same() {
    let baseline = rich();
    let text = baseline.to_toml();
    let again = Baseline::parse(&text).unwrap();
    assert_eq!(again.to_toml(), text);
    assert_eq!(again.known, baseline.known);
    // What was read compares like what was recorded.
    let head = Recorded::new(9).polls(CART, "cart", 2_000, 2 * MILLISECOND).run();
    assert_eq!(again.compare(&head).figures, baseline.compare(&head).figures);
    assert_eq!(Baseline::parse(&Baseline::default().to_toml()), Ok(Baseline::default()));
}

/// A committed file must not change with the machine, the folder or the hour.
#[test]
fn nothing_harmful_is_written_into_a_file_and_all_is_read_back() {
    use crate::testkit::{HOSTILE, hostile, raw, verdict_saying};
    let (script, reports) = hostile();
    let mut world = World::new(WorldLimits::default());
    world.connect(script.hello(), script.now_unix_ns()).unwrap();
    for report in reports {
        world.apply(report, script.now_unix_ns());
    }
    let mut baseline = Baseline::default();
    baseline.add(Run::of([&world]));
    assert!(baseline.accept_finding(&verdict_saying(HOSTILE).findings[0]));
    let text = baseline.to_toml();
    assert_eq!(raw(&text, &[]), Vec::<String>::new(), "{text}");
    assert!(text.matches("=cmd()").count() > 3, "{text}");
    assert_eq!(Baseline::parse(&text).unwrap().to_toml(), text);
    assert!(baseline.runs[0].processes.contains_key(HOSTILE));
}

#[test]
fn a_file_has_no_path_no_host_and_no_date() {
    let mut recorded = Recorded::new(1);
    recorded.script = Script::new("cart-0123456789abcdef");
    let text =
        of_runs([recorded.polls("/srv/ann/shop/src/cart.rs:88:9", "conn 51028", 300, 5_000).run()]).to_toml();
    for word in ["/srv", "ann", "web-01", "2026", "0123456789abcdef", "51028", "boot", "pid"] {
        assert!(!text.contains(word), "{word} in\n{text}");
    }
    assert!(text.contains("file = \"shop/src/cart.rs\"\nname = \"conn #\"\nat = \"88:9\""), "{text}");
    assert!(text.contains("# 300 × p50 "), "{text}");
}

#[test]
fn adding_a_run_only_adds_lines_until_there_are_enough() {
    let mut baseline = of_runs([usual(0).run()]);
    for seed in 1..MAX_RUNS as u64 {
        let before = baseline.to_toml();
        baseline.add(usual(seed).run());
        assert!(baseline.to_toml().starts_with(&before));
    }
    let before = baseline.to_toml().len();
    baseline.add(usual(99).run());
    assert_eq!(baseline.runs.len(), MAX_RUNS);
    assert!(baseline.to_toml().len() < before + before / 10);
}

#[test]
fn what_is_not_understood_is_refused_with_line_key_and_remedy() {
    let text = rich().to_toml();
    let cases = [
        ("histogram-scale = 4", "histogram-scale = 6", "line 6: histograms of scale 6"),
        ("[known]", "[knwon]", "unknown key `knwon` (did you mean `known`?)"),
        ("= \"deny\"", "= \"dire\"", "is \"dire\", expected \"warn\" or \"deny\""),
        ("number = 2", "number = 3", "run 3 comes after run 1"),
        ("process = \"checkout\"\nmode", "mode", "`run[0].process` is missing"),
        ("mode = \"wrap\"", "mode = \"warp\"", "`run[0].mode` is \"warp\", expected"),
        ("cpus = 4", "cpus = -4", "`run[0].cpus` is -4, expected a whole number"),
        ("spawned", "spwned", "unknown key `spwned` in `run[0].site[0]` (did you mean `spawned`?)"),
        ("at = \"88:9\"", "at = \"here\"", "`run[0].site[0].at` is \"here\", expected a line and column"),
        (
            "file = \"src/mail.rs\"\nname = \"mail\"\nat = \"12:5\"",
            "file = \"src/cart.rs\"\nname = \"cart\"\nat = \"88:9\"",
            "is there twice",
        ),
        ("counts = \"", "counts = \"x", "is no count"),
        ("max = ", "most = ", "unknown key `most`"),
    ];
    for (good, bad, named) in cases {
        assert!(text.contains(good), "{good}");
        let error = Baseline::parse(&text.replacen(good, bad, 1)).unwrap_err().to_string();
        assert!(
            error.contains(named) && error.contains("line ") && error.contains("baseline save"),
            "{error}"
        );
    }
    let error = Baseline::parse(&text.replacen("version = 1", "version = 2", 1)).unwrap_err();
    assert_eq!(error, BaselineError::Version { found: "2".to_owned() });
    assert!(Baseline::parse("").unwrap_err().to_string().contains("`version` is missing"));
    assert!(Baseline::parse("<<<<<<< HEAD\n").unwrap_err().to_string().starts_with("line 1: "));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A piece of the file cut out, doubled or replaced by anything.
    #[test]
    fn no_damage_makes_reading_panic(at in any::<prop::sample::Index>(), length in 0_usize..200, by in "\\PC{0,20}") {
        let mut text = of_runs([usual(0).run()]).to_toml();
        let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        let from = at.index(places.len());
        let to = (from + length).min(places.len() - 1);
        text.replace_range(places[from]..places[to], &by);
        if let Ok(read) = Baseline::parse(&text) {
            let again = Baseline::parse(&read.to_toml());
            prop_assert_eq!(again.map(|again| again.to_toml()), Ok(read.to_toml()));
            let _ = read.compare(&usual(1).run());
        }
    }

    #[test]
    fn no_text_makes_reading_panic(text in "\\PC*") {
        let _ = Baseline::parse(&text);
    }
}
