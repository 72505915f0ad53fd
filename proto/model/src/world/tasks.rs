//! The table of one process's tasks: alive ones, and ended ones for a while.
//!
//! Rows lie in chunks of a slab, so that a million of them grow without copying and are walked in
//! memory order. Only the fold writes to it.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};

use crate::entity::task::TaskRecord;
use crate::id::TaskId;
use crate::time::SECOND;

const CHUNK: usize = 1 << CHUNK_BITS;
const CHUNK_BITS: u32 = 10;

/// One row and when it was last told.
#[derive(Clone, Debug)]
struct Slot {
    record: TaskRecord,
    seen_s: u32,
    generation: u32,
}

/// See the [module](self).
#[derive(Clone, Debug, Default)]
pub(super) struct TaskTable {
    index: HashMap<TaskId, u32>,
    chunks: Vec<Vec<Option<Slot>>>,
    free: Vec<u32>,
    /// Ended tasks in the order in which they became so, with the process's time of it.
    ended: VecDeque<(u64, TaskId)>,
    /// Ended tasks that are kept longer, because a finding or a slow poll points at them.
    kept: VecDeque<(u64, TaskId)>,
    generation: u32,
}

/// What became of a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Put {
    /// It is in the table.
    Stored,
    /// The table is full of living tasks.
    Refused,
}

impl TaskTable {
    pub(super) fn get(&self, id: TaskId) -> Option<&TaskRecord> {
        self.slot(*self.index.get(&id)?).map(|slot| &slot.record)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &TaskRecord> + '_ {
        self.chunks.iter().flatten().flatten().map(|slot| &slot.record)
    }

    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    pub(super) fn ended_len(&self) -> usize {
        self.ended.len() + self.kept.len()
    }

    /// Takes a row: the newest replaces, but a task that ended never comes back to life.
    pub(super) fn put(&mut self, record: TaskRecord, now_ns: u64, most: usize) -> Put {
        let id = record.id;
        let over = record.state.is_ended();
        let slot = Slot {
            record,
            seen_s: (now_ns / SECOND).min(u32::MAX.into()) as u32,
            generation: self.generation,
        };
        match self.index.entry(id) {
            Entry::Occupied(place) => {
                let at = *place.get() as usize;
                if let Some(old) = self.chunks[at >> CHUNK_BITS][at & (CHUNK - 1)].as_mut() {
                    let was_over = old.record.state.is_ended();
                    if was_over && !over {
                        return Put::Stored;
                    }
                    *old = slot;
                    if over && !was_over {
                        self.ended.push_back((now_ns, id));
                    }
                }
            }
            Entry::Vacant(place) => {
                if let Some(at) = self.free.pop() {
                    self.chunks[at as usize >> CHUNK_BITS][at as usize & (CHUNK - 1)] = Some(slot);
                    place.insert(at);
                } else {
                    let len = self.chunks.len();
                    let full = self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK);
                    let rows =
                        if full { len * CHUNK } else { (len - 1) * CHUNK + self.chunks[len - 1].len() };
                    if rows >= most {
                        return Put::Refused;
                    }
                    if full {
                        self.chunks.push(Vec::with_capacity(CHUNK));
                    }
                    place.insert(rows as u32);
                    self.chunks[rows >> CHUNK_BITS].push(Some(slot));
                }
                if over {
                    self.ended.push_back((now_ns, id));
                }
            }
        }
        Put::Stored
    }

    /// From now on rows are told anew; see [`TaskTable::sweep`].
    pub(super) fn begin_sweep(&mut self) {
        self.generation = self.generation.wrapping_add(1);
    }

    /// Drops every living task that was not told since [`TaskTable::begin_sweep`].
    pub(super) fn sweep(&mut self) {
        let generation = self.generation;
        self.drop_where(|slot| slot.generation != generation && !slot.record.state.is_ended());
    }

    /// Drops every living task that was not told since that time.
    pub(super) fn drop_untold(&mut self, before_ns: u64) {
        let before_s = (before_ns / SECOND).min(u32::MAX.into()) as u32;
        self.drop_where(|slot| slot.seen_s < before_s && !slot.record.state.is_ended());
    }

    fn drop_where(&mut self, unwanted: impl Fn(&Slot) -> bool) {
        let ids: Vec<TaskId> = self
            .chunks
            .iter()
            .flatten()
            .flatten()
            .filter(|slot| unwanted(slot))
            .map(|slot| slot.record.id)
            .collect();
        for id in ids {
            self.remove(id);
        }
    }

    /// Lets ended tasks go that are older than they may be, the oldest first, and those over `most`.
    /// Returns how many left before their time.
    pub(super) fn retire(
        &mut self,
        now_ns: u64,
        keep_ns: u64,
        keep_flagged_ns: u64,
        most: usize,
        flagged: impl Fn(&TaskRecord) -> bool,
    ) -> u64 {
        let mut early = 0;
        while let Some((since, id)) = self.ended.front().copied() {
            let expired = now_ns.saturating_sub(since) >= keep_ns;
            if !expired && self.ended_len() <= most {
                break;
            }
            self.ended.pop_front();
            if self.get(id).is_some_and(&flagged) {
                self.kept.push_back((since, id));
            } else {
                early += u64::from(!expired);
                self.remove(id);
            }
        }
        while let Some((since, id)) = self.kept.front().copied() {
            let expired = now_ns.saturating_sub(since) >= keep_flagged_ns;
            if !expired && self.ended_len() <= most {
                break;
            }
            early += u64::from(!expired);
            self.kept.pop_front();
            self.remove(id);
        }
        early
    }

    /// Lets the oldest ended tasks go until no more than `most` are kept. Returns how many left.
    pub(super) fn shed(&mut self, most: usize) -> u64 {
        let mut shed = 0;
        while self.ended_len() > most {
            let Some((_, id)) = self.ended.pop_front().or_else(|| self.kept.pop_front()) else { break };
            self.remove(id);
            shed += 1;
        }
        shed
    }

    /// The clock was set back: what ended did so now.
    pub(super) fn set_clock(&mut self, now_ns: u64) {
        for (since, _) in self.ended.iter_mut().chain(&mut self.kept) {
            *since = (*since).min(now_ns);
        }
    }

    fn remove(&mut self, id: TaskId) {
        let Some(at) = self.index.remove(&id) else { return };
        self.chunks[at as usize >> CHUNK_BITS][at as usize & (CHUNK - 1)] = None;
        self.free.push(at);
    }

    fn slot(&self, at: u32) -> Option<&Slot> {
        self.chunks.get(at as usize >> CHUNK_BITS)?.get(at as usize & (CHUNK - 1))?.as_ref()
    }
}
