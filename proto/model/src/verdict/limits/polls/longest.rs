//! The longest poll of each site, and of each line of the user's where a library spawned: `--max-poll`. Open polls, too.

use super::Polls;
use crate::detect::poll_text::Tense;
use crate::detect::signal::{Count, FindingKey, PollFacts, Signal};
use crate::detect::view::{ObservedSite, View};
use crate::detect::{advice, blocking_poll};
use crate::entity::activity::ThreadActivity;
use crate::entity::slow_poll::SlowPoll;
use crate::finding::Finding;
use crate::id::LineId;
use crate::measured::Metric;
use crate::time::Nanos;
use crate::value::Value;
use crate::verdict::limits::LimitFindings;

impl Polls<'_, '_> {
    pub(in crate::verdict::limits) fn judge_longest(&self, judged: &mut LimitFindings) {
        if !judged.check_measured(self.view, self.name, Metric::Polls) {
            return;
        }
        self.note_wall_time(judged);
        for site in self.sites() {
            let split = |poll: &SlowPoll| self.by_wall() || poll.preempted_ns.is_some();
            let over = |poll: &&SlowPoll| self.is_over(poll) && split(poll);
            let mut is_found = false;
            for line in site.view.places() {
                let (machines, own): (Vec<_>, Vec<_>) =
                    site.view.slow_polls_at(line).filter(over).partition(|poll| self.may_be_machines(poll));
                if let Some(poll) = machines.into_iter().max_by_key(|poll| self.value(poll)) {
                    self.add_doubtful_poll(poll, judged);
                }
                if let Some(poll) = own.into_iter().max_by_key(|poll| self.value(poll)) {
                    let signal = self.poll_signal(site, line, poll);
                    judged.add_finding(self.view, blocking_poll::DETECTOR.id, signal);
                    is_found = true;
                }
            }
            if !is_found && site.view.totals().poll.max() > self.limit {
                let untold =
                    site.view.slow_polls().next().is_none() || site.view.unlisted_over(self.limit) > 0;
                if !self.by_wall() {
                    self.add_doubtful_site(site, judged);
                } else if untold {
                    let signal = self.count_signal(site);
                    judged.add_finding(self.view, blocking_poll::DETECTOR.id, signal);
                }
            }
        }
        self.judge_open_polls(judged);
    }

    /// Polls that are open still: they never become slow polls if the process ends in them.
    fn judge_open_polls(&self, judged: &mut LimitFindings) {
        let process = self.view.moment.process;
        for stall in process.stalls() {
            let (since_ns, now_ns) = (stall.since_ns, process.now_ns());
            let not_its_own_ns = stall.allowed_ns.saturating_add(process.stopped_ns(since_ns, now_ns));
            let open_ns = now_ns.saturating_sub(since_ns).saturating_sub(not_its_own_ns);
            let word = stall.waiting_in.map(|word| self.view.name(word));
            let word = word.as_deref().and_then(ThreadActivity::of);
            let starved = !self.limits.count_preempted
                && word.is_some_and(|word| {
                    let for_memory = word.is_for_kernels_lock()
                        || word.is_for_a_lock() && self.waits_for_allocator(stall.stack);
                    word == ThreadActivity::Runnable || for_memory && self.is_explained_by_machine(open_ns)
                });
            let Some(site) = stall.site.and_then(|site| self.view.site(site)) else { continue };
            let line = site.view.line_of_stall(stall);
            let at = line.map_or_else(|| "".into(), |line| process.dictionary().line_text(line));
            let is_known = |finding: &Finding| {
                finding.site == site.view.text() && (line.is_none() || finding.line == at)
            };
            let known = judged.findings.iter().any(is_known);
            if open_ns <= self.limit || starved || known || !site.holds_worker() || !self.covers(site) {
                continue;
            }
            let facts = PollFacts::from(stall);
            let signal = Signal {
                key: FindingKey::of_polls(site.id(), line),
                headline: format!(
                    "a poll is open for {} (limit {}){}",
                    Nanos(open_ns),
                    Nanos(self.limit),
                    self.view.observation_text(&facts, Tense::Present)
                ),
                why: format!(
                    "It had not ended when the last report was made. Its worker runs nothing else.{}",
                    self.view.call_text(&facts, Tense::Present)
                ),
                task: stall.task,
                count: Count::Event(1),
                poll: facts,
                fix: advice::UNSPLIT,
                ..self.over(site, open_ns)
            };
            judged.add_finding(self.view, blocking_poll::DETECTOR.id, signal);
        }
    }

    /// Of a line of the user's in a library's tasks, or of the site.
    fn poll_signal(&self, site: &ObservedSite<'_>, line: Option<LineId>, worst: &SlowPoll) -> Signal {
        let facts = PollFacts::of(worst, self.limit);
        let seen = self.view.best_seen(worst, site.view.slow_polls_at(line), self.limit);
        let seen = seen.map_or(facts, |seen| PollFacts::of(seen, self.limit));
        let facts = PollFacts { waiting_in: seen.waiting_in, stack: seen.stack, ..facts };
        let times = self.times(site);
        let over = times.count_over(self.limit).max(1);
        let at_line = self.over_at(site, line, over);
        Signal {
            key: FindingKey::of_polls(site.id(), line),
            headline: format!(
                "{} in one poll{} (limit {}){}",
                Nanos(self.value(worst)),
                facts.kind.map_or_else(String::new, |kind| format!(", {}", kind.as_str())),
                Nanos(self.limit),
                self.view.observation_text(&facts, Tense::Past)
            ),
            why: format!(
                "{} of {} polls at {} took longer than that{}. The worst: {}. Meanwhile its worker ran nothing \
                 else.{}{} {}",
                Value::Count(over),
                Value::Count(times.count()),
                self.view.short_site(site.id()),
                match (line, at_line) {
                    (None, _) => String::new(),
                    (Some(line), Some(n)) => {
                        format!(", {} of them seen at {}", Value::Count(n), self.view.short_line(line))
                    }
                    (Some(line), None) => {
                        format!(", at {} as far as they were seen", self.view.short_line(line))
                    }
                },
                blocking_poll::evidence(self.view, worst),
                if self.limits.count_preempted { String::new() } else { View::preempted_text(worst) },
                self.view.call_text(&facts, Tense::Past),
                self.view.poll_harm_text(&facts)
            ),
            task: Some(worst.task),
            count: Count::Total(at_line.unwrap_or(over)),
            poll: facts,
            fix: blocking_poll::fix(facts.kind, site.is_elsewhere()),
            ..self.over(site, self.value(worst))
        }
    }

    /// How many polls over the limit are of that line, if the site has others; `None` if all that are over are taken for
    /// its.
    fn over_at(&self, site: &ObservedSite<'_>, line: Option<LineId>, over: u64) -> Option<u64> {
        let line = line.filter(|line| !site.view.is_sole(*line))?;
        let times = if self.by_wall() { site.view.held_times_at(line) } else { site.view.own_times_at(line) };
        Some(times.map_or(1, |times| times.count_over(self.limit)).clamp(1, over))
    }

    fn count_signal(&self, site: &ObservedSite<'_>) -> Signal {
        let totals = &site.view.totals().poll;
        Signal {
            headline: format!("{} in one poll (limit {})", Nanos(totals.max()), Nanos(self.limit)),
            why: format!(
                "{} of {} polls at {} took longer than that by the clock on the wall. Nothing else is known of \
                 them.",
                Value::Count(totals.count_over(self.limit).max(1)),
                Value::Count(totals.count()),
                self.view.short_site(site.id())
            ),
            count: Count::Total(totals.count_over(self.limit).max(1)),
            fix: advice::UNSPLIT,
            ..self.over(site, totals.max())
        }
    }
}
