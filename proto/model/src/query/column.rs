//! The column tables: for each kind of page, every column with its JSON key, header, unit and help.
//!
//! One definition drives JSON and CSV keys, `--sort`, the filter's fields, the screen's tables and
//! the documentation. The keys are part of the command line's contract and never change.

use crate::names::names;
use crate::value::Value;

names! {
    /// What a page lists.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
    #[non_exhaustive]
    pub enum Kind {
        /// Instrumented processes.
        Processes = "processes",
        /// Tasks.
        Tasks = "tasks",
        /// Spawn sites.
        Sites = "sites",
        /// Workers of runtimes.
        Workers = "workers",
        /// What the detectors found.
        Findings = "findings",
    }
}

/// What the cells of a column are; decides alignment, filter units and JSON form.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Unit {
    /// A count.
    Count,
    /// A number that is a name: shown in full, never rounded.
    Id,
    /// Nanoseconds.
    Nanos,
    /// Wall-clock time.
    Time,
    /// Bytes.
    Bytes,
    /// A share, 0 to 1.
    Ratio,
    /// Events per second.
    Rate,
    /// Text.
    Text,
    /// Several texts.
    List,
    /// Numbers over time.
    Series,
}

impl Unit {
    /// The cell as a person reads it in a column of this unit.
    pub fn show(self, cell: &Value) -> String {
        match (self, cell) {
            (Self::Id, Value::Count(id)) => id.to_string(),
            _ => cell.to_string(),
        }
    }
}

/// What the texts of a column are. A screen chooses how a cell looks by this, never by the spelling of any text: a task
/// may be named like a state.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Meaning {
    /// Words of the service's or of ours, and everything that is no text.
    Plain,
    /// The mark of the worst open finding about the row.
    Mark,
    /// The name of a [`Level`](crate::level::Level).
    Level,
    /// The name of one of the states that the row's kind has.
    State,
    /// A spawn site, `src/cart.rs:88:9`.
    Site,
}

/// One column of one kind of page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Column {
    /// JSON and CSV key, filter field, name for `--sort`.
    pub key: &'static str,
    /// Shorter name that the filter and `--sort` take as well (`busy` for `busy_ns`); may equal `key`.
    pub alias: &'static str,
    /// Header on screen and in tables.
    pub header: &'static str,
    /// What its cells are.
    pub unit: Unit,
    /// What its texts are.
    pub meaning: Meaning,
    /// Width on screen, in columns.
    pub width: u16,
    /// When the screen is narrow the highest numbers leave first; 0 always stays.
    pub priority: u8,
    /// Whether the screen shows it unless told otherwise.
    pub shown: bool,
    /// Whether `--format json` and `csv` print it.
    pub in_json: bool,
    /// Whether its cell stays what it is until the row is told again, but for a poll or a wait that goes on, and for
    /// findings. Not so where it grows with time for all rows, or where a dictionary may bring its text later.
    pub still: bool,
    /// One sentence: what it is, its unit and when it is not measured.
    pub help: &'static str,
}

impl Column {
    /// A column that screens show and JSON prints; its alias is its key.
    pub(super) const fn new(
        key: &'static str,
        header: &'static str,
        unit: Unit,
        width: u16,
        priority: u8,
        help: &'static str,
    ) -> Self {
        Self {
            key,
            alias: key,
            header,
            unit,
            meaning: Meaning::Plain,
            width,
            priority,
            shown: true,
            in_json: true,
            still: false,
            help,
        }
    }

    /// The same with a shorter name.
    pub(super) const fn alias(self, alias: &'static str) -> Self {
        Self { alias, ..self }
    }

    /// Not on screen unless asked for.
    pub(super) const fn hidden(self) -> Self {
        Self { shown: false, ..self }
    }

    /// Neither in JSON nor in CSV.
    pub(super) const fn screen_only(self) -> Self {
        Self { in_json: false, ..self }
    }

    /// What its texts are.
    pub(super) const fn means(self, meaning: Meaning) -> Self {
        Self { meaning, ..self }
    }

    /// Its cell stays until the row is told again.
    pub(super) const fn still(self) -> Self {
        Self { still: true, ..self }
    }

    /// Whether that is one of its names.
    pub fn is_named(&self, name: &str) -> bool {
        self.key == name || self.alias == name
    }
}

/// A column and how a row of the kind gets its cell.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<G> {
    pub(super) column: Column,
    pub(super) get: G,
}

/// The table of a kind whose rows are made from `I`.
pub(super) type Fields<I> = [Field<fn(&I) -> Value>];

/// Every column of a kind, in the order of a page's cells.
pub fn columns(kind: Kind) -> Vec<&'static Column> {
    fn of<G>(fields: &'static [Field<G>]) -> Vec<&'static Column> {
        fields.iter().map(|field| &field.column).collect()
    }
    match kind {
        Kind::Processes => of(super::processes::FIELDS),
        Kind::Tasks => of(super::tasks::FIELDS),
        Kind::Sites => of(super::sites::FIELDS),
        Kind::Workers => of(super::workers::FIELDS),
        Kind::Findings => of(super::findings::FIELDS),
    }
}

/// The place of a column in its kind's table, and so of its cell in a row.
pub fn index(kind: Kind, key: &str) -> Option<usize> {
    columns(kind).iter().position(|column| column.key == key)
}
