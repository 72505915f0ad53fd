//! Records that went to the next task while the join handle of the one before still existed, and what such a handle
//! may yet have to tell: whether a panic was looked at. For that the ids of panicked tasks stay here, and nothing of
//! the others.
//!
//! A handle that was used at the same moment decides: then the record stays its task's, and the drain looks again.

use std::collections::HashSet;
#[cfg(any(feature = "check", test))]
use std::sync::atomic::AtomicU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use super::Recorder;
#[cfg(any(feature = "check", test))]
use super::session::{self, MAX, Session};
use super::task::TaskState;
use crate::claims::{PANICKED, Word};

/// What the recorder keeps of records that were given back.
pub(super) struct GivenBack {
    /// Ids of panicked tasks whose handle existed when their record was given back.
    panics: LazyLock<Mutex<HashSet<u64>>>,
    /// Their number. Written before a record is given back, so that a handle which finds it gone sees it.
    panics_len: AtomicUsize,
    /// Handles, by session, that exist and whose record was given back: the session's number is not another's before
    /// they are gone, since they count for its sites.
    #[cfg(any(feature = "check", test))]
    handles: [AtomicU32; MAX],
}

impl GivenBack {
    /// None.
    pub(super) const fn new() -> Self {
        Self {
            panics: LazyLock::new(Mutex::default),
            panics_len: AtomicUsize::new(0),
            #[cfg(any(feature = "check", test))]
            handles: [const { AtomicU32::new(0) }; MAX],
        }
    }
}

#[inline]
fn kept() -> &'static GivenBack {
    &Recorder::global().given_back
}

fn panics() -> MutexGuard<'static, HashSet<u64>> {
    kept().panics.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Frees a record whose last claim is the drain's and whose task's handle exists, as `word` says that was read before
/// its row was. `false` if it stays: the handle was used meanwhile, or `max_panics` ids are kept already.
pub fn give_back(state: &TaskState, word: Word, max_panics: usize) -> bool {
    if word.flags() & PANICKED == 0 {
        return free_if(state, word);
    }
    let mut panics = panics();
    if panics.len() >= max_panics {
        return false;
    }
    kept().panics_len.store(panics.len() + 1, Ordering::Relaxed);
    let is_free = free_if(state, word);
    if is_free {
        panics.insert(word.id());
    } else {
        kept().panics_len.store(panics.len(), Ordering::Relaxed);
    }
    is_free
}

/// Frees a record whose last claim the caller gave up, and which the drain does not know.
#[inline]
pub(crate) fn free(state: &TaskState) {
    #[cfg(any(feature = "check", test))]
    if !session::of_site(state.site()).is_none() {
        while !free_if(state, state.claims.word()) {}
        return;
    }
    state.claims.free();
}

/// Frees a record unless its handle was used since `word` was read.
fn free_if(state: &TaskState, word: Word) -> bool {
    #[cfg(any(feature = "check", test))]
    if word.is_held() {
        let session = session::of_site(state.site());
        handles(session).fetch_add(1, Ordering::Relaxed);
        let is_free = state.claims.free_if(word);
        if !is_free {
            handles(session).fetch_sub(1, Ordering::Relaxed);
        }
        return is_free;
    }
    state.claims.free_if(word)
}

/// The handle of a task whose record was given back is gone, and counted. Returns whether the task had panicked.
pub(crate) fn forget(id: u64, site: u32) -> bool {
    let panicked = kept().panics_len.load(Ordering::Relaxed) != 0 && forget_panic(id);
    #[cfg(any(feature = "check", test))]
    handles(session::of_site(site)).fetch_sub(1, Ordering::Release);
    #[cfg(not(any(feature = "check", test)))]
    let _ = site;
    panicked
}

#[cold]
fn forget_panic(id: u64) -> bool {
    let mut panics = panics();
    let known = panics.remove(&id);
    kept().panics_len.store(panics.len(), Ordering::Relaxed);
    if panics.capacity() > 4 * panics.len() + 1_024 {
        panics.shrink_to_fit();
    }
    known
}

#[cfg(any(feature = "check", test))]
fn handles(session: Session) -> &'static AtomicU32 {
    &kept().handles[session.index() % MAX]
}

/// Whether no handle exists of a task of that session whose record was given back. For a caller that found no record
/// of it before.
#[cfg(any(feature = "check", test))]
pub(crate) fn none_of(session: Session) -> bool {
    handles(session).load(Ordering::Acquire) == 0
}
