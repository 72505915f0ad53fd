//! The terminal UI: a row of pure steps round one closed event enum. A key becomes an [`action`], the action changes
//! the [`state`], the [`vm`] makes a screen of text and roles out of it, and the [`view`] puts that into the
//! terminal's buffer. [`app`] is the loop that turns the row.
//!
//! It opens no source, parses no command line and writes to no standard output but the terminal's. The commands call
//! it.

pub mod action;
pub mod app;
pub mod clip;
pub mod event;
pub mod glyph;
pub mod keymap;
pub mod state;
pub mod term;
pub mod theme;
pub mod update;
pub mod view;
pub mod vm;
mod widget;

#[cfg(test)]
pub(crate) mod rig;
