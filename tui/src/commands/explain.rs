//! `pollscope explain`: the manual text of a detector, the same that the screens show, and the manual's
//! other pages.

use std::fmt::Write as _;

use pollscope_model::detect::{self, Explain};
use pollscope_model::nearest::nearest;

use crate::commands::manual::{self, PAGES};
use crate::output::failure::Failure;
use crate::output::fmt::{clean, wrap_lines};
use crate::output::to_stdout;

/// Lines of the printed text are no longer than this.
const COLUMNS: usize = 92;

/// Prints one detector's text, one page, or the list.
pub(crate) fn run(id: Option<&str>) -> Result<(), Failure> {
    let Some(id) = id else { return to_stdout(list().as_bytes()) };
    if let Some(page) = manual::page(id) {
        return to_stdout(page.text.as_bytes());
    }
    match text(id) {
        Some(text) => to_stdout(wrapped(&text).as_bytes()),
        None => Err(Failure::Usage(unknown(id))),
    }
}

/// One detector's text, a paragraph a line; `None` if there is no such detector.
pub(crate) fn text(id: &str) -> Option<String> {
    let Explain { id, summary, what, why, evidence, fix, false_alarms, limits } = detect::explain(id)?;
    let mut text = format!("{id}: {summary}\n");
    let sections =
        [("What", what), ("Why", why), ("Evidence", evidence), ("Fix", fix), ("False alarms", false_alarms)];
    for (heading, body) in sections {
        let _ = write!(text, "\n{heading}\n{body}\n");
    }
    let _ = write!(text, "\nLimits, as in pollscope.toml under [detectors.{id}]\n");
    for limit in limits {
        let _ = writeln!(text, "{limit}");
    }
    Some(text)
}

fn wrapped(text: &str) -> String {
    wrap_lines(text, COLUMNS).into_iter().map(|line| line + "\n").collect()
}

fn list() -> String {
    let widest = detect::ALL.iter().map(|detector| detector.id.len()).max().unwrap_or(0);
    let mut list = String::new();
    for detector in detect::ALL {
        let _ =
            writeln!(list, "{:widest$}  {:<5}  {}", detector.id, detector.level.as_str(), detector.summary());
    }
    list += "\n`pollscope explain DETECTOR` tells more. Further pages:\n\n";
    for page in &PAGES {
        let _ = writeln!(list, "{:widest$}  {}", page.name, page.summary);
    }
    list
}

fn unknown(id: &str) -> String {
    let id = clean(id);
    let names = detect::ALL.iter().map(|detector| detector.id).chain(PAGES.iter().map(|page| page.name));
    match nearest(&id, names) {
        Some(known) => {
            format!("there is no detector `{id}`; did you mean `{known}`? `pollscope explain` lists all")
        }
        None => format!("there is no detector `{id}`; `pollscope explain` lists all"),
    }
}
