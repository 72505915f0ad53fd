//! A table for people: aligned, as wide as its content, cut to the terminal's width if there is one.
//! Findings are not a table's matter: each gets a paragraph.

use std::io::{self, Write};

use pollscope_model::query::column::{Column, Kind, Unit};
use pollscope_model::time::Nanos;
use pollscope_model::value::Value;

use super::sheet::{Sheet, cell};
use crate::output::fmt::{self, clean, width};
use crate::screens::glyph::Glyphs;

/// The widest that a text column may get; the terminal's width may ask for less.
const WIDEST: usize = 48;
const GAP: usize = 2;
/// Frames of a stack; JSON has them all.
const MOST_FRAMES: usize = 8;

/// Writes the sheet. `columns` is the terminal's width, `None` when there is no terminal.
pub(super) fn write(out: &mut dyn Write, sheet: &Sheet, columns: Option<usize>) -> io::Result<()> {
    if sheet.page.kind == Kind::Findings {
        return findings(out, sheet);
    }
    let picked: Vec<(usize, &Column)> =
        sheet.columns().filter(|(_, column)| column.shown || is_pid(column)).collect();
    let cells: Vec<Vec<String>> = sheet
        .page
        .rows
        .iter()
        .map(|row| picked.iter().map(|(index, column)| text(column, cell(row, *index))).collect())
        .collect();
    let natural = |position: usize, column: &Column| {
        let content = cells.iter().map(|row| width(&row[position])).max().unwrap_or(0);
        content.max(width(column.header)).min(WIDEST)
    };
    let widths: Vec<usize> = picked.iter().enumerate().map(|(at, (_, column))| natural(at, column)).collect();
    let kept = fitting(&picked, &widths, columns);

    let line = |out: &mut dyn Write, content: &dyn Fn(usize) -> String| -> io::Result<()> {
        let mut line = String::new();
        for &at in &kept {
            let right = !matches!(picked[at].1.unit, Unit::Text | Unit::List | Unit::Series);
            let fit = if right { fmt::right } else { fmt::left };
            line += &fit(&content(at), widths[at]);
            line += &" ".repeat(GAP);
        }
        writeln!(out, "{}", line.trim_end())
    };
    line(out, &|at| picked[at].1.header.to_owned())?;
    for cells in &cells {
        line(out, &|at| cells[at].clone())?;
    }
    rest(out, sheet)
}

/// The columns that fit side by side: the highest priority numbers leave first.
fn fitting(picked: &[(usize, &Column)], widths: &[usize], columns: Option<usize>) -> Vec<usize> {
    let mut kept: Vec<usize> = (0..picked.len()).collect();
    let Some(columns) = columns else { return kept };
    while kept.iter().map(|&at| widths[at] + GAP).sum::<usize>() > columns {
        let Some(leaves) = kept.iter().copied().rev().max_by_key(|&at| priority(picked[at].1)) else { break };
        if priority(picked[leaves].1) == 0 {
            break;
        }
        kept.retain(|&at| at != leaves);
    }
    kept
}

/// What there is to type after `pollscope attach`; the screens, on which a process is chosen, leave it out.
fn is_pid(column: &Column) -> bool {
    column.key == "pid"
}

fn priority(column: &Column) -> u8 {
    if is_pid(column) { 1 } else { column.priority }
}

fn text(column: &Column, value: &Value) -> String {
    match value {
        Value::Series(points) => spark(points),
        value => clean(&column.unit.show(value)).into_owned(),
    }
}

/// One character for each point, scaled to the largest.
fn spark(points: &[Option<f32>]) -> String {
    let most = points.iter().flatten().copied().fold(f32::MIN_POSITIVE, f32::max);
    let scaled: Vec<_> = points.iter().map(|point| point.map(|value| value / most)).collect();
    Glyphs::Block.spark(&scaled, scaled.len())
}

/// Says what was left out: nothing is cut in silence.
fn rest(out: &mut dyn Write, sheet: &Sheet) -> io::Result<()> {
    let shown = sheet.page.rows.len() as u64;
    let left = sheet.page.matched.saturating_sub(shown + sheet.page.offset);
    if sheet.page.total == 0 {
        writeln!(out, "no {}", sheet.page.kind.as_str())?;
    } else if sheet.page.matched == 0 {
        writeln!(out, "none of {} {} matches the filter", sheet.page.total, sheet.page.kind.as_str())?;
    } else if left > 0 {
        writeln!(out, "… and {left} more; --limit {} shows them all", sheet.page.matched)?;
    }
    if sheet.page.meta.lost > 0 {
        writeln!(out, "{} losses: some of this is incomplete, see `pollscope doctor`", sheet.page.meta.lost)?;
    }
    Ok(())
}

fn findings(out: &mut dyn Write, sheet: &Sheet) -> io::Result<()> {
    for row in &sheet.page.rows {
        let get = |key: &str| match row.cell(key) {
            None | Some(Value::Null) => None,
            Some(value) => Some(clean(&value.to_string()).into_owned()),
        };
        let word = |key: &str| get(key).unwrap_or_default();
        writeln!(out, "{:<5} {}: {}", word("level"), word("detector"), word("headline"))?;
        if let Some(line) = get("line") {
            writeln!(out, "      line {line}")?;
        }
        let place = ["site", "process"].into_iter().filter_map(get).collect::<Vec<_>>().join(" in ");
        if !place.is_empty() {
            writeln!(out, "      at {place}")?;
        }
        if let (Some(Value::Time(first)), Some(Value::Time(last))) =
            (row.cell("first_ns"), row.cell("last_ns"))
        {
            let ago = Nanos(sheet.page.meta.now_unix_ns.saturating_sub(*last));
            let over = Nanos(last.saturating_sub(*first));
            let seen = match row.cell("count") {
                Some(Value::Count(1)) => Some("seen once".to_owned()),
                Some(Value::Count(_)) => Some(format!("seen {} times over {over}", word("count"))),
                _ => None,
            };
            let last = Some(format!("last {ago} ago"));
            let told: Vec<_> = get("state").into_iter().chain(seen).chain(last).collect();
            writeln!(out, "      {}", told.join(", "))?;
        }
        for key in ["why", "fix"] {
            if let Some(words) = get(key) {
                writeln!(out, "      {key}: {words}")?;
            }
        }
        if let Some(Value::List(frames)) = row.cell("stack") {
            for frame in frames.iter().take(MOST_FRAMES) {
                writeln!(out, "        {}", clean(frame))?;
            }
        }
    }
    rest(out, sheet)?;
    for one in sheet.undecided.iter().flatten().filter(|one| one.over_limit) {
        writeln!(out, "undecided {}, over its limit", clean(&one.rule))?;
        writeln!(out, "      {}", clean(&one.reason))?;
    }
    Ok(())
}
