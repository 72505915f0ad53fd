//! The eyes of pollscope: its terminal UI and its command line.

pub mod source;
