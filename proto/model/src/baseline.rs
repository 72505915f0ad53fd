//! The baseline: what earlier runs of a service were like, to compare the next run with, and the
//! findings that are accepted. It lives in a text file that is committed beside the code.
//!
//! Pure: a [`Run`] is taken from worlds after their recordings were folded, a baseline is read from and
//! written to text, and a [`Comparison`] is data. The caller reads and writes the file. The
//! command line (`check --baseline`, `diff`, `baseline`) and assertions in tests call it.
//!
//! What is compared, with what right, is told in [`judge`]: poll times always, as they are the code's
//! own; schedule delays and lifetimes only under a like load ([`load`]). All times are wall time. For
//! polls above the process's slow-poll limit the share without a CPU is known and taken off; below it
//! a total for each worker is all there is, and may only ever excuse, see [`judge`].
//!
//! ```
//! use pollscope_model::baseline::{Baseline, Run, compare};
//! use pollscope_model::world::World;
//!
//! let world = World::default();
//! let mut baseline = Baseline::default();
//! baseline.add(Run::of([&world]));
//! let again = Baseline::parse(&baseline.to_toml()).unwrap();
//! assert!(!compare(&again, [&world]).is_worse());
//! ```

mod accept;
mod bounds;
mod compare;
mod comparison;
mod exceed;
mod identity;
pub mod judge;
mod known;
pub mod load;
#[cfg(feature = "toml")]
mod read;
mod run;
mod text;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use accept::{Accepted, Pruned};
pub use comparison::{Change, Compared, Comparison, Figure, Measured, SiteName};
pub use identity::{Place, SiteKey};
#[cfg(feature = "toml")]
pub use read::{BaselineError, MAX_BYTES};
pub use run::{Load, MAX_SITES, Machine, ProcessRun, Run, SiteRun};

use crate::level::Level;
use crate::world::World;

/// The version of the file format. Another one is not read.
pub(crate) const VERSION: i64 = 1;
/// Runs that are kept; when another is added, the oldest leaves.
pub const MAX_RUNS: usize = 5;
/// Findings that can be accepted.
pub(crate) const MAX_KNOWN: usize = 4_096;

/// See the [module](self).
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Baseline {
    /// The runs, the oldest first.
    pub runs: Vec<Run>,
    /// Fingerprints of accepted findings, each with the worst level that is accepted.
    pub known: BTreeMap<Arc<str>, Level>,
}

impl Baseline {
    /// Reads the text of a baseline file, strictly.
    ///
    /// # Errors
    /// The first thing that is not understood, with its line and what to do. Nothing is ever ignored.
    #[cfg(feature = "toml")]
    pub fn parse(text: &str) -> Result<Self, BaselineError> {
        read::parse(text)
    }

    /// The text of the file: sorted, one site after the other, no line longer than a histogram. The
    /// same baseline always gives the same text.
    pub fn to_toml(&self) -> String {
        write::write(self)
    }

    /// Adds a run that is like the others; the oldest over [`MAX_RUNS`] leaves. An empty run is not
    /// added.
    pub fn add(&mut self, run: Run) {
        if run.is_empty() {
            return;
        }
        self.runs.push(run);
        let over = self.runs.len().saturating_sub(MAX_RUNS);
        self.runs.drain(..over);
    }

    /// Compares a run with these.
    pub fn compare(&self, head: &Run) -> Comparison {
        compare::compare(self, head)
    }
}

/// Compares what was folded into those worlds with the baseline.
pub fn compare<'w>(baseline: &Baseline, worlds: impl IntoIterator<Item = &'w World>) -> Comparison {
    baseline.compare(&Run::of(worlds))
}

#[cfg(all(test, feature = "toml"))]
mod tests;
