//! What the pages tell people to type is what the command line takes.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic")]

use clap::{CommandFactory, Parser, ValueEnum};
use pollscope_model::policy::Policy;
use pollscope_model::testkit;

use super::*;
use crate::commands::cli::Cli;
use crate::commands::cli::check::VerdictFormat;

/// The fenced blocks in that language.
fn blocks<'t>(text: &'t str, language: &str) -> Vec<&'t str> {
    let parts: Vec<_> = text.split("```").collect();
    let fenced = parts.iter().skip(1).step_by(2);
    fenced.filter_map(|block| block.strip_prefix(language)?.strip_prefix('\n')).collect()
}

/// Every command of ours, in blocks and between backquotes.
fn commands(text: &str) -> Vec<String> {
    let lines = blocks(text, "sh").into_iter().chain(blocks(text, "yaml")).flat_map(str::lines);
    let lines = lines.map(|line| line.trim_start_matches([' ', '-']).trim_start_matches("run: "));
    let outside: String = text.split("```").step_by(2).collect();
    let spans: Vec<_> = outside.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    let all = lines.map(str::to_owned).chain(spans);
    let all = all.map(|line| line.split(" # ").next().unwrap_or_default().trim().to_owned());
    all.filter(|line| line.starts_with("pollscope ")).collect()
}

#[test]
fn every_command_of_every_page_is_understood() {
    for page in &PAGES {
        let commands = commands(page.text);
        assert!(commands.len() > 2, "{}: only {commands:?} were found", page.name);
        for command in commands {
            let words: Vec<_> = command.split_whitespace().collect();
            if let [_, name] = words[..] {
                // The name of a command, in a sentence.
                assert!(Cli::command().find_subcommand(name).is_some(), "{}: `{command}`", page.name);
                continue;
            }
            assert!(!command.contains(['"', '\'', '\\', '$']), "{command}: this test knows no quotes");
            if let Err(error) = Cli::try_parse_from(words) {
                panic!("{}: `{command}`: {error}", page.name);
            }
        }
    }
}

#[test]
fn every_policy_of_every_page_is_understood() {
    for policy in PAGES.iter().flat_map(|page| blocks(page.text, "toml")) {
        Policy::parse(policy).unwrap_or_else(|error| panic!("{error}\n{policy}"));
    }
}

#[test]
fn a_page_fits_a_terminal() {
    for page in &PAGES {
        let prose =
            page.text.split("```").step_by(2).flat_map(str::lines).filter(|line| !line.starts_with('|'));
        let long: Vec<_> = prose.filter(|line| line.chars().count() > 100).collect();
        assert!(long.is_empty(), "{}: {long:#?}", page.name);
    }
}

#[test]
fn what_a_check_says_of_its_policy_is_explained_too() {
    let verdict = testkit::verdict();
    let unused = verdict.findings.iter().find(|finding| finding.detector.starts_with("unused"));
    let name = &unused.expect("one of them is unused").detector;
    assert!(page(name).is_some(), "`pollscope explain {name}` is what a failure says to type");
}

#[test]
fn the_page_for_ci_names_every_exit_code_and_every_format() {
    let page = page("ci").expect("the page").text;
    for code in 0..=6 {
        assert!(page.contains(&format!("| {code} |")), "exit code {code}");
    }
    for format in VerdictFormat::value_variants().iter().filter_map(ValueEnum::to_possible_value) {
        assert!(page.contains(&format!("`{}`", format.get_name())), "{}", format.get_name());
    }
}
