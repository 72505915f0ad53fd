//! The table of one process's tasks: alive ones, and ended ones for a while.
//!
//! Rows lie in chunks of a slab, so that a million of them grow without copying and are walked in
//! memory order. A row keeps its place for as long as it is there. Only the fold writes to it.

mod changes;
mod counts;
mod jobs;
mod row;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;

use hashbrown::DefaultHashBuilder;
use hashbrown::hash_table::{Entry, HashTable};

use crate::entity::task::TaskRecord;
use crate::id::{RuntimeId, SiteId, TaskId};
use crate::time::SECOND;
use changes::Changes;
pub(crate) use counts::SiteRows;
use counts::{RowShare, TaskCounts};
pub use row::TaskRow;
use row::{Cold, Hot, pack};

const CHUNK: usize = 1 << CHUNK_BITS;
const CHUNK_BITS: u32 = 10;
/// Of so many rows one may be wide: it takes the room of three.
const WIDE_SHARE: usize = 2;

/// The rows, by their places.
#[derive(Clone, Debug, Default)]
struct Rows {
    chunks: Vec<(Vec<Hot>, Vec<Cold>)>,
    /// Records that do not fit into a row.
    wide: HashMap<u32, Box<TaskRecord>, DefaultHashBuilder>,
    free: Vec<u32>,
}

/// See the [module](self).
#[derive(Clone, Debug, Default)]
pub(super) struct TaskTable {
    /// Places, by the ids of their rows.
    index: HashTable<u32>,
    hasher: DefaultHashBuilder,
    rows: Rows,
    counts: TaskCounts,
    changes: Changes,
    /// Ended tasks in the order in which they became so, with the process's time of it.
    ended: VecDeque<(u64, TaskId)>,
    /// Ended tasks that are kept longer, because a finding or a slow poll points at them.
    kept: VecDeque<(u64, TaskId)>,
    sweep: u8,
}

/// What became of a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Insertion {
    /// It is in the table.
    Stored,
    /// The table is full of living tasks, or of rows that are wide.
    Refused,
}

impl TaskTable {
    pub(super) fn get(&self, id: TaskId) -> Option<TaskRow<'_>> {
        self.rows.at(*self.index.find(self.hasher.hash_one(id), |place| self.rows.id(*place) == id)?)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = TaskRow<'_>> + Clone + '_ {
        self.rows.iter().map(|(_, row)| row)
    }

    /// Every row with its place, for who comes back to it later.
    pub(super) fn places(&self) -> impl Iterator<Item = (u32, TaskRow<'_>)> + '_ {
        self.rows.iter()
    }

    /// The row at that place, if there still is one; another task may have taken it over, which
    /// [`TaskTable::changes_since`] tells.
    pub(super) fn at(&self, place: u32) -> Option<TaskRow<'_>> {
        self.rows.at(place)
    }

    /// How many changes there ever were: the mark for [`TaskTable::changes_since`].
    pub(super) fn changes_ever(&self) -> u64 {
        self.changes.ever()
    }

    /// The places of rows that were told after that mark; `None` if that is too long ago.
    pub(super) fn changes_since(&self, mark: u64) -> Option<impl Iterator<Item = u32> + '_> {
        self.changes.since(mark)
    }

    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// Bytes that it holds.
    pub(super) fn held_bytes(&self) -> usize {
        let Rows { chunks, wide, free } = &self.rows;
        chunks.len() * CHUNK * (size_of::<Hot>() + size_of::<Cold>())
            + wide.capacity() * 16
            + wide.len() * size_of::<TaskRecord>()
            + free.capacity() * size_of::<u32>()
            + self.index.capacity() * 6
            + self.counts.jobs().held_bytes()
            + (self.ended.capacity() + self.kept.capacity()) * size_of::<(u64, TaskId)>()
    }

    /// Lets every row go; returns how many there were.
    pub(super) fn clear(&mut self) -> usize {
        let before = self.len();
        *self = Self { sweep: self.sweep, changes: std::mem::take(&mut self.changes), ..Self::default() };
        self.changes.forget();
        before
    }

    pub(super) fn ended_len(&self) -> usize {
        self.ended.len() + self.kept.len()
    }

    pub(super) fn site(&self, site: SiteId) -> SiteRows {
        self.counts.site(site)
    }

    /// Living children of a task, and of these those that are not declared long-lived.
    pub(super) fn children(&self, task: TaskId) -> (u32, u32) {
        let children = self.counts.children(task);
        (children.living, children.short_lived)
    }

    /// Jobs of blocking pools that wait for a thread, with the times of their spawns, the oldest first.
    pub(super) fn waiting_jobs(&self) -> impl Iterator<Item = (u64, TaskId)> + '_ {
        self.counts.jobs().waiting()
    }

    /// Jobs that have one, with the times of their starts, the oldest first.
    pub(super) fn running_jobs(&self) -> impl Iterator<Item = (u64, TaskId)> + '_ {
        self.counts.jobs().running()
    }

    /// Living tasks on a runtime.
    pub(super) fn on_runtime(&self, runtime: RuntimeId) -> u64 {
        self.counts.runtime(runtime)
    }

    /// Takes a row: the newest replaces, but a task that ended never comes back to life.
    pub(super) fn put(&mut self, record: TaskRecord, now_ns: u64, most: usize) -> Insertion {
        let id = record.id;
        let over = record.state.is_ended();
        let seen_s = (now_ns / SECOND).min(u32::MAX.into()) as u32;
        let packed = pack(record, seen_s, self.sweep);
        if packed.2.is_some() && self.rows.wide.len() >= most.div_ceil(WIDE_SHARE) {
            // An older state would be taken for the present one.
            self.remove(id);
            return Insertion::Refused;
        }
        let Self { index, hasher, rows, counts, .. } = self;
        let hash = hasher.hash_one(id);
        let entry =
            index.entry(hash, |place| rows.id(*place) == id, |place| hasher.hash_one(rows.id(*place)));
        let was_over = match entry {
            Entry::Occupied(place) => {
                let place = *place.get();
                let Some(before) = rows.at(place) else { return Insertion::Stored };
                let (before, was_over) = (RowShare::of(before), before.state().is_ended());
                if was_over && !over {
                    return Insertion::Stored;
                }
                let after = rows.set(place, packed);
                counts.change(before, RowShare::of(after));
                self.changes.note(place);
                was_over
            }
            Entry::Vacant(vacant) => {
                let Some(place) = rows.take_place(most) else { return Insertion::Refused };
                vacant.insert(place);
                counts.insert(rows.set(place, packed));
                self.changes.note(place);
                false
            }
        };
        if over && !was_over {
            self.ended.push_back((now_ns, id));
        }
        Insertion::Stored
    }

    /// Makes room in the index for that many rows, so that a snapshot does not build it again and again.
    pub(super) fn expect(&mut self, rows: usize) {
        let Self { index, hasher, rows: known, .. } = self;
        index.reserve(rows.saturating_sub(index.len()), |place| hasher.hash_one(known.id(*place)));
    }

    /// From now on rows are told anew; see [`TaskTable::sweep`].
    pub(super) fn begin_sweep(&mut self) {
        self.sweep = self.sweep.wrapping_add(1);
    }

    /// Drops every living task that was not told since [`TaskTable::begin_sweep`].
    pub(super) fn sweep(&mut self) {
        let sweep = self.sweep;
        self.drop_where(|row| row.sweep() != sweep && !row.is_over());
    }

    /// Drops every living task that was not told since that time.
    pub(super) fn drop_unreported(&mut self, before_ns: u64) {
        let before_s = (before_ns / SECOND).min(u32::MAX.into()) as u32;
        self.drop_where(|row| row.seen_s < before_s && !row.is_over());
    }

    fn drop_where(&mut self, unwanted: impl Fn(&Hot) -> bool) {
        let rows = self.rows.iter().map(|(_, row)| row.hot);
        let ids: Vec<TaskId> = rows.filter(|row| unwanted(row)).map(Hot::id).collect();
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
        flagged: impl Fn(TaskRow<'_>) -> bool,
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
    pub(super) fn evict_ended(&mut self, most: usize) -> u64 {
        let mut evict_ended = 0;
        while self.ended_len() > most {
            let Some((_, id)) = self.ended.pop_front().or_else(|| self.kept.pop_front()) else { break };
            self.remove(id);
            evict_ended += 1;
        }
        evict_ended
    }

    /// The clock was set back: what ended did so now, and every row is another than before.
    pub(super) fn set_clock(&mut self, now_ns: u64) {
        for (since, _) in self.ended.iter_mut().chain(&mut self.kept) {
            *since = (*since).min(now_ns);
        }
        self.changes.forget();
    }

    fn remove(&mut self, id: TaskId) {
        let rows = &mut self.rows;
        let hash = self.hasher.hash_one(id);
        let Ok(entry) = self.index.find_entry(hash, |place| rows.id(*place) == id) else { return };
        let (place, _) = entry.remove();
        if let Some(row) = rows.at(place) {
            self.counts.subtract(RowShare::of(row));
        }
        rows.clear(place);
    }
}

impl Rows {
    fn hot(&self, place: u32) -> Option<(&Hot, &Cold)> {
        let (hot, cold) = self.chunks.get(place as usize >> CHUNK_BITS)?;
        Some((hot.get(place as usize & (CHUNK - 1))?, cold.get(place as usize & (CHUNK - 1))?))
    }

    fn at(&self, place: u32) -> Option<TaskRow<'_>> {
        let (hot, cold) = self.hot(place).filter(|(hot, _)| hot.is_used())?;
        Some(self.row(place, hot, cold))
    }

    fn row<'a>(&'a self, place: u32, hot: &'a Hot, cold: &'a Cold) -> TaskRow<'a> {
        let wide = if hot.is_wide() { self.wide.get(&place).map(|record| &**record) } else { None };
        TaskRow { hot, cold, wide }
    }

    fn id(&self, place: u32) -> TaskId {
        self.hot(place).map_or(TaskId(0), |(hot, _)| hot.id())
    }

    fn iter(&self) -> impl Iterator<Item = (u32, TaskRow<'_>)> + Clone + '_ {
        self.chunks.iter().enumerate().flat_map(move |(chunk, (hot, cold))| {
            let rows = hot.iter().zip(cold).enumerate().filter(|(_, (hot, _))| hot.is_used());
            rows.map(move |(at, (hot, cold))| {
                let place = (chunk << CHUNK_BITS | at) as u32;
                (place, self.row(place, hot, cold))
            })
        })
    }

    /// A place that is free, while there are fewer than `most`.
    fn take_place(&mut self, most: usize) -> Option<u32> {
        if let Some(place) = self.free.pop() {
            return Some(place);
        }
        let full = self.chunks.last().is_none_or(|(hot, _)| hot.len() == CHUNK);
        let before = self.chunks.len().saturating_sub(usize::from(!full)) * CHUNK;
        let place = before + if full { 0 } else { self.chunks.last().map_or(0, |(hot, _)| hot.len()) };
        if place >= most {
            return None;
        }
        if full {
            self.chunks.push((Vec::with_capacity(CHUNK), Vec::with_capacity(CHUNK)));
        }
        let (hot, cold) = self.chunks.last_mut()?;
        hot.push(Hot::default());
        cold.push(Cold::default());
        u32::try_from(place).ok()
    }

    /// Writes a row to a place that was taken.
    fn set(&mut self, place: u32, (hot, cold, wide): (Hot, Cold, Option<Box<TaskRecord>>)) -> TaskRow<'_> {
        let (chunk, at) = (place as usize >> CHUNK_BITS, place as usize & (CHUNK - 1));
        let (hots, colds) = &mut self.chunks[chunk];
        let was_wide = hots[at].is_wide();
        (hots[at], colds[at]) = (hot, cold);
        match wide {
            Some(record) => drop(self.wide.insert(place, record)),
            None if was_wide => drop(self.wide.remove(&place)),
            None => {}
        }
        let (hots, colds) = &self.chunks[chunk];
        self.row(place, &hots[at], &colds[at])
    }

    fn clear(&mut self, place: u32) {
        self.set(place, (Hot::default(), Cold::default(), None));
        self.free.push(place);
    }
}
