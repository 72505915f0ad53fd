//! What `record` takes.

use std::path::PathBuf;

use clap::Args;

use super::{duration, size};
use crate::sources::target::Target;

/// What `record` takes.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub struct RecordArgs {
    /// HOST:PORT, http://HOST:PORT, unix:PATH, a PID or a service name
    pub target: Target,
    /// The file to write
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Stop after so long [default: when the process ends, or on Ctrl-C]
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub record_for: Option<std::time::Duration>,
    /// Record single polls and wakes too, for `pollscope export` and the screens' poll lanes
    #[arg(long)]
    pub flight: bool,
    /// Stop when the file is so large
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "1GiB")]
    pub limit: u64,
    /// Replace a file that is there already
    #[arg(long)]
    pub force: bool,
}

const HELP: &str = "\
Examples:
  pollscope record checkout -o run.mcap --for 30s
  pollscope open run.mcap

A service can record by itself, from its start on: POLLSCOPE_RECORD=run.mcap.";
