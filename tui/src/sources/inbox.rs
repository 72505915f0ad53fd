//! Where a command without a screen keeps what a source tells: only the newest of each, so that
//! nothing piles up while it prints.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use pollscope_model::query::ask::Answer;

use super::{QuestionId, Sink, SourceEvent, Status};

/// What has been told.
#[derive(Default)]
struct Told {
    status: Option<Status>,
    answers: HashMap<QuestionId, Answer>,
    note: Option<Arc<str>>,
    /// Counts everything that was told, so that a waiter knows whether anything is new.
    count: u64,
}

/// The inbox; clones share it.
#[derive(Clone, Default)]
pub struct Inbox {
    shared: Arc<(Mutex<Told>, Condvar)>,
}

impl Inbox {
    /// The end that a source tells through.
    pub fn sink(&self) -> Sink {
        let inbox = self.clone();
        Box::new(move |event| {
            let mut told = inbox.lock();
            match event {
                SourceEvent::Status(status) => told.status = Some(status),
                SourceEvent::Answer(id, answer) => {
                    told.answers.insert(id, *answer);
                }
                SourceEvent::Playback(playback) => told.note = Some(playback.note),
                SourceEvent::Said(_) => {}
            }
            told.count += 1;
            inbox.shared.1.notify_all();
            true
        })
    }

    /// How the connection stands.
    pub fn status(&self) -> Option<Status> {
        self.lock().status.clone()
    }

    /// What a recording is short of, in words; empty if it is whole.
    pub fn note(&self) -> Option<Arc<str>> {
        self.lock().note.clone()
    }

    /// The newest answer to a question, which is taken out.
    pub fn take(&self, id: QuestionId) -> Option<Answer> {
        self.lock().answers.remove(&id)
    }

    /// How much has been told so far.
    pub fn count(&self) -> u64 {
        self.lock().count
    }

    /// Waits until more has been told than `seen`, or the deadline.
    pub fn wait(&self, seen: u64, deadline: Instant) {
        let mut told = self.lock();
        while told.count <= seen {
            let Some(left) = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
            else {
                return;
            };
            told = self.shared.1.wait_timeout(told, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Told> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
