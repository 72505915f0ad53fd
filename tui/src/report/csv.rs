//! CSV: a header line with the contract's keys, then a line for each row. What was not measured is
//! an empty field; the items of a list are separated by `; `.

use std::io::{self, Write};

use pollscope_model::query::value::Value;

use super::sheet::{Sheet, cell};
use crate::fmt::clean;

/// Writes the sheet; the header can be left out when pages follow each other.
pub(super) fn write(out: &mut dyn Write, sheet: &Sheet, header: bool) -> io::Result<()> {
    let columns = sheet.exported();
    let mut csv = csv::Writer::from_writer(out);
    if header {
        csv.write_record(columns.iter().map(|(_, column)| column.key))?;
    }
    for row in &sheet.page.rows {
        csv.write_record(columns.iter().map(|(index, _)| text(cell(row, *index))))?;
    }
    csv.flush()
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Count(n) | Value::Nanos(n) | Value::Time(n) | Value::Bytes(n) => n.to_string(),
        Value::Ratio(n) | Value::Rate(n) => n.to_string(),
        Value::Text(text) => clean(text).into_owned(),
        Value::List(items) => items.iter().map(|item| clean(item)).collect::<Vec<_>>().join("; "),
        Value::Series(points) => {
            let points = points.iter().map(|point| point.map_or_else(String::new, |p| p.to_string()));
            points.collect::<Vec<_>>().join("; ")
        }
    }
}
