//! Dumps on a call: the single polls and wakes of the last moments, handed out at once. Asks what runs in the process
//! ([`running`]), so that the place in the service where trouble is noticed needs no guard. Blocks for some
//! milliseconds and never touches a disk: files are written by a thread of their own.

use std::time::Duration;

use crate::setup::{fork, running};

/// Hands the single polls and wakes of the last `last`, as far as the flight recorder has them, to every
/// attached viewer, to the collector, into the recording, and into a file of its own where
/// [`Builder::dump_to`](crate::Builder::dump_to) names a folder for it: what to call when the service itself
/// notices trouble. Returns how many they were: 0 if none are recorded, which by default is so unless a viewer
/// looks at them (see [`Flight::Always`](crate::Flight::Always)). `None` if no guard of this process records.
///
/// Blocks the calling thread while they are collected, some milliseconds, 5 s at most; a file is written
/// later, by a thread of pollscope's own.
pub fn dump(last: Duration) -> Option<u64> {
    // It has the copy, none of the threads, and perhaps a lock that is never given back.
    if fork::is_child() {
        return None;
    }
    running::dumper()?.dump(last)
}
