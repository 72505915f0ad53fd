//! Events of the source become state.

use pollscope_model::query::ask::Answer;

use crate::screens::state::State;
use crate::screens::state::answers::Slot;
use crate::screens::state::level::Level;
use crate::sources::{QuestionId, Status};

/// Takes the connection's new state.
pub(super) fn status(state: &mut State, status: Status) {
    if let Status::Connected { label } = &status {
        state.title = label.clone();
    }
    state.link = status;
}

/// Takes an answer, or holds it while the view is frozen. The first answer to a question that the
/// user just caused is shown even then: a frozen view can still be looked around in.
pub(super) fn answer(state: &mut State, id: QuestionId, answer: Box<Answer>) {
    let Some(standing) = state.answers.standing.iter_mut().find(|standing| standing.id == id) else {
        return;
    };
    if state.frozen.is_some() && standing.answered {
        state.answers.held.insert(id.0, answer);
        return;
    }
    standing.answered = true;
    let slot = standing.slot;
    put(state, slot, *answer);
}

/// Shows what came while the view was frozen.
pub(super) fn release(state: &mut State) {
    for (id, answer) in std::mem::take(&mut state.answers.held) {
        let slot = state.answers.standing.iter().find(|standing| standing.id.0 == id).map(|s| s.slot);
        if let Some(slot) = slot {
            put(state, slot, *answer);
        }
    }
}

fn put(state: &mut State, slot: Slot, answer: Answer) {
    match (slot, answer) {
        (Slot::Overview, Answer::Overview(overview)) => {
            state.answers.overview = Some(overview);
            state.answers.overview_at = state.now;
        }
        (Slot::Panel, answer) => state.answers.panel = Some(Box::new(answer)),
        (Slot::Findings, Answer::Page(page)) => state.answers.findings = Some(page),
        (Slot::Flight, answer) => state.flight.answer = Some(Box::new(answer)),
        (Slot::Level(depth), answer) => level(state, depth, answer),
        // Anything else is an answer to another question than was asked: the source's mistake, and
        // nothing that could be shown.
        (Slot::Overview | Slot::Findings, _) => {}
    }
}

fn level(state: &mut State, depth: usize, answer: Answer) {
    let tab = state.tab;
    let list = match depth.checked_sub(1) {
        None => &mut state.roots[tab.index()],
        Some(above) => match state.stack.get_mut(above) {
            Some(Level::List(list)) => list,
            Some(Level::Detail(detail)) => {
                match answer {
                    Answer::No(reason) => detail.error = Some(reason),
                    answer => {
                        detail.error = None;
                        detail.answer = Some(Box::new(answer));
                    }
                }
                return;
            }
            None => return,
        },
    };
    match answer {
        Answer::Page(page) if page.kind == list.tab.kind() => list.take(page),
        Answer::No(reason) => list.error = Some(reason),
        _ => {}
    }
}
