//! Read back as JSON and held against what the standard demands of the parts that are used.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use pollscope_model::testkit;
use proptest::prelude::*;
use serde_json::Value as Json;

use super::super::hostile;
use super::*;

fn read(verdict: &Verdict) -> Json {
    let log: Json = serde_json::from_str(&text(verdict, &hostile::repository())).unwrap();
    assert_eq!((&log["version"], log["runs"].as_array().unwrap().len()), (&Json::from("2.1.0"), 1));
    let run = log["runs"][0].clone();
    check(&run);
    run
}

/// The demands of the standard, and of GitHub, on what is written here.
fn check(run: &Json) {
    let driver = &run["tool"]["driver"];
    assert_eq!(driver["name"], "pollscope");
    let rules = driver["rules"].as_array().unwrap();
    let mut ids: Vec<_> = rules.iter().map(|rule| rule["id"].as_str().unwrap()).collect();
    for rule in rules {
        for key in ["shortDescription", "fullDescription", "help"] {
            assert!(rule[key]["text"].is_string(), "{rule}");
        }
        assert!(rule["fullDescription"]["text"].as_str().unwrap().len() <= 1024, "GitHub cuts it: {rule}");
    }
    let levels = ["note", "warning", "error"].map(Json::from);
    for result in run["results"].as_array().unwrap() {
        let index = result["ruleIndex"].as_u64().unwrap() as usize;
        assert_eq!(ids[index], result["ruleId"]);
        assert!(levels.contains(&result["level"]), "{result}");
        assert!(!result["message"]["text"].as_str().unwrap().contains("]("), "it would be a link: {result}");
        let locations = result["locations"].as_array().unwrap();
        assert_eq!(locations.len(), 1);
        assert_eq!(locations[0]["physicalLocation"]["artifactLocation"]["uriBaseId"], "%SRCROOT%");
        let stacks = result["stacks"].as_array().into_iter().flatten();
        let frames =
            stacks.flat_map(|stack| stack["frames"].as_array().unwrap()).map(|frame| &frame["location"]);
        let related = result["relatedLocations"].as_array().into_iter().flatten();
        for place in
            locations.iter().chain(frames).chain(related).filter_map(|one| one.get("physicalLocation"))
        {
            let uri = place["artifactLocation"]["uri"].as_str().unwrap();
            let allowed = |b: u8| b.is_ascii_alphanumeric() || b"/-._~%:".contains(&b);
            assert!(uri.bytes().all(allowed) && (!uri.starts_with('/')), "{uri}");
            for key in ["startLine", "startColumn"] {
                assert!(place["region"].get(key).is_none_or(|n| n.as_u64().unwrap() >= 1), "{place}");
            }
        }
        assert!(result["partialFingerprints"]["pollscopeFingerprint/v1"].is_string());
        assert!(result.get("occurrenceCount").is_none_or(|count| count.as_u64().unwrap() >= 1));
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), rules.len(), "rules have ids of their own");
}

#[test]
fn the_rules_are_the_detectors() {
    let run = read(&testkit::verdict());
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    assert_eq!(rules.len(), detect::ALL.len() + 1, "and the unused expectation");
    let rule = &rules[0];
    assert_eq!((&rule["id"], &rule["name"]), (&Json::from("blocking-poll"), &Json::from("BlockingPoll")));
    assert_eq!(rule["defaultConfiguration"]["level"], "error");
    assert!(rule["help"]["markdown"].as_str().unwrap().contains("## False alarms"));
}

#[test]
fn a_result_has_its_line_its_stack_and_where_it_was_spawned() {
    let run = read(&testkit::verdict());
    let result = &run["results"][0];
    let place = |location: &Json| {
        let place = &location["physicalLocation"];
        (place["artifactLocation"]["uri"].as_str().map(str::to_owned), place["region"]["startLine"].as_u64())
    };
    assert_eq!(place(&result["locations"][0]), (Some("src/cart.rs".to_owned()), Some(93)));
    assert_eq!(place(&result["relatedLocations"][0]), (Some("src/cart.rs".to_owned()), Some(88)));
    assert_eq!(result["relatedLocations"][0]["physicalLocation"]["region"]["startColumn"], 9);
    let frames = result["stacks"][0]["frames"].as_array().unwrap();
    let name = &frames[1]["location"]["logicalLocations"][0]["fullyQualifiedName"];
    assert_eq!((frames.len(), name), (3, &Json::from("checkout::main::{closure#0}")));
    assert_eq!(
        result["partialFingerprints"]["pollscopeFingerprint/v1"],
        "blocking-poll src/cart.rs cart in checkout::cart::load"
    );
    assert_eq!(result["occurrenceCount"], 10);
    assert_eq!(result["properties"]["value_ns"], 52_000_000);
}

#[test]
fn what_is_about_no_line_says_so_and_still_has_one() {
    let run = read(&testkit::verdict());
    let result = &run["results"][1];
    assert_eq!(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], NOWHERE);
    assert!(result["message"]["text"].as_str().unwrap().contains("about no line of this repository"));
}

#[test]
fn what_is_allowed_raises_no_alert() {
    let run = read(&testkit::verdict());
    let ids: Vec<_> = run["results"].as_array().unwrap().iter().map(|result| &result["ruleId"]).collect();
    assert!(!ids.contains(&&Json::from("task-leak")), "{ids:?}");
}

#[test]
fn a_run_that_could_not_be_judged_was_not_successful() {
    for (outcome, successful) in
        [(Outcome::NoData, false), (Outcome::Incomplete, false), (Outcome::Clean, true)]
    {
        let run = read(&hostile::with_outcome(outcome));
        assert_eq!(run["invocations"][0]["executionSuccessful"], successful, "{outcome}");
    }
    let run = read(&testkit::verdict());
    let over = &run["invocations"][0]["toolExecutionNotifications"][0];
    assert_eq!(over["level"], "warning");
    assert!(
        over["message"]["text"]
            .as_str()
            .unwrap()
            .starts_with("max-sched-delay is undecided over its limit: ")
    );
    let note = &run["invocations"][0]["toolExecutionNotifications"][1];
    assert_eq!(
        (&note["level"], &note["associatedRule"]["id"]),
        (&Json::from("note"), &Json::from("lost-waker"))
    );
}

#[test]
fn what_became_worse_is_a_result_of_its_own_rule() {
    let run = read(&hostile::with_outcome(Outcome::Regressed));
    let results = run["results"].as_array().unwrap();
    let of_rule: Vec<_> = results.iter().filter(|result| result["ruleId"] == REGRESSED).collect();
    let [result] = of_rule[..] else { panic!("{of_rule:?}") };
    assert_eq!(result["locations"][0]["physicalLocation"]["region"]["startLine"], 88);
    let fingerprint = "regressed p99_poll checkout src/cart.rs handle_cart";
    assert_eq!(result["partialFingerprints"][FINGERPRINT], fingerprint, "no line numbers");
    assert_eq!(result["properties"]["limit_ns"], 2_000_000);
}

#[test]
fn paths_are_encoded() {
    assert_eq!(encoded("src/my cart#1.rs"), "src/my%20cart%231.rs");
    assert_eq!(encoded("src/é.rs"), "src/%C3%A9.rs");
}

#[test]
fn a_headline_of_a_megabyte_is_cut() {
    let text = text(&hostile::verdict(&"](x\u{1}".repeat(200_000)), &hostile::repository());
    assert!(text.len() < 300_000, "{} bytes", text.len());
}

proptest! {
    #[test]
    fn no_text_breaks_the_log(said in hostile::text()) {
        let run = read(&hostile::verdict(&said));
        prop_assert_eq!(run["results"].as_array().unwrap().len(), 4);
    }
}
