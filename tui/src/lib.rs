//! The eyes of pollscope: its terminal UI and its command line.
//!
//! The rooms, from the top: [`commands`] parses the command line and does what it says. Beside each other below it
//! are [`screens`], the terminal UI, `export`, other tools' formats, and [`demo`], a service with known faults. They
//! get their data from [`sources`]. [`output`] is the lowest: texts, standard output and exit codes. A room uses rooms
//! below it, never one above it or beside it.

pub mod commands;
pub mod demo;
mod export;
pub mod output;
pub mod screens;
pub mod sources;
