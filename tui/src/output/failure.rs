//! Why a command could not do its work, and the exit code that says so. Rendered once, at the last
//! frame; nothing in this crate ends the process by itself.

use std::io;

/// What went wrong: one line that names the thing, what was expected and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The command line makes no sense.
    #[error("{0}")]
    Usage(String),
    /// A target that does not answer, or refuses.
    #[error("{0}")]
    Unreachable(String),
    /// There is nothing to show.
    #[error("{0}")]
    NoData(String),
    /// So much is missing in a recording that it cannot be judged.
    #[error("{0}")]
    Incomplete(String),
    /// A verdict that is not green; it is printed already, only the code is left to return.
    #[error("the verdict is not green")]
    Judged(u8),
    /// A peer of another protocol version.
    #[error("{0}")]
    Version(String),
    /// The operating system refused.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was tried, after "cannot".
        what: String,
        /// The error of the system.
        source: io::Error,
    },
    /// The reader of standard output has gone; nothing is printed.
    #[error("standard output was closed")]
    BrokenPipe,
}

/// Clap's paragraphs as one line, with a semicolon between them.
impl From<clap::Error> for Failure {
    fn from(error: clap::Error) -> Self {
        let text = error.to_string();
        let told = text.trim_start_matches("error: ").split("\nUsage:").next().unwrap_or_default();
        let told = told.split("\n\nFor more information").next().unwrap_or_default();
        let line = |paragraph: &str| paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
        let lines: Vec<_> = told.split("\n\n").map(line).filter(|line| !line.is_empty()).collect();
        Self::Usage(format!("{}; see `pollscope --help`", lines.join("; ")))
    }
}

impl Failure {
    /// Wraps an error of the system with what was tried (`"read pollscope.toml"`).
    pub fn io(what: impl Into<String>, source: io::Error) -> Self {
        Self::Io { what: what.into(), source }
    }

    /// An error while writing to standard output.
    pub fn output(source: io::Error) -> Self {
        if source.kind() == io::ErrorKind::BrokenPipe {
            Self::BrokenPipe
        } else {
            Self::io("write to standard output", source)
        }
    }

    /// The process's exit code (see the manual's table of codes).
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Unreachable(_) | Self::Io { .. } => 2,
            Self::NoData(_) => 4,
            Self::Incomplete(_) => 5,
            Self::Judged(code) => *code,
            Self::Version(_) => 6,
            Self::BrokenPipe => 0,
        }
    }
}
