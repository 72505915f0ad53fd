//! Which package may depend on which: the table of `ARCHITECTURE.md`, as data.

use toml::{Table, Value};

use crate::Complaint;
use crate::tree::File;

/// One package and every arrow that may leave it.
struct Member {
    folder: &'static str,
    package: &'static str,
    /// Packages of ours that it may depend on, tests included.
    ours: &'static [&'static str],
    /// Packages of ours that its tests may depend on besides.
    ours_in_tests: &'static [&'static str],
    /// Packages of others; `None` for whatever is well kept.
    others: Option<&'static [&'static str]>,
}

const MODEL: &str = "pollscope-model";
const SYSTEM: &str = "pollscope-system";
const PROTO: &str = "pollscope-proto";
const INSTRUMENT: &str = "pollscope";
const MACROS: &str = "pollscope-macros";
const RECORDER: &str = "pollscope-recorder";
const COLLECTOR: &str = "pollscope-collector";
const TUI: &str = "pollscope-tui";

const MEMBERS: &[Member] = &[
    Member {
        folder: "proto/model",
        package: MODEL,
        ours: &[],
        // Itself, with the feature `testkit`.
        ours_in_tests: &[MODEL],
        others: Some(&["hashbrown", "hdrhistogram", "serde", "thiserror", "toml"]),
    },
    Member {
        folder: "proto/system",
        package: SYSTEM,
        ours: &[],
        ours_in_tests: &[],
        others: Some(&["rustix"]),
    },
    Member { folder: "proto", package: PROTO, ours: &[MODEL, SYSTEM], ours_in_tests: &[], others: None },
    Member {
        folder: "instrument/macros",
        package: MACROS,
        ours: &[],
        ours_in_tests: &[],
        others: Some(&["proc-macro2", "quote", "syn"]),
    },
    Member {
        folder: "instrument/recorder",
        package: RECORDER,
        ours: &[MODEL, SYSTEM],
        ours_in_tests: &[],
        others: Some(&["libc", "loom", "rustix"]),
    },
    Member {
        folder: "instrument",
        package: INSTRUMENT,
        ours: &[MODEL, SYSTEM, PROTO, MACROS, RECORDER],
        ours_in_tests: &[],
        others: None,
    },
    Member {
        folder: "collector",
        package: COLLECTOR,
        ours: &[MODEL, SYSTEM, PROTO, INSTRUMENT],
        ours_in_tests: &[],
        others: None,
    },
    Member {
        folder: "tui",
        package: TUI,
        ours: &[MODEL, SYSTEM, PROTO, INSTRUMENT],
        ours_in_tests: &[],
        others: None,
    },
    Member {
        folder: "examples",
        package: "pollscope-examples",
        ours: &[INSTRUMENT],
        ours_in_tests: &[MODEL, PROTO, COLLECTOR, TUI],
        others: None,
    },
];

/// Packages of others that have one home: who may name them in its `Cargo.toml`.
const HOMES: &[(&str, &[&str])] = &[
    ("prost", &["proto"]),
    ("ratatui", &["tui"]),
    ("crossterm", &["tui"]),
    ("syn", &["instrument/macros"]),
    ("loom", &["instrument/recorder"]),
];

const REMEDY: &str = "move the code to the package that may know it, or change the table in ARCHITECTURE.md \
                      and in examples/tests/tidy/arrows.rs together";

/// Each member's `Cargo.toml` names only what the table allows it.
pub(crate) fn members_depend_on_what_the_table_allows(file: &File) -> Vec<Complaint> {
    let Some(member) = MEMBERS.iter().find(|member| file.path == format!("{}/Cargo.toml", member.folder))
    else {
        return Vec::new();
    };
    let manifest: Table = match file.text.parse() {
        Ok(manifest) => manifest,
        Err(error) => return vec![complaint(file, "", format!("is not TOML: {error}"))],
    };
    let mut complaints = Vec::new();
    for (kind, name) in dependencies(&manifest) {
        let in_tests = kind == "dev-dependencies";
        let allowed = if name.starts_with("pollscope") {
            member.ours.contains(&name) || in_tests && member.ours_in_tests.contains(&name)
        } else {
            let homeless =
                HOMES.iter().all(|(package, homes)| *package != name || homes.contains(&member.folder));
            homeless
                && (in_tests
                    || kind == "build-dependencies"
                    || member.others.is_none_or(|o| o.contains(&name)))
        };
        if !allowed {
            complaints.push(complaint(
                file,
                name,
                format!("{} may not have `{name}` in {kind}", member.package),
            ));
        }
    }
    complaints
}

/// The workspace's members and the table are the same list.
pub(crate) fn every_member_is_in_the_table(files: &[File]) -> Vec<Complaint> {
    let Some(file) = files.iter().find(|file| file.path == "Cargo.toml") else {
        return Vec::new();
    };
    let manifest: Table = file.text.parse().expect("cargo could read Cargo.toml, or this test would not run");
    let members: Vec<&str> =
        manifest["workspace"]["members"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let unknown = members.iter().filter(|folder| MEMBERS.iter().all(|member| member.folder != **folder));
    let missing = MEMBERS.iter().filter(|member| !members.contains(&member.folder));
    unknown
        .map(|folder| complaint(file, folder, format!("member `{folder}` has no arrows in the table")))
        .chain(missing.map(|member| complaint(file, "", format!("`{}` is in the table only", member.folder))))
        .collect()
}

/// Kind and package name of each dependency, those for one target or of a renamed package included.
fn dependencies(manifest: &Table) -> Vec<(&'static str, &str)> {
    let targets = manifest.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values);
    let tables = std::iter::once(manifest).chain(targets.filter_map(Value::as_table));
    tables
        .flat_map(|table| {
            ["dependencies", "dev-dependencies", "build-dependencies"].into_iter().flat_map(move |kind| {
                let names = table.get(kind).and_then(Value::as_table).into_iter().flatten();
                names.map(move |(name, value)| {
                    (kind, value.get("package").and_then(Value::as_str).unwrap_or(name))
                })
            })
        })
        .collect()
}

fn complaint(file: &File, name: &str, what: String) -> Complaint {
    let named = |line: &str| !name.is_empty() && line.trim_start_matches([' ', '"']).starts_with(name);
    let line = file.lines().find(|(_, line)| named(line)).map_or(0, |(number, _)| number);
    Complaint { path: file.path.clone(), line, what, remedy: REMEDY }
}
