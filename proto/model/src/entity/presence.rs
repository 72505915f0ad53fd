//! Whether a process still reports.
//!
//! The [world](crate::world) decides it; queries and screens only show it.

/// Whether the data's source is there.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Presence {
    /// Reports arrive.
    #[default]
    Live,
    /// Connected, but no report for longer than it should take.
    Stale,
    /// The stream ended; what is shown is the last that was known.
    Gone,
}

impl Presence {
    /// The name in JSON and on screen.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Stale => "stale",
            Self::Gone => "gone",
        }
    }
}
