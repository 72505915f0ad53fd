//! What the body says when there are no rows to show: on the way, nothing there, not measured, not
//! connected. Each with the next step to take.

use pollscope_model::measured::{Coverage, Metric};

use super::Screen;
use super::text::Line;
use crate::output::fmt;
use crate::screens::state::hits::Area;
use crate::screens::state::list::List;
use crate::screens::state::{State, Tab};
use crate::screens::theme::Role;
use crate::sources::Status;

/// Whether what is shown is the last state of something that went away.
pub(super) fn is_stale(state: &State) -> bool {
    matches!(state.link, Status::Lost { .. } | Status::Ended { .. } | Status::Refused { .. })
}

/// Says on top of the body that the target went away; returns what is left of the body.
pub(super) fn banner(state: &State, body: Area, screen: &mut Screen) -> Area {
    let text = match &state.link {
        Status::Lost { reason, attempts } => {
            let tried = match attempts {
                0 => "trying again".to_owned(),
                1 => "tried once, trying on".to_owned(),
                n => format!("tried {} times, trying on", fmt::thousands(u64::from(*n))),
            };
            format!("LOST: {reason}. {tried}; below is the last known state.")
        }
        Status::Ended { reason, .. } => format!("ENDED: {reason}; below is the last known state."),
        Status::Refused { reason } => format!("REFUSED: {reason}"),
        Status::Connecting { .. } | Status::Connected { .. } => return body,
    };
    let width = body.w as usize;
    let mut lines = fmt::wrap(&text, width.saturating_sub(4));
    lines.truncate(4);
    let (top, rest) = body.split(lines.len() as u16);
    let lines = lines.into_iter().enumerate().map(|(at, line)| {
        Line::of(Role::Bad, format!(" {} {line}", if at == 0 { '!' } else { ' ' })).cut(width)
    });
    screen.put(top, lines.collect());
    rest
}

/// The whole body, where nothing is known that could be shown.
pub(super) fn instead(state: &State, width: usize) -> Option<Vec<Line>> {
    let nothing_known = state.answers.overview.is_none()
        && state.stack.is_empty()
        && state.list().is_none_or(|list| list.page.is_none());
    if !nothing_known {
        return None;
    }
    let paragraphs = match &state.link {
        Status::Connecting { target } => vec![
            format!("Connecting to {target} …"),
            "Nothing yet? `pollscope ps` lists the processes that can be seen from here, and \
             `pollscope doctor TARGET` says why one cannot."
                .to_owned(),
        ],
        Status::Connected { label } => vec![
            format!("Connected to {label}; waiting for the first report."),
            "It should come within a second or two.".to_owned(),
        ],
        Status::Lost { .. } => vec![
            "Nothing was received before the connection was lost.".to_owned(),
            "It is tried again until it works; q quits.".to_owned(),
        ],
        Status::Ended { .. } => {
            vec!["It has ended, and nothing was received before; q quits.".to_owned()]
        }
        Status::Refused { .. } => vec!["It is not tried again: q quits.".to_owned()],
    };
    Some(paragraphs_lines(&paragraphs, width))
}

/// An answer is on the way.
pub(super) fn waiting(width: usize) -> Vec<Line> {
    paragraphs_lines(&["Waiting for the answer …".to_owned()], width)
}

/// What stands instead of a list's rows, if there are none.
pub(super) fn no_rows(state: &State, list: &List, width: usize) -> Option<Vec<Line>> {
    let Some(page) = &list.page else {
        let said = match &list.error {
            Some(error) => format!("This cannot be listed: {error}"),
            None => "Waiting for the rows …".to_owned(),
        };
        return Some(paragraphs_lines(&[said], width));
    };
    if page.matched > 0 {
        return None;
    }
    let paragraphs = if let Some(percent) = page.meta.loading {
        let filtered = if page.total > 0 { " and passes the filter" } else { "" };
        vec![
            format!("Nothing that is in so far{filtered} is listed here: {percent}% of the state is in."),
            "The rest is on its way; rules judge when all of it is in.".to_owned(),
        ]
    } else if page.total > 0 {
        vec![
            format!(
                "None of {} {} matches the filter {}",
                fmt::thousands(page.total),
                noun(list.tab),
                list.filter
            ),
            "/ changes the filter, Esc takes it away.".to_owned(),
        ]
    } else {
        not_measured(state, list.tab).unwrap_or_else(|| empty(state, list.tab))
    };
    Some(paragraphs_lines(&paragraphs, width))
}

/// What the tab's rows are called.
pub(super) const fn noun(tab: Tab) -> &'static str {
    match tab {
        Tab::Fleet => "processes",
        Tab::Tasks => "tasks",
        Tab::Sites => "sites",
        Tab::Workers => "workers",
        Tab::Findings => "findings",
    }
}

/// Why the rows cannot be measured, if no process in the scope measures them.
fn not_measured(state: &State, tab: Tab) -> Option<Vec<String>> {
    let metric = match tab {
        Tab::Tasks => Metric::Polls,
        Tab::Sites => Metric::SpawnSites,
        Tab::Workers => Metric::WorkerBusy,
        Tab::Fleet | Tab::Findings => return None,
    };
    let hellos = &state.answers.overview.as_deref()?.hellos;
    if hellos.is_empty() || hellos.iter().any(|hello| hello.coverage(metric) != Coverage::NoTask) {
        return None;
    }
    let reasons = hellos.iter().filter_map(|hello| {
        let capability = hello.capabilities.iter().find(|capability| capability.metric == metric)?;
        (!capability.reason.is_empty()).then(|| format!("{}: {}", hello.process.name, capability.reason))
    });
    let mut said = vec![format!("Not measured: {} are not seen in mode {}.", noun(tab), hellos[0].mode)];
    said.extend(reasons.take(5));
    said.push("`pollscope doctor` lists what is measured and what to change.".to_owned());
    Some(said)
}

fn empty(state: &State, tab: Tab) -> Vec<String> {
    let (what, next) = match tab {
        Tab::Fleet => (
            "No process is known yet.",
            "Start a service that has `pollscope::init()`, or `pollscope demo` to see one.",
        ),
        Tab::Tasks => (
            "No task is alive.",
            "Tasks appear here when they are spawned. In mode `wrap` only `pollscope::spawn` is seen.",
        ),
        Tab::Sites => ("No spawn site is known yet.", "Sites appear here when tasks are spawned."),
        Tab::Workers => (
            "No worker is known yet.",
            "Runtimes appear here once pollscope is initialised inside of them, or attached to them.",
        ),
        Tab::Findings => {
            let overview = state.answers.overview.as_deref();
            let all_judge = overview.is_some_and(|all| all.undecided.is_empty());
            let in_doubt = overview.is_some_and(|all| !all.set_aside.is_empty());
            (
                if in_doubt {
                    "No finding, but evidence over a limit."
                } else {
                    "No finding: no rule has fired."
                },
                if in_doubt {
                    "It proves nothing here, for the reasons that are listed below."
                } else if all_judge {
                    "Every rule can judge what it sees."
                } else {
                    "Rules that cannot judge yet are listed below, with the reason."
                },
            )
        }
    };
    vec![what.to_owned(), next.to_owned()]
}

fn paragraphs_lines(paragraphs: &[String], width: usize) -> Vec<Line> {
    let mut lines = vec![Line::new()];
    for (at, paragraph) in paragraphs.iter().enumerate() {
        let role = if at == 0 { Role::Title } else { Role::Text };
        for line in fmt::wrap(paragraph, width.saturating_sub(6)) {
            lines.push(Line::of(role, format!("   {line}")));
        }
    }
    lines
}
