//! Read back by a parser of Markdown: whatever a process says, the structure stays the same.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use pollscope_model::testkit;
use proptest::prelude::*;
use pulldown_cmark::{Event, Options, Parser, Tag};

use super::super::hostile;
use super::*;
use pollscope_model::verdict::Outcome;

fn of(verdict: &Verdict) -> String {
    text(verdict, &hostile::repository())
}

/// What starts where, without the words.
fn structure(text: &str) -> Vec<String> {
    let events = Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH);
    let told = events.filter_map(|event| match event {
        Event::Start(Tag::Paragraph) => None,
        Event::Start(Tag::CodeBlock(_)) => Some("code".to_owned()),
        Event::Start(tag) => Some(format!("{tag:?}")),
        Event::Html(html) => Some(html.split("<summary>").next().unwrap_or_default().trim().to_owned()),
        Event::InlineHtml(html) => {
            Some(html.into_string()).filter(|html| html != "<code>" && html != "</code>")
        }
        Event::Rule => Some("rule".to_owned()),
        _ => None,
    });
    told.collect()
}

#[test]
fn the_comment_reads_well() {
    insta::assert_snapshot!(of(&testkit::verdict()));
}

#[test]
fn the_comparison_reads_well() {
    insta::assert_snapshot!(of(&hostile::with_outcome(Outcome::Regressed)));
}

#[test]
fn a_clean_run_is_short() {
    let mut verdict = hostile::with_outcome(Outcome::Clean);
    verdict.findings.clear();
    verdict.allowed.clear();
    verdict.expectations_unused.clear();
    verdict.undecided.clear();
    verdict.notes.clear();
    verdict.subjects[0].recording = None;
    let expected = "## pollscope: clean: nothing that was found fails the run\n\n\
                    Verdict **clean**: 2 processes, 40,000 polls and wakes, 0 lost.\n";
    assert_eq!(of(&verdict), expected);
}

#[test]
fn it_is_never_longer_than_a_comment_may_be() {
    for verdict in [hostile::many(400), hostile::verdict(&"|`<@*".repeat(200_000))] {
        let text = of(&verdict);
        assert!(text.len() < 65_536, "{} bytes", text.len());
        assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
    }
    let text = of(&hostile::many(400));
    assert!(text.contains("… and 775 more."), "{text}");
    assert!(text.contains("findings without details, for want of room"), "{text}");
}

proptest! {
    #[test]
    fn no_text_is_read_as_markup(said in hostile::text()) {
        let expected = structure(&of(&hostile::verdict("harmless")));
        prop_assert_eq!(structure(&of(&hostile::verdict(&format!("a{said}")))), expected.clone());
        prop_assert_eq!(structure(&of(&hostile::verdict(&format!("a{said}z")))), expected);
    }
}
