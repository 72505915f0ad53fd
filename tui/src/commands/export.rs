//! `pollscope export`: hands what the command line says to the room [`export`](crate::export).

use super::cli::export::ExportArgs;
use crate::export::{self, ExportRequest};
use crate::output::failure::Failure;

/// Exports, and says on standard error what could not be.
pub(crate) fn run(args: &ExportArgs) -> Result<(), Failure> {
    let ExportArgs { file, to, output, weight, force } = args;
    export::run(&ExportRequest { file, to: *to, output, weight: *weight, force: *force })
}
