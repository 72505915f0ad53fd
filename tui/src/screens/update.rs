//! The only place where the state changes: an event goes in, the state moves on, effects come out.
//!
//! Pure: no clock, no I/O. What has to happen outside is returned as an [`Effect`].

mod command;
mod input;
mod jump;
mod menu;
mod prompt;
mod take;

use std::time::Duration;

use pollscope_model::id::BootId;
use pollscope_model::query::ask::{Ask, FlightOf, FlightQuery};
use pollscope_model::query::column::Kind;
use pollscope_model::query::page::{Query, RowId, Scope};

use crate::screens::event::{Event, Input, Signal};
use crate::screens::state::answers::Slot;
use crate::screens::state::flight::MAX_LANES;
use crate::screens::state::hits::Hits;
use crate::screens::state::level::{Detail, Level, Subject};
use crate::screens::state::{State, Tab};
use crate::sources::replay::Control;
use crate::sources::{QuestionId, SourceEvent};

/// What the loop has to do for an update.
#[derive(Clone, PartialEq, Debug)]
pub enum Effect {
    /// Replace the standing questions.
    Ask(Vec<(QuestionId, Ask)>),
    /// Move the source in time.
    Control(Control),
    /// Write what is held of the process into a file.
    Dump(BootId),
    /// Put the text into the clipboard.
    Copy(String),
    /// Draw everything anew.
    Clear,
    /// Give the terminal back until continued.
    Suspend,
    /// End.
    Quit,
}

/// Findings that a panel shows at most.
const PANEL_FINDINGS: u64 = 16;

/// The questions to start with.
pub fn start(state: &mut State) -> Vec<Effect> {
    update_questions(state)
}

/// Takes one event.
pub fn update(state: &mut State, event: Event) -> Vec<Effect> {
    let mut effects = match event {
        Event::Input(Input::Resize(columns, rows)) => {
            state.size = (columns, rows);
            Vec::new()
        }
        Event::Input(Input::Closed) | Event::Signal(Signal::Quit) => vec![Effect::Quit],
        Event::Signal(Signal::Suspend) => vec![Effect::Suspend],
        Event::Input(input) => input::apply(state, input),
        Event::Source(SourceEvent::Status(status)) => {
            take::status(state, status);
            Vec::new()
        }
        Event::Source(SourceEvent::Answer(id, answer)) => {
            take::answer(state, id, answer);
            Vec::new()
        }
        Event::Source(SourceEvent::Playback(playback)) => {
            state.playback = Some(*playback);
            Vec::new()
        }
        Event::Source(SourceEvent::Notice(text)) => {
            state.notify(&*text);
            Vec::new()
        }
        Event::Tick(now) => {
            state.now = now;
            Vec::new()
        }
    };
    if state.notice.as_ref().is_some_and(|notice| notice.until <= state.now) {
        state.notice = None;
    }
    effects.extend(update_questions(state));
    effects
}

/// Takes where things came to lie when the frame was drawn.
pub fn drawn(state: &mut State, hits: Hits) -> Vec<Effect> {
    let rows = hits.rows.h;
    state.hits = hits;
    if let Some(list) = state.list_mut() {
        list.resize(rows);
    }
    update_questions(state)
}

/// Whether time alone changes the screen: it does where an age or a notice is shown.
pub fn ages(state: &State) -> bool {
    state.frozen.is_some()
        || state.notice.is_some()
        || state.now.saturating_sub(state.answers.overview_at) > Duration::from_secs(1)
}

/// Whether the event changes the screen.
pub fn shows(state: &State, event: &Event) -> bool {
    match event {
        Event::Tick(_) => false,
        Event::Source(SourceEvent::Answer(..)) => state.frozen.is_none() || any_unanswered(state),
        _ => true,
    }
}

fn any_unanswered(state: &State) -> bool {
    state.answers.standing.iter().any(|standing| !standing.answered)
}

/// Whose single polls are on screen. They are asked for only then: being asked, a process records them.
fn flight_query(state: &State) -> Option<FlightQuery> {
    let (boot, of) = match state.stack.last() {
        Some(Level::Detail(Detail { subject: Subject::Task(boot, task), .. })) => {
            (*boot, FlightOf::Task(*task))
        }
        Some(Level::Detail(_)) => return None,
        _ if state.current_tab() != Tab::Workers => return None,
        _ => (current_process(state)?, FlightOf::Workers { first: 0, most: MAX_LANES }),
    };
    Some(state.flight.query(boot, of, state.size.0))
}

/// The process of the screen: the scope's, that of the row under the cursor, or the only one.
fn current_process(state: &State) -> Option<BootId> {
    let of_row = || match state.list()?.selected.as_ref()? {
        RowId::Worker(boot, _) => Some(*boot),
        _ => None,
    };
    let only = || match state.answers.overview.as_ref()?.hellos.as_slice() {
        [only] => Some(only.boot),
        _ => None,
    };
    match state.scope {
        Scope::Process(boot) => Some(boot),
        Scope::All => of_row().or_else(only),
    }
}

/// Derives the questions from the state.
fn update_questions(state: &mut State) -> Vec<Effect> {
    let tab = state.current_tab();
    let scope = state.scope_of(tab);
    let mut wanted = vec![(Slot::Overview, Ask::Overview(scope))];
    let depth = state.stack.len();
    let level = match state.stack.last() {
        Some(Level::Detail(detail)) => detail.subject.ask(),
        _ => Ask::Page(state.list().map_or_else(|| Query::all(tab.kind(), 0), |list| list.query(scope))),
    };
    wanted.push((Slot::Level(depth), level));
    if let Some(list) = state.list() {
        let subject = list.selected.as_ref().and_then(|row| Subject::of_row(row, scope));
        wanted.extend(subject.map(|subject| (Slot::Panel, subject.ask())));
        if matches!(tab, Tab::Fleet | Tab::Workers) {
            let findings = Query { scope, ..Query::all(Kind::Findings, PANEL_FINDINGS) };
            wanted.push((Slot::Findings, Ask::Page(findings)));
        }
    }
    let flight = flight_query(state);
    state.flight.look_at(flight.as_ref().map(|query| (query.boot, query.of)));
    wanted.extend(flight.map(|query| (Slot::Flight, Ask::Flight(query))));
    if state.answers.replace(wanted) { vec![Effect::Ask(state.answers.questions())] } else { Vec::new() }
}

#[cfg(test)]
mod tests;
