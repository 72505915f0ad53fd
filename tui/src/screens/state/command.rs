//! The language of the line that is typed after `:`: one table whose rows parse, complete and document each command.

use pollscope_model::query::column::{Kind, columns};
use pollscope_model::query::filter::check;
use pollscope_model::query::page::Sort;
use pollscope_model::time::{SECOND, parse_duration};

use super::Tab;
use crate::screens::glyph::Glyphs;
use crate::screens::theme::Palette;
use crate::sources::replay::Control;

/// What a command does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// To a tab.
    Go(Tab),
    /// Sorts the list; no key for its own order.
    Sort(Vec<Sort>),
    /// Filters the list.
    Filter(String),
    /// Shows these columns, or the usual ones if there are none.
    Columns(Vec<&'static str>),
    /// Tells what a detector means.
    Explain(String),
    /// Changes the colours.
    Theme(Palette),
    /// Changes the characters of pictures.
    Glyphs(Glyphs),
    /// Holds the view, or lets it go.
    Freeze,
    /// Goes to a place in time.
    Seek(Control),
    /// Opens the key menu.
    Help,
    /// Ends the program.
    Quit,
}

/// One row of the table: everything that is known of a command.
pub struct Entry {
    /// The word that is typed.
    pub name: &'static str,
    /// What follows the word, in the reference; empty if nothing may.
    pub arguments: &'static str,
    /// What it does.
    pub help: &'static str,
    /// Reads what follows the word.
    read: Read,
    /// Words that may follow, for completion.
    words: Words,
}

type Read = fn(&str, Kind) -> Result<Command, String>;

/// The source of the words that may follow a command.
#[derive(Clone, Copy)]
enum Words {
    /// None are offered.
    None,
    /// These.
    These(fn() -> Vec<&'static str>),
    /// The names of the page's columns.
    Columns(fn(Kind) -> Vec<&'static str>),
    /// The detectors.
    Detectors,
}

impl Entry {
    const fn plain(name: &'static str, help: &'static str, read: Read) -> Self {
        Self { name, arguments: "", help, read, words: Words::None }
    }

    const fn with(
        name: &'static str,
        arguments: &'static str,
        help: &'static str,
        read: Read,
        words: Words,
    ) -> Self {
        Self { name, arguments, help, read, words }
    }

    /// The word with its arguments, as the reference has it.
    pub fn usage(&self) -> String {
        if self.arguments.is_empty() {
            self.name.to_owned()
        } else {
            format!("{} {}", self.name, self.arguments)
        }
    }
}

/// Every command.
pub const COMMANDS: &[Entry] = &[
    Entry::plain("fleet", "to the processes", |_, _| Ok(Command::Go(Tab::Fleet))),
    Entry::plain("tasks", "to the tasks", |_, _| Ok(Command::Go(Tab::Tasks))),
    Entry::plain("sites", "to the spawn sites", |_, _| Ok(Command::Go(Tab::Sites))),
    Entry::plain("workers", "to the workers", |_, _| Ok(Command::Go(Tab::Workers))),
    Entry::plain("findings", "to the findings", |_, _| Ok(Command::Go(Tab::Findings))),
    Entry::with(
        "sort",
        "[COLUMN [asc|desc]]...",
        "sort by columns, the first decides; without one: trouble first",
        |text, kind| sort_keys(text, kind).map(Command::Sort),
        Words::Columns(|kind| aliases(kind).chain(["asc", "desc"]).collect()),
    ),
    Entry::with(
        "filter",
        "[EXPRESSION]",
        "show only rows that match; without an expression: all",
        |text, kind| match check(kind, text) {
            Ok(()) => Ok(Command::Filter(text.to_owned())),
            Err(error) => Err(error.to_string()),
        },
        Words::Columns(|kind| aliases(kind).collect()),
    ),
    Entry::with(
        "columns",
        "[COLUMN]...",
        "show these columns; without one: the usual ones",
        |text, kind| {
            let names = text.split([' ', ',']).filter(|name| !name.is_empty());
            names.map(|name| column(name, kind)).collect::<Result<_, _>>().map(Command::Columns)
        },
        Words::Columns(|kind| columns(kind).iter().map(|column| column.key).collect()),
    ),
    Entry::with(
        "explain",
        "DETECTOR",
        "what a detector means and what to do",
        |text, _| match text {
            "" => Err("explain what? Name a detector, such as blocking-poll".to_owned()),
            detector => Ok(Command::Explain(detector.to_owned())),
        },
        Words::Detectors,
    ),
    Entry::with(
        "theme",
        "dark|light|mono",
        "change the colours",
        |text, _| {
            let unknown = || format!("no theme `{text}`: dark, light or mono");
            Palette::from_name(text).map(Command::Theme).ok_or_else(unknown)
        },
        Words::These(|| Palette::ALL.map(Palette::as_str).to_vec()),
    ),
    Entry::with(
        "glyphs",
        "braille|block|ascii",
        "change the characters that pictures are made of",
        |text, _| {
            let unknown = || format!("no glyphs `{text}`: braille, block or ascii");
            Glyphs::from_name(text).map(Command::Glyphs).ok_or_else(unknown)
        },
        Words::These(|| Glyphs::ALL.map(Glyphs::as_str).to_vec()),
    ),
    Entry::plain("freeze", "hold the view while data flows on, or let it go", |_, _| Ok(Command::Freeze)),
    Entry::with(
        "seek",
        "start|end|HH:MM:SS|+DURATION|-DURATION",
        "to a place in time (UTC), or so far on or back",
        |text, _| place_in_time(text).map(Command::Seek),
        Words::These(|| vec!["start", "end"]),
    ),
    Entry::plain("help", "the keys of this place", |_, _| Ok(Command::Help)),
    Entry::plain("quit", "quit", |_, _| Ok(Command::Quit)),
];

fn aliases(kind: Kind) -> impl Iterator<Item = &'static str> {
    columns(kind).into_iter().map(|column| column.alias)
}

/// Reads a line; the error says what was expected. A command may be shortened as long as only one
/// fits.
pub fn parse(line: &str, kind: Kind) -> Result<Command, String> {
    let line = line.trim();
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim();
    let exact = COMMANDS.iter().find(|entry| entry.name == word);
    let mut fitting = COMMANDS.iter().filter(|entry| !word.is_empty() && entry.name.starts_with(word));
    let entry = match (exact, fitting.next(), fitting.next()) {
        (Some(entry), ..) | (None, Some(entry), None) => entry,
        (None, Some(first), Some(second)) => {
            return Err(format!("`{word}` could be `{}` or `{}`", first.name, second.name));
        }
        (None, None, _) => return Err(format!("no command `{word}`; Tab lists them")),
    };
    if !rest.is_empty() && entry.arguments.is_empty() {
        return Err(format!("`{}` takes nothing after it", entry.name));
    }
    (entry.read)(rest, kind)
}

/// What could stand instead of the line: whole lines, in the table's order.
pub fn complete(line: &str, kind: Kind, detectors: &[&str]) -> Vec<String> {
    let Some((head, last)) = line.rsplit_once(' ') else {
        return COMMANDS
            .iter()
            .filter(|entry| entry.name.starts_with(line))
            .map(|entry| entry.name.to_owned())
            .collect();
    };
    let command = head.split(' ').next().unwrap_or_default();
    let words = match COMMANDS.iter().find(|entry| entry.name == command).map(|entry| entry.words) {
        Some(Words::These(words)) => words(),
        Some(Words::Columns(words)) => words(kind),
        Some(Words::Detectors) => detectors.to_vec(),
        Some(Words::None) | None => Vec::new(),
    };
    words.iter().filter(|word| word.starts_with(last)).map(|word| format!("{head} {word}")).collect()
}

/// A place in time as the user writes it.
fn place_in_time(text: &str) -> Result<Control, String> {
    let far = |text: &str| {
        let ns = parse_duration(text).map_err(|error| error.to_string())?;
        i64::try_from(ns).map_err(|_| format!("`{text}` is too long"))
    };
    match text {
        "start" => return Ok(Control::Oldest),
        "end" | "live" => return Ok(Control::Newest),
        _ => {}
    }
    if let Some(on) = text.strip_prefix('+') {
        return far(on).map(Control::Jump);
    }
    if let Some(back) = text.strip_prefix('-') {
        return far(back).map(|ns| Control::Jump(-ns));
    }
    let mut parts = text.splitn(3, ':').map(str::parse::<u64>);
    let (hour, minute, second) = (parts.next(), parts.next(), parts.next());
    match (hour, minute, second.unwrap_or(Ok(0))) {
        (Some(Ok(hour)), Some(Ok(minute)), Ok(second)) if hour < 24 && minute < 60 && second < 60 => {
            Ok(Control::Clock((hour * 3_600 + minute * 60 + second) * SECOND))
        }
        _ => Err(format!("`{text}` is no place in time: start, end, 12:04:31, +30s or -2m")),
    }
}

fn column(name: &str, kind: Kind) -> Result<&'static str, String> {
    columns(kind)
        .iter()
        .find(|column| column.key == name || column.alias == name)
        .map(|column| column.key)
        .ok_or_else(|| format!("no column `{name}` in {}; `c` lists them", kind.as_str()))
}

fn sort_keys(text: &str, kind: Kind) -> Result<Vec<Sort>, String> {
    let mut keys: Vec<Sort> = Vec::new();
    for word in text.split([' ', ',']).filter(|word| !word.is_empty()) {
        match (word, keys.last_mut()) {
            ("asc", Some(last)) => last.descending = false,
            ("desc", Some(last)) => last.descending = true,
            _ => {
                let key = column(word, kind)?;
                keys.push(Sort { column: key.to_owned(), descending: descends(key, kind) });
            }
        }
    }
    Ok(keys)
}

/// Whether the column is sorted largest first by default: numbers are, texts are not.
pub fn descends(key: &str, kind: Kind) -> bool {
    use pollscope_model::query::column::Unit;
    columns(kind)
        .iter()
        .find(|column| column.key == key)
        .is_some_and(|column| !matches!(column.unit, Unit::Text | Unit::List))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_shortened_and_refused_in_words() {
        assert_eq!(parse("tasks", Kind::Sites), Ok(Command::Go(Tab::Tasks)));
        assert_eq!(parse(" q ", Kind::Sites), Ok(Command::Quit));
        assert_eq!(parse("filter busy>1ms  x", Kind::Tasks), Ok(Command::Filter("busy>1ms  x".into())));
        assert_eq!(parse("theme light", Kind::Tasks), Ok(Command::Theme(Palette::Light)));
        for (line, part) in [
            ("f", "`fleet` or `findings`"),
            ("dance", "no command `dance`"),
            ("", "no command"),
            ("quit now", "takes nothing"),
            ("sort nonsense", "no column `nonsense`"),
            ("theme pink", "dark, light or mono"),
            ("explain", "Name a detector"),
            ("filter busy>", ""),
            ("seek noon", "no place in time"),
            ("seek 25:00", "no place in time"),
            ("seek +soon", "invalid duration"),
        ] {
            let error = parse(line, Kind::Tasks).expect_err(line);
            assert!(error.contains(part), "{line}: {error}");
        }
    }

    #[test]
    fn a_place_in_time_has_several_forms() {
        let seek = |line: &str| parse(line, Kind::Tasks);
        assert_eq!(seek("seek start"), Ok(Command::Seek(Control::Oldest)));
        assert_eq!(seek("seek -2m"), Ok(Command::Seek(Control::Jump(-120 * SECOND.cast_signed()))));
        assert_eq!(seek("seek 01:02:03"), Ok(Command::Seek(Control::Clock(3_723 * SECOND))));
        assert_eq!(seek("seek 1:02"), Ok(Command::Seek(Control::Clock(3_720 * SECOND))));
    }

    #[test]
    fn sorting_knows_directions_and_several_keys() {
        let sort = |column: &str, descending| Sort { column: column.to_owned(), descending };
        assert_eq!(
            parse("sort busy asc, name", Kind::Tasks),
            Ok(Command::Sort(vec![sort("busy_ns", false), sort("name", false)]))
        );
        assert_eq!(parse("sort polls", Kind::Tasks), Ok(Command::Sort(vec![sort("polls", true)])));
        assert_eq!(parse("sort", Kind::Tasks), Ok(Command::Sort(Vec::new())));
    }

    #[test]
    fn completion_offers_commands_columns_and_words() {
        assert_eq!(complete("fi", Kind::Tasks, &[]), ["findings", "filter"]);
        assert!(complete("sort bu", Kind::Tasks, &[]).contains(&"sort busy".to_owned()));
        assert_eq!(complete("explain bl", Kind::Tasks, &["blocking-poll"]), ["explain blocking-poll"]);
        assert!(complete("quit ", Kind::Tasks, &[]).is_empty());
    }

    #[test]
    fn every_command_in_the_table_is_known() {
        for entry in COMMANDS {
            let known = parse(entry.name, Kind::Tasks);
            assert!(known.as_ref().err().is_none_or(|error| !error.contains("no command")), "{}", entry.name);
            assert_eq!(known == Ok(Command::Quit), entry.name == "quit");
        }
    }

    #[test]
    fn words_that_the_table_offers_are_words_that_it_reads() {
        for entry in COMMANDS {
            for line in complete(&format!("{} ", entry.name), Kind::Tasks, &["blocking-poll"]) {
                let read = parse(&line, Kind::Tasks);
                // A direction follows a column, a comparison follows a field.
                let half = matches!(entry.name, "sort" | "filter");
                assert!(read.is_ok() || half, "{line}: {read:?}");
            }
        }
    }
}
