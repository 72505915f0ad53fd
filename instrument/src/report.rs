//! From records to reports: the drain, the thread that ticks it, and what is sampled from outside. Lists its rooms only.

pub(crate) mod drain;
pub(crate) mod overload;
pub(crate) mod reporter;
pub(crate) mod sample;
