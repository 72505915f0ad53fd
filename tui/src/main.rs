//! The `pollscope` binary: parses, runs, and renders what went wrong at the last frame.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use pollscope_tui::commands;
use pollscope_tui::commands::cli::Cli;
use pollscope_tui::output::failure::Failure;
use pollscope_tui::output::fmt::notice;

fn main() -> ExitCode {
    let done = match Cli::try_parse() {
        Ok(cli) => commands::run(cli),
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            error.print().map_err(Failure::output)
        }
        Err(error) => Err(Failure::from(error)),
    };
    let Err(failure) = done else { return ExitCode::SUCCESS };
    if !matches!(failure, Failure::BrokenPipe | Failure::Judged(_)) {
        // There is no way to say it if standard error is closed.
        let _ = writeln!(std::io::stderr(), "{}", notice(&failure.to_string()));
    }
    ExitCode::from(failure.exit_code())
}
