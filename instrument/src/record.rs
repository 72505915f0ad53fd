//! The recording path: what polls, wakes, spawns and ends write, and nothing else.
//!
//! Nothing here blocks, panics, returns an error or grows without bound; what finds no room is
//! counted. Written by the threads that run the user's code, read by the one [`drain`](crate::drain).

pub(crate) mod split;

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};

use pollscope_model::measured::Mode;

/// What the builder decides about recording.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// The deepest mode that may be used.
    pub(crate) limit: Mode,
    /// Most tasks (alive, or ended and not yet drained) that get a record of their own.
    pub(crate) max_tasks: u32,
    /// Polls from this length on leave evidence and count as slow.
    pub(crate) slow_poll_ns: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { limit: Mode::Hooks, max_tasks: 1_000_000, slow_poll_ns: 1_000_000 }
    }
}

const IDLE: u8 = 0;
const SAMPLE: u8 = 1;
const WRAP: u8 = 2;
const HOOKS: u8 = 3;

/// The process's one recorder. It is off until [`Recorder::start`]: spawning is then plain tokio, and
/// what was spawned before stays unseen.
#[derive(Debug)]
pub(crate) struct Recorder {
    switch: AtomicU8,
    max_tasks: AtomicU32,
    slow_poll_ns: AtomicU64,
    hooked: AtomicBool,
}

static GLOBAL: Recorder = Recorder {
    switch: AtomicU8::new(IDLE),
    max_tasks: AtomicU32::new(0),
    slow_poll_ns: AtomicU64::new(u64::MAX),
    hooked: AtomicBool::new(false),
};

impl Recorder {
    /// The process's recorder.
    pub(crate) fn global() -> &'static Self {
        &GLOBAL
    }

    /// Switches recording on. Starts no thread; sleeps for 10 ms the first time (see
    /// [`clock::calibrate`](crate::clock::calibrate)).
    pub(crate) fn start(&self, settings: Settings) {
        crate::clock::calibrate();
        self.max_tasks.store(settings.max_tasks, Ordering::Relaxed);
        self.slow_poll_ns.store(settings.slow_poll_ns.max(1), Ordering::Relaxed);
        let switch = match settings.limit {
            Mode::Sample => SAMPLE,
            Mode::Wrap => WRAP,
            _ => HOOKS,
        };
        self.switch.store(switch, Ordering::Release);
    }

    /// Switches recording off: new tasks are plain tokio's. Tasks that are being recorded go on
    /// writing into their own bounded records.
    pub(crate) fn stop(&self) {
        self.switch.store(IDLE, Ordering::Release);
    }

    /// Whether new tasks are to be wrapped.
    #[inline]
    pub(crate) fn wraps(&self) -> bool {
        self.switch.load(Ordering::Relaxed) >= WRAP
    }

    /// Whether events of tokio's hooks are to be recorded.
    #[inline]
    pub(crate) fn hooks(&self) -> bool {
        self.switch.load(Ordering::Relaxed) >= HOOKS
    }

    /// The deepest mode that the settings allow.
    pub(crate) fn limit(&self) -> Mode {
        match self.switch.load(Ordering::Relaxed) {
            IDLE | SAMPLE => Mode::Sample,
            WRAP => Mode::Wrap,
            _ => Mode::Hooks,
        }
    }

    /// Whether some runtime was built with our hooks.
    pub(crate) fn hooked(&self) -> bool {
        self.hooked.load(Ordering::Relaxed)
    }

    /// Whether the state of some runtime is read at every tick.
    #[expect(clippy::unused_self, reason = "one front door for all that is known of the recording")]
    pub(crate) fn observes_a_runtime(&self) -> bool {
        false
    }
}
