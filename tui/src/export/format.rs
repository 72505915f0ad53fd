//! The formats, and what a folded stack weighs, under their names on the command line. Only names.

use clap::ValueEnum;

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
