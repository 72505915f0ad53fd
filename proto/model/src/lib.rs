//! What pollscope's data means: ids, histograms, reports, the [`World`](world::World) that folds
//! them, the queries that read it and the detectors that judge it.
//!
//! Pure data and pure functions. Nothing here does I/O, reads a clock, the environment or a random
//! source, spawns, or knows about protobuf, tokio or a terminal: time and bytes come in as
//! arguments. Every room of pollscope may call it.
#![cfg_attr(
    not(feature = "toml"),
    allow(dead_code, reason = "tables that only the readers of policies and baselines use")
)]

pub mod baseline;
pub mod detect;
pub mod dict;
pub mod engine;
pub mod entity;
pub mod finding;
pub(crate) mod fingerprint;
pub mod hello;
pub mod hist;
pub mod id;
pub mod level;
pub mod measured;
pub mod monitor;
pub(crate) mod names;
pub mod nearest;
pub mod policy;
pub mod query;
pub mod report;
pub mod rule;
pub mod size;
#[cfg(any(test, feature = "testkit"))]
pub mod testkit;
pub mod text;
pub mod time;
pub mod value;
pub mod verdict;
pub mod world;
