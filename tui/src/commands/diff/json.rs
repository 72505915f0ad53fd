//! A comparison as JSON: durations in nanoseconds with keys ending `_ns`, `null` for what is not known.

use std::path::Path;

use pollscope_model::baseline::{Compared, Comparison, SiteName};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::commands::cli::diff::DiffArgs;
use crate::output::failure::Failure;

/// One object, schema `pollscope/1`, and a line feed.
pub(super) fn document(args: &DiffArgs, comparison: &Comparison, verdict: &str) -> Result<String, Failure> {
    let document = Document {
        schema: "pollscope/1",
        kind: "diff",
        source: SourceOf {
            base: args.base.iter().map(|path| shown(path)).collect(),
            head: shown(&args.head),
        },
        verdict,
        comparison: Figures(comparison),
    };
    let text = crate::output::json::line(&document).map_err(Failure::output)?;
    Ok(text + "\n")
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    kind: &'static str,
    source: SourceOf,
    verdict: &'a str,
    #[serde(flatten)]
    comparison: Figures<'a>,
}

#[derive(Serialize)]
struct SourceOf {
    base: Vec<String>,
    head: String,
}

/// A comparison as the keys `runs, figures, new, vanished, notes`.
pub(crate) struct Figures<'a>(pub(crate) &'a Comparison);

impl Serialize for Figures<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let names = |sites: &[SiteName]| sites.iter().map(ToString::to_string).collect::<Vec<_>>();
        let notes: Vec<&str> = self.0.notes.iter().map(|note| &**note).collect();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("runs", &self.0.runs)?;
        map.serialize_entry("figures", &self.0.figures.iter().map(Figure).collect::<Vec<_>>())?;
        map.serialize_entry("new", &names(&self.0.new))?;
        map.serialize_entry("vanished", &names(&self.0.vanished))?;
        map.serialize_entry("notes", &notes)?;
        map.end()
    }
}

struct Figure<'a>(&'a Compared);

impl Serialize for Figure<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let figure = self.0;
        let (base_key, head_key) =
            if figure.figure.is_duration() { ("base_ns", "head_ns") } else { ("base", "head") };
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("change", figure.change.as_str())?;
        map.serialize_entry("process", &*figure.site.process)?;
        map.serialize_entry("site", &*figure.site.place)?;
        map.serialize_entry("key", &*figure.site.key)?;
        map.serialize_entry("figure", figure.figure.as_str())?;
        map.serialize_entry(base_key, &figure.base.map(|base| base.value))?;
        map.serialize_entry(head_key, &figure.head.value)?;
        map.serialize_entry("ratio", &figure.ratio())?;
        map.serialize_entry("base_n", &figure.base.map(|base| base.n))?;
        map.serialize_entry("head_n", &figure.head.n)?;
        if figure.figure.is_duration() {
            map.serialize_entry("base_bounds_ns", &figure.base.and_then(|base| base.bounds))?;
            map.serialize_entry("head_bounds_ns", &figure.head.bounds)?;
        }
        map.serialize_entry("reason", &*figure.reason)?;
        map.end()
    }
}
