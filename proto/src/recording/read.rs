//! Reading a recording: complete, cut or damaged.
//!
//! One walk over the records' lengths finds the chunks; their contents are read when they are wanted,
//! one chunk at a time. The lengths are read here and not by the `mcap` crate, whose reader takes them
//! at their word. A chunk counts only as a whole: one whose checksum, compression or contents are wrong
//! is left out and counted, and reading goes on after it.

mod cursor;
mod walk;

use std::collections::BTreeSet;
use std::io::{self, Read, Seek};
use std::path::Path;

use pollscope_model::hello::Hello;

use super::FORMAT;
use crate::feed::Message;
use crate::version::{Peer, VersionMismatch, compatible};
pub use cursor::Cursor;
use walk::ChunkPlace;

/// Where a recording is read from.
trait Input: Read + Seek + Send {}
impl<T: Read + Seek + Send> Input for T {}

/// Why a file is not read as a recording.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The operating system says no.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Other bytes.
    #[error("it is no MCAP file")]
    NotMcap,
    /// An MCAP file of another program.
    #[error("it is an MCAP file, but no recording of pollscope's (its profile is `{profile}`)")]
    NotOurs {
        /// What it says it is.
        profile: String,
    },
    /// Another major version of the format.
    #[error("it has recording format {format} (written by pollscope {release}), this version reads {FORMAT}")]
    Format {
        /// Its format.
        format: String,
        /// The version of pollscope that wrote it.
        release: String,
    },
    /// Its messages are of another major version of the protocol.
    #[error(transparent)]
    Protocol(#[from] VersionMismatch),
    /// It has no readable greeting: cut before its first chunk was whole, or damaged there.
    #[error("it holds no readable data: {0}")]
    Empty(&'static str),
    /// More than is ever written into one file.
    #[error("it has more than {} chunks", super::layout::MAX_CHUNKS)]
    TooLong,
}

/// How a file ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// As its writer meant it to.
    Finished,
    /// Without its footer, after so many bytes that could be read and before so many that could not:
    /// the writer was killed or ran out of disk, or still writes.
    Cut {
        /// Bytes up to the end of the last whole record.
        whole_bytes: u64,
        /// Bytes after it.
        lost_bytes: u64,
    },
}

/// One message and when it was said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Wall clock of the process, nanoseconds since the Unix epoch.
    pub unix_ns: u64,
    /// What was said.
    pub message: Message,
}

/// An open recording.
///
/// Memory: one chunk (at most 32 MiB) and one message, and about 40 bytes for each chunk of the file.
pub struct Recording {
    source: Source,
    ending: Ending,
    hello: Box<Hello>,
}

/// What cursors read from.
struct Source {
    input: Box<dyn Input>,
    chunks: Vec<ChunkPlace>,
    damaged: BTreeSet<usize>,
    channels: cursor::Channels,
}

fn first_hello(source: &mut Source) -> Result<Box<Hello>, OpenError> {
    if source.chunks.is_empty() {
        return Err(OpenError::Empty("it ends before its first chunk is whole"));
    }
    match Cursor::default().step_on(source).map(|entry| entry.message) {
        Some(Message::Hello(hello)) => Ok(hello),
        Some(_) => Err(OpenError::Empty("its first message is no greeting")),
        None => Err(OpenError::Empty("every chunk is damaged")),
    }
}

impl Recording {
    /// Opens a file.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Self::of(pollscope_system::file::open(path)?)
    }

    /// Reads from anything. Walks over the whole input once; contents are read later.
    pub fn of(input: impl Read + Seek + Send + 'static) -> Result<Self, OpenError> {
        let mut input: Box<dyn Input> = Box::new(input);
        let walked = walk::walk(&mut input)?;
        let mut source = Source {
            input,
            chunks: walked.chunks,
            damaged: BTreeSet::new(),
            channels: cursor::Channels::default(),
        };
        let hello = first_hello(&mut source)?;
        compatible(Peer::Viewer, Peer::Service, hello.protocol, &hello.version)?;
        Ok(Self { source, ending: walked.ending, hello })
    }

    /// The process, as it first greeted.
    pub fn hello(&self) -> &Hello {
        &self.hello
    }

    /// How the file ends.
    pub fn ending(&self) -> Ending {
        self.ending
    }

    /// How many chunks it has.
    pub fn chunks(&self) -> usize {
        self.source.chunks.len()
    }

    /// Chunks that were found damaged so far, and left out.
    pub fn damaged(&self) -> usize {
        self.source.damaged.len()
    }

    /// When the first chunk begins and the last ends, as they say themselves: nanoseconds since the
    /// Unix epoch.
    pub fn span(&self) -> (u64, u64) {
        let start = self.source.chunks.first().map_or(0, |chunk| chunk.start_unix_ns);
        (start, self.source.chunks.last().map_or(start, |chunk| chunk.end_unix_ns.max(start)))
    }

    /// Every message, in order.
    pub fn messages(&mut self) -> Messages<'_> {
        Messages { recording: self, cursor: Cursor::default() }
    }
}

impl std::fmt::Debug for Recording {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recording")
            .field("chunks", &self.source.chunks.len())
            .field("ending", &self.ending)
            .finish_non_exhaustive()
    }
}

/// All messages of a recording; see [`Recording::messages`].
#[derive(Debug)]
pub struct Messages<'a> {
    recording: &'a mut Recording,
    cursor: Cursor,
}

impl Iterator for Messages<'_> {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        self.cursor.next(self.recording)
    }
}
