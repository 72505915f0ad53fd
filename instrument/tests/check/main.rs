//! Assertions in tests: what a session promises, and how its failures read under libtest. Every fault with its
//! repaired twin is in the examples' tests.
#![cfg(not(loom))]

mod allowed;
mod attribute;
mod drift;
#[cfg(all(target_os = "linux", feature = "backtrace"))]
mod parallel;
#[cfg(feature = "recording")]
mod record;
mod session;
mod victims;
