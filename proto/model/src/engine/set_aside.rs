//! Evidence over a limit that a rule for doubt keeps from being a finding, as the engine keeps it of one process: the
//! newest words of each thing that is in doubt. Bounded: what finds no room is counted.

use std::collections::BTreeMap;

use crate::detect::signal::{FindingKey, SetAside};
use crate::time::SECOND;

/// The most things of one process that are in doubt.
const MAX: usize = 64;
/// For how long after it was last seen it is told as present.
const PRESENT_NS: u64 = 60 * SECOND;
/// What was not seen for so long begins anew.
const GAP_NS: u64 = 3 * SECOND;

#[derive(Clone, Debug)]
struct Entry {
    reason: String,
    since_ns: u64,
    seen_ns: u64,
    /// It was seen for as long as the detector's findings must be.
    has_lasted: bool,
}

/// See the [module](self).
#[derive(Clone, Debug, Default)]
pub(super) struct DoubtfulEvidence {
    entries: BTreeMap<(usize, FindingKey), Entry>,
    refused: u64,
}

impl DoubtfulEvidence {
    /// Takes what a detector set aside at this look.
    pub(super) fn take(&mut self, detector: usize, for_ns: u64, set_aside: Vec<SetAside>, now_ns: u64) {
        for SetAside { key, reason } in set_aside {
            if self.entries.len() >= MAX && !self.entries.contains_key(&(detector, key)) {
                self.refused = self.refused.saturating_add(1);
                continue;
            }
            let new =
                || Entry { reason: String::new(), since_ns: now_ns, seen_ns: now_ns, has_lasted: false };
            let entry = self.entries.entry((detector, key)).or_insert_with(new);
            if entry.seen_ns.saturating_add(GAP_NS) < now_ns {
                entry.since_ns = now_ns;
            }
            (entry.reason, entry.seen_ns) = (reason, now_ns);
            entry.has_lasted |= now_ns.saturating_sub(entry.since_ns) >= for_ns;
        }
    }

    /// What was seen in the last minute.
    pub(super) fn present(&self, now_ns: u64) -> impl Iterator<Item = (usize, FindingKey, &str)> {
        let is_present =
            move |entry: &Entry| entry.has_lasted && entry.seen_ns.saturating_add(PRESENT_NS) >= now_ns;
        let entries = self.entries.iter().filter(move |(_, entry)| is_present(entry));
        entries.map(|((detector, key), entry)| (*detector, *key, entry.reason.as_str()))
    }

    /// All that was ever seen.
    pub(super) fn all(&self) -> impl Iterator<Item = (usize, FindingKey, &str)> {
        self.present(0)
    }

    /// What found no room.
    pub(super) fn refused(&self) -> u64 {
        self.refused
    }
}
