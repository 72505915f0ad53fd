//! Going from one place to another: tabs, into a thing and out again, from a thing to its kin.

use std::sync::Arc;

use pollscope_model::id::{BootId, TaskId};
use pollscope_model::query::ask::Answer;
use pollscope_model::query::page::{RowId, Scope};

use crate::screens::state::answers::Slot;
use crate::screens::state::level::{Detail, Level, Subject};
use crate::screens::state::list::List;
use crate::screens::state::overlay::{Overlay, Text};
use crate::screens::state::{State, Tab};
use crate::screens::vm::cells;

/// The deepest that things can be opened on top of each other; then the oldest level is left out.
const MAX_DEPTH: usize = 32;

/// To a tab, out of everything that was opened.
pub(super) fn go(state: &mut State, tab: Tab) {
    state.stack.clear();
    state.tab = tab;
}

/// Into what is selected.
pub(super) fn open(state: &mut State) {
    match state.stack.last() {
        Some(Level::Detail(detail)) => match detail.subject {
            Subject::Task(..) => to_site(state),
            Subject::Site(..) => to_tasks(state),
            Subject::Finding(_) => to_task(state),
        },
        _ => open_row(state),
    }
}

fn open_row(state: &mut State) {
    let tab = state.current_tab();
    let Some(row) = state.list().and_then(List::selected_row).map(|row| row.id.clone()) else { return };
    match row {
        RowId::Process(boot) => {
            enter_scope(state, Scope::Process(boot));
            go(state, Tab::Tasks);
        }
        RowId::Site(_) => to_tasks(state),
        RowId::Worker(..) => to_task(state),
        RowId::Task(..) | RowId::Finding(_) => {
            if let Some(subject) = Subject::of_row(&row, state.scope_of(tab)) {
                push(state, Level::Detail(Detail::new(subject)));
            }
        }
    }
}

/// Looks at another scope: what is known of the old one must not be shown as the new one's.
fn enter_scope(state: &mut State, scope: Scope) {
    if state.scope == scope {
        return;
    }
    state.scope = scope;
    state.answers.overview = None;
    state.answers.panel = None;
    state.answers.findings = None;
    for tab in Tab::ALL.into_iter().filter(|tab| *tab != Tab::Fleet) {
        let old = &state.roots[tab.index()];
        let (filter, sort) = (old.filter.clone(), old.sort.clone());
        state.roots[tab.index()] = List::new(tab).asking(filter, sort);
    }
}

fn push(state: &mut State, level: Level) {
    if state.stack.len() >= MAX_DEPTH {
        state.stack.remove(0);
    }
    state.stack.push(level);
    state.answers.panel = None;
}

/// Out one level: what was opened, then the filter, then the process back to the fleet. Never out
/// of the program.
pub(super) fn back(state: &mut State) {
    if state.stack.pop().is_some() {
        state.answers.panel = None;
        return;
    }
    let list = &mut state.roots[state.tab.index()];
    if !list.filter.is_empty() {
        list.filter.clear();
        list.error = None;
        list.restart();
    } else if state.scope != state.home {
        enter_scope(state, state.home);
        go(state, Tab::Fleet);
    }
}

/// To the task of the selected worker or finding.
pub(super) fn to_task(state: &mut State) {
    let known = shown_finding(state)
        .map(|finding| (finding.task, finding.site.clone(), finding.process.clone(), finding.last_ns));
    let scope = state.scope_of(state.current_tab());
    if let Some((task, site, process, last_ns)) = known {
        match (boot_of(state, &process), task) {
            (Some(boot), Some(task)) => {
                push(state, Level::Detail(Detail::new(Subject::Task(boot, task))));
                state.flight.show(last_ns);
            }
            _ if site.is_empty() => state.notify("this finding is about no single task or site"),
            _ => push(state, Level::Detail(Detail::new(Subject::Site(scope, site)))),
        }
        return;
    }
    match selected(state) {
        Some((RowId::Worker(boot, _), Some(task), _)) => {
            push(state, Level::Detail(Detail::new(Subject::Task(boot, task))));
        }
        Some((RowId::Worker(..), None, _)) => state.notify("this worker polls no task that is seen"),
        _ => {}
    }
}

/// To the site of what is selected.
pub(super) fn to_site(state: &mut State) {
    let scope = state.scope_of(state.current_tab());
    let site = match state.stack.last() {
        Some(Level::Detail(detail)) => match detail.answer.as_deref() {
            Some(Answer::Task(task)) => cells::site(&task.row),
            Some(Answer::Finding(finding)) => Some(finding.site.clone()).filter(|site| !site.is_empty()),
            _ => None,
        },
        _ => selected(state).and_then(|(_, _, site)| site),
    };
    match site {
        Some(site) => push(state, Level::Detail(Detail::new(Subject::Site(scope, site)))),
        None => state.notify("its spawn site is not known"),
    }
}

/// To the tasks of the selected site.
pub(super) fn to_tasks(state: &mut State) {
    let site = match state.stack.last() {
        Some(Level::Detail(Detail { subject: Subject::Site(_, site), .. })) => Some(site.clone()),
        _ => selected(state).and_then(|(_, _, site)| site),
    };
    let Some(site) = site else { return };
    let filter = format!("site={}", quoted(&site));
    push(state, Level::List(List::new(Tab::Tasks).asking(filter, Vec::new())));
}

/// Text as one word of the filter's grammar.
fn quoted(text: &str) -> String {
    let plain = !text.is_empty()
        && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '/' | '.' | ':' | '_' | '-' | '\\'));
    if plain { text.to_owned() } else { format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")) }
}

/// The manual text of the detector behind what is selected.
pub(super) fn explain(state: &mut State) {
    let detector = shown_finding(state).map(|finding| finding.detector.clone()).or_else(|| {
        let row = state.list().and_then(List::selected_row)?;
        cells::detectors(row).into_iter().next()
    });
    match detector {
        Some(detector) => explain_text(state, &detector),
        None => state.notify("no finding here; `:explain DETECTOR` tells about any rule"),
    }
}

/// Opens the manual text of a detector.
pub(super) fn explain_text(state: &mut State, detector: &str) {
    match (state.explain)(detector) {
        Some(body) => {
            let title = format!("explain {detector}");
            state.overlay = Some(Overlay::Text(Text { title, body, scroll: 0 }));
        }
        None => state.notify(format!("no detector `{detector}`; Tab after `:explain ` lists them")),
    }
}

/// The finding that is on screen, or the first one about what is on screen.
fn shown_finding(state: &State) -> Option<&pollscope_model::finding::Finding> {
    let answer = match state.stack.last() {
        Some(Level::Detail(detail)) => detail.answer.as_deref(),
        _ if panel_is_current(state) => state.answers.panel.as_deref(),
        _ => None,
    };
    match answer? {
        Answer::Finding(finding) => Some(finding),
        Answer::Task(task) => task.findings.first(),
        Answer::Site(site) => site.findings.first(),
        _ => None,
    }
}

/// Whether the panel's answer is about the row under the cursor, not about the one before.
fn panel_is_current(state: &State) -> bool {
    state.answers.standing.iter().any(|standing| standing.slot == Slot::Panel && standing.answered)
}

/// The process of that label: the scope's, the only one, or the one that the fleet's list calls so.
fn boot_of(state: &State, label: &str) -> Option<BootId> {
    if let Scope::Process(boot) = state.scope {
        return Some(boot);
    }
    if let Some([only]) = state.answers.overview.as_ref().map(|overview| overview.hellos.as_slice()) {
        return Some(only.boot);
    }
    let fleet = state.roots[Tab::Fleet.index()].page.as_ref()?;
    fleet.rows.iter().find_map(|row| match row.id {
        RowId::Process(boot) if cells::text(row, "process") == label => Some(boot),
        _ => None,
    })
}

/// Id, task and site of the selected row.
fn selected(state: &State) -> Option<(RowId, Option<TaskId>, Option<Arc<str>>)> {
    let row = state.list().and_then(List::selected_row)?;
    Some((row.id.clone(), cells::task(row), cells::site(row)))
}
