//! The line being typed: editing, the live filter, completion and history.

use pollscope_model::detect;
use pollscope_model::query::filter::check;
use tui_input::InputRequest;

use super::{Effect, command};
use crate::screens::action::Action;
use crate::screens::keymap::key::Key;
use crate::screens::state::State;
use crate::screens::state::command::complete;
use crate::screens::state::overlay::{Overlay, Prompt, PromptKind};

/// The longest line: what is pasted is cut there.
const MAX_LINE: usize = 1_000;

/// Takes a key that means nothing else.
pub(super) fn typed(state: &mut State, key: Key) {
    let request = match key {
        Key::BACKSPACE => InputRequest::DeletePrevChar,
        Key::DELETE => InputRequest::DeleteNextChar,
        Key::LEFT => InputRequest::GoToPrevChar,
        Key::RIGHT => InputRequest::GoToNextChar,
        Key::HOME => InputRequest::GoToStart,
        Key::END => InputRequest::GoToEnd,
        _ if key == Key::ctrl('a') => InputRequest::GoToStart,
        _ if key == Key::ctrl('e') => InputRequest::GoToEnd,
        _ if key == Key::ctrl('w') => InputRequest::DeletePrevWord,
        _ if key == Key::ctrl('u') => InputRequest::DeleteLine,
        _ if key == Key::ctrl('k') => InputRequest::DeleteTillEnd,
        _ => match key.typed() {
            Some(c) => InputRequest::InsertChar(c),
            None => return,
        },
    };
    edit(state, [request]);
}

/// Takes pasted text: one line of it.
pub(super) fn paste(state: &mut State, text: &str) {
    let line: Vec<InputRequest> = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_LINE)
        .map(InputRequest::InsertChar)
        .collect();
    edit(state, line);
}

fn edit(state: &mut State, requests: impl IntoIterator<Item = InputRequest>) {
    let Some(Overlay::Prompt(prompt)) = &mut state.overlay else { return };
    for request in requests {
        if prompt.input.value().len() < MAX_LINE || !matches!(request, InputRequest::InsertChar(_)) {
            prompt.input.handle(request);
        }
    }
    prompt.error = None;
    prompt.candidates.clear();
    prompt.candidate = None;
    prompt.back = 0;
    let (kind, value) = (prompt.kind, prompt.input.value().to_owned());
    if kind == PromptKind::Filter {
        filter(state, &value);
    }
}

/// Asks for the rows that match; while the filter is not one, the last good one stays.
pub(super) fn filter(state: &mut State, filter: &str) {
    let Some(list) = state.list_mut() else { return };
    let filter = filter.trim();
    if let Err(error) = check(list.tab.kind(), filter) {
        list.error = Some(error.to_string().into());
        return;
    }
    list.error = None;
    if list.filter != filter {
        filter.clone_into(&mut list.filter);
        list.restart();
    }
}

/// Does an action inside the line.
pub(super) fn act(state: &mut State, action: Action) -> Vec<Effect> {
    let kind = state.current_tab().kind();
    let history = state.history.clone();
    let Some(Overlay::Prompt(prompt)) = &mut state.overlay else { return Vec::new() };
    match action {
        Action::Cancel => {
            let (what, before) = (prompt.kind, std::mem::take(&mut prompt.before));
            state.overlay = None;
            if what == PromptKind::Filter {
                filter(state, &before);
            }
        }
        Action::Accept if prompt.kind == PromptKind::Filter => {
            // A bad filter stays in the line, with what is wrong above it.
            let bad = state.list().is_some_and(|list| list.error.is_some());
            state.overlay = state.overlay.take().filter(|_| bad);
        }
        Action::Accept => return command::take(state),
        Action::Complete => {
            let detectors = detect::ALL.map(|detector| detector.id);
            next_candidate(prompt, |line| complete(line, kind, &detectors));
        }
        Action::Older | Action::Newer if prompt.kind == PromptKind::Command => {
            let back = if action == Action::Older { prompt.back + 1 } else { prompt.back.saturating_sub(1) };
            prompt.back = back.min(history.len());
            let line = history.len().checked_sub(prompt.back).and_then(|at| history.get(at));
            prompt.input = line.cloned().unwrap_or_default().into();
        }
        _ => {}
    }
    Vec::new()
}

/// Puts the next completion into the line. In the filter line the words are those of `:filter`.
fn next_candidate(prompt: &mut Prompt, complete: impl Fn(&str) -> Vec<String>) {
    if prompt.candidates.is_empty() {
        let line = prompt.input.value().to_owned();
        prompt.candidates = match prompt.kind {
            PromptKind::Command => complete(&line),
            PromptKind::Filter => complete(&format!("filter {line}"))
                .into_iter()
                .map(|line| line.trim_start_matches("filter ").to_owned())
                .collect(),
        };
    }
    if prompt.candidates.is_empty() {
        return;
    }
    let next = prompt.candidate.map_or(0, |at| (at + 1) % prompt.candidates.len());
    prompt.candidate = Some(next);
    prompt.input = prompt.candidates[next].clone().into();
    if prompt.candidates.len() == 1 {
        prompt.candidates.clear();
        prompt.candidate = None;
    }
}
