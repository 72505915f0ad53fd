//! Keys and mouse become actions, and the actions that move about are done here.

use super::{Effect, jump, menu, prompt};
use crate::screens::action::Action;
use crate::screens::event::{Input, Mouse};
use crate::screens::keymap;
use crate::screens::keymap::key::Key;
use crate::screens::state::command::descends;
use crate::screens::state::level::Level;
use crate::screens::state::overlay::{Overlay, Prompt, PromptKind};
use crate::screens::state::{State, Tab};
use crate::sources::replay::Control;
use pollscope_model::query::page::Sort;

/// Rows that one notch of the wheel moves.
const WHEEL: i64 = 3;

/// Takes an input.
pub(super) fn apply(state: &mut State, input: Input) -> Vec<Effect> {
    match input {
        Input::Key(key) => self::key(state, key),
        Input::Mouse(mouse, x, y) => self::mouse(state, mouse, x, y),
        Input::Paste(text) => {
            prompt::paste(state, &text);
            Vec::new()
        }
        Input::Resize(..) | Input::Closed => Vec::new(),
    }
}

fn key(state: &mut State, key: Key) -> Vec<Effect> {
    if let Some(action) = keymap::action(state.context(), key) {
        return act(state, action);
    }
    prompt::typed(state, key);
    Vec::new()
}

/// Does the action in the place where the user is.
pub(super) fn act(state: &mut State, action: Action) -> Vec<Effect> {
    match action {
        Action::QuitNow => return vec![Effect::Quit],
        Action::Redraw => return vec![Effect::Clear],
        Action::Suspend => return vec![Effect::Suspend],
        _ => {}
    }
    match state.overlay {
        Some(Overlay::Prompt(_)) => prompt::act(state, action),
        Some(Overlay::Menu(_)) => menu::act(state, action),
        Some(Overlay::Text(_)) => {
            text(state, action);
            Vec::new()
        }
        None => screen(state, action),
    }
}

fn screen(state: &mut State, action: Action) -> Vec<Effect> {
    match action {
        Action::Go(tab) => jump::go(state, tab),
        Action::NextTab => jump::go(state, state.tab.step(1)),
        Action::PreviousTab => jump::go(state, state.tab.step(Tab::ALL.len() - 1)),
        Action::Open => jump::open(state),
        Action::ToTask => jump::to_task(state),
        Action::ToSite => jump::to_site(state),
        Action::ToTasks => jump::to_tasks(state),
        Action::Quit if at_top(state) => return vec![Effect::Quit],
        Action::Back | Action::Quit => jump::back(state),
        Action::ZoomIn | Action::ZoomOut => state.flight.zoom(action == Action::ZoomIn),
        Action::Earlier | Action::Later => state.flight.step(action == Action::Later),
        Action::Live => state.flight.follow(),
        Action::Explain => jump::explain(state),
        Action::Freeze => return freeze(state),
        Action::Time(control) => return time(state, control),
        Action::Dump => return dump(state),
        Action::Command => state.overlay = Some(Overlay::Prompt(Prompt::new(PromptKind::Command, ""))),
        Action::Filter => {
            let filter = state.list().map(|list| list.filter.clone()).unwrap_or_default();
            state.overlay = Some(Overlay::Prompt(Prompt::new(PromptKind::Filter, &filter)));
        }
        Action::SortMenu => menu::sort(state),
        Action::ColumnsMenu => menu::columns_open(state),
        Action::Help => menu::help(state),
        Action::CopyText | Action::CopyJson => return copy(state, action == Action::CopyJson),
        _ => scroll(state, action),
    }
    Vec::new()
}

/// Whether `q` would leave the program.
fn at_top(state: &State) -> bool {
    state.stack.is_empty()
}

fn scroll(state: &mut State, action: Action) {
    let (_, fitting) = state.hits.text;
    if let Some(Level::Detail(detail)) = state.stack.last_mut() {
        detail.scroll = scrolled(detail.scroll, action, state.hits.text.0, fitting);
        return;
    }
    let farthest = hidden_at_most(state);
    let Some(list) = state.list_mut() else { return };
    let screen = i64::from(list.height.max(1));
    match action {
        Action::Up => list.step(-1),
        Action::Down => list.step(1),
        Action::HalfUp => list.step(-(screen / 2).max(1)),
        Action::HalfDown => list.step((screen / 2).max(1)),
        Action::PageUp => list.step(-screen),
        Action::PageDown => list.step(screen),
        Action::Top => list.go(0),
        Action::Bottom => list.go(u64::MAX),
        Action::Left => list.left = list.left.saturating_sub(1),
        Action::Right => list.left = (list.left + 1).min(farthest),
        _ => {}
    }
}

/// The farthest that columns can be scrolled: so that one of those that move remains.
fn hidden_at_most(state: &State) -> usize {
    state.columns.get(&state.current_tab().kind()).map_or(0, |shown| shown.len().saturating_sub(2))
}

fn text(state: &mut State, action: Action) {
    if matches!(action, Action::Cancel | Action::Accept) {
        state.overlay = None;
        return;
    }
    let (lines, fitting) = state.hits.text;
    if let Some(Overlay::Text(text)) = &mut state.overlay {
        text.scroll = scrolled(text.scroll, action, lines, fitting);
    }
}

/// The new first line of a text of so many lines of which so many fit.
fn scrolled(scroll: usize, action: Action, lines: usize, fitting: usize) -> usize {
    let half = (fitting / 2).max(1);
    let moved = match action {
        Action::Up => scroll.saturating_sub(1),
        Action::Down => scroll + 1,
        Action::HalfUp => scroll.saturating_sub(half),
        Action::HalfDown => scroll + half,
        Action::PageUp => scroll.saturating_sub(fitting.max(1)),
        Action::PageDown => scroll + fitting.max(1),
        Action::Top => 0,
        Action::Bottom => usize::MAX,
        _ => scroll,
    };
    moved.min(lines.saturating_sub(fitting))
}

/// Holds the view, or shows what came meanwhile: at the source if it can move in time, else here.
pub(super) fn freeze(state: &mut State) -> Vec<Effect> {
    if state.frozen.take().is_some() {
        super::take::release(state);
    } else if state.playback.as_ref().is_some_and(|playback| playback.kept) {
        return vec![Effect::Control(Control::Toggle)];
    } else {
        state.frozen = Some(state.now);
    }
    Vec::new()
}

/// Moves in time, if the source can.
pub(super) fn time(state: &mut State, control: Control) -> Vec<Effect> {
    if state.playback.is_none() {
        state.notify("one can go back in time in recordings and in processes that are attached directly");
        return Vec::new();
    }
    if state.frozen.take().is_some() {
        super::take::release(state);
    }
    vec![Effect::Control(control)]
}

/// A dump of the process of which single polls are on screen.
fn dump(state: &mut State) -> Vec<Effect> {
    let Some(query) = super::flight_query(state) else {
        state.notify("choose a worker of the process that is to be dumped");
        return Vec::new();
    };
    vec![Effect::Dump(query.boot)]
}

fn copy(state: &mut State, json: bool) -> Vec<Effect> {
    let Some((what, text)) = crate::screens::vm::copy::selected(state, json) else {
        state.notify("nothing is selected");
        return Vec::new();
    };
    let format = if json { "JSON" } else { "text" };
    state.notify(format!("copied {what} as {format} (OSC 52: the terminal must allow it)"));
    vec![Effect::Copy(text)]
}

fn mouse(state: &mut State, mouse: Mouse, x: u16, y: u16) -> Vec<Effect> {
    match mouse {
        Mouse::WheelUp | Mouse::WheelDown => {
            let action = if mouse == Mouse::WheelUp { Action::Up } else { Action::Down };
            for _ in 0..WHEEL {
                act(state, action);
            }
            Vec::new()
        }
        Mouse::Press => press(state, x, y),
    }
}

fn press(state: &mut State, x: u16, y: u16) -> Vec<Effect> {
    if let Some(Overlay::Menu(menu)) = &mut state.overlay {
        let (area, first) = state.hits.menu;
        if !area.holds(x, y) {
            state.overlay = None;
            return Vec::new();
        }
        menu.selected = (first + usize::from(y - area.y)).min(menu.items.len().saturating_sub(1));
        return act(state, Action::Accept);
    }
    if state.overlay.is_some() {
        return Vec::new();
    }
    if let Some((_, tab)) = state.hits.tabs.iter().find(|(area, _)| area.holds(x, y)) {
        let tab = *tab;
        jump::go(state, tab);
        return Vec::new();
    }
    if let Some((_, key)) = state.hits.heads.iter().find(|(area, _)| area.holds(x, y)) {
        let key = *key;
        sort_by(state, key);
        return Vec::new();
    }
    let rows = state.hits.rows;
    let Some(list) = state.list_mut().filter(|_| rows.holds(x, y)) else { return Vec::new() };
    let index = list.top + u64::from(y - rows.y);
    if index == list.index && list.selected.is_some() {
        return act(state, Action::Open);
    }
    if index < list.matched() {
        list.go(index);
    }
    Vec::new()
}

/// Sorts by the column; if it decides already, turns the order round.
pub(super) fn sort_by(state: &mut State, key: &'static str) {
    let Some(list) = state.list_mut() else { return };
    let descending = match list.sort.first() {
        Some(first) if first.column == key => !first.descending,
        _ => descends(key, list.tab.kind()),
    };
    list.sort = vec![Sort { column: key.to_owned(), descending }];
    list.restart();
}
