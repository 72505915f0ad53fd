//! How many polls took how long in one stretch of time, by decades: what a heat map is drawn from.
//!
//! The [world](crate::world) fills it; queries add columns of several processes up.

/// One column of a heat map.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HeatColumn {
    /// Counts per decade: below 1 µs, 10 µs, 100 µs, 1 ms, 10 ms, 100 ms, 1 s, and above.
    pub decades: [u64; 8],
}
