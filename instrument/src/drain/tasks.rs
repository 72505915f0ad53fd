//! The drain's view of the tasks: which records it knows, what it said of each, and which it has to look
//! at. Everything of it lies beside the records, in bits, so that a million idle tasks cost a tick
//! some thousand loads.

use std::collections::HashMap;
use std::ops::Range;

use pollscope_model::entity::task::TaskRecord;

use super::rows;
use crate::record::marks::CHUNK;
use crate::record::slots::{self, Chunk};
use crate::record::task::TaskState;

/// Rows in one delta of tasks that nobody knew before they ended; more are counted as lost (their
/// sites still count them).
const MAX_ENDED_ROWS: usize = 100_000;
const WORDS: usize = CHUNK / 64;

/// See the module. There is one in the process, since its claims and marks are.
#[derive(Default)]
pub(super) struct Tasks {
    chunks: Vec<&'static Chunk>,
    /// Of each chunk.
    known: Vec<[Known; WORDS]>,
    /// Slots that are free since this tick.
    freed: Vec<&'static TaskState>,
}

/// What the drain knows of 64 slots.
#[derive(Clone, Copy, Default)]
struct Known {
    /// Adopted: the drain has a claim on them.
    mine: u64,
    /// Of those, tasks whose end was said.
    over: u64,
    /// Looked at in the last tick, and to be looked at once more: see [`marks`](crate::record::marks).
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
        let freed = &mut self.freed;
        let mut tick = Tick { wanted, rows: Vec::new(), ended: 0, unsaid: HashMap::new(), freed };
        for (chunk, known) in self.chunks.iter().zip(&mut self.known) {
            for (word, known) in known.iter_mut().enumerate() {
                let taken = chunk.marks.take(word);
                let look = taken | known.again;
                known.again = taken;
                for bit in bits(look) {
                    tick.visit(&chunk.slots[word * 64 + bit], known, 1 << bit);
                }
            }
        }
        let found = (tick.rows, tick.unsaid);
        slots::give_back(&mut self.freed);
        found
    }
}

/// One tick's harvest.
struct Tick<'a> {
    wanted: bool,
    rows: Vec<TaskRecord>,
    ended: usize,
    unsaid: HashMap<u32, u64>,
    freed: &'a mut Vec<&'static TaskState>,
}

impl Tick<'_> {
    fn visit(&mut self, state: &'static TaskState, known: &mut Known, bit: u64) {
        let new = known.mine & bit == 0;
        if new {
            if !state.claims.adopt() {
                return;
            }
            known.mine |= bit;
            state.meet();
        }
        // Before the rest is read: if nobody else is left, what is read is the last word.
        let alone = state.claims.is_last();
        if known.over & bit != 0 {
            let fate = state.fate();
            if state.aside.said.get() != fate {
                state.aside.said.set(fate);
                let row = self.row(state);
                self.rows.extend(row);
            }
        } else {
            self.say(state, new, known, bit);
        }
        if alone && known.over & bit != 0 {
            known.mine &= !bit;
            known.over &= !bit;
            state.claims.free();
            self.freed.push(state);
        }
    }

    /// Says what changed of a task whose end was not said yet.
    fn say(&mut self, state: &TaskState, new: bool, known: &mut Known, bit: u64) {
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

    /// The row, if anybody wants it.
    fn row(&self, state: &TaskState) -> Option<TaskRecord> {
        if self.wanted {
            return Some(rows::row(state));
        }
        // What a look at a record has to keep up, whoever reads.
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
