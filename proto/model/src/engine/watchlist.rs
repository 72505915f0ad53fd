//! Which tasks the rules have to look at: those whose time has come.
//!
//! Most rules about single tasks are about something that lasts: a poll that is open, a wait that does
//! not end. Each can tell from a row when at the earliest that may be too long ([`due`](crate::detect::TaskRule)).
//! So a row is looked at when it changed, and then left alone until that time. Only
//! [`scan`](crate::engine::scan) calls this.
//!
//! Cost of a look: that of what changed, of the times that came, and of the tasks whose time has come
//! and that are still so; nothing for all others. Four bytes for each row, and as many for each time.

use std::collections::BTreeMap;

use crate::time::SECOND;
use crate::world::{Process, TaskRow};

/// The row is on no list.
const UNLISTED: u32 = 0;
/// Its time has come.
const NOW: u32 = u32::MAX;

/// See the [module](self).
#[derive(Clone, Debug, Default)]
pub(super) struct Watchlist {
    /// Changes of the process's rows up to which all are known; `None` before the first look.
    mark: Option<u64>,
    /// For each place of a row the second in which it is listed.
    listed: Vec<u32>,
    /// Places by that second. One whose row is listed at another by now is out of date.
    later: BTreeMap<u32, Vec<u32>>,
    /// Places whose time has come.
    now: Vec<u32>,
}

impl Watchlist {
    /// Forgets everything: the next look is at every row.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The places of all rows whose time has come.
    pub(super) fn due_places(
        &mut self,
        process: &Process,
        now_ns: u64,
        due: impl Fn(TaskRow<'_>) -> Option<u64>,
    ) -> &[u32] {
        let now_s = second(now_ns);
        let mut back = std::mem::take(&mut self.now);
        while let Some(entry) = self.later.first_entry().filter(|entry| *entry.key() <= now_s) {
            let (at, places) = entry.remove_entry();
            back.extend(places.into_iter().filter(|place| self.listed[*place as usize] == at));
        }
        for place in &back {
            self.listed[*place as usize] = UNLISTED;
        }
        for place in back {
            self.put(place, now_s, process.row_at(place).and_then(&due));
        }
        if let Some(changed) = self.mark.and_then(|mark| process.changed_places(mark)) {
            changed.for_each(|place| self.put(place, now_s, process.row_at(place).and_then(&due)));
        } else {
            self.clear();
            process.places().for_each(|(place, row)| self.put(place, now_s, due(row)));
        }
        self.mark = Some(process.changes_ever());
        &self.now
    }

    /// Lists a row at its time, unless it is listed at an earlier one: then it is asked again.
    fn put(&mut self, place: u32, now_s: u32, due_ns: Option<u64>) {
        let Some(due_ns) = due_ns else { return };
        let index = place as usize;
        if index >= self.listed.len() {
            self.listed.resize(index + 1, UNLISTED);
        }
        let listed = self.listed[index];
        let at = second(due_ns);
        if listed == NOW || listed != UNLISTED && listed <= at {
            return;
        }
        if at <= now_s {
            self.listed[index] = NOW;
            self.now.push(place);
        } else {
            self.listed[index] = at;
            self.later.entry(at).or_default().push(place);
        }
    }
}

/// From 1 on, and below [`NOW`].
fn second(ns: u64) -> u32 {
    u32::try_from(ns / SECOND).unwrap_or(NOW).saturating_add(1).min(NOW - 1)
}
