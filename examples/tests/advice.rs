//! Every fix text is tried: a program has the fault and its finding gives the text; then the program does what a part of
//! the text says, and nothing is found any more. What a stream of reports is enough for is among the scenarios of
//! `pollscope-model`. A text, or a part of one that says what to do, which is tried by neither is an error.

#[path = "advice/case.rs"]
mod case;
#[path = "advice/delays.rs"]
mod delays;
#[path = "advice/ends.rs"]
mod ends;
#[path = "advice/polls.rs"]
mod polls;
#[path = "advice/pool.rs"]
mod pool;
#[path = "advice/processes.rs"]
mod processes;
#[path = "advice/stuck.rs"]
mod stuck;
#[path = "advice/unseen.rs"]
mod unseen;
#[path = "advice/waits.rs"]
mod waits;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use case::Case;
use pollscope_model::detect::advice::{ALL, Advice};

const ROOMS: [&[Case]; 6] =
    [polls::CASES, stuck::CASES, waits::CASES, ends::CASES, delays::CASES, pool::CASES];

fn check(cases: &[Case]) {
    cases.iter().for_each(Case::check);
}

#[test]
fn polls_that_take_too_long() {
    check(polls::CASES);
}

#[test]
fn polls_that_do_not_come_back() {
    check(stuck::CASES);
}

#[test]
fn waits() {
    check(waits::CASES);
}

#[test]
fn ends() {
    check(ends::CASES);
}

#[test]
fn delays() {
    check(delays::CASES);
}

#[test]
fn a_pool_that_stands_still() {
    check(pool::CASES);
}

/// A scenario's fault or remedy: which file, which text, which parts of it.
fn scenarios() -> Vec<(String, String, Vec<String>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto/model/tests/scenarios");
    let mut tried = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the scenarios") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let scenario: toml::Table = std::fs::read_to_string(&path).expect("text").parse().expect("TOML");
        let tables =
            |key: &str| scenario.get(key).and_then(|value| value.as_array()).cloned().unwrap_or_default();
        for expect in tables("expect") {
            let fix = expect.get("fix").and_then(|fix| fix.as_str());
            tried.extend(fix.map(|fix| (name.clone(), fix.to_owned(), Vec::new())));
        }
        for remedy in tables("remedy") {
            let of = remedy["of"].as_str().expect("a text").to_owned();
            let does = remedy["does"].as_array().expect("parts").iter();
            let does = does.map(|part| part.as_str().expect("a part").to_owned()).collect();
            tried.push((name.clone(), of, does));
        }
    }
    tried
}

#[test]
fn every_text_and_every_remedy_is_tried() {
    let mut tried: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, fix, does) in scenarios() {
        let advice = Advice::of(&fix).unwrap_or_else(|| panic!("{name}: no text {fix}"));
        tried.entry(advice.id().to_owned()).or_default().extend(does);
    }
    let programs = ROOMS.iter().flat_map(|cases| cases.iter()).map(|case| (case.advice, case.remedies));
    for (id, remedies) in programs.chain(processes::TRIED.iter().copied()).chain([unseen::TRIED]) {
        let advice = Advice::of(id).unwrap_or_else(|| panic!("no text {id}"));
        let unknown = remedies.iter().find(|remedy| !advice.remedies().contains(remedy));
        assert!(unknown.is_none(), "{id} has no {unknown:?}");
        tried.entry(id.to_owned()).or_default().extend(remedies.iter().map(|part| (*part).to_owned()));
    }
    let mut untried = Vec::new();
    for advice in ALL {
        match tried.get(advice.id()) {
            None => untried.push(format!("{}: no program and no scenario has its fault", advice.id())),
            Some(done) => untried.extend(
                advice
                    .remedies()
                    .iter()
                    .filter(|part| !done.contains(**part))
                    .map(|part| format!("{}: nothing tries {part:?}", advice.id())),
            ),
        }
    }
    assert!(untried.is_empty(), "\n{}", untried.join("\n"));
}
