//! Where answers come from: processes, a collector or a recording, behind one interface.
//!
//! A source owns a thread of its own. The drawing thread hands it the standing questions and gets
//! [`SourceEvent`]s through a channel; it never waits for a source and never does I/O itself.

pub mod discover;
pub mod elsewhere;
pub mod endpoint;
pub mod feed;
pub mod fleet;
pub mod inbox;
pub mod lookup;
pub mod open;
pub mod process;
pub mod replay;
pub mod target;

use std::sync::Arc;
use std::time::Duration;

use pollscope_model::id::BootId;
use pollscope_model::query::ask::{Answer, Ask};

use replay::{Control, Playback};

/// Names a standing question; chosen by the asking room.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct QuestionId(pub u32);

/// What a source sends.
#[derive(Clone, PartialEq, Debug)]
pub enum SourceEvent {
    /// The connection changed.
    Status(Status),
    /// The newest answer to a standing question: sent at once when the question is new, then
    /// whenever new data changed it.
    Answer(QuestionId, Box<Answer>),
    /// Where the source is in time, from a source that can move in it.
    Playback(Box<Playback>),
    /// Why a request could not be met, or what else the user should know now.
    Notice(Arc<str>),
}

/// How the connection stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Status {
    /// Trying for the first time.
    Connecting {
        /// The target as the user wrote it.
        target: Arc<str>,
    },
    /// Data flows.
    Connected {
        /// The target in words: `checkout (pid 412)`, `collector 10.0.0.5:7700`.
        label: Arc<str>,
    },
    /// The target went away; the last state is kept, and it is tried again.
    Lost {
        /// What happened, in words.
        reason: Arc<str>,
        /// Reconnects tried so far.
        attempts: u32,
    },
    /// The target has ended and cannot come back; the last state is kept, and nothing is tried again.
    Ended {
        /// What happened, in words.
        reason: Arc<str>,
        /// A goodbye came before.
        orderly: bool,
    },
    /// It cannot work and is not tried again: another protocol version, a refused token.
    Refused {
        /// Why, and what to do.
        reason: Arc<str>,
    },
}

/// What the drawing thread can ask of a source.
pub trait Source: Send {
    /// Replaces the standing questions. Returns at once.
    fn ask(&mut self, questions: Vec<(QuestionId, Ask)>);

    /// Moves in time. Returns at once; only of use to a source that has sent a [`Playback`].
    fn control(&mut self, _: Control) {}

    /// Writes what is held of a process into a recording, and says where. Returns at once; false from a
    /// source that holds nothing.
    fn dump(&mut self, _: BootId) -> bool {
        false
    }
}

/// Where a source's events go; false when the receiver is gone.
pub type Sink = Box<dyn FnMut(SourceEvent) -> bool + Send>;

/// The standing questions, from the drawing thread to the source's.
type Questions = Arc<[(QuestionId, Ask)]>;

/// The pauses between attempts to reconnect: 100 ms, doubling up to 2 s.
struct Pauses {
    next: Duration,
}

impl Default for Pauses {
    fn default() -> Self {
        Self { next: Duration::from_millis(100) }
    }
}

impl Pauses {
    async fn wait(&mut self) {
        tokio::time::sleep(self.next).await;
        self.next = (self.next * 2).min(Duration::from_secs(2));
    }
}

/// Runs a source's loop on a thread of its own, with a small runtime that ends with it.
fn on_own_thread(
    name: &str,
    main: impl Future<Output = ()> + Send + 'static,
) -> Result<(), crate::output::failure::Failure> {
    let failed = |error| crate::output::failure::Failure::io("start a thread for the connection", error);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || runtime.block_on(main))
        .map_err(failed)?;
    Ok(())
}

/// The wall clock, nanoseconds since the Unix epoch.
#[expect(clippy::disallowed_methods, reason = "the rim: the wall clock of the viewer")]
fn unix_ns() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_nanos() as u64)
}
