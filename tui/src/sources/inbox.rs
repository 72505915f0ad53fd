//! What a source reported last, for a command without a screen: only the newest of each, so that nothing piles up while
//! the command prints.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use pollscope_model::query::ask::Answer;

use super::{QuestionId, Sink, SourceEvent, Status};

/// The newest of each event.
#[derive(Default)]
struct Latest {
    status: Option<Status>,
    answers: HashMap<QuestionId, Answer>,
    note: Option<Arc<str>>,
    /// Events so far, so that a waiter knows whether anything is new.
    count: u64,
}

/// The inbox; clones share it.
#[derive(Clone, Default)]
pub struct Inbox {
    shared: Arc<(Mutex<Latest>, Condvar)>,
}

impl Inbox {
    /// The end that a source sends through.
    pub fn sink(&self) -> Sink {
        let inbox = self.clone();
        Box::new(move |event| {
            let mut latest = inbox.lock();
            match event {
                SourceEvent::Status(status) => latest.status = Some(status),
                SourceEvent::Answer(id, answer) => {
                    latest.answers.insert(id, *answer);
                }
                SourceEvent::Playback(playback) => latest.note = Some(playback.note),
                SourceEvent::Notice(_) => {}
            }
            latest.count += 1;
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

    /// Events so far.
    pub fn count(&self) -> u64 {
        self.lock().count
    }

    /// Waits until there were more events than `seen`, or the deadline.
    pub fn wait(&self, seen: u64, deadline: Instant) {
        let mut latest = self.lock();
        while latest.count <= seen {
            let Some(left) = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
            else {
                return;
            };
            latest = self.shared.1.wait_timeout(latest, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Latest> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
