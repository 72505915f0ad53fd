//! The body of a list: the table itself, and the panels that the tab puts below it.

use std::sync::Arc;

use pollscope_model::query::ask::Answer;
use pollscope_model::query::column::columns;
use pollscope_model::query::page::Scope;

use super::stack::{Need, split};
use super::text::Line;
use super::{Screen, body, finding, fleet, site, table, task, workers};
use crate::output::fmt::{clean, left, thousands, width};
use crate::screens::state::hits::Area;
use crate::screens::state::list::List;
use crate::screens::state::{State, Tab, usual_columns};
use crate::screens::theme::Role;

/// Pieces of undecided evidence that are shown above a finding.
const IN_DOUBT: usize = 2;

/// The list with its panels.
pub(super) fn body(state: &State, list: &List, area: Area, screen: &mut Screen) {
    // Title, head and the rows; a blank line after a short list.
    let rows = list.matched().min(u64::from(area.h)) as usize;
    let full = Need::new(5, rows.max(3) + 3);
    match list.tab {
        Tab::Fleet => fleet::body(state, list, area, full, screen),
        Tab::Workers => workers::body(state, list, area, full, screen),
        Tab::Tasks => with_panel(state, list, area, (Need::new(5, usize::MAX), 7), screen),
        Tab::Sites => with_panel(state, list, area, (full, 16), screen),
        Tab::Findings => with_panel(state, list, area, (full, usize::MAX), screen),
    }
}

/// The table and below it what is known of the row under the cursor, in at most that many
/// lines and never more than half of the body.
fn with_panel(state: &State, list: &List, area: Area, (full, most): (Need, usize), screen: &mut Screen) {
    let width = area.w as usize;
    let most = most.min(usize::from(area.h) / 2);
    let mut lines = panel(state, list.tab, width, most);
    if list.tab == Tab::Findings {
        lines = undecided(state, lines, width);
    }
    let below = Need::new(lines.len().min(4), lines.len().min(most));
    let [top, below] = split(area, [full, below], [0, 1], [1, 0]);
    // What a short list leaves free is the panel's.
    let below = Area { h: area.h - top.h, ..below };
    self::table(state, list, top, screen);
    put_cut(lines, if list.tab == Tab::Sites { "d" } else { "Enter" }, below, screen);
}

/// Puts lines into a panel; if it is too low its last line says how many are missing and which key
/// shows them.
pub(super) fn put_cut(mut lines: Vec<Line>, key: &str, area: Area, screen: &mut Screen) {
    let room = area.h as usize;
    if lines.len() > room && room > 1 {
        let missing = lines.len() - room + 1;
        lines.truncate(room);
        lines[room - 1] = Line::of(Role::Dim, format!("  … {missing} lines more: {key}"));
    }
    if room > 0 {
        screen.put(area, lines);
    }
}

/// The panel about the row under the cursor.
fn panel(state: &State, tab: Tab, width: usize, height: usize) -> Vec<Line> {
    let glyphs = state.look.glyphs;
    match (tab, state.answers.panel.as_deref()) {
        (Tab::Tasks, Some(Answer::Task(task))) => task::panel(task, width, glyphs),
        (Tab::Sites, Some(Answer::Site(site))) => site::panel(site, width, height, glyphs),
        (Tab::Findings, Some(Answer::Finding(finding))) => finding::lines(finding, width),
        _ => Vec::new(),
    }
}

/// Evidence over a limit that proves nothing, a line each and before the finding under the cursor; and rules that cannot
/// judge yet, where nothing is found.
fn undecided(state: &State, finding: Vec<Line>, width: usize) -> Vec<Line> {
    let Some(overview) = state.answers.overview.as_deref() else { return finding };
    let part = |title: &str, rules: &[(Arc<str>, Arc<str>)], role: Role| -> Vec<Line> {
        let one = |(rule, reason): &(Arc<str>, Arc<str>)| {
            let line = Line::of(role, format!("  {} ", left(rule, 19)));
            line.with(Role::Dim, clean(reason)).cut(width)
        };
        let title = (!rules.is_empty()).then(|| Line::rule(title, "", width));
        title.into_iter().chain(rules.iter().map(one)).collect()
    };
    let shown = if finding.is_empty() { usize::MAX } else { IN_DOUBT };
    let title = format!("Undecided, over the limit ({})", overview.set_aside.len());
    let mut lines = part(&title, &overview.set_aside[..overview.set_aside.len().min(shown)], Role::Warn);
    if finding.is_empty() {
        lines.extend(part("Rules that cannot judge yet", &overview.undecided, Role::Text));
    }
    lines.extend(finding);
    lines
}

/// The table with its title, and where its rows and heads are.
pub(super) fn table(state: &State, list: &List, area: Area, screen: &mut Screen) {
    let (title, rest) = area.split(1);
    let chosen = chosen(state, list.tab);
    let columns = rest.w as usize;
    let (mut hidden, mut rows) = (0, 0);
    if let Some(lines) = body::no_rows(state, list, columns) {
        screen.put(rest, lines.into_iter().take(rest.h as usize).collect());
    } else {
        let table = table::lay(list, &chosen, columns, rest.h as usize, state.look.glyphs);
        (hidden, rows) = (table.hidden, table.lines.len().saturating_sub(1));
        screen.hits.heads = table
            .heads
            .into_iter()
            .map(|(head, key)| (Area { x: rest.x + head.x, y: rest.y, ..head }, key))
            .collect();
        screen.put(rest, table.lines);
    }
    // How many rows fit is returned even while there are none: the question depends on it.
    screen.hits.rows = Area { y: rest.y + 1, h: rest.h.saturating_sub(1), ..rest };
    screen.put(title, vec![heading(state, list, rows, hidden, columns)]);
}

/// The columns that are shown; of several processes the usual ones and the process of each row.
fn chosen(state: &State, tab: Tab) -> Vec<&'static str> {
    let kind = tab.kind();
    let mut chosen = state.columns.get(&kind).cloned().unwrap_or_default();
    let several = state.scope_of(tab) == Scope::All
        && state.answers.overview.as_ref().is_some_and(|overview| overview.meta.processes > 1);
    if several && chosen == usual_columns(kind) && !chosen.contains(&"process") {
        let names: Vec<&'static str> = columns(kind).into_iter().map(|column| column.key).collect();
        if names.contains(&"process") {
            chosen = names.into_iter().filter(|key| *key == "process" || chosen.contains(key)).collect();
        }
    }
    chosen
}

/// `Tasks 1-17 of 43 that match · 1,204 in all ─── filter: busy>1ms   sort BUSY ▼`.
fn heading(state: &State, list: &List, rows: usize, hidden: usize, columns: usize) -> Line {
    let range = if rows > 0 {
        format!(" {}-{}", thousands(list.top + 1), thousands(list.top + rows as u64))
    } else {
        String::new()
    };
    let of = match &list.page {
        None => String::new(),
        Some(page) if page.total == 0 => " (0)".to_owned(),
        Some(page) if page.matched == page.total => {
            format!(" of {}{}", thousands(page.total), alive(state, list, page.total))
        }
        Some(page) => {
            format!(" of {} that match · {} in all", thousands(page.matched), thousands(page.total))
        }
    };
    // The number of rows must show that more are on their way.
    let loading =
        list.page.as_ref().and_then(|page| page.meta.loading).filter(|_| shows_single_tasks(list.tab));
    let so_far = loading.map_or(String::new(), |percent| format!(" so far, {percent}% is in"));
    let title = format!("{}{range}{of}{so_far}", list.tab.title());
    let mut words = Vec::new();
    if list.error.is_some() {
        words.push("! not applied, see the message".to_owned());
    }
    if !list.filter.is_empty() {
        words.push(format!("filter: {}", list.filter));
    }
    words.push(format!("sort {}", sort_words(list)));
    if hidden > 0 {
        words.push(format!("+{hidden} columns: h l"));
    }
    let mut right = words.join("   ");
    while width(&right) + width(&title) + 10 > columns && words.len() > 1 {
        words.remove(words.len() - 1);
        right = words.join("   ");
    }
    Line::rule(&title, &right, columns)
}

/// Whether the rows depend on the tasks' rows, which come last.
fn shows_single_tasks(tab: Tab) -> bool {
    matches!(tab, Tab::Tasks | Tab::Findings)
}

/// How many of all tasks live, where that is not all of them.
fn alive(state: &State, list: &List, total: u64) -> String {
    match state.answers.overview.as_deref() {
        Some(overview) if list.tab == Tab::Tasks && overview.tasks < total => {
            format!(" · {} alive", thousands(overview.tasks))
        }
        _ => String::new(),
    }
}

fn sort_words(list: &List) -> String {
    if list.sort.is_empty() {
        return "trouble first".to_owned();
    }
    let table = columns(list.tab.kind());
    let words: Vec<String> = list
        .sort
        .iter()
        .map(|sort| {
            let column = table.iter().find(|column| column.key == sort.column);
            let name = column.map_or(sort.column.as_str(), |column| column.header);
            format!("{name} {}", if sort.descending { '▼' } else { '▲' })
        })
        .collect();
    words.join(" then ")
}
