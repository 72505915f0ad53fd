//! Read back as the runner of GitHub Actions reads its standard input, by the description of its commands.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use std::collections::BTreeMap;

use pollscope_model::testkit;
use proptest::prelude::*;

use super::super::hostile;
use super::*;

/// A command as the runner understands it: its name, its properties, its message.
type Understood = (String, BTreeMap<String, String>, String);

/// `None` for a line that is only printed.
fn understand(line: &str) -> Option<Understood> {
    let (head, message) = line.trim_start().strip_prefix("::")?.split_once("::")?;
    let (name, properties) = head.split_once(' ').unwrap_or((head, ""));
    let unescaped = |text: &str| text.replace("%0D", "\r").replace("%0A", "\n");
    let properties = properties.trim().split(',').filter_map(|pair| pair.split_once('='));
    let properties = properties.map(|(key, value)| {
        let value = unescaped(value).replace("%3A", ":").replace("%2C", ",").replace("%25", "%");
        (key.to_owned(), value)
    });
    Some((name.to_owned(), properties.collect(), unescaped(message).replace("%25", "%")))
}

fn commands(text: &str) -> Vec<Understood> {
    text.lines().filter_map(understand).collect()
}

fn of(verdict: &Verdict) -> String {
    text(verdict, &hostile::repository())
}

#[test]
fn a_finding_is_an_annotation_of_its_line() {
    let commands = commands(&of(&testkit::verdict()));
    let levels: Vec<_> = commands.iter().map(|(name, ..)| &**name).collect();
    assert_eq!(levels, ["error", "warning", "warning", "notice"]);
    let (_, properties, message) = &commands[0];
    let property = |key: &str| properties.get(key).map(String::as_str);
    assert_eq!((property("file"), property("line")), (Some("src/cart.rs"), Some("93")));
    assert_eq!(property("title"), Some("blocking-poll (deny)"));
    assert!(message.starts_with("52ms in one poll, blocked (limit 10ms)"), "{message}");
    assert!(message.contains("\nspawned at: src/cart.rs:88:9\n"), "{message}");
    assert!(message.contains("\nopen: pollscope open target/pollscope/checkout-4711.mcap\n"), "{message}");
    assert!(commands[3].2.contains("lost-waker: wakes not measured"), "{}", commands[3].2);
}

#[test]
fn a_finding_about_no_line_has_none() {
    let text = of(&testkit::verdict());
    assert!(text.contains("::warning title=sched-delay (warn)::61ms between wake and poll"), "{text}");
}

#[test]
fn the_worst_ten_of_a_level_are_told_and_how_many_there_are_besides() {
    let commands = commands(&of(&hostile::many(14)));
    let count = |level: &str| commands.iter().filter(|(name, ..)| name == level).count();
    assert_eq!((count("error"), count("warning")), (10, 10));
    assert!(commands[0].2.starts_with("finding 0\n"));
    assert!(commands.iter().any(|(.., message)| message.starts_with("8 findings not shown here")));
}

#[test]
fn a_run_that_could_not_be_judged_is_an_error() {
    for outcome in [Outcome::NoData, Outcome::Incomplete] {
        let commands = commands(&of(&hostile::with_outcome(outcome)));
        let (level, properties, _) = &commands[0];
        assert_eq!((&**level, &properties["title"]), ("error", &format!("pollscope: {outcome}")));
    }
    let clean = commands(&of(&hostile::with_outcome(Outcome::Clean)));
    assert!(clean.iter().all(|(level, ..)| level != "error"));
}

#[test]
fn what_became_worse_is_an_annotation_of_its_site() {
    let commands = commands(&of(&hostile::with_outcome(Outcome::Regressed)));
    let (level, properties, message) = &commands[0];
    assert_eq!((&**level, &*properties["title"]), ("error", "worse than the baseline"));
    assert_eq!((&*properties["file"], &*properties["line"]), ("src/cart.rs", "88"));
    assert!(message.starts_with("p99 poll of checkout src/cart.rs handle_cart: 2ms → 4ms"), "{message}");
    assert_eq!(commands.iter().filter(|(level, ..)| level == "error").count(), 1, "the regressed only");
}

#[test]
fn what_means_something_in_a_command_is_escaped() {
    assert_eq!(data("100%0A, a:b"), "100%250A, a:b");
    assert_eq!(data("a\r\nb"), "a?%0Ab");
    assert_eq!(property("C:\\a,b::c%"), "C%3A\\a%2Cb%3A%3Ac%25");
}

#[test]
fn a_headline_of_a_megabyte_is_cut() {
    let text = of(&hostile::verdict(&"%0A::x".repeat(200_000)));
    assert!(text.len() < 200_000, "{} bytes", text.len());
}

proptest! {
    #[test]
    fn what_is_escaped_is_understood_as_it_was(said in hostile::text()) {
        let shown: Vec<_> = said.split('\n').map(|line| clean(line).into_owned()).collect();
        let shown = shown.join("\n");
        let line = format!("::error title={}::{}", property(&said), data(&said));
        let (_, properties, message) = understand(&line).unwrap();
        prop_assert_eq!(line.lines().count(), 1);
        prop_assert_eq!(message, &*shown);
        prop_assert_eq!(properties.get("title").map_or("", |title| title.trim()), shown.trim());
    }

    #[test]
    fn no_text_breaks_out_of_its_line(said in hostile::text()) {
        let text = of(&hostile::verdict(&said));
        let commands = commands(&text);
        let levels: Vec<_> = commands.iter().map(|(name, ..)| &**name).collect();
        prop_assert_eq!(levels, ["error", "error", "warning", "warning", "notice"]);
        prop_assert_eq!(text.lines().count(), 6, "five commands and a line for people");
        for (_, properties, _) in &commands {
            let known = ["file", "line", "col", "title"];
            prop_assert!(properties.keys().all(|key| known.contains(&&**key)), "{:?}", properties);
            prop_assert!(properties.get("line").is_none_or(|line| line == "93" || line == "88"), "{:?}", properties);
        }
        prop_assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{:?}", text);
    }
}
