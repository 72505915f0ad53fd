//! The flight recorder: single polls and wakes of the last moments, in a ring for each thread.
//!
//! Off unless it is asked for, and then a poll or wake costs one look at a pointer of its own thread. On,
//! it costs a few plain stores more. A ring is made when its thread first has to record, is used again by
//! the next thread that takes over the state, and is never freed: so a thread that is still writing when
//! it is switched off writes into memory that is there. Some minutes after the last reader its pages go back to the
//! system ([`give_back`]): the ring and its numbers stay, and memory comes with the next event. The state stays as long
//! as its ring, which may be read after the thread's end; a state without a thread gets none.

use std::str::FromStr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pollscope_model::dict::MAX_ENTRIES;
use pollscope_model::entity::event::Event;
use pollscope_model::id::{RuntimeId, SiteId, TaskId, WorkerId};

use super::Recorder;
use super::task::who;
use super::thread;
use crate::ring::{Ring, Words};

/// When the flight recorder records: single polls and wakes, the newest of each thread.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum Flight {
    /// Never: a viewer that asks is told so.
    Off,
    /// While a viewer looks at them.
    #[default]
    Demand,
    /// From the start, so that a viewer also gets the moments before it asked. A file that is recorded into
    /// (`POLLSCOPE_RECORD`) holds them all then.
    Always,
}

impl Flight {
    const ALL: [Self; 3] = [Self::Off, Self::Demand, Self::Always];

    /// The name in `POLLSCOPE_FLIGHT`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Demand => "demand",
            Self::Always => "always",
        }
    }
}

impl FromStr for Flight {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = Self::ALL.into_iter().find(|mode| mode.as_str() == text.trim());
        named.ok_or_else(|| "there is no such setting".to_owned())
    }
}

/// Rings at most; a thread beyond them is told as not recorded.
const MAX_RINGS: usize = 128;

/// Task and site share a word: 70 million million tasks, at a million spawns a second two years.
const SITE_BITS: u32 = 18;
/// The last word of a poll: wall time, worker + 1, runtime + 1, and a zero.
const WALL_SHIFT: u32 = 20;
const WORKER_SHIFT: u32 = 9;
const WORKERS: u64 = (1 << 11) - 1;
const RUNTIMES: u64 = (1 << 8) - 1;
const MAX_WALL_NS: u64 = u64::MAX >> WALL_SHIFT;
/// The last bit of a wake's last word; above it is who woke.
const WAKE: u64 = 1;

const _: () = assert!(MAX_ENTRIES < 1 << SITE_BITS);

/// What the recorder keeps of single events.
pub(super) struct Events {
    /// When to record: a [`Flight`].
    mode: AtomicU8,
    /// How many each thread keeps, as a power of two.
    log2: AtomicU32,
    switch: Mutex<Switch>,
}

impl Events {
    /// None.
    pub(super) const fn new() -> Self {
        Self {
            mode: AtomicU8::new(0),
            log2: AtomicU32::new(15),
            switch: Mutex::new(Switch { on: false, rings: 0 }),
        }
    }
}

/// Whether it records, and how many rings there are.
struct Switch {
    on: bool,
    rings: usize,
}

fn global() -> &'static Events {
    &Recorder::global().events
}

fn lock() -> MutexGuard<'static, Switch> {
    global().switch.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes the settings: when to record, and how many events each thread keeps (the next power of two;
/// rings that exist keep their size).
pub(crate) fn configure(mode: Flight, events: u32) {
    global().mode.store(mode as u8, Ordering::Relaxed);
    global().log2.store(events.clamp(64, 1 << 24).next_power_of_two().ilog2(), Ordering::Relaxed);
}

/// When to record.
pub fn mode() -> Flight {
    let mode = global().mode.load(Ordering::Relaxed);
    [Flight::Off, Flight::Demand, Flight::Always]
        .into_iter()
        .find(|known| *known as u8 == mode)
        .unwrap_or_default()
}

/// Switches recording on or off for every thread, those to come included. For the drain.
pub fn switch(on: bool) {
    lock().on = on;
    // One that has a ring begins anew in it, also without a thread.
    for thread in thread::read().states().filter(|one| !on || one.is_taken() || one.flight.has_ring()) {
        thread.flight.follow();
    }
}

/// Gives the memory of every ring back, if nothing records; how many bytes that were. A thread that is still writing
/// its last event touches one page again. Who reads next begins behind all that was lost: see [`Recording::base`].
pub fn give_back() -> usize {
    let switch = lock();
    if switch.on {
        return 0;
    }
    thread::read().states().filter_map(|thread| thread.flight.own()).map(Ring::give_back).sum()
}

/// A thread's place in it. What every poll and wake looks at comes first.
#[repr(C)]
pub struct Recording {
    /// The ring while it records, else null.
    active: AtomicPtr<Ring>,
    /// The ring, once there is one.
    ring: AtomicPtr<Ring>,
    /// Events written before it was switched on last.
    base: AtomicU64,
    /// It has several writers, so it never records.
    closed: AtomicBool,
}

impl Recording {
    pub(crate) fn new() -> Self {
        Self {
            active: AtomicPtr::new(std::ptr::null_mut()),
            ring: AtomicPtr::new(std::ptr::null_mut()),
            base: AtomicU64::new(0),
            closed: AtomicBool::new(false),
        }
    }

    /// Never records from now on. Nothing was recorded here yet.
    pub(crate) fn close(&self) {
        let _switch = lock();
        self.closed.store(true, Ordering::Relaxed);
        self.active.store(std::ptr::null_mut(), Ordering::Release);
    }

    /// Does what the switch says.
    pub(crate) fn follow(&self) {
        let mut switch = lock();
        if !switch.on || self.closed.load(Ordering::Relaxed) {
            self.active.store(std::ptr::null_mut(), Ordering::Release);
            return;
        }
        let mut ring = self.ring.load(Ordering::Relaxed);
        if ring.is_null() {
            if switch.rings >= MAX_RINGS {
                return;
            }
            switch.rings += 1;
            ring = Box::into_raw(Box::new(Ring::new(global().log2.load(Ordering::Relaxed))));
            self.ring.store(ring, Ordering::Release);
        }
        if self.active.load(Ordering::Relaxed).is_null() {
            self.base.store(self.own().map_or(0, Ring::head), Ordering::Relaxed);
            self.active.store(ring, Ordering::Release);
        }
    }

    /// The ring while it records.
    #[inline]
    pub(crate) fn active(&self) -> Option<&'static Ring> {
        // SAFETY: it is null, or came from a box that is never freed and is read through `&` only.
        #[expect(unsafe_code, reason = "rings are published through a pointer and never freed")]
        unsafe {
            self.active.load(Ordering::Acquire).as_ref()
        }
    }

    /// The ring, also while it does not record. For the drain.
    pub fn own(&self) -> Option<&'static Ring> {
        // SAFETY: as in `active`.
        #[expect(unsafe_code, reason = "rings are published through a pointer and never freed")]
        unsafe {
            self.ring.load(Ordering::Acquire).as_ref()
        }
    }

    /// Whether there is a ring.
    pub(crate) fn has_ring(&self) -> bool {
        !self.ring.load(Ordering::Relaxed).is_null()
    }

    /// Whether it never records. For the drain.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Number of the first event since it was switched on. For the drain.
    pub fn base(&self) -> u64 {
        self.base.load(Ordering::Relaxed)
    }
}

/// A poll that ended, in a place as [`Thread`](thread::Thread) keeps it: runtime + 1 above worker + 1.
#[inline]
pub(crate) fn poll(task: u64, site: u32, place: u64, start_ns: u64, wall_ns: u64) -> Words {
    let (runtime, worker) = (place >> 32, place & u64::from(u32::MAX));
    let worker = if worker <= WORKERS { worker } else { 0 };
    let runtime = if runtime <= RUNTIMES { runtime } else { 0 };
    let last = wall_ns.min(MAX_WALL_NS) << WALL_SHIFT | worker << WORKER_SHIFT | runtime << 1;
    [start_ns, task << SITE_BITS | u64::from(site), last]
}

/// A wake, by whom as the record keeps it.
#[inline]
pub(crate) fn wake(task: u64, at_ns: u64, by: u64) -> Words {
    [at_ns, task << SITE_BITS, by << 1 | WAKE]
}

/// What [`poll`] or [`wake`] put into words.
pub fn event([time, what, last]: Words) -> Event {
    let task = TaskId(what >> SITE_BITS);
    if last & WAKE != 0 {
        return Event::Wake { task, at_ns: time, by: who(last >> 1) };
    }
    let runtime = (last >> 1 & RUNTIMES).checked_sub(1);
    let index = (last >> WORKER_SHIFT & WORKERS).checked_sub(1);
    Event::Poll {
        task,
        site: SiteId((what & ((1 << SITE_BITS) - 1)) as u32),
        start_ns: time,
        wall_ns: last >> WALL_SHIFT,
        worker: runtime
            .zip(index)
            .map(|(runtime, index)| WorkerId { runtime: RuntimeId(runtime as u32), index: index as u32 }),
    }
}

#[cfg(test)]
mod tests {
    use pollscope_model::entity::task::WokenBy;

    use super::*;

    #[test]
    fn words_give_back_what_was_put_in() {
        let place = |runtime: u64, worker: u64| (runtime + 1) << 32 | (worker + 1);
        let back = |place, wall_ns| match event(poll(7_000_000_000, 65_536, place, 5, wall_ns)) {
            Event::Poll { task, site, start_ns, wall_ns, worker } => {
                assert_eq!((task.0, site.0, start_ns), (7_000_000_000, 65_536, 5));
                (wall_ns, worker.map(|worker| (worker.runtime.0, worker.index)))
            }
            other @ Event::Wake { .. } => panic!("{other:?}"),
        };
        assert_eq!(back(place(0, 0), 1), (1, Some((0, 0))));
        assert_eq!(back(place(254, 2_046), 9), (9, Some((254, 2_046))));
        assert_eq!(back(place(255, 1), 9), (9, None), "a runtime that finds no room is not known");
        assert_eq!(back(place(1, 2_047), 9), (9, None));
        assert_eq!(back(0, u64::MAX), (MAX_WALL_NS, None));
        for (code, by) in [
            (0, WokenBy::Unknown),
            (1, WokenBy::Itself),
            (2, WokenBy::Runtime),
            (3, WokenBy::OtherThread),
            (41 << 2, WokenBy::Task(TaskId(41))),
        ] {
            assert_eq!(event(wake(9, 77, code)), Event::Wake { task: TaskId(9), at_ns: 77, by });
        }
    }
}
