//! A typed command, done.

use super::{Effect, input, jump, menu, prompt};
use crate::screens::state::command::{Command, parse};
use crate::screens::state::overlay::Overlay;
use crate::screens::state::{State, usual_columns};

/// Lines that the history keeps.
const MAX_HISTORY: usize = 100;

/// Takes the command line as it stands; what is wrong with it is said beside it.
pub(super) fn take(state: &mut State) -> Vec<Effect> {
    let kind = state.current_tab().kind();
    let Some(Overlay::Prompt(line)) = &mut state.overlay else { return Vec::new() };
    let text = line.input.value().trim().to_owned();
    if text.is_empty() {
        state.overlay = None;
        return Vec::new();
    }
    match parse(&text, kind) {
        Ok(command) => {
            state.overlay = None;
            state.history.retain(|old| *old != text);
            state.history.push(text);
            if state.history.len() > MAX_HISTORY {
                state.history.remove(0);
            }
            run(state, command)
        }
        Err(error) => {
            line.error = Some(error);
            Vec::new()
        }
    }
}

fn run(state: &mut State, command: Command) -> Vec<Effect> {
    match command {
        Command::Go(tab) => jump::go(state, tab),
        Command::Sort(keys) => match state.list_mut() {
            Some(list) => {
                list.sort = keys;
                list.restart();
            }
            None => state.notify("there is no list here to sort"),
        },
        Command::Filter(text) => {
            if state.list().is_some() {
                prompt::filter(state, &text);
            } else {
                state.notify("there is no list here to filter");
            }
        }
        Command::Columns(names) => {
            let kind = state.current_tab().kind();
            let usual = usual_columns(kind);
            let names = if names.is_empty() { usual } else { names };
            state.columns.insert(kind, names);
        }
        Command::Explain(detector) => jump::explain_text(state, &detector),
        Command::Theme(palette) => state.look.theme.palette = palette,
        Command::Glyphs(glyphs) => state.look.glyphs = glyphs,
        Command::Freeze => return input::freeze(state),
        Command::Seek(control) => return input::time(state, control),
        Command::Help => menu::help(state),
        Command::Quit => return vec![Effect::Quit],
    }
    Vec::new()
}
