//! The drain's view of the tasks: which records it knows, what it said of each, and which it has to look
//! at. Everything of it lies beside the records, in bits, so that a million idle tasks cost a tick
//! some thousand loads.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;

use pollscope_model::entity::task::TaskRecord;
use pollscope_recorder::marks::CHUNK;
use pollscope_recorder::slots::{self, Chunk};
use pollscope_recorder::task::TaskState;
use pollscope_recorder::{Recorder, given_back};

use super::rows;

/// Rows in one delta of tasks that were unknown before they ended; more are counted as lost (their
/// sites still count them).
const MAX_ENDED_ROWS: usize = 100_000;
/// Of so many records one may be that of an ended task whose join handle exists: the latest of them stay, so that it
/// can still be told what becomes of the handle.
const KEPT_SHARE: usize = 8;
const WORDS: usize = CHUNK / 64;

/// See the module. There is one in the process, since its claims and marks are.
#[derive(Default)]
pub(super) struct Tasks {
    chunks: Vec<&'static Chunk>,
    /// Of each chunk.
    known: Vec<[Known; WORDS]>,
    /// Slots that are free since this tick.
    freed: Vec<&'static TaskState>,
    /// Of ended tasks whose end was said and whose join handle existed then, the one that ended first in front. Some of
    /// them are other tasks' by now.
    held: VecDeque<Held>,
}

/// The record of an ended task whose join handle exists.
struct Held {
    slot: usize,
    id: u64,
}

/// What the drain knows of 64 slots.
#[derive(Clone, Copy, Default)]
struct Known {
    /// Adopted: the drain has a claim on them.
    mine: u64,
    /// Of those, tasks whose end was said.
    over: u64,
    /// Of those, tasks in [`Tasks::held`].
    held: u64,
    /// Looked at in the last tick, and to be looked at once more: see [`marks`](pollscope_recorder::marks).
    again: u64,
}

impl Tasks {
    /// Slots, free ones included; a task stays in its own.
    pub(super) fn slots(&self) -> usize {
        self.known.len() * CHUNK
    }

    /// Rows of the tasks in those slots that were said and not said to have ended.
    pub(super) fn rows(&self, slots: Range<usize>) -> impl Iterator<Item = TaskRecord> {
        (slots.start..slots.end.min(self.slots())).filter_map(|slot| {
            let (chunk, at) = (slot / CHUNK, slot % CHUNK);
            let known = self.known.get(chunk)?[at / 64];
            let lives = (known.mine & !known.over) >> (at % 64) & 1 == 1;
            lives.then(|| rows::row(&self.chunks[chunk].slots[at]))
        })
    }

    /// The rows that changed since the last call, and how many ended tasks found no room among them, by site.
    /// Unless they are `wanted` none is made: a million new tasks would be hundreds of megabytes of them.
    pub(super) fn changed(&mut self, wanted: bool) -> (Vec<TaskRecord>, HashMap<u32, u64>) {
        slots::learn(&mut self.chunks);
        self.known.resize(self.chunks.len(), [Known::default(); WORDS]);
        let (freed, held) = (&mut self.freed, &mut self.held);
        let mut tick = Tick { wanted, rows: Vec::new(), ended: 0, unsaid: HashMap::new(), freed, held };
        let mut over = 0;
        for (at, (chunk, known)) in self.chunks.iter().zip(&mut self.known).enumerate() {
            for (word, known) in known.iter_mut().enumerate() {
                let taken = chunk.marks.take(word);
                let look = taken | known.again;
                known.again = taken;
                for bit in bits(look) {
                    let slot = at * CHUNK + word * 64 + bit;
                    tick.visit(&chunk.slots[word * 64 + bit], slot, known, 1 << bit);
                }
                over += u64::from(known.over.count_ones());
            }
        }
        let max_tasks = Recorder::global().max_tasks() as usize;
        let most = max_tasks / KEPT_SHARE;
        while tick.held.len() > most
            && let Some(Held { slot, id }) = tick.held.pop_front()
        {
            let (chunk, at) = (slot / CHUNK, slot % CHUNK);
            let (state, known) = (&self.chunks[chunk].slots[at], &mut self.known[chunk][at / 64]);
            let is_free = tick.give_back(state, id, known, 1 << (at % 64), max_tasks);
            over -= u64::from(is_free);
        }
        let found = (tick.rows, tick.unsaid);
        self.held.shrink_to(4 * most);
        slots::give_back(&mut self.freed, over);
        found
    }
}

impl Known {
    /// The slot is another task's from now on.
    fn forget(&mut self, bit: u64) {
        for bits in [&mut self.mine, &mut self.over, &mut self.held] {
            *bits &= !bit;
        }
    }
}

/// One tick's harvest.
struct Tick<'a> {
    wanted: bool,
    rows: Vec<TaskRecord>,
    ended: usize,
    unsaid: HashMap<u32, u64>,
    freed: &'a mut Vec<&'static TaskState>,
    held: &'a mut VecDeque<Held>,
}

impl Tick<'_> {
    fn visit(&mut self, state: &'static TaskState, slot: usize, known: &mut Known, bit: u64) {
        let new = known.mine & bit == 0;
        if new {
            if !state.claims.adopt() {
                return;
            }
            known.mine |= bit;
            state.meet();
        }
        // Before the rest is read: if no other claim is left, only a join handle may still write, which shows in the word.
        let (alone, word) = (state.claims.is_last(), state.claims.word());
        if known.over & bit != 0 {
            self.say_fate(state);
        } else {
            self.add_change(state, new, known, bit);
        }
        if !alone || known.over & bit == 0 {
            return;
        }
        if word.is_held() {
            if known.held & bit == 0 {
                known.held |= bit;
                self.held.push_back(Held { slot, id: word.id() });
            }
        } else if state.claims.free_if(word) {
            known.forget(bit);
            self.freed.push(state);
        }
    }

    /// The record of an ended task goes to the next, though the join handle exists; whether it did. If the handle is used
    /// meanwhile it goes at the next visit.
    fn give_back(
        &mut self,
        state: &'static TaskState,
        id: u64,
        known: &mut Known,
        bit: u64,
        max: usize,
    ) -> bool {
        let word = state.claims.word();
        if known.held & bit == 0 || word.id() != id {
            return false;
        }
        known.held &= !bit;
        if !word.is_held() {
            return false;
        }
        self.say_fate(state);
        let is_free = given_back::give_back(state, word, max);
        if is_free {
            known.forget(bit);
            self.freed.push(state);
        }
        is_free
    }

    /// Says what changed of a task whose end was said.
    fn say_fate(&mut self, state: &TaskState) {
        let fate = state.fate();
        if state.aside.said.get() != fate {
            state.aside.said.set(fate);
            let row = self.row(state);
            self.rows.extend(row);
        }
    }

    /// Says what changed of a task whose end was not said yet.
    fn add_change(&mut self, state: &TaskState, new: bool, known: &mut Known, bit: u64) {
        let fingerprint = state.fingerprint();
        if state.aside.said.get() == fingerprint {
            return;
        }
        state.aside.said.set(fingerprint);
        let fate = state.fate();
        let row = self.row(state);
        let phase = row.as_ref().map_or_else(|| state.state().0, |row| row.state);
        if phase.is_ended() {
            state.aside.said.set(fate);
            known.over |= bit;
            if new {
                self.ended += 1;
                if self.ended > MAX_ENDED_ROWS {
                    *self.unsaid.entry(state.site()).or_default() += 1;
                    return;
                }
            }
        }
        self.rows.extend(row);
    }

    /// The row, if a reader wants it.
    fn row(&self, state: &TaskState) -> Option<TaskRecord> {
        if self.wanted {
            return Some(rows::row(state));
        }
        // What a look at a record has to keep up for later readers.
        state.clones();
        None
    }
}

/// The numbers of the bits that are set.
fn bits(mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = word.checked_ilog2()?;
        word &= !(1 << bit);
        Some(bit as usize)
    })
}
