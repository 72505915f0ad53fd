//! What `allow_blocking` took off: told beside the findings, with the reason that the code gives; and what a panic took.

use super::polls::Polls;
use super::{LimitFindings, forbidden};
use crate::detect::advice;
use crate::detect::signal::{PollFacts, Signal};
use crate::detect::view::{ObservedSite, View};
use crate::detect::{blocking_poll, index_of};
use crate::engine::hysteresis::to_finding as finding;
use crate::entity::slow_poll::{PANIC, SlowPoll};
use crate::level::Level;
use crate::time::{MILLISECOND, Nanos};
use crate::value::Value;
use crate::verdict::Allowed;

/// Without a limit, what `blocking-poll` would warn of.
pub(super) const LIMIT_NS: u64 = 10 * MILLISECOND;

pub(super) fn judge(polls: &Polls<'_, '_>, judged: &mut LimitFindings) {
    let Some(detector) = index_of(blocking_poll::DETECTOR.id) else { return };
    let Polls { view, limit, .. } = *polls;
    for site in view.sites().iter().filter(|site| site.holds_worker() && polls.covers(site)) {
        let saved = |poll: &&SlowPoll| {
            let own = polls.value(poll);
            own <= limit && own.saturating_add(poll.spared_ns()) > limit
        };
        for poll in site.view.allowed_polls().filter(saved) {
            let reason = poll
                .allowed_for
                .map_or_else(|| "its reason found no room".into(), |reason| view.name(reason));
            let mut finding = finding(view, detector, signal(view, site, poll, limit, &reason));
            // Another than what the site does without leave.
            finding.fingerprint = format!("{} allowed {reason}", finding.fingerprint).into();
            judged.allowed.push(Allowed { finding, reason });
        }
    }
}

fn signal(view: &View<'_>, site: &ObservedSite<'_>, poll: &SlowPoll, limit: u64, reason: &str) -> Signal {
    let may = if reason == PANIC { "went into a panic" } else { "may block" };
    Signal {
        task: Some(poll.task),
        level: Some(Level::Allow),
        poll: PollFacts::of(poll, limit),
        headline: format!("{} of {} in one poll {may}", Nanos(poll.allowed_ns), Nanos(poll.wall_ns)),
        why: format!("{}. Its worker ran nothing else meanwhile.", blocking_poll::evidence(view, poll)),
        fix: advice::ALLOWED,
        ..forbidden(site, Value::Nanos(poll.allowed_ns), Value::Nanos(limit))
    }
}
