//! JSON by the contract: one object, schema `pollscope/1`. Keys come from the column tables, in
//! their order; numbers stay exact; what was not measured is `null`.

use std::io::{self, Write};

use pollscope_model::query::column::Column;
use pollscope_model::query::page::{Meta, Row};
use pollscope_model::value::Value;
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::sheet::{Sheet, cell};
use crate::output::json;

/// Writes the sheet as one line.
pub(super) fn write(out: &mut dyn Write, sheet: &Sheet) -> io::Result<()> {
    json::write(&mut *out, &Document(sheet))?;
    out.write_all(b"\n")
}

struct Document<'a>(&'a Sheet);

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Sheet { page, undecided, from } = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("schema", "pollscope/1")?;
        map.serialize_entry("kind", page.kind.as_str())?;
        map.serialize_entry("source", &SourceOf { from, meta: &page.meta })?;
        map.serialize_entry("mode", page.meta.mode.as_str())?;
        map.serialize_entry("lost", &page.meta.lost)?;
        map.serialize_entry("total", &page.total)?;
        map.serialize_entry("matched", &page.matched)?;
        if let Some(undecided) = undecided {
            map.serialize_entry(
                "undecided",
                &undecided.iter().map(json::Undecided::from).collect::<Vec<_>>(),
            )?;
        }
        map.serialize_entry("rows", &Rows(self.0))?;
        map.end()
    }
}

struct SourceOf<'a> {
    from: &'a str,
    meta: &'a Meta,
}

impl Serialize for SourceOf<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("target", self.from)?;
        map.serialize_entry("name", &*self.meta.source)?;
        map.serialize_entry("state", self.meta.presence.as_str())?;
        map.serialize_entry("processes", &self.meta.processes)?;
        map.serialize_entry("now_ns", &self.meta.now_unix_ns)?;
        map.end()
    }
}

struct Rows<'a>(&'a Sheet);

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let columns = self.0.exported();
        serializer.collect_seq(self.0.page.rows.iter().map(|row| OneRow { columns: &columns, row }))
    }
}

struct OneRow<'a> {
    columns: &'a [(usize, &'static Column)],
    row: &'a Row,
}

impl Serialize for OneRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(
            self.columns.iter().map(|(index, column)| (column.key, Cell(cell(self.row, *index)))),
        )
    }
}

struct Cell<'a>(&'a Value);

impl Serialize for Cell<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Null => serializer.serialize_none(),
            Value::Count(n) | Value::Nanos(n) | Value::Time(n) | Value::Bytes(n) => {
                serializer.serialize_u64(*n)
            }
            Value::Ratio(n) | Value::Rate(n) => serializer.serialize_f64(*n),
            Value::Text(text) => serializer.serialize_str(text),
            Value::List(items) => serializer.collect_seq(items.iter().map(|item| &**item)),
            Value::Lines(lines) => serializer.collect_seq(lines.iter().map(json::Seen::from)),
            Value::Series(points) => serializer.collect_seq(points),
        }
    }
}
