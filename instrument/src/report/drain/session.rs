//! The drain of one session: what changed in its part of the process since the last time, and nothing
//! else. It may be called on any thread, as often as the caller likes, or never.
//!
//! What is counted it reads for itself, against what it read last; what can be taken once only it gets from
//! the [`intake`].

use std::collections::{HashMap, HashSet};

use pollscope_model::dict::DictEntry;
use pollscope_model::entity::edge::Waker;
use pollscope_model::entity::site::SiteDelta;
use pollscope_model::entity::stall::Stall;
use pollscope_model::entity::task::TaskRecord;
use pollscope_model::id::{BootId, NameId, SiteId, StackId};
use pollscope_model::report::{Losses, Report};
use pollscope_recorder::clock;
use pollscope_recorder::intern;
use pollscope_recorder::session::{self, Session};
use pollscope_recorder::shard::{Shards, SiteShard};
use pollscope_recorder::thread::{self, Reading, Thread};

use super::{Counts, Drain, Source, Totals, intake};
use crate::report::sample;
use crate::watch::watchdog::stacks;

/// What a session's [`Drain`] reads.
pub(crate) struct OneSession {
    session: Session,
    future_bytes: HashMap<SiteId, u64>,
    dictionary: Dictionary,
    /// What earlier sessions with the number had lost.
    lost_before: Losses,
}

/// What is in the reader's dictionary.
#[derive(Default)]
struct Dictionary {
    sites: HashSet<SiteId>,
    names: HashSet<NameId>,
    stacks: HashSet<StackId>,
}

impl Drain<OneSession> {
    /// From now on.
    pub(crate) fn begin(session: Session, boot: BootId) -> Self {
        let threads = thread::read();
        let shards: Vec<_> = threads.shards().collect();
        let known = intern::sites_of(session);
        let mut totals = Totals::default();
        let edges = totals.edges.changes_of(session, &threads);
        totals.sites.changes_of(&known, &shards, &edges);
        let source = OneSession {
            session,
            future_bytes: HashMap::new(),
            dictionary: Dictionary::default(),
            lost_before: losses(session, &known, &shards),
        };
        Self::of(source, boot, totals)
    }

    /// What changed since the last call, as the next delta. The `last` one waits for nothing that comes later.
    pub(crate) fn tick(&mut self, last: bool) -> Report {
        self.report(last)
    }

    /// Tasks of the session that began and did not end.
    pub(crate) fn living(&self) -> u64 {
        let threads = thread::read();
        let shards: Vec<_> = threads.shards().collect();
        let known = intern::sites_of(self.source.session);
        // The ends first: an ended task had begun.
        let ended: u64 = shares(&known, &shards).map(ends).sum();
        let begun: u64 = shares(&known, &shards).map(|share| share.spawned.get()).sum();
        begun.saturating_sub(ended)
    }

    /// Whether a thread is inside of a poll of the session that began before then.
    pub(crate) fn polls_since(&self, ns: u64) -> bool {
        let mine = |site| session::of_site(site) == self.source.session;
        let open = |thread: &Thread| thread.polling().filter(|poll| mine(poll.site));
        thread::read().states().filter_map(open).any(|poll| poll.since_ns <= ns)
    }
}

impl Source for OneSession {
    fn session(&self) -> Option<Session> {
        Some(self.session)
    }

    fn begin_tick(&mut self) {
        // What is touched while it is looked at shows the second time.
        intake::take_in(clock::now_ns(), false);
    }

    fn has_polls(&self) -> bool {
        true
    }

    /// A site's largest future may be an earlier session's, so it is that of the tasks that were reported.
    fn count(&mut self, threads: &Reading, totals: &mut Totals, tasks: &[TaskRecord], _: bool) -> Counts {
        let shards: Vec<_> = threads.shards().collect();
        let known = intern::sites_of(self.session);
        let lost = losses(self.session, &known, &shards);
        let edges = totals.edges.changes_of(self.session, threads);
        for task in tasks {
            let largest = self.future_bytes.entry(task.site).or_default();
            *largest = task.future_bytes.max(*largest);
        }
        let mut sites = totals.sites.changes_of(&known, &shards, &edges);
        sites.retain_mut(|site| {
            site.max_future_bytes = 0;
            let changed = *site != SiteDelta { site: site.site, ..SiteDelta::default() };
            site.max_future_bytes = self.future_bytes.get(&site.site).copied().unwrap_or(0);
            changed
        });
        let before = &self.lost_before;
        let losses = Losses {
            tasks_uncounted: lost.tasks_uncounted - before.tasks_uncounted,
            slow_polls: lost.slow_polls - before.slow_polls,
            ended_rows: lost.ended_rows - before.ended_rows,
            dict_entries: lost.dict_entries - before.dict_entries,
            threads_uncounted: lost.threads_uncounted - before.threads_uncounted,
            ..Losses::default()
        };
        Counts { sites, edges, losses }
    }

    fn has_stall(&self, stall: &Stall) -> bool {
        let session = match (stall.site, stall.worker) {
            (Some(site), _) => session::of_site(site.0),
            (None, Some(worker)) => sample::session_of(worker.runtime),
            (None, None) => Session::NONE,
        };
        session == self.session
    }

    fn complete(&mut self, report: &mut Report) {
        report.dict = self.dictionary.entries(report);
    }
}

fn shares<'a>(sites: &'a [u32], threads: &'a [&'a Shards]) -> impl Iterator<Item = &'a SiteShard> {
    sites.iter().flat_map(|site| threads.iter().filter_map(|shards| shards.known(*site)))
}

fn ends(share: &SiteShard) -> u64 {
    share.completed.get() + share.cancelled.get() + share.panicked.get() + share.ended.get()
}

/// What was lost of the sites of a number so far.
fn losses(session: Session, sites: &[u32], threads: &[&Shards]) -> Losses {
    let mut losses = Losses {
        dict_entries: intern::refused_in(session),
        // Of any session, which no total says.
        threads_uncounted: thread::refused(),
        ..Losses::default()
    };
    for share in shares(sites, threads) {
        losses.tasks_uncounted += share.uncounted.get();
        losses.ended_rows += share.ends_unsaid.get();
        losses.slow_polls += share.evidence_lost.get();
    }
    losses
}

impl Dictionary {
    /// The entries that a report refers to and its reader does not have.
    fn entries(&mut self, report: &Report) -> Vec<DictEntry> {
        let (mut sites, mut names, mut found) = (Vec::new(), Vec::new(), Vec::new());
        let mut site = |id| {
            if self.sites.insert(id) {
                sites.push(id);
            }
        };
        report.sites.iter().for_each(|one| site(one.site));
        report.tasks.iter().for_each(|task| site(task.site));
        report.slow_polls.iter().for_each(|poll| site(poll.site));
        report.stalls.iter().filter_map(|stall| stall.site).for_each(&mut site);
        for edge in &report.edges {
            site(edge.to);
            if let Waker::Site(from) = edge.from {
                site(from);
            }
        }
        let mut name = |id| {
            if self.names.insert(id) {
                names.push(id);
            }
        };
        report.tasks.iter().flat_map(|task| [task.name, task.group, task.scope]).for_each(&mut name);
        report.runtimes.iter().for_each(|runtime| name(runtime.name));
        report.workers.iter().for_each(|worker| name(worker.thread));
        report.stalls.iter().for_each(|stall| name(stall.thread));
        let allowed = report.slow_polls.iter().flat_map(|poll| [poll.allowed_for, poll.allowed_at]);
        allowed.flatten().for_each(&mut name);
        let of_polls = report.slow_polls.iter().map(|poll| (poll.waiting_in, poll.stack));
        let of_stalls = report.stalls.iter().map(|stall| (stall.waiting_in, stall.stack));
        for (waiting_in, stack) in of_polls.chain(of_stalls) {
            waiting_in.into_iter().for_each(&mut name);
            if let Some(stack) = stack
                && self.stacks.insert(stack)
            {
                found.push(stack);
            }
        }
        let stacks =
            found.into_iter().flat_map(|StackId(at)| stacks::entries(at as usize, at as usize + 1).0);
        let mut entries = intern::entries_of(sites.into_iter(), names.into_iter());
        entries.extend(stacks);
        entries
    }
}
