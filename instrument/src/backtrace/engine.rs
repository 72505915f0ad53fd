//! The engine on Linux: a signal makes the asked thread copy its registers and stack ([`signal`]), and our own
//! thread unwinds and names what was copied ([`resolver`]).

mod debug;
mod image;
mod locked;
mod mapped;
mod maps;
mod memory;
mod names;
mod owner;
mod path;
mod registers;
mod resolver;
mod signal;

pub use {
    resolver::Resolver,
    signal::{Asked, Kept, RawStack, ask, install},
};
