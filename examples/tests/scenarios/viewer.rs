//! What a viewer sees: the terminal UI's sources, asked without a terminal.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use pollscope_model::id::BootId;
use pollscope_model::query::ask::{Answer, Ask, FlightOf, FlightQuery};
use pollscope_model::query::column::{Kind, columns};
use pollscope_model::query::flight::Flight;
use pollscope_model::query::page::{Page, Query, Row, Scope};
use pollscope_model::value::Value;
use pollscope_tui::sources::endpoint::Endpoint;
use pollscope_tui::sources::fleet::FleetSource;
use pollscope_tui::sources::lookup::Watched;
use pollscope_tui::sources::process::ProcessSource;
use pollscope_tui::sources::{QuestionId, Source, SourceEvent, Status};

use crate::wait;

/// Looks at one target and asks it one question at a time.
pub(crate) struct Viewer {
    source: Box<dyn Source>,
    seen: Arc<Mutex<Seen>>,
    asked: u32,
}

#[derive(Default)]
struct Seen {
    status: Option<Status>,
    answers: HashMap<QuestionId, Answer>,
}

impl Viewer {
    /// Looks at a process.
    pub(crate) fn of_process(target: &str) -> Self {
        let watched = Watched::of(&target.parse().expect("a target")).expect("a target of this machine");
        Self::new(|sink| Box::new(ProcessSource::open(watched, sink).expect("a thread")))
    }

    /// Looks at a collector.
    pub(crate) fn of_collector(authority: &str) -> Self {
        let endpoint = Endpoint::Tcp(authority.to_owned());
        Self::new(|sink| Box::new(FleetSource::open(endpoint, sink).expect("a thread")))
    }

    fn new(open: impl FnOnce(pollscope_tui::sources::Sink) -> Box<dyn Source>) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let kept = Arc::clone(&seen);
        let source = open(Box::new(move |event| {
            let mut seen = kept.lock().unwrap_or_else(PoisonError::into_inner);
            match event {
                SourceEvent::Status(status) => seen.status = Some(status),
                SourceEvent::Answer(question, answer) => {
                    seen.answers.insert(question, *answer);
                }
                SourceEvent::Playback(_) | SourceEvent::Notice(_) => {}
            }
            true
        }));
        Self { source, seen, asked: 0 }
    }

    /// Waits until the rows of that kind are as wanted, and returns what `choose` made of them.
    #[track_caller]
    pub(crate) fn wait_for<T>(
        &mut self,
        what: &str,
        kind: Kind,
        mut choose: impl FnMut(&Rows) -> Option<T>,
    ) -> T {
        self.asked += 1;
        let id = QuestionId(self.asked);
        self.source.ask(vec![(id, Ask::Page(Query::all(kind, 10_000)))]);
        let seen = Arc::clone(&self.seen);
        let answer = || match seen.lock().unwrap_or_else(PoisonError::into_inner).answers.get(&id) {
            Some(Answer::Page(page)) => Some(Rows { page: page.clone() }),
            Some(other) => panic!("asked for a page of {kind:?}, got {other:?}"),
            None => None,
        };
        wait(
            what,
            || answer().and_then(|rows| choose(&rows)),
            || {
                let status = format!("{:?}", seen.lock().unwrap_or_else(PoisonError::into_inner).status);
                let rows = answer().map_or_else(String::new, |rows| rows.to_string());
                format!("the source is {status} and shows\n{rows}")
            },
        )
    }
}

impl Viewer {
    /// Waits until a note for all viewers contains that text.
    #[track_caller]
    pub(crate) fn wait_for_note(&mut self, text: &str) {
        self.asked += 1;
        let id = QuestionId(self.asked);
        self.source.ask(vec![(id, Ask::Overview(Scope::All))]);
        let seen = Arc::clone(&self.seen);
        let notes = || match seen.lock().unwrap_or_else(PoisonError::into_inner).answers.get(&id) {
            Some(Answer::Overview(overview)) => overview.notes.clone(),
            _ => Vec::new(),
        };
        wait(
            text,
            || notes().iter().any(|note| note.contains(text)).then_some(()),
            || format!("the notes are {:#?}", notes()),
        );
    }
}

impl Viewer {
    /// Looks at single polls until the picture is as wanted, and returns what `choose` made of it.
    #[track_caller]
    pub(crate) fn wait_for_flight<T>(
        &mut self,
        what: &str,
        boot: BootId,
        of: FlightOf,
        span_ns: u64,
        columns: u16,
        mut choose: impl FnMut(&Flight) -> Option<T>,
    ) -> T {
        self.asked += 1;
        let id = QuestionId(self.asked);
        let query = FlightQuery { boot, of, until_unix_ns: None, span_ns, columns };
        self.source.ask(vec![(id, Ask::Flight(query))]);
        let seen = Arc::clone(&self.seen);
        let answer = || seen.lock().unwrap_or_else(PoisonError::into_inner).answers.get(&id).cloned();
        wait(
            what,
            || match answer() {
                Some(Answer::Flight(flight)) => choose(&flight),
                _ => None,
            },
            || format!("the answer is {:?}", answer()),
        )
    }
}

/// A page's rows, read by the JSON keys of its columns.
pub(crate) struct Rows {
    pub(crate) page: Page,
}

impl Rows {
    /// Every row.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Cells<'_>> {
        self.page.rows.iter().map(|row| Cells { row })
    }
}

impl std::fmt::Display for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for row in self.iter() {
            let columns = columns(self.page.kind);
            let cells = columns.iter().zip(&row.row.cells);
            let cells: Vec<_> = cells.map(|(column, value)| format!("{}={value}", column.key)).collect();
            writeln!(f, "{}", cells.join(" "))?;
        }
        Ok(())
    }
}

/// One row.
pub(crate) struct Cells<'a> {
    pub(crate) row: &'a Row,
}

impl Cells<'_> {
    /// The cell of that column.
    #[track_caller]
    pub(crate) fn get(&self, key: &str) -> &Value {
        self.row.cell(key).unwrap_or_else(|| panic!("{:?} have no column `{key}`", self.row.id.kind()))
    }

    /// Its text; empty if there is none.
    #[track_caller]
    pub(crate) fn text(&self, key: &str) -> &str {
        match self.get(key) {
            Value::Text(text) => text,
            _ => "",
        }
    }

    /// Its number; `None` if it was not measured.
    #[track_caller]
    pub(crate) fn number(&self, key: &str) -> Option<u64> {
        self.get(key).number().map(|number| number as u64)
    }
}
