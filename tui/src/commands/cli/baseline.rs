//! What `baseline` takes.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What to do with a baseline.
#[derive(Subcommand, Debug)]
pub enum BaselineCommand {
    /// Write a new baseline from recordings of one run
    #[command(after_help = SAVE_HELP)]
    Save(SaveArgs),
    /// Add a run to a baseline, or accept what changed
    #[command(after_help = ACCEPT_HELP)]
    Accept(AcceptArgs),
    /// Forget sites and findings that recordings do not have any more
    Prune(UpkeepArgs),
}

/// Recordings and the file.
#[derive(Args, Debug)]
pub struct UpkeepArgs {
    /// Recordings of one run, or folders of them
    #[arg(required = true, value_name = "RECORDING")]
    pub recordings: Vec<PathBuf>,
    /// The baseline file
    #[arg(short, long, value_name = "FILE", default_value = "pollscope-baseline.toml")]
    pub output: PathBuf,
}

/// What `save` takes.
#[derive(Args, Debug)]
pub struct SaveArgs {
    /// What is read and written.
    #[command(flatten)]
    pub files: UpkeepArgs,
    /// Replace a baseline that is there already
    #[arg(long)]
    pub force: bool,
}

/// What `accept` takes.
#[derive(Args, Debug)]
pub struct AcceptArgs {
    /// What is read and written.
    #[command(flatten)]
    pub files: UpkeepArgs,
    /// Accept these sites only, by a part of file, line or name: their figures, and the findings there
    #[arg(long = "site", value_name = "TEXT")]
    pub sites: Vec<String>,
    /// Accept these findings only, by a part of their fingerprint, and no figures
    #[arg(long = "finding", value_name = "TEXT", conflicts_with = "sites")]
    pub findings: Vec<String>,
}

const SAVE_HELP: &str = "\
Whatever the detectors find in the recordings is accepted with it, and listed, with a word before that if something
is denied: `check --baseline` fails what comes on top. Three runs tell how much runs differ; until then only what is 1.56 times as long is told.

Examples:
  pollscope baseline save run1.mcap
  pollscope baseline accept run2.mcap
  pollscope baseline accept run3.mcap
  git add pollscope-baseline.toml
  pollscope check --baseline pollscope-baseline.toml run4.mcap";

const ACCEPT_HELP: &str = "\
Sites that did not change gain a run; of those that changed the old figures are forgotten. At most five runs
are kept. New findings are accepted up to the level that they have.

Examples:
  pollscope baseline accept head.mcap
  pollscope baseline accept head.mcap --site src/cart.rs
  pollscope baseline accept head.mcap --finding 'task-leak src/net.rs'";
