//! What `diff` takes.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// What `diff` takes.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub struct DiffArgs {
    /// A recording, a folder of recordings of one run, or a baseline file; several are several runs
    #[arg(required = true, num_args = 1.., value_name = "BASE")]
    pub base: Vec<PathBuf>,
    /// The run that is judged: a recording, or a folder of recordings
    #[arg(required = true, value_name = "HEAD")]
    pub head: PathBuf,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub format: DiffFormat,
    /// Print what is unchanged as well
    #[arg(long)]
    pub all: bool,
}

/// How a comparison is printed.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum DiffFormat {
    /// Aligned columns for people
    #[default]
    Text,
    /// One JSON object, schema `pollscope/1`
    Json,
    /// Markdown, for a comment on a pull request
    Md,
}

const HELP: &str = "\
Worse is a p99 that is more than 1.25 times as long and 200us longer, from 200 samples on each side, outside
of what three or more base runs spread over, and not by chance (1 in 1,000). With fewer base runs it takes
1.56 times. Poll times are compared always, schedule delays and lifetimes only under a like load. What
cannot be told is said, never passed in silence.

Exit codes:
  0  nothing is worse          3  something is worse        4  nothing could be compared
  2  usage, unreadable file    5  recording incomplete      6  format of another version

Examples:
  POLLSCOPE_RECORD=base.mcap ./service-before
  POLLSCOPE_RECORD=head.mcap ./service-after
  pollscope diff base.mcap head.mcap
  pollscope diff run1.mcap run2.mcap run3.mcap head.mcap --format md";
