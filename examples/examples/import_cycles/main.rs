//! Prints the imports between the rooms of each crate that the floors of `ARCHITECTURE.md` do not allow, the
//! pairs of rooms that use each other, and the cycles between files.
//!
//! `cargo run -p pollscope-examples --example import_cycles [CHECKOUT]`: the floors are those of the tidy test,
//! the sources those of the checkout, by default the one that this was built from. Ends with 1 if an import is
//! wrong or two rooms use each other.

mod cycles;
#[path = "../../tests/tidy/floors.rs"]
mod floors;
#[path = "../../tests/tidy/imports.rs"]
mod imports;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use imports::Source;

#[expect(clippy::disallowed_methods, reason = "the rim: the program's one argument")]
#[expect(clippy::print_stdout, reason = "the command's output")]
fn main() -> ExitCode {
    let root = std::env::args_os()
        .nth(1)
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), PathBuf::from);
    let (mut wrong, mut pairs) = (0, 0);
    for house in floors::HOUSES {
        let mut files = Vec::new();
        walk(&root.join(house.folder), house.folder, &mut files);
        files.sort();
        let sources: Vec<Source<'_>> = files.iter().map(|(path, text)| Source { path, text }).collect();
        let found = floors::look(house, &sources);
        let cycles = cycles::cycles(house.folder, &sources);
        let floors = if house.floors.is_some() { "" } else { " (its floors are not written down)" };
        println!(
            "{}: {} wrong imports, {} pairs of rooms, {} cycles between files{floors}",
            house.folder,
            found.wrong.len(),
            found.pairs.len(),
            cycles.len()
        );
        for one in found.wrong.iter().chain(&found.pairs) {
            println!("  {}:{}: {}", one.path, one.line, one.what);
        }
        for cycle in &cycles {
            println!("  cycle of {} files: {}", cycle.len(), cycle.join(" "));
        }
        wrong += found.wrong.len();
        pairs += found.pairs.len();
    }
    println!("in all: {wrong} wrong imports, {pairs} pairs of rooms");
    if wrong + pairs == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Every Rust file below, with its path in the repository. A folder that cannot be read has none.
fn walk(folder: &Path, prefix: &str, files: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            walk(&entry.path(), &format!("{path}/"), files);
        } else if Path::new(&path).extension().is_some_and(|extension| extension == "rs")
            && let Ok(text) = fs::read_to_string(entry.path())
        {
            files.push((path, text));
        }
    }
}
