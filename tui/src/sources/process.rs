//! Processes attached directly: a thread that keeps a stream to each, folds their messages into one
//! [`Monitor`](pollscope_model::monitor::Monitor) and answers the standing questions from it. The messages of the last
//! minutes are kept (`history`), so that the user can hold the view and go back.
//!
//! A stream that breaks is opened again, for ever, with growing pauses; what was known stays on
//! screen meanwhile. Nothing here draws or prints.

mod dump;
mod history;
mod link;
mod status;
#[cfg(test)]
mod tests;
mod watch;

use pollscope_model::id::BootId;
use pollscope_model::query::ask::Ask;
use tokio::sync::{mpsc, watch as cell};

use super::discover::Places;
use super::lookup::Watched;
use super::replay::Control;
use super::{QuestionId, Questions, Sink, Source};
use crate::output::failure::Failure;

/// Requests of the user that wait.
const REQUESTS: usize = 16;

/// What the user wants beside answers.
enum UserRequest {
    /// Another moment.
    Time(Control),
    /// A file of what is held of a process.
    Dump(BootId),
}

/// Processes, directly. Dropping it ends its thread.
pub struct ProcessSource {
    questions: cell::Sender<Questions>,
    requests: mpsc::Sender<UserRequest>,
}

impl ProcessSource {
    /// Starts to watch; processes of this machine are looked for in the usual places.
    pub fn open(watched: Watched, events: Sink) -> Result<Self, Failure> {
        Self::open_in(watched, Places::all(), events)
    }

    /// The same, with the places in which the sockets of this machine's processes are.
    pub fn open_in(watched: Watched, places: Places, events: Sink) -> Result<Self, Failure> {
        let (questions, asked) = cell::channel(Questions::default());
        let (requests, requested) = mpsc::channel(REQUESTS);
        super::on_own_thread("pollscope-processes", async move {
            watch::Watch::new(watched, places, events).run(asked, requested).await;
        })?;
        Ok(Self { questions, requests })
    }
}

impl Source for ProcessSource {
    fn ask(&mut self, questions: Vec<(QuestionId, Ask)>) {
        self.questions.send_replace(questions.into());
    }

    fn control(&mut self, control: Control) {
        // Keys that come faster than they can be followed are dropped.
        let _ = self.requests.try_send(UserRequest::Time(control));
    }

    fn dump(&mut self, boot: BootId) -> bool {
        let _ = self.requests.try_send(UserRequest::Dump(boot));
        true
    }
}
