//! What `export` takes.

use std::path::PathBuf;

use clap::Args;

pub use crate::export::format::{ExportFormat, Weight};

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
