//! Every rule sees one file that breaks it and one that keeps it.

use crate::floors::{self, House};
use crate::imports::Source;
use crate::tree::File;
use crate::{Rule, arrows, layout, manual, rooms, text};

fn complaints(rule: Rule, path: &str, sample: &str) -> Vec<String> {
    rule(&File::sample(path, sample)).iter().map(ToString::to_string).collect()
}

#[track_caller]
fn breaks(rule: Rule, path: &str, sample: &str, place: &str) {
    let complaints = complaints(rule, path, sample);
    assert_eq!(complaints.len(), 1, "one complaint about {sample:?} in {path}: {complaints:?}");
    assert!(complaints[0].starts_with(place), "{:?} should begin with {place:?}", complaints[0]);
}

#[track_caller]
fn keeps(rule: Rule, path: &str, sample: &str) {
    let complaints = complaints(rule, path, sample);
    assert!(complaints.is_empty(), "no complaint about {sample:?} in {path}: {complaints:?}");
}

#[test]
fn arrows() {
    let rule = arrows::members_depend_on_what_the_table_allows;
    let collector =
        "[package]\nname = \"pollscope-collector\"\n[dependencies]\npollscope-tui.workspace = true\n";
    breaks(
        rule,
        "collector/Cargo.toml",
        collector,
        "collector/Cargo.toml:4: pollscope-collector may not have",
    );
    breaks(rule, "proto/model/Cargo.toml", "[dependencies]\ntokio = \"1\"", "proto/model/Cargo.toml:2");
    breaks(rule, "collector/Cargo.toml", "[dev-dependencies]\nprost = \"1\"", "collector/Cargo.toml:2");
    breaks(rule, "tui/Cargo.toml", "[target.'cfg(unix)'.dependencies]\nprost = \"1\"", "tui/Cargo.toml:2");
    breaks(rule, "tui/Cargo.toml", "[dependencies]\npb = { package = \"prost\" }", "tui/Cargo.toml: ");
    breaks(rule, "examples/Cargo.toml", "[dependencies]\npollscope-tui = \"0\"", "examples/Cargo.toml:2");
    keeps(rule, "examples/Cargo.toml", "[dev-dependencies]\npollscope-tui = \"0\"");
    keeps(rule, "proto/Cargo.toml", "[dependencies]\nprost = \"1\"\npollscope-model = \"0\"");
    keeps(rule, "proto/model/Cargo.toml", "[dev-dependencies]\nproptest = \"1\"");

    let unknown = [File::sample("Cargo.toml", "[workspace]\nmembers = [\n\"attic\",\n]\n")];
    let complaints: Vec<_> =
        arrows::every_member_is_in_the_table(&unknown).iter().map(ToString::to_string).collect();
    assert!(complaints[0].starts_with("Cargo.toml:3: member `attic`"), "{complaints:?}");
    assert!(complaints.iter().any(|text| text.contains("`tui` is in the table only")), "{complaints:?}");
}

/// What the floors say of a crate of two rooms on two floors and one beside the upper, as `PATH:LINE: WHAT`.
fn wrong_imports(floors: bool, sources: &[(&str, &str)]) -> Vec<String> {
    const FLOORS: &[&[&str]] = &[&["low"], &["high", "side"]];
    let house = House { folder: "a/src/", floors: floors.then_some(FLOORS) };
    let rest = FLOORS.iter().copied().flatten().map(|room| format!("a/src/{room}.rs"));
    let rest: Vec<String> = rest.filter(|path| sources.iter().all(|(known, _)| known != path)).collect();
    let sources = sources.iter().map(|(path, text)| Source { path, text });
    let sources: Vec<_> = sources.chain(rest.iter().map(|path| Source { path, text: "" })).collect();
    let found = floors::look(&house, &sources);
    let wrong = found.wrong.iter().chain(&found.pairs);
    wrong.map(|wrong| format!("{}:{}: {}", wrong.path, wrong.line, wrong.what)).collect()
}

#[test]
fn floors() {
    let up = ("a/src/low.rs", "\nuse crate::{high::deep::Thing, low};");
    assert_eq!(wrong_imports(true, &[up]), ["a/src/low.rs:2: `low` uses `high`, which is above it"]);
    let side = ("a/src/high/deep.rs", "fn f() {\n    super::super::side::call();\n}");
    assert_eq!(
        wrong_imports(true, &[side]),
        ["a/src/high/deep.rs:2: `high` uses `side`, which is beside it"]
    );
    let down = ("a/src/high.rs", "mod deep;\nuse crate::low::Thing;\nuse deep::Other;");
    assert!(wrong_imports(true, &[down]).is_empty());
    assert_eq!(
        wrong_imports(false, &[up, down]),
        ["a/src/high.rs:2: `high` and `low` use each other (back at a/src/low.rs:2)"]
    );

    let root = [("a/src/lib.rs", "pub use crate::{high::Thing};\npub fn f() {}"), ("a/src/low.rs", "")];
    let shown = ("a/src/low.rs", "use crate::Thing;");
    assert_eq!(
        wrong_imports(true, &[root[0], shown]),
        ["a/src/low.rs:1: `low` uses `high`, which is above it"],
        "through the crate's root"
    );
    let item = ("a/src/low.rs", "use crate::f;");
    assert_eq!(
        wrong_imports(true, &[root[0], item]),
        ["a/src/low.rs:1: `low` uses the crate's root for `f`"]
    );
    assert_eq!(
        wrong_imports(true, &[("a/src/attic.rs", "")]),
        ["a/src/attic.rs:0: `attic` stands on no floor"]
    );
    let house = House { folder: "a/src/", floors: Some(&[&["under/low"], &["over/high"]]) };
    let nested = |folder: &str, low: &str| -> Vec<String> {
        let texts = [
            ("a/src/under.rs", folder),
            ("a/src/under/low.rs", low),
            ("a/src/over.rs", "mod high;"),
            ("a/src/over/high.rs", "use crate::under::low::Thing;"),
        ];
        let sources: Vec<_> = texts.iter().map(|(path, text)| Source { path, text }).collect();
        let found = floors::look(&house, &sources);
        found.wrong.iter().map(|wrong| format!("{}:{}: {}", wrong.path, wrong.line, wrong.what)).collect()
    };
    assert!(nested("pub(crate) mod low;", "").is_empty(), "{:?}", nested("pub(crate) mod low;", ""));
    assert_eq!(
        nested("mod low;", "use crate::over::high::f;"),
        ["a/src/under/low.rs:1: `under/low` uses `over/high`, which is above it"]
    );
    assert_eq!(
        nested("mod low;\nuse crate::over::high::f;", ""),
        ["a/src/under.rs:2: `under` lists rooms and uses something"]
    );
    assert_eq!(
        nested("mod low;", "use crate::over;"),
        ["a/src/under/low.rs:1: `under/low` uses the crate's root for `over`"]
    );
    let house = House { folder: "a/src/", floors: Some(&[&["low", "gone"]]) };
    let sources = ["a/src/low.rs", "a/src/lib.rs"].map(|path| Source { path, text: "" });
    assert!(floors::look(&house, &sources).wrong[0].what.contains("`gone` is in the table only"));
}

#[test]
fn what_is_no_import() {
    for text in [
        "// use crate::high::Thing;\n/* crate::high::f() /* nested */ crate::high::f() */",
        "const A: &str = \"crate::high::f()\";\nconst B: &str = r#\"\"crate::high\"#;\nconst C: char = '\"';",
        "#[cfg(test)]\nmod tests {\n    use crate::high::Thing;\n}",
        "#[cfg(all(test, unix))]\nuse crate::high::{Thing, Other};\nfn f<'a>(_: &'a str) {}",
        "use std::high::Thing;\nfn f() { other::high::f() }",
    ] {
        assert!(wrong_imports(true, &[("a/src/low.rs", text)]).is_empty(), "{text}");
    }
    let tests = ("a/src/low/tests.rs", "use crate::high::Thing;");
    assert!(wrong_imports(true, &[tests]).is_empty());
    let models = "#[cfg(all(test, loom))]\n#[path = \"low/loom.rs\"]\nmod loom_models;";
    let loom = [("a/src/low.rs", models), ("a/src/low/loom.rs", tests.1)];
    assert!(wrong_imports(true, &loom).is_empty());
    let inner = ("a/src/low.rs", "mod inner {\n    use super::super::high::Thing;\n}");
    assert_eq!(wrong_imports(true, &[inner]).len(), 1, "{:?}", wrong_imports(true, &[inner]));
    let both = ("a/src/low.rs", "#[cfg(any(test, unix))]\nuse crate::high::Thing;");
    assert_eq!(wrong_imports(true, &[both]).len(), 1, "what other builds have too");
}

#[test]
fn detectors() {
    let rule = rooms::the_engine_names_no_detector;
    let named = "\nuse crate::detect::{ALL, stuck_poll};";
    breaks(
        rule,
        "proto/model/src/engine.rs",
        named,
        "proto/model/src/engine.rs:2: the engine names `detect::",
    );
    keeps(rule, "proto/model/src/policy.rs", named);
    keeps(rule, "proto/model/src/engine/scan.rs", "use crate::detect::{ALL, view::View, signal::Key};");
}

#[test]
fn sizes_and_names() {
    breaks(layout::files_stay_small, "tui/src/a.rs", &"\n".repeat(601), "tui/src/a.rs: 601 lines");
    keeps(layout::files_stay_small, "tui/src/a.rs", &"\n".repeat(600));
    keeps(layout::files_stay_small, "proto/src/generated/a.rs", &"\n".repeat(5_000));

    let rule = layout::rooms_have_names_that_say_what_they_are;
    breaks(rule, "tui/src/utils.rs", "", "tui/src/utils.rs: `utils`");
    breaks(rule, "tui/src/common/time.rs", "", "tui/src/common/time.rs: `common`");
    breaks(rule, "tui/src/view/mod.rs", "", "tui/src/view/mod.rs: a `mod.rs`");
    keeps(rule, "tui/src/view.rs", "");

    let rule = layout::modules_say_what_they_are;
    breaks(rule, "tui/src/view.rs", "use std::fmt;\n", "tui/src/view.rs:1");
    keeps(rule, "tui/src/view.rs", "#![allow(clippy::unwrap_used, reason = \"tests\")]\n//! Draws.\n");
    keeps(rule, "instrument/src/lib.rs", "#![doc = include_str!(\"../README.md\")]\n");
    keeps(rule, "proto/src/generated/a.rs", "pub struct A;");
}

#[test]
fn words_with_one_home() {
    breaks(
        text::wire_types_stay_in_proto,
        "tui/src/a.rs",
        "//! A.\nuse prost::Message;",
        "tui/src/a.rs:2: `prost::`",
    );
    breaks(
        text::wire_types_stay_in_proto,
        "proto/model/src/a.rs",
        "prost::Message",
        "proto/model/src/a.rs:1",
    );
    keeps(text::wire_types_stay_in_proto, "proto/src/convert/a.rs", "use prost::Message;");
    keeps(text::wire_types_stay_in_proto, "tui/src/a.rs", "// prost stays away\nlet prostrate = 1;");
    keeps(text::wire_types_stay_in_proto, "tui/src/a.rs", "let known = [\"prost\"];");

    let rule = text::terminal_types_stay_in_the_drawing_rooms;
    breaks(
        rule,
        "tui/src/screens/vm/tasks.rs",
        "use ratatui::style::Color;",
        "tui/src/screens/vm/tasks.rs:1",
    );
    keeps(rule, "tui/src/screens/view/tasks.rs", "use ratatui::style::Color;");
    keeps(rule, "tui/src/screens/theme.rs", "use ratatui::style::Color;");

    let rule = text::only_the_recorder_asks_for_unstable_tokio;
    breaks(rule, "tui/src/demo.rs", "#[cfg(tokio_unstable)]", "tui/src/demo.rs:1");
    keeps(rule, "instrument/src/api/hooks.rs", "#[cfg(tokio_unstable)]");
    keeps(rule, "tui/src/doctor.rs", "\"build with --cfg tokio_unstable\"");

    let rule = text::only_the_recorder_knows_loom;
    breaks(rule, "instrument/src/a.rs", "#[cfg(all(unix, not(loom)))]", "instrument/src/a.rs:1");
    breaks(rule, "proto/src/a.rs", "use loom::sync::Mutex;", "proto/src/a.rs:1");
    keeps(rule, "instrument/recorder/src/atomic.rs", "#[cfg(loom)]\nuse loom::sync::Mutex;");
    keeps(rule, "instrument/src/a.rs", "// loom's models\nlet bloom = heirloom;");
}

#[test]
fn unsafe_code() {
    let rule = text::unsafe_stays_in_the_recorder_with_its_reason;
    breaks(rule, "tui/src/a.rs", "// SAFETY: none\nunsafe { f() }", "tui/src/a.rs:2");
    breaks(rule, "instrument/src/api/waker.rs", "unsafe { f() }", "instrument/src/api/waker.rs:1");
    keeps(rule, "instrument/src/api/waker.rs", "// SAFETY: the slot is ours until the drop.\nunsafe { f() }");
    keeps(rule, "instrument/tests/stacks/a.rs", "// SAFETY: a mask of this thread alone.\nunsafe { f() }");
    breaks(rule, "instrument/tests/transport/a.rs", "// SAFETY: none\nunsafe { f() }", "instrument/tests/");
    keeps(
        rule,
        "instrument/src/api/waker.rs",
        "#![expect(unsafe_code, reason = \"a vtable\")]\n// unsafe to call twice\n",
    );
}

#[test]
fn threads() {
    let rule = text::own_threads_are_started_in_one_room;
    breaks(rule, "instrument/src/a.rs", "\nstd::thread::Builder::new()", "instrument/src/a.rs:2");
    breaks(rule, "instrument/src/a.rs", "use std::thread::{self, spawn};", "instrument/src/a.rs:1");
    breaks(rule, "instrument/src/a.rs", "std::thread::spawn(work);", "instrument/src/a.rs:1");
    keeps(
        rule,
        "instrument/src/a.rs",
        "// thread::spawn\nuse std::thread::JoinHandle;\nstd::thread::sleep(a);",
    );
    keeps(rule, "instrument/src/a.rs", "#[cfg(test)]\nmod tests {\n    std::thread::spawn(work);\n}");
    keeps(rule, "instrument/src/a/tests.rs", "std::thread::spawn(work);");
    keeps(rule, "instrument/src/setup/own_thread.rs", "std::thread::spawn(work);");
    keeps(rule, "tui/src/a.rs", "std::thread::spawn(work);");
}

#[test]
fn words_with_no_home() {
    breaks(text::nothing_is_left_unfinished, "tui/src/a.rs", "// TODO: later", "tui/src/a.rs:1: `TODO`");
    breaks(text::nothing_is_left_unfinished, "README.md", "FIXME", "README.md:1");
    breaks(text::nothing_is_left_unfinished, "tui/src/a.rs", "    todo!()", "tui/src/a.rs:1");
    breaks(text::nothing_is_left_unfinished, "tui/tests/a.rs", "#[ignore = \"slow\"]", "tui/tests/a.rs:1");
    keeps(text::nothing_is_left_unfinished, "tui/src/a.rs", "let mastodon = ignore();");
    let victim = "#[ignore = \"fails on purpose\"]";
    keeps(text::nothing_is_left_unfinished, "tui/tests/victims.rs", victim);
    breaks(text::nothing_is_left_unfinished, "tui/tests/a.rs", victim, "tui/tests/a.rs:1");
    breaks(text::nothing_is_left_unfinished, "tui/tests/victims.rs", "#[ignore]", "tui/tests/victims.rs:1");

    let rule = text::the_repository_speaks_of_the_project_alone;
    breaks(rule, "README.md", "cd /work/main", "README.md:1: `/work/`");
    breaks(rule, "tui/src/a.rs", "\"/home/me/pollscope\"", "tui/src/a.rs:1");
    keeps(rule, "README.md", "target/work/main and homework/home");
}

#[test]
fn fix_texts() {
    let rule = text::fix_texts_stand_in_one_table;
    breaks(
        rule,
        "proto/model/src/detect/late.rs",
        "fix: \"Wait.\".into(),",
        "proto/model/src/detect/late.rs:1",
    );
    breaks(
        rule,
        "proto/model/src/verdict/late.rs",
        "    fix: format!(\"{n}\"),",
        "proto/model/src/verdict/late.rs:1",
    );
    keeps(rule, "proto/model/src/detect/late.rs", "fix: advice::LATE,");
    keeps(rule, "proto/model/src/baseline/tests/file.rs", "fix: \"\".into(),");
}

#[test]
fn documents() {
    breaks(
        manual::links_lead_somewhere,
        "README.md",
        "\n[x](nowhere.md#y)",
        "README.md:2: a link to `nowhere.md`",
    );
    keeps(manual::links_lead_somewhere, "README.md", "[x](Cargo.toml) [y](https://example.org) [z](#here)");
    keeps(manual::links_lead_somewhere, "README.md", "```\n[x](nowhere.md)\n```");

    let readme =
        [File::sample("README.md", "cargo test --workspace\n```sh\ncargo run --release -- demo\n```\n")];
    let complaints: Vec<_> =
        manual::the_root_holds_what_a_newcomer_needs(&readme).iter().map(ToString::to_string).collect();
    assert!(complaints.iter().any(|text| text.contains("`cargo test --workspace`")), "{complaints:?}");
    assert!(!complaints.iter().any(|text| text.contains("-- demo")), "{complaints:?}");
    assert!(complaints.iter().any(|text| text.starts_with("LICENSE-MIT: is missing")), "{complaints:?}");
}
