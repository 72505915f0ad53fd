//! The limits that were asked for, judged over a whole run: `--max-poll` and its siblings.
//!
//! A detector waits for repetition and harm, since it speaks while a service runs. A limit is a promise
//! of the code's author, so once is enough. What it judges is the time that the code is answerable for:
//! on the CPU and blocked, never without a CPU (unless asked to). Where that was not measured it goes by
//! the clock on the wall and says so; where it should have been measured and was not, it cannot tell.

use std::sync::Arc;

use super::judge::RunEvidence;
use super::{Allowed, Undecided};
use crate::detect::advice::Advice;
use crate::detect::index_of;
use crate::detect::signal::{Count, FindingKey, PollFacts, Signal};
use crate::detect::view::{ObservedSite, View};
use crate::engine::hysteresis::to_finding;
use crate::finding::Finding;
use crate::level::Level;
use crate::measured::Metric;
use crate::policy::{ScopeLimits, Terms};
use crate::value::Value;
use polls::{Covers, LimitOf, Polls};

mod allowed;
mod delays;
mod leaks;
mod polls;

/// Polls that a site's 99th percentile needs to mean anything.
pub(super) const P99_NEEDS: u64 = 100;

/// What the limits say of one process.
#[derive(Debug, Default)]
pub(super) struct LimitFindings {
    pub(super) findings: Vec<Finding>,
    /// Polls that are over a limit only with what `allow_blocking` takes off, and its reason.
    pub(super) allowed: Vec<Allowed>,
    pub(super) undecided: Vec<Undecided>,
    /// Limits for which nothing is measured in this process, and why.
    pub(super) unarmed: Vec<(&'static str, Arc<str>)>,
    /// Limits that something may have passed without certainty, and why and what to do.
    pub(super) open: Vec<(&'static str, Arc<str>)>,
    pub(super) notes: Vec<Arc<str>>,
    /// Which of the terms' limits of routes met such a route.
    pub(super) scopes_met: Vec<usize>,
}

/// What `max_poll` of the terms is called.
const MAX_POLL: &str = "max-poll";
/// What `p99_poll` of the terms is called.
const P99_POLL: &str = "p99-poll";

/// Judges one process as it is now.
pub(super) fn judge(view: &View<'_>, terms: &Terms, run: &RunEvidence<'_>) -> LimitFindings {
    let mut judged = LimitFindings::default();
    let (limits, scopes) = (&terms.limits, &terms.scopes[..]);
    let polls = |limit, name, covers| Polls {
        view,
        limit,
        limits,
        name,
        covers,
        machine_short_ns: run.machine_short_ns,
    };
    let longest: LimitOf = |scope| scope.max_poll_ns;
    let p99: LimitOf = |scope| scope.p99_poll_ns;
    let others = |of| Covers::AllBut(scopes, of);
    if let Some(limit) = limits.max_poll_ns {
        polls(limit, MAX_POLL, others(longest)).judge_longest(&mut judged);
    }
    let limit = limits.max_poll_ns.unwrap_or(allowed::LIMIT_NS);
    allowed::judge(&polls(limit, MAX_POLL, others(longest)), &mut judged);
    if let Some(limit) = limits.p99_poll_ns {
        polls(limit, P99_POLL, others(p99)).judge_p99(&mut judged);
    }
    for (at, scope) in scopes.iter().enumerate() {
        let is_met = view.sites().iter().any(|site| scope_of(view, site, scopes, |_| Some(0)) == Some(at));
        if !is_met {
            continue;
        }
        judged.scopes_met.push(at);
        if let Some(limit) = scope.max_poll_ns {
            let polls = polls(limit, MAX_POLL, Covers::Only(scopes, at, longest));
            polls.judge_longest(&mut judged);
            allowed::judge(&polls, &mut judged);
        }
        if let Some(limit) = scope.p99_poll_ns {
            polls(limit, P99_POLL, Covers::Only(scopes, at, p99)).judge_p99(&mut judged);
        }
    }
    if let Some(limit) = limits.max_sched_delay_ns {
        delays::judge(view, limit, limits.count_preempted, run.without_cpu_ns, &mut judged);
    }
    if limits.no_leaks {
        leaks::judge(view, run.ended, &mut judged);
    }
    judged
}

/// Of the limits of routes that are about the site and have the limit that `of` reads, that of the route's own name, else
/// of the longest pattern; `None` for a line.
fn scope_of(
    view: &View<'_>,
    site: &ObservedSite<'_>,
    scopes: &[ScopeLimits],
    of: impl Fn(&ScopeLimits) -> Option<u64>,
) -> Option<usize> {
    if scopes.is_empty() || !view.is_route(site.id()) {
        return None;
    }
    let route = site.view.text();
    let about = scopes.iter().enumerate().filter(|(_, scope)| of(scope).is_some() && scope.is_about(&route));
    let (at, _) = about.max_by_key(|(_, scope)| (*scope.scope == *route, scope.scope.len()))?;
    Some(at)
}

impl LimitFindings {
    fn add_finding(&mut self, view: &View<'_>, detector: &str, signal: Signal) {
        if let Some(index) = index_of(detector) {
            self.findings.push(to_finding(view, index, signal));
        }
    }

    fn set_undecided(&mut self, limit: &'static str, reason: String) {
        self.undecided.push(Undecided { rule: limit.into(), reason: reason.into(), over_limit: false });
    }

    /// Something is over the limit and proves nothing.
    fn set_aside(&mut self, limit: &'static str, reason: String) {
        self.undecided.push(Undecided { rule: limit.into(), reason: reason.into(), over_limit: true });
    }

    /// Whether some of the process measures it; if nothing does, the limit is unarmed.
    fn check_measured(&mut self, view: &View<'_>, limit: &'static str, metric: Metric) -> bool {
        let process = view.moment.process;
        let measured = process.measures_for_some(metric);
        if !measured {
            self.unarmed.push((limit, why_not(process.hello(), metric).into()));
        }
        measured
    }
}

/// What a limit forbids, up to the words. It happened once, unless it is counted.
fn forbidden(site: &ObservedSite<'_>, value: Value, limit: Value) -> Signal {
    Signal {
        key: FindingKey::Site(site.id()),
        task: None,
        level: Some(Level::Deny),
        value,
        limit,
        count: Count::Now(1),
        poll: PollFacts::default(),
        headline: String::new(),
        why: String::new(),
        fix: Advice::NONE,
    }
}

/// Why a process does not measure something, in words.
fn why_not(hello: &crate::hello::Hello, metric: Metric) -> String {
    let reason = hello.capabilities.iter().find(|c| c.metric == metric).map(|c| c.reason.as_str());
    match reason.filter(|reason| !reason.is_empty()) {
        Some(reason) => format!("{metric} not measured: {reason}"),
        None => format!("{metric} not measured in {} mode", hello.mode),
    }
}
