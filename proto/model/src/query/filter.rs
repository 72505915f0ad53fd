//! The filter grammar, the same on every screen and on the command line.
//!
//! ```text
//! filter := term*                      all terms must hold; separated by white space
//! term   := ["!"] (word | field op value)
//! op     := "=" | "!=" | ">" | "<" | ">=" | "<=" | "~"
//! word   := what a name, group, site or label contains; letters may be left out in names
//! value  := a number in the field's unit (10ms, 16KiB, 50%, 3k), a text, or null: not measured
//! ```
//!
//! Quotes keep blanks together: `"render cart"`, `name="render cart"`. Case never matters. `~` means
//! contains. `level>=warn` and `flagged` are about open findings. What is not measured passes no
//! comparison but `!=`.

mod matching;
mod parse;

pub(super) use matching::{RowMatcher, Texts};
pub(super) use parse::Filter;
pub use parse::FilterError;

use super::column::Kind;

/// Checks a filter without running it, so that a prompt can tell while it is typed.
pub fn check(kind: Kind, text: &str) -> Result<(), FilterError> {
    Filter::parse(text, kind).map(|_| ())
}

#[cfg(test)]
mod tests;
