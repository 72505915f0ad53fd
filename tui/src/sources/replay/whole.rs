//! Recordings of one process folded from beginning to end at once, to be judged as a whole.

use pollscope_model::monitor::{Message, Monitor};
use pollscope_model::policy::Policy;
use pollscope_model::world::WorldLimits;
use pollscope_proto::recording::Recording;

use super::file::shortcomings;
use super::track::{UNTOLD, end};

/// What became of a process.
///
/// Memory: what a live viewer needs, and one chunk.
#[derive(Debug)]
pub(crate) struct Whole {
    monitor: Monitor,
    /// The judge's policy counts: processes bring no policy of their own.
    overruled: bool,
    ended: bool,
    end_unix_ns: u64,
    shortcomings: Vec<String>,
}

impl Whole {
    /// Nothing yet; judged by `policy`, or by the one that its process brings.
    pub(crate) fn new(policy: Option<&Policy>) -> Self {
        let monitor = match policy {
            Some(policy) => Monitor::with_policy(WorldLimits::default(), policy.clone()),
            None => Monitor::default(),
        };
        let overruled = policy.is_some();
        Self { monitor, overruled, ended: false, end_unix_ns: 0, shortcomings: Vec::new() }
    }

    /// Folds all of a recording, in the time in which it was made; of several the oldest first.
    pub(crate) fn fold(&mut self, recording: &mut Recording) {
        for mut entry in recording.messages() {
            if let (Message::Hello(hello), true) = (&mut entry.message, self.overruled) {
                hello.policy.clear();
            }
            self.ended = matches!(entry.message, Message::Goodbye { .. });
            self.end_unix_ns = entry.unix_ns;
            // A monitor of its own has room for every process of a recording, or leaves it out.
            let _ = self.monitor.receive_and_tick(entry.message, entry.unix_ns);
        }
        let words = shortcomings(recording.ending(), recording.damaged());
        if !words.is_empty() {
            self.shortcomings.push(words);
        }
    }

    /// Has the detectors look at the last reports.
    pub(crate) fn settle(&mut self) {
        if end(&mut self.monitor, self.end_unix_ns) {
            self.shortcomings.push(UNTOLD.to_owned());
        }
    }

    /// The state at the end.
    pub(crate) fn monitor(&self) -> &Monitor {
        &self.monitor
    }

    /// Whether the process ended in good order.
    pub(crate) fn ended(&self) -> bool {
        self.ended
    }

    /// What is not whole about the recordings, in words; empty if they are.
    pub(crate) fn shortcomings(&self) -> String {
        self.shortcomings.join("; ")
    }
}
