//! Which processes and collectors went away while a command watches or waits, in words for standard error.
//!
//! It compares the newest answer of a source with the one before. It asks nothing, prints nothing and ends nothing.
//! The gatherer calls it after each answer.

use std::collections::HashSet;

use pollscope_model::id::BootId;
use pollscope_model::query::ask::Ask;
use pollscope_model::query::column::Kind;
use pollscope_model::query::page::{Page, Query, Row, RowId, Sort};
use pollscope_model::value::Value;

use crate::sources::Status;
use crate::sources::lookup::Watched;
use crate::sources::open::Peer;

/// Processes that are gone and of which the departure is still printed. A collector may know many that left long ago.
const GONE: u64 = 1_000;

/// The question whose answers [`Departures::update`] takes: the processes that are gone, the last one first.
pub(super) fn question() -> Ask {
    Ask::Page(Query {
        filter: "state=gone".to_owned(),
        sort: vec![Sort { column: "heard_ns".to_owned(), descending: false }],
        ..Query::all(Kind::Processes, GONE)
    })
}

/// What is known of the target so far, and the lines that are not printed yet.
pub(super) struct Departures {
    /// What a lost target waits for; `None` for one that is named whole when it is lost.
    awaited: Option<String>,
    /// The target, as the page names it.
    from: String,
    /// The processes that are gone; `None` before the first answer.
    gone: Option<HashSet<BootId>>,
    lost: bool,
    news: Vec<String>,
}

impl Departures {
    pub(super) fn of(peer: &Peer) -> Self {
        let awaited = match peer {
            Peer::Processes { watched, .. } => Some(match watched {
                Watched::Machine => "a process on this machine".to_owned(),
                Watched::Name(name) => format!("a process named {name}"),
                Watched::Process(_) | Watched::Address(_) => format!("{} to come back", watched.label()),
            }),
            Peer::Collector(_) | Peer::Recording(_) => None,
        };
        Self { awaited, from: peer.label().to_string(), gone: None, lost: false, news: Vec::new() }
    }

    /// Takes an answer to the [`question`].
    pub(super) fn update(&mut self, page: &Page) {
        let boot = |id: &RowId| match id {
            RowId::Process(boot) => Some(*boot),
            _ => None,
        };
        let now: HashSet<BootId> = page.rows.iter().filter_map(|row| boot(&row.id)).collect();
        let Some(before) = self.gone.replace(now) else { return };
        for row in &page.rows {
            if boot(&row.id).is_some_and(|boot| !before.contains(&boot)) {
                self.news.push(format!("{} went away: {}", name(row), why(row)));
            }
        }
    }

    /// Takes how the connection stands, once it stood.
    pub(super) fn connection(&mut self, status: &Status) {
        match status {
            Status::Lost { reason, .. } if !self.lost => {
                self.lost = true;
                self.news.push(match &self.awaited {
                    Some(awaited) => format!("waiting for {awaited}"),
                    None => format!("{} went away: {reason}; waiting for it to come back", self.from),
                });
            }
            Status::Connected { label } if self.lost => {
                self.lost = false;
                self.news.push(format!("connected again: {label}"));
            }
            _ => {}
        }
    }

    pub(super) fn has_news(&self) -> bool {
        !self.news.is_empty()
    }

    /// The lines that are not printed yet.
    pub(super) fn take_news(&mut self) -> Vec<String> {
        std::mem::take(&mut self.news)
    }
}

/// `checkout (pid 412)`.
fn name(row: &Row) -> String {
    format!("{} (pid {})", text(row, "name"), text(row, "pid"))
}

fn why(row: &Row) -> String {
    match text(row, "gone_reason") {
        why if why.is_empty() => "it gave no reason".to_owned(),
        why => why,
    }
}

fn text(row: &Row, key: &str) -> String {
    match row.cell(key) {
        Some(Value::Text(text)) => text.to_string(),
        Some(Value::Count(number)) => number.to_string(),
        _ => String::new(),
    }
}
