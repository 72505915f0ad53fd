//! Which states of threads exist, which of them have no thread, and what is left of those that were freed.
//!
//! A state belongs to one thread at a time, which writes it without a lock. When the thread ends, the next thread
//! that starts takes the state over; what no thread took over is folded into one rest and freed by
//! [`Roster::reclaim`], on a thread of ours.
//!
//! **Who may hold a reference.** The thread that took a state, until it gives it back. Any thread, while it holds the
//! lock of the lists: threads of the service take no other lock, when they start, end or become a worker, and nothing
//! below holds it for longer than it takes to go through a list once. And readers ([`Roster::read`]), which share the
//! lock of the rest for as long as they look. `reclaim` needs that lock alone, so no reader is looking, and takes a
//! state off the lists before it frees it, so no thread can come by it. It never waits for readers: it does nothing
//! where one is looking, so that readers may read inside of a reading.

use std::ptr::NonNull;
use std::sync::{PoisonError, TryLockError};

use super::atomic::{Mutex, MutexGuard, RwLock, RwLockReadGuard};

/// See the module.
pub(crate) struct Roster<T, R> {
    lists: Mutex<Lists<T>>,
    rest: RwLock<R>,
}

struct Lists<T> {
    /// The number of the last state.
    last: u32,
    /// States at most.
    most: usize,
    /// Ascending by number.
    all: Vec<Entry<T>>,
    /// Those without a thread, the longest first.
    free: Vec<Entry<T>>,
}

/// A state and its number.
struct Entry<T> {
    index: u32,
    state: NonNull<T>,
}

impl<T> Clone for Entry<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Entry<T> {}

#[expect(unsafe_code, reason = "a pointer that a lock guards")]
// SAFETY: an entry gives out shared references only, and the box that it came from is freed on any thread.
unsafe impl<T: Send + Sync> Send for Entry<T> {}

impl<T> Entry<T> {
    /// # Safety
    /// The caller upholds for as long as it uses the reference what the module says of those who may hold one.
    #[expect(unsafe_code, reason = "states are freed")]
    unsafe fn state<'a>(self) -> &'a T {
        // SAFETY: it came from a box that only `reclaim` frees, which does so to no state that is referred to as the
        // module says; the caller upholds that.
        unsafe { self.state.as_ref() }
    }
}

/// A state that the calling thread took and has not given back.
pub(crate) struct Taken<T>(Entry<T>);

impl<T> Taken<T> {
    /// # Safety
    /// The caller does not use it after it gave the state back.
    #[expect(unsafe_code, reason = "states are freed")]
    pub(crate) unsafe fn state(&self) -> &'static T {
        // SAFETY: only states that were given back are freed, and the caller does not use it after that.
        unsafe { self.0.state() }
    }
}

/// All states and the rest of those that were freed, which together are what all threads ever wrote. No state that is
/// in it is freed while it exists.
pub struct Reading<'a, T, R> {
    all: Vec<Entry<T>>,
    rest: RwLockReadGuard<'a, R>,
}

impl<T, R> Reading<'_, T, R> {
    /// The states that exist, in the order of their numbers.
    pub fn states(&self) -> impl ExactSizeIterator<Item = &T> + Clone {
        self.all.iter().map(|entry| {
            #[expect(unsafe_code, reason = "states are freed")]
            // SAFETY: it was on the list after the lock of the rest was shared, which this reading still does.
            unsafe {
                entry.state()
            }
        })
    }

    /// What is left of the others.
    pub fn rest(&self) -> &R {
        &self.rest
    }
}

impl<T: 'static, R> Roster<T, R> {
    /// For so many states at most.
    pub(crate) fn new(most: usize, rest: R) -> Self {
        let lists = Lists { last: 0, most, all: Vec::new(), free: Vec::new() };
        Self { lists: Mutex::new(lists), rest: RwLock::new(rest) }
    }

    fn lists(&self) -> MutexGuard<'_, Lists<T>> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A state for the calling thread: one that no thread has, rather one that is `preferred`, or one that is made
    /// with its number. Where there are too many, a number that no state has, as the error.
    pub(crate) fn take(
        &self,
        preferred: impl Fn(&T) -> bool,
        make: impl FnOnce(u32) -> Box<T>,
    ) -> Result<Taken<T>, u32> {
        let mut lists = self.lists();
        let known = lists.free.iter().rposition(|free| {
            #[expect(unsafe_code, reason = "states are freed")]
            // SAFETY: it is on a list, whose lock is held.
            preferred(unsafe { free.state() })
        });
        let free = match known {
            Some(at) => Some(lists.free.remove(at)),
            None => lists.free.pop(),
        };
        match free {
            Some(entry) => Ok(Taken(entry)),
            None if lists.all.len() >= lists.most => Err(lists.next()),
            None => Ok(Taken(lists.add(make))),
        }
    }

    /// Adds a state that several threads use and that is never freed, whatever the limit.
    pub(crate) fn add_for_ever(&self, make: impl FnOnce(u32) -> Box<T>) -> &'static T {
        let entry = self.lists().add(make);
        #[expect(unsafe_code, reason = "states are freed")]
        // SAFETY: it is taken once and never given back, so it is never freed.
        unsafe {
            entry.state()
        }
    }

    /// The thread has no use for it any more.
    pub(crate) fn give_back(&self, Taken(entry): Taken<T>) {
        self.lists().free.push(entry);
    }

    /// Everything, for as long as the result exists. For threads of ours, or at the pace of a session's begin.
    pub(crate) fn read(&self) -> Reading<'_, T, R> {
        let rest = self.rest.read().unwrap_or_else(PoisonError::into_inner);
        // After the lock above: what is on the list now stays until that is given up.
        let all = self.lists().all.clone();
        Reading { all, rest }
    }

    /// Calls it with each state, while no thread can start or end: for what is done at once.
    pub(crate) fn for_each(&self, call: impl FnMut(&T)) {
        self.lists().for_each(call);
    }

    /// The same, or nothing where the lists are in use: in a forked child that may be for ever.
    #[cfg(all(unix, not(loom)))]
    pub(crate) fn try_for_each(&self, call: impl FnMut(&T)) {
        if let Ok(lists) = self.lists.try_lock() {
            lists.for_each(call);
        }
    }

    /// What the call says of the state with that number, if it exists: for what is done at once.
    pub(crate) fn at<U>(&self, index: u32, call: impl FnOnce(&T) -> U) -> Option<U> {
        let lists = self.lists();
        let at = lists.all.binary_search_by_key(&index, |entry| entry.index).ok()?;
        #[expect(unsafe_code, reason = "states are freed")]
        // SAFETY: it is on a list, whose lock is held.
        Some(call(unsafe { lists.all[at].state() }))
    }

    /// Folds so many states without a thread into the rest and frees them, those first that were given back first, if
    /// they `can` be; returns their numbers. None while anything reads.
    pub(crate) fn reclaim(
        &self,
        at_most: usize,
        mut can: impl FnMut(&R, &T) -> bool,
        mut fold: impl FnMut(&mut R, &T),
    ) -> Vec<u32> {
        let mut rest = match self.rest.try_write() {
            Ok(rest) => rest,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Vec::new(),
        };
        let ended = {
            let mut lists = self.lists();
            let mut ended: Vec<Entry<T>> = Vec::new();
            lists.free.retain(|free| {
                #[expect(unsafe_code, reason = "states are freed")]
                // SAFETY: it is on a list, whose lock is held.
                let ends = ended.len() < at_most && can(&rest, unsafe { free.state() });
                if ends {
                    ended.push(*free);
                }
                !ends
            });
            let is_ended = |entry: &Entry<T>| ended.iter().any(|ended| ended.index == entry.index);
            if !ended.is_empty() {
                lists.all.retain(|entry| !is_ended(entry));
            }
            ended
        };
        for entry in &ended {
            #[expect(unsafe_code, reason = "states are freed")]
            // SAFETY: no thread has it, since it was free; it is on no list, so none can take it or come by it; and
            // nothing reads, since this has the lock of the rest alone, and a reading of later does not find it.
            // It came from a box, in `add`, and is freed once, since it was on the list once.
            unsafe {
                fold(&mut rest, entry.state());
                drop(Box::from_raw(entry.state.as_ptr()));
            }
        }
        ended.iter().map(|entry| entry.index).collect()
    }

    /// Sets how many states there may be.
    #[cfg(any(test, feature = "testkit"))]
    pub(crate) fn set_most(&self, most: usize) {
        self.lists().most = most;
    }
}

impl<T> Lists<T> {
    fn for_each(&self, mut call: impl FnMut(&T)) {
        for entry in &self.all {
            #[expect(unsafe_code, reason = "states are freed")]
            // SAFETY: it is on a list, whose lock is held.
            call(unsafe { entry.state() });
        }
    }

    /// The next number that no state has.
    fn next(&mut self) -> u32 {
        loop {
            self.last = self.last.wrapping_add(1);
            let is_taken = self.all.binary_search_by_key(&self.last, |entry| entry.index).is_ok();
            if self.last != 0 && !is_taken {
                return self.last;
            }
        }
    }

    fn add(&mut self, make: impl FnOnce(u32) -> Box<T>) -> Entry<T> {
        let index = self.next();
        let state = NonNull::from(Box::leak(make(index)));
        let entry = Entry { index, state };
        let at = self.all.partition_point(|known| known.index < index);
        self.all.insert(at, entry);
        entry
    }
}

#[cfg(all(test, loom))]
#[path = "roster/loom.rs"]
mod loom_models;

#[cfg(all(test, not(loom)))]
mod tests;
