//! Menus: what they offer and what choosing does.

use pollscope_model::query::column::{self, Kind, columns};

use super::{Effect, input};
use crate::screens::action::Action;
use crate::screens::keymap;
use crate::screens::state::State;
use crate::screens::state::overlay::{Choice, Item, Menu, Overlay};

/// Opens the menu of sort columns, the deciding one under the cursor.
pub(super) fn sort(state: &mut State) {
    let Some(list) = state.list() else { return };
    let decides = list.sort.first().map(|first| (first.column.clone(), first.descending));
    let mut items = vec![Item {
        label: "trouble first".into(),
        note: "the list's own order".into(),
        on: Some(decides.is_none()),
        choice: Choice::SortDefault,
    }];
    for column in columns(list.tab.kind()) {
        let on = decides.as_ref().filter(|(key, _)| key == column.key);
        let order = match on {
            Some((_, true)) => " (largest first; Enter turns it)",
            Some((_, false)) => " (smallest first; Enter turns it)",
            None => "",
        };
        items.push(Item {
            label: column.alias.to_owned(),
            note: format!("{}{order}", column.help),
            on: Some(on.is_some()),
            choice: Choice::SortBy(column.key),
        });
    }
    let selected = items.iter().position(|item| item.on == Some(true)).unwrap_or(0);
    state.overlay = Some(Overlay::Menu(Menu { title: "Sort by", items, selected }));
}

/// The menu of columns, with that line under the cursor.
fn columns_menu(state: &State, kind: Kind, selected: usize) -> Menu {
    let shown = state.columns.get(&kind).map(Vec::as_slice).unwrap_or_default();
    let items = columns(kind)
        .iter()
        .map(|column| Item {
            label: column.key.to_owned(),
            note: column.help.to_owned(),
            on: Some(shown.contains(&column.key)),
            choice: Choice::Column(column.key),
        })
        .collect();
    Menu { title: "Columns", items, selected }
}

/// Opens the menu of columns of the list on screen.
pub(super) fn columns_open(state: &mut State) {
    let Some(kind) = state.list().map(|list| list.tab.kind()) else { return };
    state.overlay = Some(Overlay::Menu(columns_menu(state, kind, 0)));
}

/// Opens the menu of everything that a key does here.
pub(super) fn help(state: &mut State) {
    let items = keymap::bindings(state.place())
        .map(|binding| Item {
            label: keymap::keys_text(binding),
            note: binding.help.to_owned(),
            on: None,
            choice: Choice::Run(binding.action),
        })
        .collect();
    state.overlay = Some(Overlay::Menu(Menu { title: "Keys here", items, selected: 0 }));
}

/// Does an action inside a menu.
pub(super) fn act(state: &mut State, action: Action) -> Vec<Effect> {
    let page = state.hits.menu.0.h.max(1) as usize;
    let Some(Overlay::Menu(menu)) = &mut state.overlay else { return Vec::new() };
    let last = menu.items.len().saturating_sub(1);
    match action {
        Action::Up => menu.selected = menu.selected.saturating_sub(1),
        Action::Down => menu.selected = (menu.selected + 1).min(last),
        Action::HalfUp => menu.selected = menu.selected.saturating_sub(page / 2),
        Action::HalfDown => menu.selected = (menu.selected + page / 2).min(last),
        Action::PageUp => menu.selected = menu.selected.saturating_sub(page),
        Action::PageDown => menu.selected = (menu.selected + page).min(last),
        Action::Top => menu.selected = 0,
        Action::Bottom => menu.selected = last,
        Action::Accept | Action::Toggle => return choose(state, action),
        _ => state.overlay = None,
    }
    Vec::new()
}

fn choose(state: &mut State, action: Action) -> Vec<Effect> {
    let Some(Overlay::Menu(menu)) = &state.overlay else { return Vec::new() };
    let selected = menu.selected;
    let Some(choice) = menu.items.get(selected).map(|item| item.choice) else { return Vec::new() };
    match choice {
        Choice::Column(key) => {
            let Some(kind) = state.list().map(|list| list.tab.kind()) else { return Vec::new() };
            toggle_column(state, kind, key);
            state.overlay = Some(Overlay::Menu(columns_menu(state, kind, selected)));
        }
        _ if action == Action::Toggle => {}
        Choice::SortBy(key) => {
            state.overlay = None;
            input::sort_by(state, key);
        }
        Choice::SortDefault => {
            state.overlay = None;
            if let Some(list) = state.list_mut() {
                list.sort.clear();
                list.restart();
            }
        }
        Choice::Run(action) => {
            state.overlay = None;
            return input::act(state, action);
        }
    }
    Vec::new()
}

/// Shows or hides the column; those that are shown keep the table's order. The last one stays.
fn toggle_column(state: &mut State, kind: Kind, key: &'static str) {
    let Some(shown) = state.columns.get_mut(&kind) else { return };
    if let Some(at) = shown.iter().position(|shown| *shown == key) {
        if shown.len() > 1 {
            shown.remove(at);
        }
        return;
    }
    shown.push(key);
    shown.sort_by_key(|key| column::index(kind, key));
}
