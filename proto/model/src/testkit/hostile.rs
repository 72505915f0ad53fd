//! A name that means harm to whatever shows it, and the search for what is left of it in a text.
//!
//! For the tests of every writer, in every crate: each is given [`HOSTILE`] wherever a process may say something,
//! and [`raw`] of what it wrote has to be empty.

use std::sync::Arc;

use super::{Script, comparison, hello, verdict};
use crate::dict::{Frame, Stack};
use crate::entity::runtime::{RuntimeRecord, WorkerDelta};
use crate::entity::stall::Stall;
use crate::finding::Finding;
use crate::id::{RuntimeId, WorkerId};
use crate::measured::Mode;
use crate::report::Report;
use crate::text::is_unsafe;
use crate::time::{MILLISECOND, SECOND};
use crate::verdict::{Undecided, Verdict};

/// What the forged line says, at its begin.
const FORGED: &str = "::error::forged";

/// A formula in front; then what moves a cursor, what a terminal obeys, what ends a line for a program or for a
/// reader, what reorders and what hides; and a line that would be a workflow command of GitHub's.
pub const HOSTILE: &str = "=cmd()\u{1b}[2J\u{1b}]0;title\u{7}\u{8}\u{7f}\u{85}\u{9b}31m\u{202e}b\u{2066}c\u{200f}\
                           \u{feff}d\u{2028}e\u{2029}f\u{e0041}\t\r\n::error::forged";

/// What of [`HOSTILE`] the text holds as it is: unsafe characters other than line feeds and those in `own`, which
/// are the writer's, and lines that begin with the forged one. Empty for a text that harms no reader.
pub fn raw(text: &str, own: &[char]) -> Vec<String> {
    let unsafe_chars = text.chars().filter(|c| *c != '\n' && is_unsafe(*c) && !own.contains(c));
    let mut found: Vec<String> = unsafe_chars.map(|c| format!("U+{:04X}", u32::from(c))).collect();
    found.extend(text.lines().filter(|line| line.trim_start().starts_with(FORGED)).map(str::to_owned));
    found.sort();
    found.dedup();
    found
}

/// A process that says [`HOSTILE`] of everything that it may name: a slow task with a stack, an open poll that stands
/// still, a runtime with a worker. The script stands at the end of its reports, which follow each other.
pub fn hostile() -> (Script, Vec<Report>) {
    let mut hello = hello(HOSTILE, 100);
    (hello.version, hello.process.host) = (HOSTILE.to_owned(), HOSTILE.to_owned());
    (hello.process.exe, hello.process.build) = (HOSTILE.to_owned(), HOSTILE.to_owned());
    hello.mode = Mode::Wrap;
    hello.capabilities.iter_mut().for_each(|capability| HOSTILE.clone_into(&mut capability.reason));
    let mut script = Script::of(hello);
    let site = script.site(&format!("{HOSTILE}:88:9"));
    let name = script.name(HOSTILE);
    let slow = script.spawn_named(site, HOSTILE, HOSTILE);
    let stuck = script.spawn_named(site, HOSTILE, HOSTILE);
    let frame = || Frame { function: HOSTILE.into(), file: Some(HOSTILE.into()), line: 90, users: true };
    let stack = script.stack(Stack { frames: vec![frame(), frame()], ..Stack::default() });
    let id = WorkerId { runtime: RuntimeId(0), index: 0 };
    script.runtime(RuntimeRecord { id: RuntimeId(0), name, workers: 1, ..RuntimeRecord::default() });
    script.edit(slow, |task| task.runtime = Some(RuntimeId(0)));
    script.open_poll(stuck, 0);
    let since_ns = script.now_ns().max(1);
    script.stalls(vec![Stall {
        worker: Some(id),
        thread: name,
        task: Some(stuck),
        site: Some(site),
        since_ns,
        stack: Some(stack),
        waiting_in: Some(name),
        ..Stall::default()
    }]);
    let mut reports = Vec::new();
    for _ in 0..12 {
        script.slow_poll(slow, 150 * MILLISECOND, MILLISECOND, MILLISECOND);
        script.edit_slow_poll(|poll| (poll.stack, poll.waiting_in) = (Some(stack), Some(name)));
        script.worker(&WorkerDelta {
            id,
            thread: name,
            busy_ns: SECOND / 2,
            interval_ns: SECOND,
            polling: Some((stuck, since_ns)),
            ..WorkerDelta::default()
        });
        reports.push(script.second());
    }
    (script, reports)
}

/// The made-up verdict in which every word that a process chose is that text.
pub fn verdict_saying(text: &str) -> Verdict {
    let mut verdict = verdict();
    let said: Arc<str> = text.into();
    verdict.findings.iter_mut().for_each(|finding| set_texts(finding, &said));
    for allowed in &mut verdict.allowed {
        set_texts(&mut allowed.finding, &said);
        allowed.reason = said.clone();
    }
    for one in &mut verdict.expectations_unused {
        (one.detector, one.site) = (said.clone(), Some(said.clone()));
        (one.reason, one.place) = (said.clone(), Some(said.clone()));
    }
    verdict.undecided = vec![Undecided { rule: said.clone(), reason: said.clone(), over_limit: true }];
    verdict.armed.why = Some(said.clone());
    verdict.refused = vec![said.clone()];
    for subject in &mut verdict.subjects {
        (subject.process, subject.recording) = (said.clone(), Some(said.clone()));
    }
    verdict.distributions.clear();
    let mut comparison = comparison();
    for one in &mut comparison.figures {
        (one.site.process, one.site.key) = (said.clone(), said.clone());
        (one.site.place, one.reason) = (format!("{said}:88:9").into(), said.clone());
    }
    for site in comparison.new.iter_mut().chain(&mut comparison.vanished) {
        (site.process, site.key, site.place) = (said.clone(), said.clone(), said.clone());
    }
    comparison.notes = vec![said.clone()];
    verdict.comparison = Some(comparison);
    verdict.notes = vec![said];
    verdict
}

fn set_texts(finding: &mut Finding, said: &Arc<str>) {
    let words = [
        &mut finding.detector,
        &mut finding.fingerprint,
        &mut finding.scope,
        &mut finding.task_name,
        &mut finding.process,
        &mut finding.waiting_in,
        &mut finding.headline,
        &mut finding.why,
        &mut finding.fix,
    ];
    for word in words {
        *word = said.clone();
    }
    finding.site = format!("{said}:88:9").into();
    finding.line = format!("{said}:93").into();
    finding.stack = vec![format!("{said} ({said}:93)").into(), said.clone()];
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::clean;

    #[test]
    fn it_is_found_raw_and_not_found_clean() {
        let found = raw(HOSTILE, &[]);
        assert!(found.len() > 12 && found.iter().any(|one| one == FORGED), "{found:?}");
        assert_eq!(raw(&clean(HOSTILE), &[]), Vec::<String>::new());
        assert_eq!(raw("a\u{200b}b", &['\u{200b}']), Vec::<String>::new());
    }
}
