//! What can happen, and the queue that it waits in.
//!
//! The queue is filled by the input reader, the signal listener and the source's forwarder, and
//! emptied by the drawing thread alone. It answers input before data, and it is bounded: of several
//! answers to one question only the newest waits.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossterm::event::{Event as TermEvent, KeyEventKind, MouseButton, MouseEventKind};

use crate::screens::keymap::key::Key;
use crate::sources::SourceEvent;

/// One thing that happened. There is nothing else.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// A person did something.
    Input(Input),
    /// The operating system asked for something.
    Signal(Signal),
    /// An event of the source.
    Source(SourceEvent),
    /// Time passed: so long since the program started.
    Tick(Duration),
}

/// What a person, or their terminal, did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// A key was pressed.
    Key(Key),
    /// The mouse was used at column and row.
    Mouse(Mouse, u16, u16),
    /// The terminal has so many columns and rows now.
    Resize(u16, u16),
    /// Text was pasted.
    Paste(String),
    /// The terminal is gone: there will be no input any more.
    Closed,
}

/// What the mouse did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mouse {
    /// Its left button was pressed.
    Press,
    /// Its wheel was turned up.
    WheelUp,
    /// Its wheel was turned down.
    WheelDown,
}

/// What the operating system asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signal {
    /// To end: `SIGTERM`, `SIGHUP`, `SIGINT`.
    Quit,
    /// To stop until continued: `SIGTSTP`.
    Suspend,
}

impl Input {
    /// What the terminal's event means; `None` for what does not matter here.
    pub fn from_terminal(event: TermEvent) -> Option<Self> {
        match event {
            TermEvent::Key(key) if key.kind != KeyEventKind::Release => Some(Self::Key(key.into())),
            TermEvent::Mouse(mouse) => {
                let what = match mouse.kind {
                    MouseEventKind::Down(MouseButton::Left) => Mouse::Press,
                    MouseEventKind::ScrollUp => Mouse::WheelUp,
                    MouseEventKind::ScrollDown => Mouse::WheelDown,
                    _ => return None,
                };
                Some(Self::Mouse(what, mouse.column, mouse.row))
            }
            TermEvent::Resize(columns, rows) => Some(Self::Resize(columns, rows)),
            TermEvent::Paste(text) => Some(Self::Paste(text)),
            _ => None,
        }
    }
}

/// The most inputs that wait; a reader that is faster than that is held back.
const MAX_INPUTS: usize = 1_024;
/// The most data events that wait; the oldest leaves, which only a newer answer can have made stale.
const MAX_DATA: usize = 256;

#[derive(Default)]
struct Waiting {
    inputs: VecDeque<Event>,
    data: VecDeque<SourceEvent>,
}

/// The queue.
#[derive(Default)]
pub struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

impl Queue {
    /// Adds an input or a signal; waits while too many wait.
    pub fn push_input(&self, event: Event) {
        let mut waiting = self.lock();
        while waiting.inputs.len() >= MAX_INPUTS {
            waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        waiting.inputs.push_back(event);
        self.changed.notify_all();
    }

    /// Adds an event of the source. An older answer to the same question that still waits is
    /// replaced, and so is an older state of the playback. Never waits.
    pub fn push_data(&self, event: SourceEvent) {
        let mut waiting = self.lock();
        if let SourceEvent::Answer(id, _) = &event {
            let same = |other: &SourceEvent| matches!(other, SourceEvent::Answer(old, _) if old == id);
            if let Some(old) = waiting.data.iter_mut().find(|other| same(other)) {
                *old = event;
                return;
            }
        }
        if let SourceEvent::Playback(_) = &event {
            waiting.data.retain(|other| !matches!(other, SourceEvent::Playback(_)));
        }
        if waiting.data.len() >= MAX_DATA {
            waiting.data.pop_front();
        }
        waiting.data.push_back(event);
        self.changed.notify_all();
    }

    /// The next event, inputs first; `None` if nothing happens until the deadline.
    pub fn pop(&self, deadline: Instant) -> Option<Event> {
        let mut waiting = self.lock();
        loop {
            let next = match waiting.inputs.pop_front() {
                Some(event) => Some(event),
                None => waiting.data.pop_front().map(Event::Source),
            };
            if next.is_some() {
                self.changed.notify_all();
                return next;
            }
            let left = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
            waiting = self.changed.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pollscope_model::query::ask::Answer;

    use super::*;
    use crate::sources::QuestionId;

    fn answer(id: u32, text: &str) -> SourceEvent {
        SourceEvent::Answer(QuestionId(id), Box::new(Answer::No(Arc::from(text))))
    }

    #[test]
    fn input_is_answered_before_data_and_only_the_newest_answer_waits() {
        let queue = Queue::default();
        queue.push_data(answer(1, "old"));
        queue.push_data(answer(2, "other"));
        queue.push_data(answer(1, "new"));
        queue.push_input(Event::Input(Input::Key(Key::ENTER)));
        let now = Instant::now();
        assert_eq!(queue.pop(now), Some(Event::Input(Input::Key(Key::ENTER))));
        assert_eq!(queue.pop(now), Some(Event::Source(answer(1, "new"))));
        assert_eq!(queue.pop(now), Some(Event::Source(answer(2, "other"))));
        assert_eq!(queue.pop(now), None);
    }

    #[test]
    fn a_flood_of_data_stays_bounded() {
        let queue = Queue::default();
        (0..10 * MAX_DATA as u32).for_each(|id| queue.push_data(answer(id, "")));
        let now = Instant::now();
        assert_eq!(std::iter::from_fn(|| queue.pop(now)).count(), MAX_DATA);
    }
}
