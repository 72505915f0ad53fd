//! How a scenario is played, and what was not as it says.

use std::collections::{BTreeMap, BTreeSet};

use pollscope_model::detect::advice::{self, Advice};
use pollscope_model::entity::slow_poll::PollKind;
use pollscope_model::finding::Finding;
use pollscope_model::level::Level;
use pollscope_model::monitor::Monitor;
use pollscope_model::policy::Policy;
use pollscope_model::query::flag::FindingSource as _;
use pollscope_model::verdict::{Judge, RunEvidence, Verdict};
use pollscope_model::world::WorldLimits;

use super::format::{CannotTell, Expect, Scenario};
use super::stage::Stage;

/// Plays the scenario; what was not as it says comes back in words.
pub(crate) fn run(scenario: &Scenario) -> Vec<String> {
    let mut stage = Stage::new(scenario);
    let mut monitor = Monitor::new(WorldLimits::default());
    monitor.connect(stage.script.hello(), stage.script.now_unix_ns()).expect("there is room");
    // When each finding was first seen open.
    let mut seen: BTreeMap<(String, String), u64> = BTreeMap::new();
    let mut failures = Vec::new();
    let mut alarms = BTreeSet::new();
    for second in 1..=scenario.seconds {
        stage.stalls.clear();
        for act in &scenario.acts {
            let every = act.every.unwrap_or(1);
            let from = act.from.unwrap_or(1);
            if (from..=act.to.unwrap_or(u64::MAX)).contains(&second) && (second - from).is_multiple_of(every)
            {
                stage.act(act);
            }
        }
        stage.script.stalls(stage.stalls.clone());
        let mut report = stage.script.second();
        if scenario.unmeasured.iter().any(|name| name == "poll-split") {
            for poll in &mut report.slow_polls {
                (poll.busy_ns, poll.preempted_ns) = (None, None);
            }
        }
        monitor.apply(report, stage.script.now_unix_ns());
        monitor.tick(stage.script.now_unix_ns());
        for finding in monitor.engine().findings(stage.script.boot()) {
            let key = (finding.detector.to_string(), finding.site.to_string());
            seen.entry(key.clone()).or_insert(second);
            let expected = scenario.expect.iter().any(|expect| expect.is(finding));
            if !advice::ALL.iter().any(|fix| *fix.text() == *finding.fix) {
                failures.push(format!("a fix that is not in the table: {finding:#?}"));
            }
            if (finding.level > Level::Allow || !scenario.remedy.is_empty())
                && !expected
                && alarms.insert(key)
            {
                failures.push(format!("false alarm in second {second}: {finding:#?}"));
            }
        }
    }
    let findings = monitor.engine().findings(stage.script.boot());
    let verdict = scenario.check.as_deref().map(|policy| checked(&monitor, policy));
    let denied: Vec<&Finding> = verdict.iter().flat_map(|verdict| &verdict.findings).collect();
    for expect in &scenario.expect {
        let of = if expect.checked { &denied } else { &findings };
        failures.extend(expect.check(of, &seen, scenario.seconds).err());
    }
    let undecided = monitor.engine().undecided(stage.script.boot());
    for cannot in &scenario.cannot_tell {
        let found = undecided.iter().find(|(id, _)| *id == cannot.detector);
        if !found.is_some_and(|(_, reason)| reason.contains(&cannot.because)) {
            failures.push(format!("{} should not be able to tell, but says {found:?}", cannot.detector));
        }
    }
    let doubts = monitor.engine().set_aside(stage.script.boot());
    let is = |(id, reason): &(&str, String), one: &CannotTell| {
        *id == one.detector && reason.contains(&one.because)
    };
    let told = |one: &&CannotTell| !doubts.iter().any(|doubt| is(doubt, one));
    let missing = scenario.set_aside.iter().filter(told);
    failures.extend(missing.map(|one| format!("no {} with `{}` in {doubts:?}", one.detector, one.because)));
    let unknown = doubts.iter().filter(|doubt| !scenario.set_aside.iter().any(|one| is(doubt, one)));
    failures.extend(unknown.map(|doubt| format!("set aside: {doubt:?}")));
    failures
}

/// What a check by that policy says of all of it.
fn checked(monitor: &Monitor, policy: &str) -> Verdict {
    let mut judge = Judge::new(Policy::parse(policy).expect("a policy").terms());
    judge.add_run(&RunEvidence::of(monitor));
    judge.verdict()
}

impl Expect {
    fn is(&self, finding: &Finding) -> bool {
        *self.detector == *finding.detector && *self.site == *finding.site
    }

    fn check(
        &self,
        findings: &[&Finding],
        seen: &BTreeMap<(String, String), u64>,
        end: u64,
    ) -> Result<(), String> {
        let Some(found) = findings.iter().find(|finding| self.is(finding)) else {
            return Err(format!("no {} at `{}`", self.detector, self.site));
        };
        let first = if self.checked { end } else { seen[&(self.detector.clone(), self.site.clone())] };
        let wrong = |what: &str| Err(format!("{what} is wrong, first seen in second {first}: {found:#?}"));
        if first > self.by || first < self.not_before {
            return wrong("the time");
        }
        if found.level.as_str() != self.level {
            return wrong("the level");
        }
        if self.open.is_some_and(|open| open != found.open) {
            return wrong("open or closed");
        }
        if self.kind.as_deref().is_some_and(|kind| found.kind.map(PollKind::as_str) != Some(kind)) {
            return wrong("the kind");
        }
        if self.count.is_some_and(|count| count != found.count) {
            return wrong("the count");
        }
        if self.headline.as_deref().is_some_and(|part| !found.headline.contains(part)) {
            return wrong("the headline");
        }
        if self.why.as_deref().is_some_and(|part| !found.why.contains(part)) {
            return wrong("the reason");
        }
        if self.stack.as_deref().is_some_and(|first| found.stack.first().map(|frame| &**frame) != Some(first))
        {
            return wrong("the stack");
        }
        if self.waiters.is_some_and(|waiters| found.waiters != Some(waiters)) {
            return wrong("the number of waiters");
        }
        if self.fingerprint.as_deref().is_some_and(|text| *found.fingerprint != *text) {
            return wrong("the fingerprint");
        }
        if self.fix.as_deref().is_some_and(|id| Advice::of(id).is_none_or(|fix| *fix.text() != *found.fix)) {
            return wrong("the fix");
        }
        if found.why.is_empty() || found.fix.is_empty() || found.headline.is_empty() {
            return wrong("a text");
        }
        Ok(())
    }
}
