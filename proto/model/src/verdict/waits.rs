//! What detectors found about waits, against the time in which a run's threads had no CPU.
//!
//! A detector knows what share of the CPU its process wanted and did not get. That says little of a single stop: a
//! worker that has no CPU for 50 ms fires its timers late, and every task that waited for one lives so much longer,
//! though no poll and no delay was long. Where the runner knows for how long threads could not run, no wait that is
//! only longer than its limit by that is the code's. Called by the judge, for each finding of a detector.

use crate::detect::{sched_delay, tail_latency};
use crate::finding::Finding;
use crate::time::Nanos;
use crate::value::Value;

/// Why the finding proves nothing: in words, if threads without a CPU may have made it.
pub(super) fn doubt(finding: &Finding, without_cpu_ns: Option<u64>) -> Option<String> {
    let is_wait = [sched_delay::DETECTOR.id, tail_latency::DETECTOR.id].contains(&&*finding.detector);
    let without_cpu_ns = without_cpu_ns.filter(|_| is_wait)?;
    let (Value::Nanos(value), Value::Nanos(limit)) = (&finding.value, &finding.limit) else { return None };
    (value.saturating_sub(without_cpu_ns) <= *limit).then(|| {
        format!(
            "{}: {}, but threads of its runtime were without a CPU for {}",
            finding.site,
            finding.headline,
            Nanos(without_cpu_ns)
        )
    })
}
