//! The one place where loom takes the place of std.

#[cfg(not(loom))]
pub(crate) use std::{
    cell::UnsafeCell,
    hint::spin_loop,
    sync::atomic::{AtomicPtr, AtomicU16, AtomicU32, AtomicU64, Ordering, fence},
    sync::{Mutex, MutexGuard, RwLock, RwLockReadGuard},
};

#[cfg(loom)]
pub(crate) use loom::{
    cell::UnsafeCell,
    hint::spin_loop,
    sync::atomic::{AtomicPtr, AtomicU16, AtomicU32, AtomicU64, Ordering, fence},
    sync::{Mutex, MutexGuard, RwLock, RwLockReadGuard},
};
