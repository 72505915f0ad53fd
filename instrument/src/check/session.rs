//! What a test asks for.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::path::PathBuf;
use std::time::Duration;

use pollscope_model::detect;
use pollscope_model::level::Level;
use pollscope_model::nearest::nearest;
use pollscope_model::policy::Expectation;
use tokio::runtime::Builder;

use super::judged::Judged;
use super::run;
use crate::api::hooks::Callbacks;

/// Which runtime a test gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Flavor {
    /// One thread, the test's own; tokio's default for tests.
    #[default]
    CurrentThread,
    /// Workers of its own.
    MultiThread,
    /// One thread, with `spawn_local` everywhere (tokio's `LocalRuntime`).
    Local,
}

/// A change to the runtime's builder that no method here stands for.
type Configure = Box<dyn FnOnce(&mut Builder)>;

/// One test: limits and levels, then [`run`](Session::run). See the [module](super).
#[must_use = "a session does nothing until it runs a body"]
pub struct Session {
    pub(super) name: String,
    pub(super) project: Option<PathBuf>,
    pub(super) flavor: Flavor,
    pub(super) worker_threads: Option<usize>,
    pub(super) start_paused: bool,
    pub(super) configure: Vec<Configure>,
    pub(super) callbacks: Callbacks,
    pub(super) asked: Asked,
}

/// What was asked for beside the runtime; what was not is left to `pollscope.toml`, and then to the defaults.
#[derive(Clone, Default, Debug)]
pub(super) struct Asked {
    pub(super) max_poll: Option<Duration>,
    pub(super) p99_poll: Option<Duration>,
    pub(super) max_sched_delay: Option<Duration>,
    pub(super) timeout: Option<Duration>,
    pub(super) leaks: Option<Level>,
    pub(super) lost_wakers: Option<Level>,
    pub(super) forgotten: Option<Level>,
    pub(super) self_wake: Option<Level>,
    pub(super) profile: Option<String>,
    /// Detectors and their levels, in the order in which they were said.
    pub(super) levels: Vec<(&'static str, Level)>,
    pub(super) expected: Vec<Expectation>,
}

impl Session {
    /// A session of that name, which its verdict and its failure carry: the test's.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            project: None,
            flavor: Flavor::default(),
            worker_threads: None,
            start_paused: false,
            configure: Vec::new(),
            callbacks: Callbacks::new(),
            asked: Asked::default(),
        }
    }

    /// No poll may take longer: on the CPU and blocked together, time without a CPU taken off.
    pub fn max_poll(mut self, limit: Duration) -> Self {
        self.asked.max_poll = Some(limit);
        self
    }

    /// At no site may more than one poll in a hundred take longer. Sites with fewer than a hundred polls
    /// cannot be judged by it, which the verdict says.
    pub fn p99_poll(mut self, limit: Duration) -> Self {
        self.asked.p99_poll = Some(limit);
        self
    }

    /// No task that is ready may wait longer for its poll. Measured for tasks spawned through pollscope.
    pub fn max_sched_delay(mut self, limit: Duration) -> Self {
        self.asked.max_sched_delay = Some(limit);
        self
    }

    /// How bad it is if a task that the test spawned is alive when it has settled, whatever it waits for. Warn
    /// by default: it is told when something else fails. Tasks that were declared long-lived are left out.
    pub fn leaks(mut self, level: Level) -> Self {
        self.asked.leaks = Some(level);
        self
    }

    /// How bad it is if a task is pending that nothing can wake. Deny by default.
    pub fn lost_wakers(mut self, level: Level) -> Self {
        self.asked.lost_wakers = Some(level);
        self
    }

    /// How bad it is if a task waits at the end for longer than any task of its spawn site lived, and than it has
    /// waited before. Warn by default.
    pub fn forgotten(mut self, level: Level) -> Self {
        self.asked.forgotten = Some(level);
        self
    }

    /// How bad it is if tasks wake themselves in a storm instead of waiting. Deny by default.
    pub fn self_wake(mut self, level: Level) -> Self {
        self.asked.self_wake = Some(level);
        self
    }

    /// How long the body may take, by the machine's clock; for ever by default. A body that takes longer is
    /// dropped, and the failure lists every task that is seen, with what it waits for. One that does not return from a
    /// poll cannot be dropped: five seconds later the list is printed and the process exits with code 101.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.asked.timeout = Some(limit);
        self
    }

    /// The profile of `pollscope.toml` to apply.
    pub fn profile(mut self, name: impl Into<String>) -> Self {
        self.asked.profile = Some(name.into());
        self
    }

    /// Findings of that detector fail the test, however bad it says they are.
    ///
    /// # Panics
    /// If there is no such detector; so do the next three.
    #[track_caller]
    pub fn deny(self, detector: &str) -> Self {
        self.level(detector, Level::Deny)
    }

    /// Findings of that detector are told and do not fail the test.
    #[track_caller]
    pub fn warn(self, detector: &str) -> Self {
        self.level(detector, Level::Warn)
    }

    /// Findings of that detector are left out.
    #[track_caller]
    pub fn allow(self, detector: &str) -> Self {
        self.level(detector, Level::Allow)
    }

    /// Findings of that detector at that site are known and accepted, for a reason. `site` is a part of the spawn
    /// site (`src/cart.rs:88`), of your line where a library spawned, of the task's name or of a function on the stack,
    /// or a pattern with `*` for the whole of one of them; empty for anywhere. One that nothing fulfils is itself a finding.
    ///
    /// # Panics
    /// If there is no such detector, or the reason is empty.
    #[track_caller]
    pub fn expect(mut self, detector: &str, site: &str, reason: &str) -> Self {
        let detector = known(detector);
        assert!(
            !reason.trim().is_empty(),
            "an expectation needs a reason: why is {detector} all right here?"
        );
        let place = Location::caller();
        self.asked.expected.push(Expectation {
            detector: detector.into(),
            site: (!site.is_empty()).then(|| site.into()),
            reason: reason.into(),
            place: Some(format!("{}:{}", place.file(), place.line()).into()),
        });
        self
    }

    /// Which runtime the body runs in.
    pub fn flavor(mut self, flavor: Flavor) -> Self {
        self.flavor = flavor;
        self
    }

    /// How many workers a [`MultiThread`](Flavor::MultiThread) runtime has; one for each CPU by default.
    pub fn worker_threads(mut self, workers: usize) -> Self {
        self.worker_threads = Some(workers);
        self
    }

    /// Whether tokio's clock is paused from the start, as in tokio's tests. What is judged is the machine's
    /// time. Needs one thread.
    pub fn start_paused(mut self, paused: bool) -> Self {
        self.start_paused = paused;
        self
    }

    /// Changes the runtime's builder in any other way. The callbacks that [`attach_with`](crate::attach_with) takes are
    /// replaced by the session's: give them to [`callbacks`](Session::callbacks).
    pub fn configure(mut self, change: impl FnOnce(&mut Builder) + 'static) -> Self {
        self.configure.push(Box::new(change));
        self
    }

    /// Callbacks of the runtime, called beside the session's own.
    pub fn callbacks(mut self, callbacks: Callbacks) -> Self {
        self.callbacks = callbacks;
        self
    }

    /// Where `pollscope.toml` is looked for, and then in the folders above. By default `CARGO_MANIFEST_DIR`,
    /// then the current folder. `POLLSCOPE_POLICY`, a file, comes before all.
    pub fn project(mut self, folder: Option<impl Into<PathBuf>>) -> Self {
        self.project = folder.map(Into::into);
        self
    }

    /// Runs the body as a task of a new runtime, settles, judges, and drops the runtime. Blocks the calling
    /// thread, which must be in no runtime.
    ///
    /// A panic of the body goes on from here with the same payload, once what was found beside it is printed.
    ///
    /// # Panics
    /// If `pollscope.toml` cannot be understood, if the runtime cannot be built, and as the body does.
    #[track_caller]
    pub fn run<F>(self, body: F) -> Judged<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        // Boxed whatever its size, as tokio boxes what is large: a test pays it once.
        run::spawned(self, run::spawn_of_body::<F>(Location::caller()), Box::pin(body))
    }

    /// The same for a body that is not `Send`: it stays on the calling thread, where it is polled beside the
    /// runtime's tasks, and is recorded like one.
    ///
    /// # Panics
    /// As [`run`](Session::run).
    #[track_caller]
    pub fn run_local<F: Future>(self, body: F) -> Judged<F::Output> {
        run::in_place(self, run::spawn_of_body::<F>(Location::caller()), Box::pin(body))
    }

    #[track_caller]
    fn level(mut self, detector: &str, level: Level) -> Self {
        self.asked.levels.push((known(detector), level));
        self
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("name", &self.name)
            .field("flavor", &self.flavor)
            .field("asked", &self.asked)
            .finish_non_exhaustive()
    }
}

/// The detector's own name.
#[track_caller]
fn known(detector: &str) -> &'static str {
    let names = || detect::ALL.iter().map(|known| known.id);
    let Some(index) = detect::index_of(detector) else {
        match nearest(detector, names()) {
            Some(near) => panic!("unknown detector `{detector}`; did you mean `{near}`?"),
            None => {
                panic!("unknown detector `{detector}`; there are {}", names().collect::<Vec<_>>().join(", "))
            }
        }
    };
    detect::ALL[index].id
}
