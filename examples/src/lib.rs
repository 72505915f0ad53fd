//! What the examples share: how long they run, and the visitors of those that serve.
//!
//! The examples are programs to read and to watch: `src/bin/` holds one service per fault, and the
//! ways to add pollscope to a service that is there already. None of them is a library to build on.

mod deadline;
mod visitors;

pub use deadline::{seconds_to_run, until_stopped};
pub use visitors::serve_visitors;
