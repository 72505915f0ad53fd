//! One page to standard output, without a terminal: the same query that the screens ask, as a table
//! for people, or as JSON or CSV for programs.

mod csv;
mod departures;
mod gather;
mod json;
mod sheet;
mod table;
#[cfg(test)]
pub(crate) mod tests;

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use pollscope_model::query::column::{Kind, Unit, columns};
use pollscope_model::query::detail::Overview;
use pollscope_model::query::page::{Query, Scope, Sort};

use crate::commands::cli::page::{Format, PageArgs, SortArg};
use crate::output::failure::Failure;
use crate::output::fmt::clean;
use crate::output::note;
use crate::sources::open::{self, Peer};
use crate::sources::target::Target;
use gather::{End, Gatherer};
use sheet::Sheet;

/// Rows in a table by default; JSON and CSV print all.
const TABLE_ROWS: u64 = 50;
const WATCH_EVERY: Duration = Duration::from_secs(1);

/// Prints the page, once or until stopped.
pub(crate) fn run(kind: Kind, args: &PageArgs) -> Result<(), Failure> {
    let query = query(kind, args)?;
    if args.watch && matches!(args.from, Some(Target::File(_))) {
        return Err(Failure::Usage("a recording does not change: leave out --watch".to_owned()));
    }
    let peer = crate::commands::block_on(open::any_peer(args.from.as_ref()))??;
    if let Peer::Processes { unreachable, .. } = &peer {
        for line in unreachable {
            note(line);
        }
    }
    let from = args.from.as_ref().map_or_else(|| "this machine".to_owned(), ToString::to_string);
    let mut gatherer = Gatherer::start(peer, query, args.watch_for)?;
    let page = gatherer.first()?;
    if page.meta.processes == 0 {
        return Err(Failure::NoData(format!(
            "{from} knows no process yet; start a service that reports to it"
        )));
    }
    if let Some(short) = gatherer.shortcomings() {
        note(&format!("{from}: {short}"));
    }
    let mut sheet = Sheet { page, undecided: gatherer.undecided(), from };
    name_undecided(args.format, &sheet);
    print(args, &sheet, true)?;
    let mut notes = Notes { redrawn: is_redrawn(args), lines: Vec::new() };
    while args.watch && gatherer.ended().is_none() {
        gatherer.watch(Instant::now() + WATCH_EVERY)?;
        notes.write_before_page(gatherer.news());
        sheet.page = gatherer.page()?;
        sheet.undecided = gatherer.undecided();
        print(args, &sheet, false)?;
        notes.write_after_page();
    }
    match gatherer.ended() {
        None => Ok(()),
        // One page was asked for and is printed; a watched target was to go on, unless it left in good order.
        Some(End { why, orderly }) if orderly || !args.watch => {
            note(&why);
            Ok(())
        }
        Some(End { why, .. }) => Err(Failure::Unreachable(why)),
    }
}

/// The lines that a watching command writes beside its pages. A table that is drawn in its place erases them, so
/// that the last ones are written again after each.
struct Notes {
    redrawn: bool,
    lines: Vec<String>,
}

impl Notes {
    /// Lines that stay below a table.
    const KEPT: usize = 3;

    fn write_before_page(&mut self, news: Vec<String>) {
        if self.redrawn {
            self.lines.extend(news);
            self.lines.drain(..self.lines.len().saturating_sub(Self::KEPT));
        } else {
            for line in &news {
                note(line);
            }
        }
    }

    fn write_after_page(&self) {
        for line in &self.lines {
            note(line);
        }
    }
}

/// A watched table on a terminal stays in its place.
fn is_redrawn(args: &PageArgs) -> bool {
    args.watch && args.format == Format::Table && io::stdout().is_terminal()
}

/// The state of a peer at a glance, once it is whole.
pub(crate) fn overview_of(peer: Peer) -> Result<Overview, Failure> {
    Gatherer::start(peer, Query::all(Kind::Processes, u64::MAX), None)?.overview()
}

/// Beside a format that has no place for it.
fn name_undecided(format: Format, sheet: &Sheet) {
    let undecided = sheet.undecided.iter().flatten();
    let (over, rules): (Vec<_>, Vec<_>) = undecided.partition(|one| one.over_limit);
    for one in over.into_iter().filter(|_| format == Format::Csv) {
        note(&format!("undecided, over its limit: {} ({})", one.rule, one.reason));
    }
    let rules: Vec<_> = rules.iter().map(|one| format!("{} ({})", one.rule, one.reason)).collect();
    if !rules.is_empty() {
        note(&format!("these rules could not judge yet: {}", rules.join(", ")));
    }
}

fn query(kind: Kind, args: &PageArgs) -> Result<Query, Failure> {
    let limit = args.limit.unwrap_or(if args.format == Format::Table { TABLE_ROWS } else { u64::MAX });
    Ok(Query {
        kind,
        scope: Scope::All,
        filter: args.filter.clone().unwrap_or_default(),
        sort: args.sort.iter().map(|key| sort_key(kind, key)).collect::<Result<_, _>>()?,
        offset: 0,
        limit,
    })
}

/// Numbers sort with the largest first, text from A, by default.
fn sort_key(kind: Kind, key: &SortArg) -> Result<Sort, Failure> {
    let wanted = key.column.as_str();
    let known = columns(kind);
    let Some(column) = known.iter().find(|column| column.is_named(wanted)) else {
        let names: Vec<&str> = known.iter().map(|column| column.alias).collect();
        return Err(Failure::Usage(format!(
            "{} have no column `{}` to sort by; expected one of {}",
            kind.as_str(),
            clean(wanted),
            names.join(", ")
        )));
    };
    let text = matches!(column.unit, Unit::Text | Unit::List);
    Ok(Sort { column: column.key.to_owned(), descending: key.descending.unwrap_or(!text) })
}

fn print(args: &PageArgs, sheet: &Sheet, first: bool) -> Result<(), Failure> {
    let stdout = io::stdout();
    let terminal = stdout.is_terminal();
    let mut out = io::BufWriter::new(stdout.lock());
    let between: &[u8] = match args.format {
        Format::Table if is_redrawn(args) => b"\x1b[H\x1b[2J",
        Format::Table if !first => b"\n",
        _ => b"",
    };
    let columns =
        terminal.then(|| crossterm::terminal::size().map_or(80, |(columns, _)| usize::from(columns)));
    let written = out.write_all(between).and_then(|()| write(args.format, &mut out, sheet, first, columns));
    written.and_then(|()| out.flush()).map_err(Failure::output)
}

/// Writes the sheet; a table as wide as the terminal, if there is one.
fn write(
    format: Format,
    out: &mut dyn Write,
    sheet: &Sheet,
    first: bool,
    columns: Option<usize>,
) -> io::Result<()> {
    match format {
        Format::Json => json::write(out, sheet),
        Format::Csv => csv::write(out, sheet, first),
        Format::Table => table::write(out, sheet, columns),
    }
}
