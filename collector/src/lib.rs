#![doc = include_str!("../README.md")]

pub mod cli;
mod clock;
pub mod config;
mod fleet;
pub mod listen;
pub mod log;
mod server;

pub use server::{Collector, Error};
