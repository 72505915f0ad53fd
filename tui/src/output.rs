//! What leaves the program beside the screens: standard output, the lines on standard error, exit codes, and the
//! formats of text that several rooms write.
//!
//! It knows no source, no screen and no command. Every other room may call it.

pub mod failure;
pub mod fmt;
pub(crate) mod json;
pub(crate) mod markdown;

use std::io::{self, Write};

use failure::Failure;

/// Writes all of it to standard output.
pub(crate) fn to_stdout(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(Failure::output)
}

/// One line on standard error, beside the page.
pub(crate) fn note(line: &str) {
    // Standard error may be closed; a note is not worth failing for.
    let _ = writeln!(io::stderr(), "{}", fmt::notice(line));
}
