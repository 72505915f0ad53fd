//! What a reader should know before believing the numbers, in full sentences: what is not measured
//! and why, what was lost, who is gone.

use std::sync::Arc;

use super::flag::FindingSource;
use crate::entity::presence::Presence;
use crate::measured::{Capability, Coverage, Mode};
use crate::report::Detail;
use crate::time::Nanos;
use crate::value::Value;
use crate::world::Process;

/// Notes shown at most; how many more there are is the last one.
const NOTES: usize = 24;

/// Reasons for stacks without lines, of one process.
const REASONS: usize = 3;

/// Processes that are named with what they lost.
const LOSERS: usize = 8;

/// Notes about the scope. Capabilities are told in full for a single process; for several, only of
/// those that see no task at all.
pub(super) fn notes(scope: &[&Process], source: &dyn FindingSource, now_unix_ns: u64) -> Vec<Arc<str>> {
    let mut notes = Vec::new();
    notes.extend(lossy_processes(scope));
    for process in scope {
        presence(process, now_unix_ns, &mut notes);
        losses(process, &mut notes);
        lines(process, &mut notes);
        notes.extend(source.note(process.boot()));
    }
    for process in scope {
        if let [_] = scope {
            capabilities(process, &mut notes);
        } else if process.hello().mode == Mode::Sample {
            notes.push(format!("{} sends totals only: no single task is seen.", process.label()));
        }
    }
    let more = notes.len().saturating_sub(NOTES);
    if more > 0 {
        notes.truncate(NOTES);
        notes.push(format!("There are {more} more notes: choose one process to read them."));
    }
    notes.into_iter().map(Into::into).collect()
}

/// Of several processes, how many lost something and which of them most: a sum does not tell.
fn lossy_processes(scope: &[&Process]) -> Option<String> {
    let mut lost: Vec<(u64, &str)> =
        scope.iter().map(|process| (process.lost(), &**process.label())).collect();
    lost.retain(|(lost, _)| *lost > 0);
    if scope.len() < 2 || lost.is_empty() {
        return None;
    }
    lost.sort_by_key(|(lost, label)| (std::cmp::Reverse(*lost), *label));
    let named = lost.iter().take(LOSERS).map(|(lost, label)| format!("{label} ({})", Value::Count(*lost)));
    let named = named.collect::<Vec<_>>().join(", ");
    let more = match lost.len().saturating_sub(LOSERS) {
        0 => String::new(),
        more => format!(", and {more} more with less"),
    };
    Some(format!("{} of {} processes lost something: {named}{more}.", lost.len(), scope.len()))
}

fn presence(process: &Process, now_unix_ns: u64, notes: &mut Vec<String>) {
    let label = process.label();
    match process.presence() {
        Presence::Live => {}
        Presence::Stale => {
            let silent = Nanos(now_unix_ns.saturating_sub(process.received_unix_ns()));
            notes.push(format!("{label} has sent no report for {silent}: what is shown is as of then."));
        }
        Presence::Gone => {
            let since = Value::Time(process.gone_since().unwrap_or(0));
            let reason = process.gone_reason().map_or("", |reason| reason);
            notes.push(format!("{label} is gone since {since} UTC ({reason}): its last state is shown."));
        }
    }
}

/// Why stacks that were taken have no line, or were not taken.
fn lines(process: &Process, notes: &mut Vec<String>) {
    let label = process.label();
    let reasons = process.dictionary().missing_lines();
    notes.extend(
        reasons.into_iter().take(REASONS).map(|why| format!("Stacks of {label} without a line: {why}.")),
    );
}

fn losses(process: &Process, notes: &mut Vec<String>) {
    let label = process.label();
    let gaps = process.gaps();
    if gaps.reports > 0 {
        let totals = if process.needs_snapshot() {
            "totals are short of them until a snapshot comes"
        } else {
            "totals are exact again, time is coarser there"
        };
        notes.push(format!("{} of {label} never arrived: {totals}.", count(gaps.reports, "report")));
    } else if let Some((part, parts)) = process.loading().filter(|(part, _)| *part > 0) {
        let when = if process.presence() == Presence::Gone { "before it went" } else { "so far" };
        notes.push(format!(
            "{label} told {part} of {parts} parts of its state {when}: task rows are not complete, and no \
             rule has judged it."
        ));
    } else if process.needs_snapshot() && process.presence() == Presence::Live {
        notes.push(format!("Totals of {label} are not complete until its first snapshot is in."));
    }
    let lost = process.losses();
    let kinds = [
        (lost.tasks_uncounted, "task without a row of its own"),
        (lost.slow_polls, "slow poll without evidence"),
        (lost.ended_rows, "end of a task without its last row"),
        (lost.dict_entries, "site or name over the limit"),
        (lost.runtimes_unseen, "runtime that is not observed"),
        (lost.threads_uncounted, "thread whose polls are in no total"),
    ];
    let told: Vec<String> =
        kinds.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} × {what}")).collect();
    if !told.is_empty() {
        notes.push(format!("The recorder of {label} had no room for all: {}.", told.join(", ")));
    }
    if lost.dict_entries > 0 {
        notes.push(format!(
            "{label} is over the limit of sites, names or stacks: what is beyond has none. A name stands for the \
             kind of a task, `task(\"conn\")`, and not for the single one, `task(format!(\"conn-{{id}}\"))`; the \
             same with scopes."
        ));
    }
    let doors = [(lost.connections_refused, "connection"), (lost.viewers_refused, "viewer")];
    let refused: Vec<String> =
        doors.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| count(n, what)).collect();
    if !refused.is_empty() {
        notes.push(format!(
            "The door of {label} refused {}: too many at a time or in a second, or none of their requests came in \
             time. Close viewers that hang, and see who connects.",
            refused.join(" and ")
        ));
    }
    if lost.reports_folded > 0 {
        let folded = count(lost.reports_folded, "report");
        notes.push(format!(
            "{label} folded {folded} into later ones while they were not taken: time is coarser there, \
             totals are exact."
        ));
    }
    let refused = process.refused().total().saturating_add(process.dictionary().refused());
    if refused > 0 {
        notes.push(format!("{} of {label} found no room here.", count(refused, "entry")));
    }
    if process.reduced_sites() > 0 {
        let sites = count(process.reduced_sites() as u64, "site");
        notes.push(format!(
            "{sites} of {label} kept with coarser times or without history: all of them together hold too much \
             memory here; counts and maxima are exact."
        ));
    }
    if process.retired_early() > 0 {
        let early = count(process.retired_early(), "ended task");
        notes.push(format!(
            "{early} of {label} left the list early, too many ended at once; sites count them."
        ));
    }
    if process.detail() == Detail::Top {
        notes.push(format!("{label} tells only the tasks that stand out; its sites count all."));
    }
}

/// One sentence for each reason, with all metrics that it explains.
fn capabilities(process: &Process, notes: &mut Vec<String>) {
    let told = |coverage: Coverage, begin: &str, notes: &mut Vec<String>| {
        let mut by_reason: Vec<(&str, Vec<&str>)> = Vec::new();
        let of = |capability: &&Capability| capability.coverage == coverage;
        for capability in process.hello().capabilities.iter().filter(of) {
            let (reason, metric) = (capability.reason.as_str(), capability.metric.as_str());
            match by_reason.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, metrics)) => metrics.push(metric),
                None => by_reason.push((reason, vec![metric])),
            }
        }
        for (reason, metrics) in by_reason {
            let reason = if reason.is_empty() { "it gives no reason" } else { reason };
            notes.push(format!("{begin}: {} ({}).", metrics.join(", "), reason.trim_end_matches('.')));
        }
    };
    told(Coverage::NoTask, "Not measured here", notes);
    told(Coverage::Wrapped, "Measured only for tasks spawned through pollscope", notes);
}

fn count(n: u64, what: &str) -> String {
    match (n, what.strip_suffix('y')) {
        (1, _) => format!("1 {what}"),
        (n, Some(stem)) => format!("{n} {stem}ies"),
        (n, None) => format!("{n} {what}s"),
    }
}
