//! The records of hooked tasks by tokio's id: most in a table without locks, those whose place is taken in a map.
//! Holds one claim on each.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pollscope_recorder::directory::Directory;
use pollscope_recorder::hold::Record;
use pollscope_recorder::room::Room;
use pollscope_recorder::task::TaskState;
use tokio::task::Id;

use crate::runtime::id::{self, BuildIdHasher};

/// 256 KiB where hooks are used: more short-lived tasks than are alive at once.
pub(super) const PLACES: usize = 1 << 14;
const SHARDS: usize = 64;

/// Process-wide since tokio's hooks come with an id and nothing of ours. All zeroes: where no hook is used it takes no
/// memory.
static KNOWN: Known = Known { tasks: Directory::new(), others: Room::empty() };

struct Known {
    tasks: Directory<TaskState, PLACES>,
    /// Made for the first of them. Tokio makes a task's spawn visible to the threads that poll and end it, and with it
    /// this.
    others: Room<Others>,
}

type Others = [Shard; SHARDS];

type Shard = Mutex<HashMap<Id, Record, BuildIdHasher>>;

fn shard(others: &'static Others, id: Id) -> MutexGuard<'static, HashMap<Id, Record, BuildIdHasher>> {
    let shard = &others[id::number(id) as usize % SHARDS];
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps a task that is spawned. Takes over one claim.
#[inline]
pub(super) fn insert(id: Id, state: &'static TaskState) {
    if !KNOWN.tasks.insert(id::number(id), state) {
        let others = KNOWN.others.get_or_make(|| Box::new(std::array::from_fn(|_| Shard::default())));
        shard(others, id).insert(id, Record::counted(state));
    }
}

/// Forgets a task, and returns its claim; `None` if it is not known.
#[inline]
pub(super) fn remove(id: Id) -> Option<Record> {
    let removed = KNOWN.tasks.remove(id::number(id)).map(Record::counted);
    removed.or_else(|| shard(KNOWN.others.get()?, id).remove(&id))
}

/// A task's record, with a claim of the caller's own; `None` if it is not known.
#[cold]
#[inline(never)]
pub(super) fn find(id: Id) -> Option<Record> {
    let found = KNOWN.tasks.find(id::number(id), |state| state.claims.claim()).map(Record::counted);
    found.or_else(|| shard(KNOWN.others.get()?, id).get(&id).cloned())
}
