//! How a verdict is written: one file for each format.
//!
//! A format only renders. What counts and why is in the [`Verdict`] that it is handed; nothing here judges,
//! opens a file or asks the environment, but for [`Runner`], which says where the checkout is.

mod github;
#[cfg(test)]
pub(crate) mod hostile;
mod json;
mod junit;
mod md;
mod place;
mod runner;
mod sarif;
mod text;
mod wording;

use std::io::{self, Write};

use pollscope_model::verdict::Verdict;

use crate::commands::cli::check::VerdictFormat;
use place::Repository;

pub(crate) use runner::Runner;

/// What a format is handed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sheet<'a> {
    /// The verdict.
    pub(crate) verdict: &'a Verdict,
    /// On what: the command, or the files as they were named.
    pub(crate) of: &'a str,
    /// How text is to look.
    pub(crate) style: Style,
    /// What annotations and alerts attach to.
    pub(crate) repository: &'a Repository,
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
        VerdictFormat::Junit => pure(out, sheet, junit::text),
        VerdictFormat::Github => pure(out, sheet, github::text),
        VerdictFormat::Sarif => pure(out, sheet, sarif::text),
        VerdictFormat::Md => pure(out, sheet, md::text),
    }
}

fn pure(out: &mut dyn Write, sheet: &Sheet<'_>, text: fn(&Verdict, &Repository) -> String) -> io::Result<()> {
    out.write_all(text(sheet.verdict, sheet.repository).as_bytes())
}

/// What GitHub shows as the summary of a step, if this is one: annotations are few and short.
///
/// # Errors
/// One line for people; no reason to fail.
pub(crate) fn summarise(runner: &Runner, sheet: &Sheet<'_>) -> Result<(), String> {
    runner.summarise(&md::text(sheet.verdict, sheet.repository))
}
