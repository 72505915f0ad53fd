//! The switch, the limits, and what is known of the process as a whole.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, OnceLock};

use pollscope_model::measured::Mode;

use super::allowed::ran;
use super::flight::{self, Events, Flight};
use super::given_back::GivenBack;
use super::intern::Interned;
use super::life::Keep;
use super::route::Routes;
use super::session::{self, Session, Sessions};
use super::shard::SiteShard;
use super::slots::Depot;
use super::thread::Registry;
use crate::runtime::{self, Runtime};

/// What the builder decides about recording.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Settings {
    /// The deepest mode that may be used.
    pub limit: Mode,
    /// Most tasks (alive, or ended and not yet drained) that get a record of their own; more are
    /// counted per site only. Kept to within 32 per thread.
    pub max_tasks: u32,
    /// Polls from this length on leave evidence and count as slow.
    pub slow_poll_ns: u64,
    /// When single polls and wakes are recorded.
    pub flight: Flight,
    /// How many of them each thread keeps.
    pub flight_events: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            limit: Mode::Hooks,
            max_tasks: 1_000_000,
            slow_poll_ns: 1_000_000,
            flight: Flight::default(),
            flight_events: 1 << 15,
        }
    }
}

const IDLE: u8 = 0;
const SAMPLE: u8 = 1;
const WRAP: u8 = 2;
const HOOKS: u8 = 3;

/// A runtime with our hooks tells the schedule delay of each poll.
const TOLD: u8 = 1;
/// A hooked poll began of which no delay was told.
const UNTOLD: u8 = 2;

/// The process's one recorder. It is off until [`Recorder::start`]: spawning is then plain tokio, and
/// what was spawned before stays unseen, since nothing would bound what it leaves behind.
#[repr(C, align(64))]
pub struct Recorder {
    // Read by spawns, polls and ends, and seldom written: in a cache line of their own.
    switch: AtomicU8,
    /// What the guard asks for: the switch, but for sessions.
    for_all: AtomicU8,
    /// Whether a [session](super::session) is open.
    has_sessions: AtomicBool,
    hooked: AtomicBool,
    /// What is known of the schedule delays of hooked tasks: [`TOLD`], [`UNTOLD`].
    delays: AtomicU8,
    /// Whether a reader has use for the rows of tasks.
    pub(super) rows_are_wanted: AtomicBool,
    /// Of the drain.
    pub(super) ticks: AtomicU32,
    max_tasks: AtomicU64,
    /// The smallest of all limits.
    slow_poll_ns: AtomicU64,
    /// Set with the first start or session: nothing is recorded before.
    runtime: OnceLock<Runtime>,

    pub(super) sessions: Sessions,
    /// What keeps outputs: nothing does before the first hook was called.
    pub(super) keep_output: OnceLock<Keep>,
    pub(super) given_back: GivenBack,
    pub(super) next_task_id: AtomicU64,
    pub(super) depot: Mutex<Depot>,
    pub(super) interned: Interned,
    pub(super) routes: Routes,
    pub(super) threads: Registry,
    pub(super) events: Events,
    pub(super) allowed_lines: ran::Lines,
    /// What is counted of threads that are in no total: the sum of several writers, which no thread reads.
    pub(super) untold: LazyLock<SiteShard>,
    /// Files that threads keep open, to ask what they had of the CPUs.
    pub(super) kept_files: AtomicUsize,
}

/// Process-wide since tokio's hooks, wakers and the handler of forks come without a value of ours, and since what
/// threads keep of it in thread-locals outlives every guard.
static GLOBAL: Recorder = Recorder {
    switch: AtomicU8::new(IDLE),
    for_all: AtomicU8::new(IDLE),
    has_sessions: AtomicBool::new(false),
    hooked: AtomicBool::new(false),
    delays: AtomicU8::new(0),
    rows_are_wanted: AtomicBool::new(true),
    ticks: AtomicU32::new(0),
    max_tasks: AtomicU64::new(0),
    slow_poll_ns: AtomicU64::new(u64::MAX),
    runtime: OnceLock::new(),
    sessions: Sessions::new(),
    keep_output: OnceLock::new(),
    given_back: GivenBack::new(),
    next_task_id: AtomicU64::new(1),
    depot: Mutex::new(Depot::new()),
    interned: Interned::new(),
    routes: Routes::new(),
    threads: Registry::new(),
    events: Events::new(),
    allowed_lines: ran::none(),
    untold: LazyLock::new(SiteShard::default),
    kept_files: AtomicUsize::new(0),
};

impl Recorder {
    /// The process's recorder.
    #[inline]
    pub fn global() -> &'static Self {
        &GLOBAL
    }

    /// Switches recording on. Starts no thread; sleeps for 10 ms the first time (see
    /// [`clock::calibrate`](crate::clock::calibrate)).
    pub fn start(&self, settings: Settings, runtime: Runtime) {
        crate::clock::calibrate();
        self.set_runtime(runtime);
        self.max_tasks.store(settings.max_tasks.into(), Ordering::Relaxed);
        self.set_slow_poll_ns(settings.slow_poll_ns.max(1));
        flight::configure(settings.flight, settings.flight_events);
        // Runtimes of before may be gone; one that goes on says it again with its next poll.
        self.delays.fetch_and(!UNTOLD, Ordering::Relaxed);
        let switch = match settings.limit {
            Mode::Sample => SAMPLE,
            Mode::Wrap => WRAP,
            _ => HOOKS,
        };
        self.for_all.store(switch, Ordering::Relaxed);
        self.turn();
    }

    /// Switches recording off, but for sessions: new tasks are plain tokio's. Tasks that are being
    /// recorded go on writing into their own bounded records.
    pub fn stop(&self) {
        self.for_all.store(IDLE, Ordering::Relaxed);
        self.set_slow_poll_ns(u64::MAX);
        self.turn();
    }

    /// Switches everything off in a forked child, sessions too. Called while the child begins: stores and does nothing
    /// else.
    pub fn stop_in_child(&self) {
        self.has_sessions.store(false, Ordering::Relaxed);
        self.for_all.store(IDLE, Ordering::Relaxed);
        self.switch.store(IDLE, Ordering::Relaxed);
        self.slow_poll_ns.store(u64::MAX, Ordering::Relaxed);
    }

    /// From when on polls outside of all sessions are slow.
    fn set_slow_poll_ns(&self, ns: u64) {
        let least = session::set_slow_poll_ns(Session::NONE, ns);
        self.slow_poll_ns.store(least, Ordering::Relaxed);
    }

    /// Whether sessions are open, and the smallest of all limits.
    #[cfg(any(feature = "check", test))]
    pub(super) fn set_sessions(&self, open: bool, slow_poll_ns: u64) {
        self.slow_poll_ns.store(slow_poll_ns, Ordering::Relaxed);
        self.has_sessions.store(open, Ordering::Relaxed);
        if open {
            let _ = self.max_tasks.compare_exchange(
                0,
                Settings::default().max_tasks.into(),
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
        }
        self.turn();
    }

    fn turn(&self) {
        let for_all = self.for_all.load(Ordering::Relaxed);
        let switch = if self.has_sessions.load(Ordering::Relaxed) { HOOKS } else { for_all };
        self.switch.store(switch, Ordering::Release);
    }

    /// Whether tasks outside of all sessions are to be wrapped.
    #[inline]
    pub(crate) fn is_on_for_all(&self) -> bool {
        self.for_all.load(Ordering::Relaxed) >= WRAP
    }

    /// Whether those are to be recorded that tokio's hooks report outside of all sessions.
    #[inline]
    pub(crate) fn hooks_for_all(&self) -> bool {
        self.for_all.load(Ordering::Relaxed) >= HOOKS
    }

    /// Whether anything is recorded or sampled.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.switch.load(Ordering::Relaxed) != IDLE
    }

    /// Whether new tasks are to be wrapped.
    #[inline]
    pub fn wraps(&self) -> bool {
        self.switch.load(Ordering::Relaxed) >= WRAP
    }

    /// Whether tasks that tokio's hooks report are to be recorded.
    #[inline]
    pub fn hooks(&self) -> bool {
        self.switch.load(Ordering::Relaxed) >= HOOKS
    }

    /// The deepest mode that the guard's settings allow.
    pub fn limit(&self) -> Mode {
        match self.for_all.load(Ordering::Relaxed) {
            IDLE | SAMPLE => Mode::Sample,
            WRAP => Mode::Wrap,
            _ => Mode::Hooks,
        }
    }

    /// Most records.
    #[inline]
    pub fn max_tasks(&self) -> u64 {
        self.max_tasks.load(Ordering::Relaxed)
    }

    /// Polls from this length on are slow by the smallest of all limits: ask
    /// [`session::slow_poll_ns`] too.
    #[inline]
    pub fn slow_poll_ns(&self) -> u64 {
        self.slow_poll_ns.load(Ordering::Relaxed)
    }

    /// Sets what answers for the runtime; the first stays.
    pub(super) fn set_runtime(&self, runtime: Runtime) {
        self.runtime.get_or_init(|| runtime);
    }

    /// What answers for the runtime.
    pub(super) fn runtime(&self) -> &Runtime {
        self.runtime.get().unwrap_or(&runtime::NONE)
    }

    /// Some runtime is built with our hooks.
    #[inline]
    pub fn set_hooked(&self) {
        self.hooked.store(true, Ordering::Relaxed);
    }

    /// Whether some runtime was built with our hooks.
    #[inline]
    pub fn hooked(&self) -> bool {
        self.hooked.load(Ordering::Relaxed)
    }

    /// A runtime with our hooks tells the schedule delay of each poll.
    #[inline]
    pub fn set_delays_told(&self) {
        self.set_delays(TOLD);
    }

    /// A hooked poll begins of which no schedule delay is told.
    #[inline]
    pub fn set_delays_untold(&self) {
        self.set_delays(UNTOLD);
    }

    /// With each poll: a load, unless it is news.
    #[inline]
    fn set_delays(&self, what: u8) {
        if self.delays.load(Ordering::Relaxed) & what == 0 {
            self.delays.fetch_or(what, Ordering::Relaxed);
        }
    }

    /// Whether the schedule delay of every hooked poll is told, as far as it was seen.
    pub fn tells_delays(&self) -> bool {
        self.delays.load(Ordering::Relaxed) == TOLD
    }

    /// Whether each task that may wait behind a poll is one whose delay is known.
    pub(super) fn knows_waits(&self) -> bool {
        !self.hooked() || self.tells_delays()
    }
}
