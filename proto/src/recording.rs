//! The recording format: what a process says on its feed, kept in a file.
//!
//! A recording is an [MCAP](https://mcap.dev) file that any MCAP tool opens: profile `pollscope`, a
//! metadata record `pollscope` with the versions of format and protocol, and one protobuf channel per
//! kind of message ([`Channel`]) with the schema's descriptor inside. It holds what a viewer would
//! have been told: a greeting, a snapshot, then every delta after it, then a goodbye if the process
//! ended in good order. A message's time is the wall clock of the process at the end of what it tells.
//!
//! A chunk is complete in itself (zstd, with a checksum) and closed at least once a second of the
//! recorded time, and whenever [`Writer::flush`] is called. So whatever becomes of the writer, the file
//! is readable up to its last whole chunk: [`Recording`] needs no index and no footer, and says where a
//! file was cut. Nothing here opens a path, reads a clock or spawns; any byte sequence is read without
//! a panic and in bounded memory.
//!
//! The way in for services, for the terminal program, for checks and for dumps:
//!
//! ```
//! use pollscope_model::testkit::Script;
//! use pollscope_proto::recording::{Recording, Writer};
//!
//! let mut process = Script::new("checkout");
//! let mut writer = Writer::new(Vec::new(), &process.hello())?;
//! writer.report(&process.second())?;
//! let file = writer.finish()?;
//!
//! let mut recording = Recording::of(std::io::Cursor::new(file))?;
//! assert_eq!(recording.hello().process.name, "checkout");
//! assert_eq!(recording.messages().count(), 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod bytes;
mod layout;
mod packed;
mod read;
mod write;

use pollscope_model::hello::ProtocolVersion;

pub use packed::PackedMessage;
pub use read::{Cursor, Ending, Entry, Messages, OpenError, Recording};
pub use write::Writer;

/// The format that this build writes. Another major is not read; a higher minor only adds channels
/// and metadata, which are skipped.
pub const FORMAT: ProtocolVersion = ProtocolVersion { major: 1, minor: 0 };

/// The ending of a recording's file name.
pub const EXTENSION: &str = "mcap";

/// The kinds of message, each with a channel and a schema of its own. A channel of another name is
/// from a later version and skipped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Channel {
    /// Who speaks and what it measures: first, and again when that changed.
    Hello,
    /// A report, or a frame of one.
    Report,
    /// The process ended in good order.
    Goodbye,
}

impl Channel {
    /// Every channel, in the order in which they are declared in a file.
    pub const ALL: [Self; 3] = [Self::Hello, Self::Report, Self::Goodbye];

    /// Its topic.
    pub const fn topic(self) -> &'static str {
        match self {
            Self::Hello => "hello",
            Self::Report => "report",
            Self::Goodbye => "goodbye",
        }
    }

    /// Full name of its message type.
    pub const fn schema(self) -> &'static str {
        match self {
            Self::Hello => "pollscope.v1.Hello",
            Self::Report => "pollscope.v1.Report",
            Self::Goodbye => "pollscope.v1.Goodbye",
        }
    }
}
