//! The recent polls of one site, or of one line of the user's at a library's site: which of them are over their limit,
//! which leave doubt, and the doubt in words.
//!
//! It looks and judges no level; only `blocking-poll` uses it.

use std::collections::BTreeMap;

use super::asleep::Asleep;
use super::{INITIAL, REPEATS, UNCERTAIN, WARN, WITHIN, evidence, site_limit};
use crate::detect::signal::{DetectorOutput, FindingKey};
use crate::detect::view::{ObservedSite, View};
use crate::entity::slow_poll::{PollKind, SlowPoll};
use crate::id::{LineId, TaskId};
use crate::rule::Rule;
use crate::time::Nanos;
use crate::value::Value;

/// See the [module](self).
pub(super) struct Recent<'s, 'v, 'p> {
    view: &'s View<'v>,
    rule: &'s Rule,
    observed: &'s ObservedSite<'v>,
    line: Option<LineId>,
    fresh: &'s [&'p SlowPoll],
    /// The limit for what leaves no doubt.
    limit: u64,
    /// Whether the machine was short of CPU, or that is not known.
    pub(super) uncertain: bool,
    asleep: Asleep,
    /// Whether what blocked may be the machine's doing.
    doubts_sleep: bool,
}

impl<'s, 'v: 'p, 'p> Recent<'s, 'v, 'p> {
    /// `fresh` are those that were told since the look before.
    pub(super) fn of(
        view: &'s View<'v>,
        rule: &'s Rule,
        observed: &'s ObservedSite<'v>,
        line: Option<LineId>,
        fresh: &'s [&'p SlowPoll],
    ) -> Self {
        // What the site is used to means nothing while the machine is short of CPU; and what blocked then may
        // have waited for a lock whose holder had no CPU.
        let cpu = view.moment.cpu_minute;
        let uncertain = cpu.share.is_none() || cpu.contended();
        let limit = if uncertain { rule.whole(&WARN) } else { site_limit(rule, observed) };
        let (asleep, doubts_sleep) = (Asleep::default(), false);
        let mut recent = Self { view, rule, observed, line, fresh, limit, uncertain, asleep, doubts_sleep };
        if uncertain {
            let blocked = |poll: &&SlowPoll| recent.is_blocked(poll);
            let asleep = Asleep::of(view, recent.remembered().filter(blocked));
            let polls = observed.long().delta.poll.count();
            let of_process = || recent.of_process().filter(blocked).count() as u64;
            let doubts_sleep = !asleep.is_certain(of_process, polls);
            (recent.asleep, recent.doubts_sleep) = (asleep, doubts_sleep);
        }
        recent
    }

    /// The slow polls that are remembered of it, and the fresh ones; some of them twice.
    pub(super) fn remembered(&self) -> impl Iterator<Item = &'p SlowPoll> + '_ {
        self.observed.view.slow_polls_at(self.line).chain(self.fresh.iter().copied())
    }

    /// Those that the process remembers, which are more: each once.
    fn of_process(&self) -> impl Iterator<Item = &'v SlowPoll> + '_ {
        let site = self.observed.id();
        let is_its =
            move |poll: &&SlowPoll| poll.site == site && self.observed.view.line_of(poll) == self.line;
        self.view.moment.process.slow_polls_since(0).filter(is_its)
    }

    /// Whether it is recent, longer than the limit for what leaves no doubt, and not judged elsewhere.
    fn counts(&self, poll: &SlowPoll) -> bool {
        let oldest = self.view.moment.now_ns.saturating_sub(self.rule.whole(&WITHIN));
        let initial = poll.nth == 1 && poll.start_ns < self.rule.whole(&INITIAL);
        poll.start_ns.saturating_add(poll.wall_ns) >= oldest
            && poll.judged_ns() > self.limit
            && !initial
            && !poll.in_place
            && self.view.stuck_key(poll).is_none()
    }

    fn is_blocked(&self, poll: &SlowPoll) -> bool {
        self.counts(poll) && poll.kind_over(self.limit) == Some(PollKind::Blocked)
    }

    pub(super) fn limit_of(&self, poll: &SlowPoll) -> u64 {
        let is_certain = match poll.kind_over(self.limit) {
            None => false,
            // What it computed is certain, what it blocked besides is not.
            Some(_) if self.doubts_sleep => poll.surely_busy_ns().is_some_and(|ns| ns > self.limit),
            Some(_) => true,
        };
        if is_certain { self.limit } else { self.rule.whole(&WARN).max(self.rule.whole(&UNCERTAIN)) }
    }

    fn is_over(&self, poll: &SlowPoll) -> bool {
        self.counts(poll) && poll.judged_ns() > self.limit_of(poll)
    }

    /// The longest of the fresh polls that are over their limit.
    pub(super) fn worst(&self) -> Option<&'p SlowPoll> {
        let over = self.fresh.iter().copied().filter(|poll| self.is_over(poll));
        over.max_by_key(|poll| poll.judged_ns())
    }

    /// All that are over their limit, each once.
    pub(super) fn over(&self) -> BTreeMap<(TaskId, u64), &'p SlowPoll> {
        let over = self.remembered().filter(|poll| self.is_over(poll));
        over.map(|poll| ((poll.task, poll.nth), poll)).collect()
    }

    /// Tells of polls over `warn` that leave doubt, if they are as many as a finding needs.
    pub(super) fn set_aside(&self, output: &mut DetectorOutput) {
        let warn = self.rule.whole(&WARN);
        let in_doubt = |poll: &&SlowPoll| self.counts(poll) && !self.is_over(poll) && poll.judged_ns() > warn;
        let polls = self.of_process().filter(in_doubt).count() as u64;
        let longest = self.remembered().filter(in_doubt).max_by_key(|poll| poll.judged_ns());
        if let Some(longest) = longest.filter(|_| polls >= self.rule.whole(&REPEATS)) {
            let key = FindingKey::of_polls(self.observed.id(), self.line);
            output.set_aside(key, self.doubt(polls, longest));
        }
    }

    /// What was measured, and why it is no finding.
    fn doubt(&self, polls: u64, longest: &SlowPoll) -> String {
        let why = match (longest.kind_over(self.limit), self.view.moment.cpu_minute.share) {
            (None, _) => "how much of that was without a CPU is not measured".to_owned(),
            (Some(_), None) => "whether the machine was short of CPU is not measured".to_owned(),
            (Some(_), Some(share)) => format!(
                "what they waited for may have had no CPU, since the machine was short of it ({} of what was wanted)",
                Value::Ratio(share)
            ),
        };
        let seen = match self.asleep.times() {
            0 => "none was seen asleep in a call of its own".to_owned(),
            n => format!("{n} seen asleep in a call of their own"),
        };
        format!(
            "{} of {} polls at {} took over {}{} within {}, the longest {}; {why}; {seen}. {}",
            Value::Count(polls),
            Value::Count(self.observed.long().delta.poll.count()),
            self.view.short_site(self.observed.id()),
            Nanos(self.rule.whole(&WARN)),
            self.line.map_or_else(String::new, |line| format!(" at {}", self.view.short_line(line))),
            Nanos(self.rule.whole(&WITHIN)),
            Nanos(longest.judged_ns()),
            evidence(self.view, longest)
        )
    }
}
