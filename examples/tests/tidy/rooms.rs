//! A room uses the rooms below it, never one above or beside it: the floors, held against the sources.

use crate::Complaint;
use crate::floors::{self, HOUSES};
use crate::imports::{Source, modules};
use crate::tree::File;

const REMEDY: &str = "move what both rooms need to a lower floor, or change the floors in ARCHITECTURE.md and in \
                      examples/tests/tidy/floors.rs together";

/// Every import of every crate leads downwards.
pub(crate) fn imports_lead_downwards(files: &[File]) -> Vec<Complaint> {
    let sources: Vec<Source<'_>> = files
        .iter()
        .filter(|file| file.is_rust())
        .map(|file| Source { path: &file.path, text: &file.text })
        .collect();
    let mut complaints: Vec<Complaint> = sources.iter().filter_map(|source| homeless(source.path)).collect();
    for house in HOUSES {
        let found = floors::look(house, &sources);
        // Where there are floors, a pair is a wrong import already; where there are none, pairs stand.
        let pairs = found.pairs.into_iter().filter(|_| house.floors.is_some());
        complaints.extend(found.wrong.into_iter().chain(pairs).map(|wrong| Complaint {
            path: wrong.path,
            line: wrong.line,
            what: wrong.what,
            remedy: REMEDY,
        }));
    }
    complaints
}

/// A source of a crate that the table does not have. The benchmark is a workspace of its own.
fn homeless(path: &str) -> Option<Complaint> {
    let known = HOUSES.iter().any(|house| path.starts_with(house.folder));
    let is_source = path.contains("/src/") && !path.starts_with("examples/bench/");
    (is_source && !known).then(|| Complaint {
        path: path.to_owned(),
        line: 0,
        what: "the crate has no floors".to_owned(),
        remedy: REMEDY,
    })
}

/// The engine calls the detectors by their table: a new one changes nothing there.
pub(crate) fn the_engine_names_no_detector(file: &File) -> Vec<Complaint> {
    const MODEL: &str = "proto/model/src/";
    let room = file.path.strip_prefix(MODEL).unwrap_or_default();
    if !(room == "engine.rs" || room.starts_with("engine/")) {
        return Vec::new();
    }
    let no_detectors = ["cpu", "history", "signal", "view"];
    let names_one = |to: &[String]| match to {
        [room, within, ..] if room == "detect" => {
            within.starts_with(char::is_lowercase) && !no_detectors.contains(&within.as_str())
        }
        _ => false,
    };
    modules(MODEL, &[Source { path: &file.path, text: &file.text }])
        .iter()
        .flat_map(|module| &module.imports)
        .filter(|import| names_one(&import.to))
        .map(|import| Complaint {
            path: file.path.clone(),
            line: import.line,
            what: format!("the engine names `{}`", import.to.join("::")),
            remedy: "let the detector's own table say what the engine does for it",
        })
        .collect()
}
