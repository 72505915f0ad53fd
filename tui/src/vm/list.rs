//! The body of a list: the table itself, and the panels that the tab puts below it.

use pollscope_model::query::ask::Answer;
use pollscope_model::query::column::columns;

use super::stack::{Need, split};
use super::text::Line;
use super::{Screen, body, finding, fleet, site, table, task, workers};
use crate::fmt::{thousands, width};
use crate::state::hits::Area;
use crate::state::list::List;
use crate::state::{State, Tab};
use crate::theme::Role;

/// The list with its panels.
pub(super) fn body(state: &State, list: &List, area: Area, screen: &mut Screen) {
    // Title, head and the rows; a blank line after a short list.
    let rows = list.matched().min(u64::from(area.h)) as usize;
    let full = Need::new(5, rows.max(3) + 3);
    match list.tab {
        Tab::Fleet => fleet::body(state, list, area, full, screen),
        Tab::Workers => workers::body(state, list, area, full, screen),
        Tab::Tasks => {
            let lines = panel(state, area.w as usize, 7);
            let [top, below] = split(area, [Need::new(5, usize::MAX), need(lines.len(), 4)], [0, 1]);
            self::table(state, list, top, screen);
            put_cut(lines, below, screen);
        }
        Tab::Sites => {
            let lines = panel(state, area.w as usize, 15);
            let [top, below] = split(area, [Need::new(8, rows.max(3) + 3), need(lines.len(), 4)], [0, 1]);
            self::table(state, list, top, screen);
            put_cut(lines, below, screen);
        }
        Tab::Findings => {
            let lines = match panel(state, area.w as usize, 0) {
                lines if lines.is_empty() => undecided(state, area.w as usize),
                lines => lines,
            };
            let [top, below] = split(area, [full, need(lines.len(), 4)], [0, 1]);
            self::table(state, list, top, screen);
            put_cut(lines, below, screen);
        }
    }
}

fn need(lines: usize, least: usize) -> Need {
    if lines == 0 { Need::NOTHING } else { Need::new(least.min(lines), lines) }
}

/// Puts lines into a panel; if it is too low its last line says how many are missing.
pub(super) fn put_cut(mut lines: Vec<Line>, area: Area, screen: &mut Screen) {
    let room = area.h as usize;
    if lines.len() > room && room > 1 {
        let missing = lines.len() - room + 1;
        lines.truncate(room);
        lines[room - 1] = Line::of(Role::Dim, format!("  … {missing} lines more: Enter or d shows all"));
    }
    if room > 0 {
        screen.put(area, lines);
    }
}

/// The panel about the row under the cursor.
fn panel(state: &State, width: usize, height: usize) -> Vec<Line> {
    let glyphs = state.look.glyphs;
    match state.answers.panel.as_deref() {
        Some(Answer::Task(task)) => task::panel(task, width, glyphs),
        Some(Answer::Site(site)) => site::panel(site, width, height, glyphs),
        Some(Answer::Finding(finding)) => finding::lines(finding, width),
        _ => Vec::new(),
    }
}

/// Rules that cannot judge yet.
fn undecided(state: &State, width: usize) -> Vec<Line> {
    let Some(overview) = state.answers.overview.as_deref().filter(|overview| !overview.undecided.is_empty())
    else {
        return Vec::new();
    };
    let mut lines = vec![Line::rule("Rules that cannot judge yet", "", width)];
    for (rule, reason) in &overview.undecided {
        let line = Line::of(Role::Text, format!("  {} ", crate::fmt::left(rule, 19)));
        lines.push(line.with(Role::Dim, crate::fmt::clean(reason)).cut(width));
    }
    lines
}

/// The table with its title; tells where its rows and heads are.
pub(super) fn table(state: &State, list: &List, area: Area, screen: &mut Screen) {
    let (title, rest) = area.split(1);
    let chosen = state.columns.get(&list.tab.kind()).map(Vec::as_slice).unwrap_or_default();
    let columns = rest.w as usize;
    let (hidden, rows) = match body::no_rows(state, list, columns) {
        Some(lines) => {
            screen.put(rest, lines.into_iter().take(rest.h as usize).collect());
            (0, 0)
        }
        None => {
            let table = table::lay(list, chosen, columns, rest.h as usize, state.look.glyphs);
            let rows = table.lines.len().saturating_sub(1);
            screen.hits.heads = table
                .heads
                .into_iter()
                .map(|(head, key)| (Area { x: rest.x + head.x, y: rest.y, ..head }, key))
                .collect();
            screen.put(rest, table.lines);
            (table.hidden, rows)
        }
    };
    // How many rows fit is told even while there are none: the question depends on it.
    screen.hits.rows = Area { y: rest.y + 1, h: rest.h.saturating_sub(1), ..rest };
    screen.put(title, vec![heading(list, rows, hidden, columns)]);
}

/// `Tasks 1-17 of 43 that match · 1,204 in all ─── filter: busy>1ms   sort BUSY ▼`.
fn heading(list: &List, rows: usize, hidden: usize, columns: usize) -> Line {
    let mut title = list.tab.title().to_owned();
    if let Some(page) = &list.page {
        if rows > 0 {
            title += &format!(" {}-{}", thousands(list.top + 1), thousands(list.top + rows as u64));
        }
        if page.matched == page.total {
            title += &format!(" of {}", thousands(page.total));
        } else {
            let (matched, total) = (thousands(page.matched), thousands(page.total));
            title += &format!(" of {matched} that match · {total} in all");
        }
    }
    let mut words = Vec::new();
    if list.error.is_some() {
        words.push("! bad filter or sort: not applied".to_owned());
    }
    if !list.filter.is_empty() {
        words.push(format!("filter: {}", list.filter));
    }
    words.push(format!("sort {}", sort_words(list)));
    if hidden > 0 {
        words.push(format!("{hidden} columns more: h l"));
    }
    let mut right = words.join("   ");
    while width(&right) + width(&title) + 10 > columns && words.len() > 1 {
        words.remove(words.len() - 1);
        right = words.join("   ");
    }
    Line::rule(&title, &right, columns)
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
