//! Assertions for tests: fail the build for what the detectors see.
//!
//! A [`Session`] is one test: it builds a runtime, runs the test's body as a recorded task, lets what is about
//! to end end, judges all that was recorded, and only then drops the runtime. `#[pollscope::test]` is the same
//! as an attribute.
//!
//! ```
//! # #[cfg(not(miri))]
//! # fn main() {
//! use std::time::Duration;
//!
//! pollscope::check::Session::new("checkout survives a burst")
//!     .max_poll(Duration::from_millis(500))
//!     .leaks(pollscope::check::Level::Deny)
//!     .run(async {
//!         pollscope::spawn(async { 1 + 1 }).await.expect("the task returns");
//!     })
//!     .assert_clean();
//! # }
//! ```
//!
//! # What is judged
//! - **Limits** that the test asks for: [`max_poll`](Session::max_poll), [`p99_poll`](Session::p99_poll),
//!   [`max_sched_delay`](Session::max_sched_delay). Once is enough. They judge the time that the code is
//!   answerable for, on the CPU and blocked; not the time in which the machine had other work.
//! - **What is left behind** when the body has returned and the runtime has settled (up to half a second):
//!   tasks that live on ([`leaks`](Session::leaks)), that nothing can wake ([`lost_wakers`](Session::lost_wakers)),
//!   that wait for longer than is usual where they were spawned ([`forgotten`](Session::forgotten)).
//! - **What happened meanwhile**: tasks that woke themselves in a storm ([`self_wake`](Session::self_wake)), panics
//!   that no handle took, and every rule of a live service that came to a judgement.
//!
//! Several sessions may run at once in one process: each judges only its own tasks, which are those of its runtime
//! and whatever they spawn. Time is the machine's own, also where tokio's clock is paused.
//!
//! # What fails
//! Findings at deny. Without any setting those are tasks that nothing can wake, self-wake storms, swallowed panics,
//! and what the rules of a live service find to be that bad; the rest is told beside a failure. A test in which
//! nothing could be found fails too: before its first verdict each process proves, with faults of its own making,
//! that the detectors are armed.
//!
//! # What is left of a failure
//! Its text, and where the environment says `POLLSCOPE_RECORD=FOLDER` a recording of the session's own books, which the
//! text names last: `pollscope open FILE` replays it. A session that passes leaves none. Without the variable nothing
//! is written; what cannot be written is said and decides nothing. A file takes a quarter of `POLLSCOPE_RECORD_LIMIT`
//! (256 MiB) at most, then its time becomes coarser; of one test of one process the newest four stay.
//!
//! # What is seen
//! On stock tokio what is spawned through `pollscope`; with `--cfg tokio_unstable` every task of the runtime but those
//! of a `LocalSet`, with poll times, spawn site and end, but without wakes: `tokio::spawn`ed tasks are never found to
//! be forgotten or to have lost their waker, only to be left.

pub(crate) mod book;
mod config;
mod finish;
mod judge;
mod judged;
mod kept;
mod observer;
mod phase;
mod pressure;
mod roll;
mod run;
mod runtime;
mod self_test;
mod session;
pub(crate) mod spins;
#[cfg(feature = "recording")]
mod tape;
mod text;

use std::sync::{LazyLock, Mutex, OnceLock};

pub use judged::Judged;
pub use phase::{Phase, checkpoint};
pub use pollscope_model::finding::Finding;
pub use pollscope_model::level::Level;
pub use pollscope_model::policy::Expectation;
pub use pollscope_model::verdict::{Allowed, Armed, Outcome, Verdict};
pub use session::{Flavor, Session};

#[doc(hidden)]
pub use finish::finish;

/// What the sessions of a process share. A static, since each test opens its own and knows of no other.
static TESTS: Tests = Tests {
    armed: OnceLock::new(),
    listeners: LazyLock::new(Mutex::default),
    #[cfg(feature = "recording")]
    names: LazyLock::new(Mutex::default),
    #[cfg(feature = "recording")]
    kept: LazyLock::new(Mutex::default),
};

/// See [`TESTS`].
struct Tests {
    /// Whether the detectors find what they are shown.
    armed: OnceLock<Armed>,
    /// Which thread takes the checkpoints of each session.
    listeners: LazyLock<Mutex<phase::Listeners>>,
    /// The names of recordings that were given.
    #[cfg(feature = "recording")]
    names: LazyLock<Mutex<tape::name::Given>>,
    /// The recordings of each test that stay.
    #[cfg(feature = "recording")]
    kept: LazyLock<Mutex<tape::Files>>,
}
