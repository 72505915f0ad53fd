//! CSV: a header line with the contract's keys, then a line for each row. What was not measured is
//! an empty field; the items of a list are separated by `; `.

use std::io::{self, Write};

use pollscope_model::value::{LineTally, Value};

use super::sheet::{Sheet, cell};
use crate::output::fmt::clean;

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

/// What a spreadsheet takes for the begin of a formula; the wide forms in some languages.
const FORMULA: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];

/// A spreadsheet takes text that begins so for a formula, which may send what is beside it elsewhere: an
/// apostrophe makes it text, and quotation marks do not. Where a comma is for decimals, fields end at semicolons,
/// also inside of quotation marks that another field began.
fn no_formula(text: String) -> String {
    let begins = |part: &str| part.trim_start().starts_with(FORMULA);
    if !text.split(';').any(begins) {
        return text;
    }
    let guarded = |part: &str| if begins(part) { format!("'{part}") } else { part.to_owned() };
    text.split(';').map(guarded).collect::<Vec<_>>().join(";")
}

/// `src/login.rs:15 2100 63000000000 90000000`: line, polls, total and longest in nanoseconds.
fn value_of_lines(lines: &[LineTally]) -> String {
    let one = |one: &LineTally| format!("{} {} {} {}", one.line, one.polls, one.total_ns, one.max_ns);
    lines.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Count(n) | Value::Nanos(n) | Value::Time(n) | Value::Bytes(n) => n.to_string(),
        Value::Ratio(n) | Value::Rate(n) => n.to_string(),
        Value::Text(text) => no_formula(clean(text).into_owned()),
        Value::List(items) => no_formula(items.iter().map(|item| clean(item)).collect::<Vec<_>>().join("; ")),
        Value::Lines(lines) => no_formula(clean(&value_of_lines(lines)).into_owned()),
        Value::Series(points) => {
            let points = points.iter().map(|point| point.map_or_else(String::new, |p| p.to_string()));
            points.collect::<Vec<_>>().join("; ")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_field_is_a_formula() {
        let shown = |said: &str| text(&Value::Text(said.into()));
        assert_eq!(shown("render = 7"), "render = 7");
        assert_eq!(shown("=cmd()|' /C calc'!A0"), "'=cmd()|' /C calc'!A0");
        for begin in FORMULA {
            assert_eq!(shown(&format!("{begin}1+1")), format!("'{begin}1+1"));
            assert_eq!(shown(&format!("\u{200b} {begin}1+1")), format!("' {begin}1+1"));
            assert_eq!(shown(&format!("a;{begin}1+1;b")), format!("a;'{begin}1+1;b"));
        }
        assert_eq!(text(&Value::List(vec!["a".into(), "@SUM(1)".into()])), "a;' @SUM(1)");
        let line = LineTally { line: "=a.rs:7".into(), polls: 3, total_ns: 90, max_ns: 40 };
        assert_eq!(text(&Value::Lines(vec![line.clone(), line])), "'=a.rs:7 3 90 40;' =a.rs:7 3 90 40");
        assert_eq!(text(&Value::Count(7)), "7");
    }
}
