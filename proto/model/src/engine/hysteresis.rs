//! The findings of one process: which signal has lasted long enough to be a finding, which finding is
//! over. Hysteresis lives here and nowhere else.
//!
//! A key goes from candidate (seen, not yet for long enough) to open, to closed, and back to open under
//! the same number. Bounded: what finds no room is counted.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::found::TrackedFinding;
use crate::detect::ALL;
use crate::detect::signal::{Count, FindingKey, PollFacts, Signal};
use crate::detect::view::View;
use crate::dict::Stack;
use crate::finding::Finding;
use crate::fingerprint::{fingerprint, with_frame};
use crate::level::Level;
use crate::policy::Policy;
use crate::rule::Rule;
use crate::time::SECOND;

/// The most keys of one process, whatever their phase.
const MAX_ENTRIES: usize = 1_024;
/// The most findings that one process may open in a minute; others wait their turn.
const OPENED_PER_MINUTE: u32 = 64;

/// Where a key is in its life.
#[derive(Clone, Debug)]
enum Phase {
    /// Signalled since, on the process's clock, but not for long enough.
    Candidate { since_ns: u64 },
    /// A finding, open or closed.
    Found(Box<TrackedFinding>),
}

#[derive(Clone, Debug)]
struct Entry {
    phase: Phase,
    /// When it was last signalled, at whatever strength.
    seen_ns: u64,
    /// Last [`Count::Total`] or [`Count::Event`].
    counted: Option<u64>,
}

/// See the [module](self).
#[derive(Clone, Debug, Default)]
pub(super) struct Hysteresis {
    entries: BTreeMap<(usize, FindingKey), Entry>,
    minute: u64,
    opened: u32,
    refused: u64,
}

impl Hysteresis {
    /// Findings, open and closed, by detector and key.
    pub(super) fn found(&self) -> impl Iterator<Item = &TrackedFinding> + '_ {
        self.entries.values().filter_map(|entry| match &entry.phase {
            Phase::Found(found) => Some(&**found),
            Phase::Candidate { .. } => None,
        })
    }

    /// Whether a finding about that is open, above `allow`.
    pub(super) fn is_open(&self, detector: usize, key: FindingKey) -> bool {
        self.entries.get(&(detector, key)).is_some_and(|entry| match &entry.phase {
            Phase::Found(found) => found.shown.open && found.shown.level > Level::Allow,
            Phase::Candidate { .. } => false,
        })
    }

    /// Whether a finding about that is open, at whatever level.
    pub(super) fn is_told(&self, detector: usize, key: FindingKey) -> bool {
        self.found_about(detector, key).any(|found| found.shown.open)
    }

    /// The level of the finding about that, open or closed.
    pub(super) fn level_of(&self, detector: usize, key: FindingKey) -> Option<Level> {
        self.found_about(detector, key).map(|found| found.shown.level).max()
    }

    /// The detector's findings about that; about the process are all of them, about a site those of its lines.
    fn found_about(&self, detector: usize, key: FindingKey) -> impl Iterator<Item = &TrackedFinding> + '_ {
        let about = move |found: &&TrackedFinding| {
            let is_part = match (found.key, key) {
                (_, FindingKey::Process) => true,
                (FindingKey::Line(site, _), FindingKey::Site(of)) => site == of,
                _ => false,
            };
            found.detector == detector && (found.key == key || is_part)
        };
        self.found().filter(about)
    }

    /// Signals for which there was no room.
    pub(super) fn refused(&self) -> u64 {
        self.refused
    }

    /// Takes what a detector said at this look. `number` gives the next finding's number.
    pub(super) fn take(
        &mut self,
        view: &View<'_>,
        detector: usize,
        rule: &Rule,
        signals: Vec<Signal>,
        number: &mut u64,
    ) {
        let now_ns = view.moment.now_ns;
        for signal in signals {
            self.put(view, detector, rule, signal, number);
        }
        // What was not signalled at this look: candidates are dropped, findings close in time.
        let of_it = (detector, FindingKey::Process)..(detector + 1, FindingKey::Process);
        let mut over = Vec::new();
        for (key, entry) in self.entries.range_mut(of_it) {
            match &mut entry.phase {
                Phase::Candidate { .. } if entry.seen_ns < now_ns => over.push(*key),
                Phase::Found(found) if now_ns >= entry.seen_ns.saturating_add(rule.clear_ns.max(1)) => {
                    found.shown.open = false;
                }
                _ => {}
            }
        }
        for key in over {
            self.entries.remove(&key);
        }
    }

    fn put(&mut self, view: &View<'_>, detector: usize, rule: &Rule, signal: Signal, number: &mut u64) {
        let now_ns = view.moment.now_ns;
        let key = (detector, signal.key);
        self.name_line(view, detector, signal.key);
        if !self.entries.contains_key(&key) {
            // What is merely near a limit begins nothing.
            if signal.level.is_none() {
                return;
            }
            if self.entries.len() >= MAX_ENTRIES && !self.make_room() {
                self.refused += 1;
                return;
            }
            let phase = Phase::Candidate { since_ns: now_ns };
            self.entries.insert(key, Entry { phase, seen_ns: now_ns, counted: None });
        }
        let (minute, opened) = (&mut self.minute, &mut self.opened);
        let mut may_open = || {
            if now_ns / (60 * SECOND) != *minute {
                (*minute, *opened) = (now_ns / (60 * SECOND), 0);
            }
            *opened += 1;
            *opened <= OPENED_PER_MINUTE
        };
        let Some(entry) = self.entries.get_mut(&key) else { return };
        match &mut entry.phase {
            Phase::Candidate { since_ns } => {
                entry.seen_ns = now_ns;
                if signal.level.is_none() {
                    *since_ns = now_ns;
                } else if now_ns.saturating_sub(*since_ns) >= rule.for_ns && may_open() {
                    *number += 1;
                    let first_ns = *since_ns;
                    entry.counted = identity(signal.count);
                    entry.phase =
                        Phase::Found(Box::new(open(view, detector, rule, signal, *number, first_ns)));
                }
            }
            Phase::Found(found) => {
                // A total that has not grown is old news, unless what was counted turns out to be worse: the evidence
                // of a slow poll comes after its count. So is what is merely near, once closed.
                let is_worse = found.shown.open
                    && signal.level.is_some_and(|level| level.min(rule.level) > found.shown.level);
                let again = match signal.count {
                    Count::Total(n) => is_worse || entry.counted.is_none_or(|before| n > before),
                    Count::Again(_) | Count::Event(_) | Count::Now(_) => true,
                };
                if !again || (!found.shown.open && (signal.level.is_none() || !may_open())) {
                    return;
                }
                entry.seen_ns = now_ns;
                update(view, rule, found, signal, &mut entry.counted);
            }
        }
    }

    /// What was found at a library's site before a line of the user's was seen is the finding of that line from then on,
    /// as long as the site has no other: the polls are the same ones.
    fn name_line(&mut self, view: &View<'_>, detector: usize, key: FindingKey) {
        let FindingKey::Line(site, line) = key else { return };
        let is_sole = || view.site(site).is_some_and(|observed| observed.view.is_sole(line));
        if self.entries.contains_key(&(detector, key)) || !is_sole() {
            return;
        }
        let of_site = (detector, FindingKey::Site(site));
        let is_unseen = |entry: &Entry| match &entry.phase {
            Phase::Candidate { .. } => true,
            Phase::Found(found) => found.shown.stack.is_empty(),
        };
        if self.entries.get(&of_site).is_some_and(is_unseen)
            && let Some(mut entry) = self.entries.remove(&of_site)
        {
            if let Phase::Found(found) = &mut entry.phase {
                found.key = key;
                found.shown.line = line_text(view, key);
            }
            self.entries.insert((detector, key), entry);
        }
    }

    /// Forgets the finding that has been closed for longest.
    fn make_room(&mut self) -> bool {
        let closed = self.entries.iter().filter(|(_, entry)| match &entry.phase {
            Phase::Found(found) => !found.shown.open,
            Phase::Candidate { .. } => false,
        });
        let oldest = closed.min_by_key(|(_, entry)| entry.seen_ns).map(|(key, _)| *key);
        oldest.is_some_and(|key| self.entries.remove(&key).is_some())
    }
}

fn identity(count: Count) -> Option<u64> {
    match count {
        Count::Total(n) | Count::Event(n) => Some(n),
        Count::Again(_) | Count::Now(_) => None,
    }
}

/// A finding that needs no look to follow: what it is about, in full.
pub(crate) fn to_finding(view: &View<'_>, detector: usize, signal: Signal) -> Finding {
    let mut rule = Policy::default().rule(detector).clone();
    rule.level = Level::Deny;
    open(view, detector, &rule, signal, 0, view.moment.now_ns).shown
}

/// The line that a finding is about, or an empty text.
fn line_text(view: &View<'_>, key: FindingKey) -> Arc<str> {
    match key {
        FindingKey::Line(_, line) => view.moment.process.dictionary().line_text(line),
        _ => "".into(),
    }
}

fn open(
    view: &View<'_>,
    detector: usize,
    rule: &Rule,
    signal: Signal,
    number: u64,
    first_ns: u64,
) -> TrackedFinding {
    let process = view.moment.process;
    let id = ALL[detector].id;
    let dictionary = process.dictionary();
    let name = match signal.key {
        FindingKey::Process => "".into(),
        FindingKey::Site(site) | FindingKey::Line(site, _) => view.name(view.first_name(site)),
        FindingKey::Named(_, name) | FindingKey::Thread(name) => view.name(name),
        FindingKey::Worker(worker) => view.worker_text(worker).into(),
    };
    let (file, site): (_, Arc<str>) = match signal.key.site() {
        Some(site) => (dictionary.site(site).file, Arc::from(dictionary.site(site).to_string())),
        None => (Arc::from(process.hello().process.name.as_str()), Arc::from("")),
    };
    let is_route = signal.key.site().is_some_and(|site| view.is_route(site));
    let scope = if is_route { site.clone() } else { Arc::from("") };
    let mut found = TrackedFinding {
        boot: process.boot(),
        detector,
        key: signal.key,
        framed: false,
        shown: Finding {
            number,
            fingerprint: fingerprint(id, &file, &name).into(),
            site,
            line: line_text(view, signal.key),
            scope,
            process: process.label().clone(),
            value: signal.value.clone(),
            limit: signal.limit.clone(),
            first_ns: process.hello().anchor.to_unix_ns(first_ns),
            open: true,
            ..Finding::new(id, Level::Allow)
        },
    };
    update(view, rule, &mut found, signal, &mut None);
    found
}

fn update(
    view: &View<'_>,
    rule: &Rule,
    found: &mut TrackedFinding,
    signal: Signal,
    counted: &mut Option<u64>,
) {
    let shown = &mut found.shown;
    let reopened = !std::mem::replace(&mut shown.open, true);
    match signal.count {
        Count::Total(n) => {
            shown.count = shown.count.max(n);
            *counted = Some(n);
        }
        Count::Again(n) | Count::Now(n) => shown.count = shown.count.max(n),
        Count::Event(id) if reopened || *counted != Some(id) || shown.count == 0 => {
            shown.count += 1;
            *counted = Some(id);
        }
        Count::Event(_) => {}
    }
    shown.last_ns = view.moment.process.now_unix_ns();
    // Near the limit, or milder than before: the texts of the worse look stay.
    let Some(level) = signal.level.map(|level| level.min(rule.level)) else { return };
    if reopened {
        shown.level = level;
    } else if level < shown.level {
        return;
    }
    shown.level = level;
    shown.value = signal.value;
    shown.limit = signal.limit;
    if shown.task != signal.task {
        shown.task = signal.task;
        let record = signal.task.and_then(|task| view.moment.process.task(task));
        shown.task_name = record.as_ref().map_or_else(|| "".into(), |record| view.name(record.name));
        // Whatever the detector, a request is known by its route.
        if found.key.site().is_none_or(|site| !view.is_route(site)) {
            shown.scope = record.map_or_else(|| "".into(), |record| view.name(record.scope));
        }
    }
    shown.headline = signal.headline.into();
    shown.why = signal.why.into();
    shown.fix = signal.fix.into();
    update_poll(view, found, &signal.poll, reopened);
}

/// What is known of the poll. A stack stays until there is a newer one: not every poll is looked at.
fn update_poll(view: &View<'_>, found: &mut TrackedFinding, poll: &PollFacts, reopened: bool) {
    let shown = &mut found.shown;
    shown.kind = poll.kind;
    shown.waiters = poll.waiters;
    shown.waited_ns = poll.waited_ns;
    shown.max_waited_ns = poll.max_waited_ns;
    if poll.was_seen() || reopened {
        shown.waiting_in = poll.waiting_in.map_or_else(|| "".into(), |word| view.name(word));
        shown.stack = view.stack(poll).map(Stack::shown).unwrap_or_default();
    }
    // The first of the user's functions that is seen names the fault from then on.
    let frame = view.stack(poll).and_then(Stack::users_frame);
    if let Some((_, frame)) = frame.filter(|_| !std::mem::replace(&mut found.framed, true)) {
        shown.fingerprint = with_frame(&shown.fingerprint, frame.name()).into();
    }
}
