//! Runs every scenario of this folder: see the README beside this file.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod format;
mod play;
mod stage;

use std::collections::BTreeSet;
use std::path::Path;

use format::Scenario;
use pollscope_model::detect::{self, advice::Advice};

fn all() -> Vec<(String, Scenario)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut paths: Vec<_> = std::fs::read_dir(&folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            #[expect(
                clippy::disallowed_methods,
                reason = "the scenarios are files; the model itself reads none"
            )]
            let text = std::fs::read_to_string(&path).expect("readable");
            let scenario = toml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            (name, scenario)
        })
        .collect()
}

#[test]
fn every_scenario_goes_as_it_says() {
    let failures: Vec<String> = all()
        .iter()
        .flat_map(|(name, scenario)| {
            let failures = play::run(scenario);
            failures.into_iter().map(move |failure| format!("{name} ({}): {failure}", scenario.what))
        })
        .collect();
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

#[test]
fn every_detector_has_a_scenario_that_fires_and_one_that_does_not() {
    let all = all();
    let fires: BTreeSet<&str> =
        all.iter().flat_map(|(_, s)| s.expect.iter().map(|expect| expect.detector.as_str())).collect();
    for detector in &detect::ALL {
        assert!(fires.contains(detector.id), "no scenario expects {}", detector.id);
        let silent = format!("{}-silent", detector.id);
        let near = |(name, scenario): &&(String, Scenario)| {
            name.starts_with(&silent) && !scenario.expects_trouble(detector.id)
        };
        assert!(all.iter().any(|scenario| near(&scenario)), "no scenario {silent}*.toml");
    }
}

#[test]
fn a_scenario_with_a_remedy_has_no_finding_and_names_parts_of_a_text_that_another_expects() {
    let all = all();
    let expected: BTreeSet<&str> =
        all.iter().flat_map(|(_, s)| s.expect.iter().filter_map(|expect| expect.fix.as_deref())).collect();
    for (name, scenario) in &all {
        for remedy in &scenario.remedy {
            let fix = Advice::of(&remedy.of).unwrap_or_else(|| panic!("{name}: no text `{}`", remedy.of));
            assert!(scenario.expect.is_empty(), "{name} expects a finding in spite of its remedy");
            assert!(expected.contains(fix.id()), "no scenario shows the fault of {}", fix.id());
            for part in &remedy.does {
                assert!(
                    fix.remedies().contains(&part.as_str()),
                    "{name}: {part:?} is no remedy of {}",
                    fix.id()
                );
            }
        }
    }
}
