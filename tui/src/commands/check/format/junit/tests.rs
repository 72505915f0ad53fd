//! Read back by two readers: the crate's own, and one that only knows XML.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use pollscope_model::testkit;
use pollscope_model::verdict::Undecided;
use proptest::prelude::*;

use super::super::hostile;
use super::*;

fn read(verdict: &Verdict) -> (String, Report) {
    let text = text(verdict, &hostile::repository());
    let tree = roxmltree::Document::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    shape(tree.root_element());
    (text.clone(), Report::deserialize_from_str(&text).unwrap())
}

/// What the Jenkins and Surefire dialects demand: names, counts that are right, an order of children.
fn shape(root: roxmltree::Node<'_, '_>) {
    assert_eq!(root.tag_name().name(), "testsuites");
    let number = |node: roxmltree::Node<'_, '_>, key| node.attribute(key).unwrap().parse::<usize>().unwrap();
    let elements = |node: roxmltree::Node<'_, '_>, name| {
        node.descendants().filter(|child| child.has_tag_name(name)).count()
    };
    let mut names = std::collections::BTreeSet::new();
    for node in std::iter::once(root).chain(root.children().filter(roxmltree::Node::is_element)) {
        assert_eq!(number(node, "tests"), elements(node, "testcase"));
        assert_eq!(number(node, "failures"), elements(node, "failure"));
        assert_eq!(number(node, "errors"), elements(node, "error"));
        assert_eq!(number(node, "skipped"), elements(node, "skipped"));
    }
    for suite in root.children().filter(roxmltree::Node::is_element) {
        assert_eq!(suite.tag_name().name(), "testsuite");
        assert!(suite.attribute("name").is_some());
        let order = ["properties", "testcase", "system-out", "system-err"];
        let children = suite.children().filter(roxmltree::Node::is_element);
        let ranks = children.map(|child| order.iter().position(|name| child.has_tag_name(*name)).unwrap());
        assert!(ranks.is_sorted());
        for case in suite.children().filter(|node| node.has_tag_name("testcase")) {
            let name = (case.attribute("classname").unwrap(), case.attribute("name").unwrap());
            assert!(names.insert(name), "{name:?} is there twice, which GitLab hides");
            let order = ["skipped", "error", "failure", "system-out", "system-err"];
            let children = case.children().filter(roxmltree::Node::is_element);
            let ranks =
                children.map(|child| order.iter().position(|name| child.has_tag_name(*name)).unwrap());
            assert!(ranks.is_sorted());
        }
    }
}

fn suite<'r>(report: &'r Report, name: &str) -> &'r TestSuite {
    report.test_suites.iter().find(|suite| suite.name.as_str() == name).unwrap()
}

fn case_of<'s>(suite: &'s TestSuite, name: &str) -> &'s TestCase {
    suite.test_cases.iter().find(|case| case.name.as_str() == name).unwrap()
}

#[test]
fn each_process_is_a_suite_and_each_detector_a_case() {
    let (_, report) = read(&testkit::verdict());
    let names: Vec<_> = report.test_suites.iter().map(|suite| suite.name.as_str()).collect();
    assert_eq!(names, ["pollscope", "checkout#1", "search#1"]);
    let checkout = suite(&report, "checkout#1");
    assert_eq!(checkout.test_cases.len(), detect::ALL.len());
    assert_eq!((checkout.failures, checkout.skipped), (1, 1));
    let property =
        |name| checkout.properties.iter().find(|one| one.name.as_str() == name).unwrap().value.as_str();
    assert_eq!((property("mode"), property("lost")), ("wrap", "0"));
    assert_eq!(property("recording"), "target/pollscope/checkout-4711.mcap");
}

#[test]
fn a_failure_tells_all_that_is_known() {
    let (_, report) = read(&testkit::verdict());
    let case = case_of(suite(&report, "checkout#1"), "blocking-poll");
    let TestCaseStatus::NonSuccess { kind, message, ty, description, .. } = &case.status else {
        panic!("{case:?}")
    };
    assert_eq!(*kind, NonSuccessKind::Failure);
    assert_eq!(ty.as_deref(), Some("blocking-poll.blocked"));
    let headline = "52ms in one poll, blocked (limit 10ms) in checkout::cart::load";
    assert_eq!(message.as_deref(), Some(headline));
    let text = description.as_deref().unwrap();
    let told = [
        "checkout#1, pid 4711",
        "cart 51028",
        "src/cart.rs:88:9",
        "31 tasks",
        "spawn_blocking",
        "src/main.rs:20",
    ];
    for word in told {
        assert!(text.contains(word), "{word} is missing in\n{text}");
    }
    assert!(text.contains("pollscope open target/pollscope/checkout-4711.mcap"), "{text}");
    let extra = |key: &str| case.extra.get(key).map(quick_junit::XmlString::as_str);
    assert_eq!((extra("file"), extra("line")), (Some("src/cart.rs"), Some("93")));
}

#[test]
fn what_does_not_fail_the_run_is_told_by_a_case_that_passes() {
    let (_, report) = read(&testkit::verdict());
    let delay = case_of(suite(&report, "search#1"), "sched-delay");
    assert!(matches!(delay.status, TestCaseStatus::Success { .. }));
    assert!(delay.system_out.as_ref().unwrap().contains("61ms between wake and poll"));
    let leak = case_of(suite(&report, "checkout#1"), "task-leak");
    assert!(matches!(leak.status, TestCaseStatus::Success { .. }));
    assert!(leak.system_out.as_ref().unwrap().contains("<& \"so\" do>"), "the reason");
    let unused = case_of(suite(&report, "pollscope"), "unused-expectation");
    assert!(matches!(unused.status, TestCaseStatus::Success { .. }));
    let lost_waker = case_of(suite(&report, "search#1"), "lost-waker");
    assert!(matches!(lost_waker.status, TestCaseStatus::Skipped { .. }));
}

#[test]
fn each_figure_that_was_compared_is_a_case() {
    let (_, report) = read(&hostile::with_outcome(Outcome::Regressed));
    let baseline = suite(&report, "baseline");
    assert_eq!((baseline.tests, baseline.failures, baseline.skipped), (4, 1, 1));
    let case = case_of(baseline, "checkout src/cart.rs handle_cart: p99 poll");
    let TestCaseStatus::NonSuccess { message, .. } = &case.status else { panic!("{case:?}") };
    let told = "p99 poll of checkout src/cart.rs handle_cart: 2ms → 4ms, regressed: 2.00×, 2ms longer";
    assert_eq!(message.as_deref(), Some(told));
    assert_eq!(case.extra.get("line").map(quick_junit::XmlString::as_str), Some("88"));
}

#[test]
fn something_fails_if_and_only_if_the_run_does() {
    for outcome in Outcome::ALL {
        let (text, report) = read(&hostile::with_outcome(outcome));
        assert_eq!(report.failures + report.errors > 0, outcome != Outcome::Clean, "{outcome}\n{text}");
    }
}

#[test]
fn a_limit_that_could_not_be_judged_is_skipped() {
    let mut verdict = testkit::verdict();
    let (rule, reason) = ("--max-sched-delay".into(), "schedule delays not measured".into());
    verdict.undecided.push(Undecided { rule, reason, over_limit: false });
    let (_, report) = read(&verdict);
    let case = case_of(suite(&report, "pollscope"), "--max-sched-delay");
    assert!(matches!(case.status, TestCaseStatus::Skipped { .. }));
}

#[test]
fn processes_of_one_name_are_told_apart() {
    let mut verdict = testkit::verdict();
    verdict.subjects[1].process = verdict.subjects[0].process.clone();
    let (_, report) = read(&verdict);
    let names: Vec<_> = report.test_suites.iter().map(|suite| suite.name.as_str()).collect();
    assert_eq!(names, ["pollscope", "checkout#1", "checkout#1 (4712)"]);
}

#[test]
fn a_headline_of_a_megabyte_is_cut() {
    let (text, _) = read(&hostile::verdict(&"]]>\u{7}x".repeat(200_000)));
    assert!(text.len() < 200_000, "{} bytes", text.len());
    let (text, _) = read(&hostile::many(500));
    assert!(text.len() < 200_000, "{} bytes", text.len());
}

proptest! {
    #[test]
    fn no_text_breaks_the_file(said in hostile::text()) {
        let (text, report) = read(&hostile::verdict(&said));
        prop_assert_eq!(report.test_suites.len(), 4);
        prop_assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{:?}", text);
    }
}
