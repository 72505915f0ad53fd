//! What `export` takes, and the formats that it knows.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// What `export` takes.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub struct ExportArgs {
    /// A recording, by `pollscope record` or by a service with POLLSCOPE_RECORD
    pub file: PathBuf,
    /// The format
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub to: ExportFormat,
    /// The file to write, `-` for standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// For folded stacks: what a stack weighs [default: blocked, or wall where that was not measured]
    #[arg(long, value_enum, value_name = "KIND")]
    pub weight: Option<Weight>,
    /// Replace a file that is there already
    #[arg(long)]
    pub force: bool,
}

/// Other tools' formats.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExportFormat {
    /// Perfetto trace: workers, tasks, wakes, counters, findings
    Perfetto,
    /// Chrome trace events, JSON: the same for chrome://tracing and speedscope
    Chrome,
    /// Firefox profile, JSON: a thread for each worker, polls as markers, slow polls as samples
    Firefox,
    /// Folded stacks of the slow polls, for flame graphs
    Folded,
    /// pprof profile of the slow polls (gzip)
    Pprof,
}

impl ExportFormat {
    /// Its name on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Perfetto => "perfetto",
            Self::Chrome => "chrome",
            Self::Firefox => "firefox",
            Self::Folded => "folded",
            Self::Pprof => "pprof",
        }
    }
}

/// What a folded stack weighs.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Weight {
    /// Microseconds off the CPU by the code's own doing
    Blocked,
    /// Microseconds on the CPU
    Busy,
    /// Microseconds that it could run, but had no CPU
    Preempted,
    /// Microseconds in all
    Wall,
    /// Slow polls
    Count,
}

impl Weight {
    /// Its name on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Busy => "busy",
            Self::Preempted => "preempted",
            Self::Wall => "wall",
            Self::Count => "count",
        }
    }
}

const HELP: &str = "\
Single polls, the states of tasks and who woke whom are there if the recording holds them: with
POLLSCOPE_FLIGHT=always beside POLLSCOPE_RECORD, or by `pollscope record --flight`. Without, there are
slow polls with their stacks, findings, lives of tasks and counters.

Examples:
  POLLSCOPE_RECORD=run.mcap POLLSCOPE_FLIGHT=always ./service
  pollscope export run.mcap --to perfetto -o run.pftrace      open it on https://ui.perfetto.dev
  pollscope export run.mcap --to firefox -o run.json          open it on https://profiler.firefox.com
  pollscope export run.mcap --to folded -o - | inferno-flamegraph > blocked.svg
  pollscope export run.mcap --to pprof -o run.pb.gz && go tool pprof -top run.pb.gz";
