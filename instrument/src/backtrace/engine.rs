//! The engine on Linux: a signal makes the asked thread copy its registers and stack ([`signal`]), and our own
//! thread unwinds and names what was copied ([`resolver`]).
//!
//! Under `cfg(loom)` only the protocol between the two threads is built: [`slot`].

mod slot;

#[cfg(not(loom))]
mod debug;
#[cfg(not(loom))]
mod image;
#[cfg(not(loom))]
mod locked;
#[cfg(not(loom))]
mod maps;
#[cfg(not(loom))]
mod memory;
#[cfg(not(loom))]
mod names;
#[cfg(not(loom))]
mod owner;
#[cfg(not(loom))]
mod path;
#[cfg(not(loom))]
mod registers;
#[cfg(not(loom))]
mod resolver;
#[cfg(not(loom))]
mod signal;

#[cfg(not(loom))]
pub use {
    resolver::Resolver,
    signal::{Asked, Kept, RawStack, ask, install},
};
