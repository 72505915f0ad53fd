//! Whether times that depend on the load can be compared at all.
//!
//! A poll takes as long as its code takes, however busy the service is (preemption aside, see
//! [`judge`](super::judge)). How long a task waits for its poll, and how long it lives, depends on how
//! many others want the same workers and on who else wants the CPUs: queueing, not code. There is no
//! correction that would be right for every arrival pattern, so these are compared only with base runs
//! of a like load: as many workers, busy for a like share of their time, about as many samples of that
//! site each second, and no more time without a CPU.

use super::run::Load;

/// The workers' busy shares may differ by so much.
const BUSY: f64 = 0.10;
/// Samples each second may differ by this factor.
const RATE: f64 = 1.25;
/// Time without a CPU, for each unit with one, may be larger by so much.
pub(super) const PREEMPTED: f64 = 0.02;

/// Why waits of those two runs cannot be compared, in words that name both; `None` if they can.
/// `n` are the samples of the site on each side.
pub(super) fn unlike(base: &Load, head: &Load, n: (u64, u64)) -> Option<String> {
    if base.workers != head.workers {
        return Some(format!("base ran on {} workers, this run on {}", base.workers, head.workers));
    }
    let percent = |share: f64| format!("{:.0}%", share * 100.0);
    match (base.busy(), head.busy()) {
        (Some(before), Some(now)) if (before - now).abs() > BUSY => {
            return Some(format!(
                "base's workers were {} busy, this run's {}",
                percent(before),
                percent(now)
            ));
        }
        (Some(_), Some(_)) => {}
        _ => return Some("how busy the workers were was not measured".to_owned()),
    }
    if let (Some(before), Some(now)) = (base.preempted(), head.preempted())
        && now > before + PREEMPTED
    {
        let (before, now) = (percent(before), percent(now));
        return Some(format!("for its CPU time base waited {before} for a CPU, this run {now}"));
    }
    let rate = |n: u64, load: &Load| n as f64 / load.span_ns.max(1) as f64 * 1e9;
    let (before, now) = (rate(n.0, base), rate(n.1, head));
    if now > before * RATE || before > now * RATE {
        return Some(format!("base has {before:.1} of them a second, this run {now:.1}"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::SECOND;

    #[test]
    fn only_a_like_load_is_compared_and_the_difference_is_named() {
        let load = |busy_ms: u64, preempted_ms: u64| Load {
            span_ns: 10 * SECOND,
            workers: 2,
            busy_ns: busy_ms * 1_000_000,
            worker_ns: 20 * SECOND,
            cpu_ns: Some(8 * SECOND),
            preempted_ns: Some(preempted_ms * 1_000_000),
        };
        let base = load(8_000, 100);
        assert_eq!(unlike(&base, &base, (500, 500)), None);
        assert_eq!(unlike(&base, &load(8_000, 0), (500, 450)), None, "a quieter machine is welcome");
        let words = |head: Load, n| unlike(&base, &head, n).unwrap_or_default();
        assert_eq!(words(load(16_000, 100), (500, 500)), "base's workers were 40% busy, this run's 80%");
        assert_eq!(
            words(load(8_000, 900), (500, 500)),
            "for its CPU time base waited 1% for a CPU, this run 11%"
        );
        assert_eq!(words(base, (500, 900)), "base has 50.0 of them a second, this run 90.0");
        assert_eq!(words(Load { workers: 4, ..base }, (500, 500)), "base ran on 2 workers, this run on 4");
        let blind = Load { worker_ns: 0, busy_ns: 0, ..base };
        assert!(words(blind, (500, 500)).contains("not measured"));
    }
}
