//! `pollscope demo`: a small web shop that really serves, with faults that can be switched on.
//!
//! The service is an ordinary tokio program that spawns through pollscope: HTTP/1.1 over TCP on
//! loopback, a job queue, timers, and clients of its own that keep it moderately busy. It runs in a
//! process of its own; the terminal UI attaches to it as to any other service.
//!
//! The command `demo` starts it. Nothing here parses a command line or draws.

pub(crate) mod child_process;
pub mod fault;
mod http;
mod jobs;
mod load;
pub(crate) mod policy;
pub(crate) mod service;
mod shop;
