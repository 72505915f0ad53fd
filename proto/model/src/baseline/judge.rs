//! Judges one figure of one site: base runs on one side, the run that is judged on the other.
//!
//! A p99 regressed if all of this holds:
//! - head is more than `RATIO` times base, and more than `FLOOR_NS` longer;
//! - both sides have at least [`ENOUGH`] samples;
//! - head's p99 lies above that of each single base run: outside of their spread;
//! - so many more of head's samples than of base's lie above all of these marks that chance does not
//!   explain it (the test of `exceed`, one error in a thousand);
//! - of fewer than `SPREAD` runs the spread is unknown. It is taken to be as wide as the ratio
//!   itself: then head has to be more than `RATIO²` = 1.56 times base;
//! - the time without a CPU does not explain it (`Preemption`).
//!
//! What fails only one of the last three is `insufficient data`, with the reason; what lies within a
//! known spread is unchanged. Improvements are judged by the mirror of the same rule.
//!
//! Histograms of scale 4 are precise enough for this. A bucket is 4.4 % wide, so the ratio of two p99s
//! is told to 4.5 % at the worst: a true ratio above 1.31 is always seen as one above 1.25, one below
//! 1.19 never, and at the floor, where 200 µs are a quarter of the base, a bucket is 35 µs. What lies
//! in the same bucket as the mark is not counted as above it, on neither side. Scale 6 would move the
//! seam to 1.23–1.27, for four times the buckets in every report.

use std::fmt::Write as _;

use super::bounds::P99;
use super::comparison::{Change, Figure, Measured};
use super::exceed::{cheapest_excess, too_many};
use super::load;
use super::run::{Load, SiteRun, Split};
use crate::hist::Hist;
use crate::time::{MICROSECOND, Nanos};

/// Head by base from which on a figure may have regressed.
pub(crate) const RATIO: f64 = 1.25;
/// What it must be longer by at least.
pub(crate) const FLOOR_NS: u64 = 200 * MICROSECOND;
/// Samples that both sides must have.
pub const ENOUGH: u64 = 200;
/// Base runs from which on their spread counts.
pub(crate) const SPREAD: usize = 3;
/// Split slow polls from which on they speak for all.
const SPLIT_ENOUGH: usize = 8;

/// A judgement without the site.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct ComparedFigure {
    pub(super) change: Change,
    pub(super) base: Option<Measured>,
    pub(super) head: Measured,
    pub(super) reason: String,
    /// It would have regressed if there had been more, or better, data.
    pub(super) suspect: bool,
}

impl ComparedFigure {
    /// It cannot be told.
    pub(super) fn insufficient(base: Option<Measured>, head: Measured, reason: String) -> Self {
        Self { change: Change::Insufficient, base, head, reason, suspect: false }
    }
}

/// What may explain longer polls besides the code: threads that could run but had no CPU.
#[derive(Clone, Copy, Debug)]
pub(super) struct Preemption<'a> {
    /// Polls of head above its slow-poll limit.
    slow: u64,
    /// Of these, some whose time was split.
    split: &'a [Split],
    /// The site's part of head's time without a CPU, beyond what base had for the same work; `None` if
    /// not measured.
    extra_ns: Option<u64>,
    /// Base was without a CPU for a larger share: what is shorter now may be the machine's doing.
    base_was_disturbed: bool,
}

impl<'a> Preemption<'a> {
    /// Of a site of head, whose process polled so often in all, against the load of base.
    ///
    /// Which polls a thread lost its CPU in is not known. One that computes may lose it at any time, so the site's part
    /// is that of its time; one that sleeps has to wait for a CPU once it is awake, however short it is, so it may
    /// as well be that of its polls. The larger part counts.
    pub(super) fn of(site: &'a SiteRun, base: &[Load], head: &Load, polls: u64) -> Self {
        let sum = |of: fn(&Load) -> Option<u64>| {
            base.iter().map(of).try_fold(0_u64, |sum, ns| Some(sum.saturating_add(ns?)))
        };
        let usual = sum(|load| load.preempted_ns)
            .zip(sum(|load| load.cpu_ns))
            .map(|(preempted, cpu)| preempted as f64 / cpu.max(1) as f64);
        let of_time = site.poll.sum() as f64 / head.busy_ns.max(1) as f64;
        let of_polls = site.poll.count() as f64 / polls.max(1) as f64;
        let part = of_time.max(of_polls).min(1.0);
        let extra_ns = head.preempted_ns.zip(head.cpu_ns).zip(usual).map(|((preempted, cpu), usual)| {
            (preempted.saturating_sub((usual * cpu as f64) as u64) as f64 * part) as u64
        });
        let base_was_disturbed =
            usual.zip(head.preempted()).is_some_and(|(usual, now)| usual > now + load::PREEMPTED);
        Self { slow: site.slow, split: &site.split, extra_ns, base_was_disturbed }
    }

    /// Whether the values above the limit would not be too many without preemption; then in words.
    fn explains(&self, head: &Hist, limit: u64, needed: u64) -> Option<String> {
        let seen: Vec<&Split> = self.split.iter().filter(|split| split.wall_ns > limit).collect();
        if seen.len() >= SPLIT_ENOUGH && self.slow >= head.count_over(limit) {
            let own = seen.iter().filter(|split| split.judged_ns > limit).count();
            let share = own as f64 / seen.len() as f64;
            let enough = head.count_over(limit) as f64 * share >= needed as f64;
            return (!enough).then(|| {
                format!(
                    "of {} slow polls that were split {} were long only because their thread had no CPU; \
                     record on a quieter machine",
                    seen.len(),
                    seen.len() - own
                )
            });
        }
        let extra = self.extra_ns?;
        let cost = cheapest_excess(head, limit, needed.saturating_sub(1));
        (extra >= cost).then(|| {
            format!(
                "its polls were without a CPU for about {} more than base's, enough to explain it; record on a \
                 quieter machine",
                Nanos(extra)
            )
        })
    }
}

/// Compares p99s. `base` are the runs that can be compared with, each with its histogram.
pub(super) fn p99(
    figure: Figure,
    base: &[&Hist],
    head: &Hist,
    preemption: Option<Preemption<'_>>,
) -> ComparedFigure {
    let mut all = Hist::new();
    for hist in base {
        all.merge(hist);
    }
    let (told, seen) = (measured(&all), measured(head));
    let (Some(of_base), Some(of_head)) = (P99::of(&all), P99::of(head)) else {
        let which = if all.is_empty() { "base" } else { "this run" };
        let reason = format!("{which} has no {}", figure.samples());
        return ComparedFigure::insufficient(Some(told), seen, reason);
    };
    let judged = |change, reason: String| ComparedFigure {
        change,
        base: Some(told),
        head: seen,
        reason,
        suspect: false,
    };
    let suspect = |reason: String| ComparedFigure {
        suspect: true,
        ..ComparedFigure::insufficient(Some(told), seen, reason)
    };
    if let Some(reason) = too_few(figure, all.count(), head.count()) {
        return ComparedFigure {
            suspect: is_over(of_base.value, of_head.value),
            ..judged(Change::Insufficient, reason)
        };
    }
    let runs: Vec<u64> = base.iter().filter_map(|hist| hist.quantile(0.99)).collect();
    let spread = runs.iter().copied().fold((u64::MAX, 0), |(low, high), run| (low.min(run), high.max(run)));
    let (before, now) = (of_base.value, of_head.value);
    if is_over(now, before) {
        let mark = mark(now);
        let proved = all.count_over(mark) >= too_many(all.count(), head.count_over(mark), head.count());
        let disturbed = preemption.is_some_and(|preemption| preemption.base_was_disturbed);
        if disturbed {
            return judged(Change::Unchanged, "shorter, as base had to wait more for CPUs".to_owned());
        }
        let better = proved && now < spread.0 && (runs.len() >= SPREAD || is_far(now, before));
        return if better {
            judged(Change::Improved, format!("{}, {} shorter", times(before, now), Nanos(before - now)))
        } else {
            judged(Change::Unchanged, String::new())
        };
    }
    if !is_over(before, now) {
        return judged(Change::Unchanged, String::new());
    }
    if runs.len() >= SPREAD && now <= spread.1 {
        let (low, high) = (Nanos(spread.0), Nanos(spread.1));
        return judged(
            Change::Unchanged,
            format!("within the spread of base's {} runs, {low} to {high}", runs.len()),
        );
    }
    let mark = mark(before).max(spread.1);
    let needed = too_many(head.count(), all.count_over(mark), all.count());
    if head.count_over(mark) < needed {
        return suspect(format!(
            "{} may be chance: {} of {} {} are above {}, {needed} would be too many; record longer",
            times(before, now),
            head.count_over(mark),
            head.count(),
            figure.samples(),
            Nanos(mark)
        ));
    }
    if runs.len() < SPREAD && !is_far(before, now) {
        return suspect(format!(
            "{} may be how runs differ: base has {} of the {SPREAD} runs that it takes to know; accept more \
             runs into the baseline",
            times(before, now),
            runs.len()
        ));
    }
    if let Some(words) = preemption.and_then(|preemption| preemption.explains(head, mark, needed)) {
        return suspect(words);
    }
    let mut reason = format!("{}, {} longer", times(before, now), Nanos(now - before));
    if runs.len() < SPREAD {
        let _ = write!(reason, "; against {} run{}", runs.len(), if runs.len() == 1 { "" } else { "s" });
    }
    if preemption.is_some_and(|preemption| preemption.extra_ns.is_none() && preemption.split.is_empty()) {
        reason += "; wall time, as preemption was not measured";
    }
    judged(Change::Regressed, reason)
}

/// Above ratio and floor.
fn is_over(base: u64, head: u64) -> bool {
    head as f64 > base as f64 * RATIO && head.saturating_sub(base) > FLOOR_NS
}

/// So far that runs do not differ by it, as far as one can guess.
fn is_far(short: u64, long: u64) -> bool {
    long as f64 > short as f64 * RATIO * RATIO
}

/// What is above this is longer than ratio and floor allow.
fn mark(base: u64) -> u64 {
    ((base as f64 * RATIO) as u64).max(base.saturating_add(FLOOR_NS))
}

fn times(base: u64, head: u64) -> String {
    format!("{:.2}×", head as f64 / base.max(1) as f64)
}

fn too_few(figure: Figure, base: u64, head: u64) -> Option<String> {
    let few = |side: &str, n: u64| {
        (n < ENOUGH).then(|| format!("{side} has {n} {}, {ENOUGH} are needed", figure.samples()))
    };
    few("base", base).or_else(|| few("this run", head))
}

fn measured(hist: &Hist) -> Measured {
    let p99 = P99::of(hist);
    Measured {
        value: p99.map_or(0, |p99| p99.value),
        bounds: p99.and_then(|p99| Some((p99.low, p99.high?))),
        n: hist.count(),
    }
}

/// More tasks left at the end than an interval of in-flight tasks explains: as `task-leak` has it, more
/// than 100 and twice as many as in any base run, also for each task that was spawned.
pub(super) fn left(base: &[&SiteRun], head: &SiteRun) -> Option<ComparedFigure> {
    const MORE: u64 = 100;
    let share = |site: &SiteRun| site.left as f64 / site.spawned.max(1) as f64;
    let most = base.iter().map(|site| site.left).max().unwrap_or(0);
    let most_share = base.iter().map(|site| share(site)).fold(0.0, f64::max);
    if (most, head.left) == (0, 0) {
        return None;
    }
    let worse = head.left > most.saturating_add(MORE)
        && head.left > most.saturating_mul(2)
        && share(head) > 2.0 * most_share;
    let reason = if worse {
        format!("of {} spawned; base left {most} at the most", head.spawned)
    } else {
        String::new()
    };
    Some(ComparedFigure {
        change: if worse { Change::Regressed } else { Change::Unchanged },
        base: Some(Measured {
            value: most,
            bounds: None,
            n: base.iter().fold(0, |sum, site| sum.saturating_add(site.spawned)),
        }),
        head: Measured { value: head.left, bounds: None, n: head.spawned },
        reason,
        suspect: false,
    })
}

/// Wakes of tasks by themselves for each poll: a quarter of all polls more than in any base run.
pub(super) fn self_wakes(base: &[&SiteRun], head: &SiteRun) -> Option<ComparedFigure> {
    const MORE: u64 = 250;
    let rate = |site: &SiteRun| {
        let polls = site.poll.count();
        let wakes = u128::from(site.self_wakes?) * 1_000;
        (polls > 0).then(|| (wakes / u128::from(polls)) as u64)
    };
    let of_head = rate(head)?;
    let most = base.iter().filter_map(|site| rate(site)).max()?;
    if (most, of_head) == (0, 0) {
        return None;
    }
    let polls = base.iter().fold(0_u64, |sum, site| sum.saturating_add(site.poll.count()));
    let told = Some(Measured { value: most, bounds: None, n: polls });
    let seen = Measured { value: of_head, bounds: None, n: head.poll.count() };
    if let Some(reason) = too_few(Figure::SelfWakes, polls, head.poll.count()) {
        // The self-wakes of a site that has none are not missing.
        return (of_head > most.saturating_add(MORE))
            .then(|| ComparedFigure::insufficient(told, seen, reason));
    }
    let worse = of_head > most.saturating_add(MORE);
    let better = most > of_head.saturating_add(MORE);
    let change = match (worse, better) {
        (true, _) => Change::Regressed,
        (_, true) => Change::Improved,
        _ => Change::Unchanged,
    };
    let reason = if worse { "its tasks wake themselves".to_owned() } else { String::new() };
    Some(ComparedFigure { change, base: told, head: seen, reason, suspect: false })
}
