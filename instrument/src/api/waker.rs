//! The wrapped waker: counts a wake, notes who and when, and hands it on to the executor's own.
//!
//! All wrapped wakers of a task share one data pointer for the task's whole life, and one table, but for
//! those that wait for another task's end, which have one of their own. So `will_wake` stays true and no primitive
//! registers twice.

use std::mem::ManuallyDrop;
use std::task::{Context, RawWaker, RawWakerVTable, Waker};

use pollscope_recorder::task::TaskState;

/// Of our wakers, and of the same where they wait for the end of a wrapped task and for nothing else. Process-wide since
/// a waker is known by the address of its table; never changed.
static TABLES: [RawWakerVTable; 2] = [table::<false>(), table::<true>()];
const TABLE: &RawWakerVTable = &TABLES[0];
const AT_AN_END: &RawWakerVTable = &TABLES[1];

const fn table<const AT_AN_END: bool>() -> RawWakerVTable {
    RawWakerVTable::new(clone::<AT_AN_END>, wake::<AT_AN_END>, wake_by_ref::<AT_AN_END>, drop_waker)
}

/// Runs `f` with the task's waker, which is lent: it costs nothing unless `f` clones it.
#[inline]
#[expect(unsafe_code, reason = "a waker with a table of our own")]
pub(crate) fn with<R>(state: &TaskState, f: impl FnOnce(&Waker) -> R) -> R {
    let pointer = std::ptr::from_ref(state).cast();
    // SAFETY: the table's functions keep `RawWaker`'s contract. The waker itself owns no hold: it is
    // never dropped and does not outlive `state`, since `f` gets it by reference.
    let waker = ManuallyDrop::new(unsafe { Waker::new(pointer, TABLE) });
    f(&waker)
}

/// Runs `f` with the context for a wait that only a wrapped task's end ends: tokio then wakes on the thread of the end,
/// right after it. A waker that is not a task's own is passed on as it is.
#[inline]
#[expect(unsafe_code, reason = "a waker with a table of our own")]
pub(crate) fn for_an_end<R>(cx: &mut Context<'_>, f: impl FnOnce(&mut Context<'_>) -> R) -> R {
    let waker = cx.waker();
    if !std::ptr::eq(waker.vtable(), TABLE) {
        return f(cx);
    }
    // SAFETY: as in `with`: the pointer is that of a waker with our table, which is borrowed for as long.
    let waker = ManuallyDrop::new(unsafe { Waker::new(waker.data(), AT_AN_END) });
    f(&mut Context::from_waker(&waker))
}

#[expect(unsafe_code, reason = "a waker with a table of our own")]
unsafe fn clone<const AT_AN_END: bool>(pointer: *const ()) -> RawWaker {
    // SAFETY: the waker that is cloned keeps the record alive: it owns a hold or is lent by `with`.
    unsafe { &*pointer.cast::<TaskState>() }.inner.hold();
    RawWaker::new(pointer, if AT_AN_END { self::AT_AN_END } else { TABLE })
}

#[expect(unsafe_code, reason = "a waker with a table of our own")]
unsafe fn wake<const AT_AN_END: bool>(pointer: *const ()) {
    // SAFETY: by the contract of `RawWaker` this waker is consumed: first used, then dropped. It owns a
    // hold, made by `clone`, which is given back once; records live for ever.
    let state: &'static TaskState = unsafe { &*pointer.cast::<TaskState>() };
    state.wake::<AT_AN_END>();
    // The drain looks at a task that was woken anyway.
    state.leave();
}

#[expect(unsafe_code, reason = "a waker with a table of our own")]
unsafe fn wake_by_ref<const AT_AN_END: bool>(pointer: *const ()) {
    // SAFETY: the waker keeps the record alive, as in `clone`.
    unsafe { &*pointer.cast::<TaskState>() }.wake::<AT_AN_END>();
}

#[expect(unsafe_code, reason = "a waker with a table of our own")]
unsafe fn drop_waker(pointer: *const ()) {
    // SAFETY: this waker owns a hold, made by `clone`, which is given back once; records live for ever.
    let state: &'static TaskState = unsafe { &*pointer.cast::<TaskState>() };
    // The population changed, which matters most when nothing else happens any more.
    state.touch();
    state.leave();
}

#[cfg(test)]
mod tests;
