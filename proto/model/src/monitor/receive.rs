//! What a [`Monitor`] is fed: the messages of processes, one at a time, with the time of each. The one place where a
//! greeting, a report and an end are told apart, for live streams, recordings and test sessions alike.
//!
//! It reads no clock: whether time passes with the messages or beside them is its caller's to say.

use super::{Monitor, Welcome};
use crate::hello::Hello;
use crate::id::BootId;
use crate::report::Report;
use crate::world::{Applied, TooManyProcesses};

/// What a process says on its stream, live or recorded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message {
    /// First; and again, with the same boot, when what the process measures has changed.
    Hello(Box<Hello>),
    /// A whole report, put together from its frames.
    Report(Box<Report>),
    /// Last: the process ends in good order.
    Goodbye {
        /// Why, in words.
        reason: String,
    },
}

/// What a monitor receives.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Received {
    /// A message of a process. A goodbye ends the process that greeted last; where several streams feed one
    /// monitor, send [`Received::Lost`] instead, which names the process.
    Message(Message),
    /// The stream of a process ended, in good order or not.
    Lost {
        /// The process.
        boot: BootId,
        /// Why, in words.
        reason: String,
    },
}

/// What became of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Receipt {
    /// The process has a place.
    Welcome(Welcome),
    /// The report is folded, or not for the reason given.
    Applied(Applied),
    /// The process counts as gone.
    Parted,
}

impl Receipt {
    /// Whether the sender should be asked for a snapshot.
    pub fn wants_snapshot(&self) -> bool {
        matches!(self, Self::Applied(applied) if applied.wants_snapshot())
    }
}

impl Received {
    /// Whether the state after it is whole: it is not after a greeting or half of a snapshot.
    pub fn completes_state(&self) -> bool {
        match self {
            Self::Message(Message::Hello(_)) => false,
            Self::Message(Message::Report(report)) => report.kind.is_last_part(),
            Self::Message(Message::Goodbye { .. }) | Self::Lost { .. } => true,
        }
    }
}

impl From<Message> for Received {
    fn from(message: Message) -> Self {
        Self::Message(message)
    }
}

impl Monitor {
    /// Folds what a live stream says; time passes with [`Monitor::tick`]. Fails for the greeting of a process that
    /// finds no room.
    pub fn receive(
        &mut self,
        received: impl Into<Received>,
        unix_ns: u64,
    ) -> Result<Receipt, TooManyProcesses> {
        Ok(match received.into() {
            Received::Message(Message::Hello(hello)) => {
                self.greeted = Some(hello.boot);
                Receipt::Welcome(self.connect(*hello, unix_ns)?)
            }
            Received::Message(Message::Report(report)) => Receipt::Applied(self.apply(*report, unix_ns)),
            Received::Message(Message::Goodbye { reason }) => {
                if let Some(boot) = self.greeted {
                    self.disconnect(boot, &reason, unix_ns);
                }
                Receipt::Parted
            }
            Received::Lost { boot, reason } => {
                self.disconnect(boot, &reason, unix_ns);
                Receipt::Parted
            }
        })
    }

    /// The same where time passes with the reports: in a recording, whose time is that in which it was made, and in
    /// a session that has no clock of its own.
    pub fn receive_and_tick(
        &mut self,
        received: impl Into<Received>,
        unix_ns: u64,
    ) -> Result<Receipt, TooManyProcesses> {
        let receipt = self.receive(received, unix_ns)?;
        if matches!(receipt, Receipt::Applied(_)) {
            self.tick(unix_ns);
        }
        Ok(receipt)
    }
}
