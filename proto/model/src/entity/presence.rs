//! Whether a process still reports.
//!
//! The [world](crate::world) decides it; queries and screens only show it.

use crate::names::names;

names! {
    /// Whether the data's source is there.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub enum Presence {
        /// Reports arrive.
        #[default]
        Live = "live",
        /// Connected, but no report for longer than it should take.
        Stale = "stale",
        /// The stream ended; what is shown is the last that was known.
        Gone = "gone",
    }
}
