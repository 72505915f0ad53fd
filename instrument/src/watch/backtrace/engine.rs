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

/// Process-wide since a signal handler gets nothing of ours, and since a process has one action for a signal.
static ENGINE: Engine = Engine { signal: signal::State::new(), copier: memory::Copier::new() };

struct Engine {
    signal: signal::State,
    copier: memory::Copier,
}

pub use {
    resolver::Resolver,
    signal::{Asked, Kept, RawStack, ask},
};

/// What this engine does, for those that do not know whether there is one.
pub(super) const CALLS: super::Engine = super::Engine {
    install: signal::install,
    keep: || Box::new(Kept::begin()),
    ask: |tid, patience| Ok(Box::new(ask(tid, patience)?)),
    names: || Box::new(Resolver::new()),
};
