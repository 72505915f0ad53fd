//! What became of the inputs.

use std::fmt;
use std::time::Duration;

/// Counts that add up.
#[derive(Clone, Copy, Default)]
pub(crate) struct Books {
    pub(crate) recordings: u64,
    /// Of the recordings, those that opened.
    pub(crate) opened: u64,
    /// Of those, the ones with a chunk that was left out.
    pub(crate) damaged: u64,
    pub(crate) messages: u64,
    pub(crate) policies: u64,
    /// Of the policies, those that were taken.
    pub(crate) taken: u64,
    pub(crate) panics: u64,
    /// The longest time that one took, and its number.
    pub(crate) longest: (Duration, u64),
}

impl Books {
    pub(crate) fn inputs(&self) -> u64 {
        self.recordings + self.policies + self.panics
    }

    pub(crate) fn took(self, time: Duration, number: u64) -> Self {
        Self { longest: (time, number), ..self }
    }

    pub(crate) fn add(self, other: Self) -> Self {
        Self {
            recordings: self.recordings + other.recordings,
            opened: self.opened + other.opened,
            damaged: self.damaged + other.damaged,
            messages: self.messages + other.messages,
            policies: self.policies + other.policies,
            taken: self.taken + other.taken,
            panics: self.panics + other.panics,
            longest: self.longest.max(other.longest),
        }
    }
}

impl fmt::Display for Books {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "recordings {:>10}: {} opened, {} of them with damage, {} messages read",
            self.recordings, self.opened, self.damaged, self.messages
        )?;
        writeln!(f, "policies   {:>10}: {} taken, the others refused in words", self.policies, self.taken)?;
        let (time, number) = self.longest;
        write!(f, "panics     {:>10}; the longest took {time:.1?}, number {number}", self.panics)
    }
}
