//! Where answers come from: one process, a collector, or several of them, behind one interface.
//!
//! A source owns a thread of its own. The drawing thread hands it the standing questions and gets
//! [`SourceEvent`]s through a channel; it never waits for a source and never does I/O itself.

use std::sync::Arc;

use pollscope_model::query::ask::{Answer, Ask};

/// Names a standing question; chosen by whoever asks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct QuestionId(pub u32);

/// What a source tells.
#[derive(Clone, PartialEq, Debug)]
pub enum SourceEvent {
    /// The connection changed.
    Status(Status),
    /// The newest answer to a standing question: sent at once when the question is new, then
    /// whenever new data changed it.
    Answer(QuestionId, Box<Answer>),
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
}
