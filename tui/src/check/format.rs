//! How a verdict is told: one file for each format.
//!
//! A format only renders. What counts and why is in the [`Verdict`] that it is handed; nothing here judges,
//! opens a file or asks the environment.

mod json;
mod text;

use std::io::{self, Write};

use pollscope_model::verdict::Verdict;

use crate::cli::check::VerdictFormat;

/// What a format is handed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sheet<'a> {
    /// The verdict.
    pub(crate) verdict: &'a Verdict,
    /// On what: the command, or the files as they were named.
    pub(crate) of: &'a str,
    /// How text is to look.
    pub(crate) style: Style,
}

/// How text is to look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Style {
    /// Whether to colour.
    pub(crate) colors: bool,
    /// Columns to stay within.
    pub(crate) columns: usize,
}

impl Style {
    /// For files and pipes.
    pub(crate) const PLAIN: Self = Self { colors: false, columns: 100 };
}

/// Writes the verdict.
pub(crate) fn write(format: VerdictFormat, out: &mut dyn Write, sheet: &Sheet<'_>) -> io::Result<()> {
    match format {
        VerdictFormat::Text => text::write(out, sheet),
        VerdictFormat::Json => json::write(out, sheet),
    }
}
