//! The records of hooked tasks by tokio's id: most in a table without locks, those whose place is taken in a map.
//! Holds one claim on each.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use tokio::task::Id;

use crate::record::directory::Directory;
use crate::record::hold::Record;
use crate::record::task::TaskState;
use crate::record::tokio_id::{self, BuildIdHasher};

/// 256 KiB where hooks are used: more short-lived tasks than are alive at once.
pub(super) const PLACES: usize = 1 << 14;
const SHARDS: usize = 64;

static TASKS: Directory<TaskState, PLACES> = Directory::new();

type Shard = Mutex<HashMap<Id, Record, BuildIdHasher>>;

static OTHERS: LazyLock<[Shard; SHARDS]> = LazyLock::new(|| std::array::from_fn(|_| Shard::default()));
/// Whether there ever were others. Tokio hands a task's spawn on to whoever polls and ends it, and this with it.
static OTHERS_EXIST: AtomicBool = AtomicBool::new(false);

fn others(id: Id) -> MutexGuard<'static, HashMap<Id, Record, BuildIdHasher>> {
    let shard = &OTHERS[(tokio_id::hash(id) >> 58) as usize % SHARDS];
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps a task that is spawned. Takes over one claim.
#[inline]
pub(super) fn insert(id: Id, state: &'static TaskState) {
    if !TASKS.insert(tokio_id::number(id), state) {
        insert_elsewhere(id, Record::counted(state));
    }
}

#[cold]
fn insert_elsewhere(id: Id, record: Record) {
    if !OTHERS_EXIST.load(Ordering::Relaxed) {
        OTHERS_EXIST.store(true, Ordering::Relaxed);
    }
    others(id).insert(id, record);
}

/// Forgets a task, and returns its claim; `None` if it is not known.
#[inline]
pub(super) fn remove(id: Id) -> Option<Record> {
    TASKS.remove(tokio_id::number(id)).map(Record::counted).or_else(|| remove_elsewhere(id))
}

#[inline]
fn remove_elsewhere(id: Id) -> Option<Record> {
    if OTHERS_EXIST.load(Ordering::Relaxed) { others(id).remove(&id) } else { None }
}

/// A task's record, with a claim of the caller's own; `None` if it is not known.
#[cold]
#[inline(never)]
pub(super) fn find(id: Id) -> Option<Record> {
    let found = TASKS.find(tokio_id::number(id), |state| state.claims.claim()).map(Record::counted);
    if found.is_some() || !OTHERS_EXIST.load(Ordering::Relaxed) {
        return found;
    }
    others(id).get(&id).cloned()
}
