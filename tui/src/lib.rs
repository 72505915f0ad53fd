//! The eyes of pollscope: its terminal UI and its command line.
//!
//! The terminal UI is a row of pure steps round one closed event enum: a key becomes an
//! [`action`], the action changes the [`state`], the [`vm`] makes a screen of text and roles out of
//! it, and the [`view`] puts that into the terminal's buffer. [`app`] is the loop that turns the row;
//! [`source`] is where the data comes from.
//!
//! The command line begins at [`cli`], which is data, and [`command`], which does what it says. What
//! goes wrong comes back as a [`failure`] and is rendered once, in `main`.

pub mod action;
pub mod app;
mod baseline;
mod check;
pub mod cli;
pub mod clip;
pub mod command;
mod config;
pub mod demo;
mod diff;
mod doctor;
pub mod event;
mod explain;
mod export;
pub mod failure;
pub mod fmt;
pub mod glyph;
mod json;
pub mod keymap;
mod manual;
mod markdown;
mod record;
mod recordings;
mod report;
pub mod source;
pub mod state;
pub mod term;
pub mod theme;
pub mod update;
pub mod view;
pub mod vm;
mod widget;

#[cfg(test)]
mod rig;
#[cfg(test)]
mod writers;
