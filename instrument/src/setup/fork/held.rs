//! The descriptors that threads of ours have open for long: listening sockets, connections, recordings. A forked child
//! would keep them open for its whole life: a port that is never answered, a connection that never ends, a recording
//! that stays locked. What is noted here is closed in the child. The rooms that open something note it. Descriptors of
//! event loops (`epoll`, `eventfd`) and of `/proc` are not noted: they hold nothing else open and go with an `exec`.

#[cfg(unix)]
pub(crate) use std::os::fd::AsFd as Descriptor;
#[cfg(unix)]
use std::os::fd::{AsRawFd, BorrowedFd};
#[cfg(unix)]
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

#[cfg(unix)]
use super::FORKS;

/// More than the connections of a door, its sockets, collectors and files take together; what finds no place stays open
/// in the child.
#[cfg(unix)]
const PLACES: usize = 128;

#[cfg(unix)]
const FREE: i32 = -1;
/// A thread writes what it is.
#[cfg(unix)]
const TAKEN: i32 = -2;

/// One descriptor, with the device and inode that tell it from a later one of the same number.
#[cfg(unix)]
struct Place {
    number: AtomicI32,
    device: AtomicU64,
    inode: AtomicU64,
}

/// All that are noted.
#[cfg(unix)]
pub(super) struct Places([Place; PLACES]);

#[cfg(unix)]
impl Places {
    /// None.
    pub(super) const fn new() -> Self {
        Self(
            [const { Place { number: AtomicI32::new(FREE), device: AtomicU64::new(0), inode: AtomicU64::new(0) } };
                PLACES],
        )
    }
}

/// Keeps a descriptor noted. To be dropped with what owns it, in whatever order.
#[cfg(unix)]
#[must_use = "it is forgotten when this is dropped"]
pub(crate) struct Held(Option<&'static Place>);

#[cfg(unix)]
impl Held {
    /// Notes a descriptor that is owned by a thread of ours.
    pub(crate) fn of(owner: &impl Descriptor) -> Self {
        let descriptor = owner.as_fd();
        let Some((device, inode)) = identity(descriptor) else { return Self(None) };
        let take = |place: &&Place| {
            place.number.compare_exchange(FREE, TAKEN, Ordering::Acquire, Ordering::Relaxed).is_ok()
        };
        let place = FORKS.held.0.iter().find(take);
        if let Some(place) = place {
            place.device.store(device, Ordering::Relaxed);
            place.inode.store(inode, Ordering::Relaxed);
            place.number.store(descriptor.as_raw_fd(), Ordering::Release);
        }
        Self(place)
    }
}

#[cfg(unix)]
impl Drop for Held {
    fn drop(&mut self) {
        if let Some(place) = self.0 {
            place.number.store(FREE, Ordering::Release);
        }
    }
}

#[cfg(unix)]
fn identity(descriptor: BorrowedFd<'_>) -> Option<(u64, u64)> {
    let found = rustix::fs::fstat(descriptor).ok()?;
    Some((found.st_dev as u64, found.st_ino as u64))
}

/// Closes everything that is noted, in a forked child: two calls of the system for each, and nothing else.
#[cfg(unix)]
#[expect(
    unsafe_code,
    reason = "the owners of the descriptors are in threads that this process does not have"
)]
pub(super) fn close_in_child() {
    for place in &FORKS.held.0 {
        let number = place.number.load(Ordering::Acquire);
        if number < 0 {
            continue;
        }
        // SAFETY: the borrow ends with the question; a number that is not open any more is an error of it.
        let found = identity(unsafe { BorrowedFd::borrow_raw(number) });
        if found == Some((place.device.load(Ordering::Relaxed), place.inode.load(Ordering::Relaxed))) {
            // SAFETY: it is the one that was noted, since inode and device agree. Its owner is a value of a thread of
            // ours, which this process does not have, or of a guard, which leaves it alone in a child: it is neither
            // used nor closed a second time.
            unsafe { rustix::io::close(number) };
        }
        place.number.store(FREE, Ordering::Relaxed);
    }
}

/// What could be noted where there are no forks.
#[cfg(not(unix))]
pub(crate) trait Descriptor {}

#[cfg(not(unix))]
impl<T> Descriptor for T {}

/// There are no forks.
#[cfg(not(unix))]
pub(crate) struct Held;

#[cfg(not(unix))]
impl Held {
    pub(crate) fn of(_: &impl Descriptor) -> Self {
        Self
    }
}
