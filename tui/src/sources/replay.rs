//! Going back and forth in time: a recording from a file, and what a live source keeps in memory, by
//! the same code.
//!
//! A `track` is the messages, in order, with copies of the folded state at some places, so that any
//! moment is a short fold away. A `player` is a moment on a track and how it moves. The state at a
//! moment is the state that a live viewer had then: the same fold, the same detectors.

pub(super) mod file;
pub(super) mod player;
#[cfg(test)]
mod tests;
pub(super) mod track;
pub(crate) mod whole;

use std::sync::Arc;

pub use file::ReplaySource;

/// What the user wants of time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Control {
    /// Hold, or go on.
    Toggle,
    /// So many moments on; back if negative.
    Step(i32),
    /// To the next finding, or with -1 the one before.
    Finding(i32),
    /// To the newest moment: live, or the end of a recording.
    Newest,
    /// To the oldest moment.
    Oldest,
    /// So many nanoseconds on; back if negative.
    Jump(i64),
    /// To a time of day, in nanoseconds since midnight UTC, on the day that is shown.
    Clock(u64),
    /// Play faster.
    Faster,
    /// Play slower.
    Slower,
}

/// How time moves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Run {
    /// What is shown is now.
    Live,
    /// It stands still.
    Paused,
    /// It moves.
    Playing,
}

/// Where a source is in time, for the screens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Playback {
    /// How time moves.
    pub run: Run,
    /// Which of [`SPEEDS`] it plays at.
    pub speed: usize,
    /// The moment that is shown, nanoseconds since the Unix epoch.
    pub at_unix_ns: u64,
    /// The oldest moment that can be shown.
    pub from_unix_ns: u64,
    /// The newest.
    pub to_unix_ns: u64,
    /// When findings opened.
    pub findings: Arc<[u64]>,
    /// Whether the newest moment is now, and others follow it.
    pub follows: bool,
    /// Whether there is anything to go back to.
    pub kept: bool,
    /// What limits the track, in words: `kept: 15m, 64 MiB`, `the recording was cut`.
    pub note: Arc<str>,
}

/// The speeds at which time can be played, in words and in quarters of real time.
pub const SPEEDS: [(&str, u64); 7] =
    [("1/4x", 1), ("1/2x", 2), ("1x", 4), ("2x", 8), ("4x", 16), ("16x", 64), ("64x", 256)];

/// The speed at the start: real time.
pub const REAL_TIME: usize = 2;
