//! The floors of each crate: the plan of `ARCHITECTURE.md`, as data.
//!
//! A room may use rooms on the floors below its own, none above it and none beside it, so no two rooms use
//! each other. A crate's root is above all of its rooms. A room is a module; one inside of another is a room
//! of its own where it stands in the table. A folder of such rooms only lists them, and no room uses it.

use crate::imports::{Module, Source, modules, through_root};

/// One crate and its floors, the lowest first.
pub(crate) struct House {
    /// Where its sources lie.
    pub(crate) folder: &'static str,
    /// Rooms by their paths; `None` where the floors are not written down.
    pub(crate) floors: Option<&'static [&'static [&'static str]]>,
}

/// Every crate.
pub(crate) const HOUSES: &[House] = &[
    House {
        folder: "proto/model/src/",
        floors: Some(&[
            &["names"],
            &["id", "time", "hist", "level", "fingerprint", "text", "size", "nearest", "measured"],
            &["hello", "dict", "value"],
            &["entity", "rule"],
            &["report", "finding"],
            &["world"],
            &["query", "baseline", "detect"],
            &["policy"],
            &["engine"],
            &["monitor"],
            &["verdict"],
            &["testkit"],
        ]),
    },
    House {
        folder: "proto/system/src/",
        floors: Some(&[
            &["clock", "descriptors", "file", "process", "socket"],
            &["announcement", "foreign", "run_notes"],
        ]),
    },
    House {
        folder: "proto/src/",
        floors: Some(&[
            &["codec", "limits", "version", "wire"],
            &["greeting"],
            &["convert"],
            &["feed", "fleet", "incoming", "ingest"],
            &["recording"],
        ]),
    },
    House {
        folder: "instrument/macros/src/",
        floors: Some(&[
            &["detectors", "function", "nearest"],
            &["args"],
            &["limits", "main_fn"],
            &["test_fn"],
        ]),
    },
    House {
        folder: "instrument/recorder/src/",
        floors: Some(&[
            &["atomic", "clock", "quiet", "runtime"],
            &[
                "claims",
                "directory",
                "inner",
                "mailbox",
                "marks",
                "ring",
                "roster",
                "room",
                "slot",
                "tally",
                "turn",
            ],
            &["edges", "evidence", "hist", "version"],
            &["record"],
        ]),
    },
    House {
        folder: "instrument/src/",
        floors: Some(&[
            &[
                "api/large",
                "check/spins",
                "runtime",
                "setup/boot",
                "setup/error",
                "setup/switches",
                "watch/usage",
            ],
            &["setup/notice", "setup/refusals", "setup/tracking"],
            &["api/allow", "api/waker", "setup/fork", "watch/backtrace"],
            &["api/future", "api/handle", "setup/own_thread"],
            &["api/scope", "api/spawn"],
            &["api/join_set", "api/task", "api/tower", "report/sample"],
            &["api/hooks", "report/overload", "watch/watchdog"],
            &["report/drain", "setup/config"],
            &["report/reporter", "setup/env", "setup/mode"],
            &["setup/identity", "setup/outlet"],
            &["check/book", "export", "setup/running"],
            &["api/dump", "check"],
            &["setup/guard"],
            &["setup/init"],
            &["setup/builder"],
        ]),
    },
    House {
        folder: "collector/src/",
        floors: Some(&[&["clock", "fleet", "listen", "log"], &["config"], &["cli", "server"]]),
    },
    House {
        folder: "tui/src/",
        floors: Some(&[&["output"], &["sources"], &["demo", "export", "screens"], &["commands"]]),
    },
    House { folder: "examples/src/", floors: Some(&[&["deadline"], &["visitors"]]) },
];

/// An import that the floors do not allow.
pub(crate) struct Wrong {
    pub(crate) path: String,
    /// From 1; 0 for the file as a whole.
    pub(crate) line: usize,
    pub(crate) what: String,
}

/// What is wrong with one crate.
pub(crate) struct Found {
    pub(crate) wrong: Vec<Wrong>,
    /// Rooms that use each other, with a place for either direction.
    pub(crate) pairs: Vec<Wrong>,
}

/// Reads the crate's sources among `sources` and holds them against its floors.
pub(crate) fn look(house: &House, sources: &[Source<'_>]) -> Found {
    let modules = modules(house.folder, sources);
    let rooms = Rooms { house };
    let mut wrong = Vec::new();
    let mut arrows: Vec<(String, String, &Module, usize)> = Vec::new();
    for module in &modules {
        let Some((from, from_floor)) = rooms.room(&module.name) else {
            if rooms.is_folder(&module.name) {
                wrong.extend(module.imports.first().map(|import| {
                    let what = format!("`{}` lists rooms and uses something", module.name.join("/"));
                    Wrong { path: module.path.clone(), line: import.line, what }
                }));
            } else if house.floors.is_some() && !module.name.is_empty() {
                let what = format!("`{}` stands on no floor", module.name[0]);
                wrong.push(Wrong { path: module.path.clone(), line: 0, what });
            }
            continue;
        };
        for import in &module.imports {
            let to = through_root(&modules, &import.to);
            let Some((to, to_floor)) = rooms.room(&to) else {
                if house.floors.is_some() {
                    let what = format!("`{from}` uses the crate's root for `{}`", to.join("::"));
                    wrong.push(Wrong { path: module.path.clone(), line: import.line, what });
                }
                continue;
            };
            if from == to {
                continue;
            }
            arrows.push((from.clone(), to.clone(), module, import.line));
            let how = match (from_floor, to_floor) {
                (Some(from), Some(to)) if to > from => "above it",
                (Some(from), Some(to)) if to == from => "beside it",
                _ => continue,
            };
            let what = format!("`{from}` uses `{to}`, which is {how}");
            wrong.push(Wrong { path: module.path.clone(), line: import.line, what });
        }
    }
    for room in house.floors.into_iter().flatten().copied().flatten() {
        let is_room = |name: &[String]| name.join("/") == **room;
        let is_there = modules.iter().any(|module| is_room(&module.name));
        // Some rooms are written into the crate's root.
        let is_used = arrows.iter().any(|(_, to, ..)| to == room);
        if !is_there && !is_used && modules.len() > 1 {
            let what = format!("`{room}` is in the table only");
            wrong.push(Wrong { path: house.folder.to_owned(), line: 0, what });
        }
    }
    Found { wrong, pairs: pairs(&arrows) }
}

struct Rooms<'a> {
    house: &'a House,
}

impl Rooms<'_> {
    /// Whether rooms lie in that module, which is none itself.
    fn is_folder(&self, path: &[String]) -> bool {
        let name = format!("{}/", path.join("/"));
        let mut rooms = self.house.floors.into_iter().flatten().copied().flatten();
        !path.is_empty() && rooms.any(|room| room.starts_with(&name))
    }

    /// The room of a path and its floor: the deepest room of the table that holds it, or its first module where
    /// there is no table.
    fn room(&self, path: &[String]) -> Option<(String, Option<usize>)> {
        let Some(floors) = self.house.floors else { return Some((path.first()?.clone(), None)) };
        (1..=path.len()).rev().find_map(|length| {
            let name = path[..length].join("/");
            let floor = floors.iter().position(|rooms| rooms.contains(&name.as_str()))?;
            Some((name, Some(floor)))
        })
    }
}

fn pairs(arrows: &[(String, String, &Module, usize)]) -> Vec<Wrong> {
    let mut pairs: Vec<Wrong> = Vec::new();
    let mut seen: Vec<(&str, &str)> = Vec::new();
    for (from, to, module, line) in arrows {
        let back = arrows.iter().find(|(other, back, ..)| other == to && back == from);
        if let Some((.., there, back_line)) = back
            && from < to
            && !seen.contains(&(from.as_str(), to.as_str()))
        {
            seen.push((from, to));
            let what = format!("`{from}` and `{to}` use each other (back at {}:{back_line})", there.path);
            pairs.push(Wrong { path: module.path.clone(), line: *line, what });
        }
    }
    pairs
}
