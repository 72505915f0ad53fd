//! A named stack.

use std::sync::Arc;

/// A stack with names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// Innermost first; calls that the compiler inlined are frames of their own.
    pub frames: Vec<Frame>,
    /// Whether outer frames are missing: the stack was deeper than what was copied or than the cap, or a
    /// frame could not be unwound.
    pub truncated: bool,
    /// Why frames of the program have no line, or why there is no frame at all.
    pub why: Option<Arc<str>>,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Demangled, without hash; `module+0xoffset` where nothing is known.
    pub function: String,
    /// Source file, if debug information says.
    pub file: Option<String>,
    /// Line in it, from 1.
    pub line: Option<u32>,
    /// Whether the compiler inlined it into the next frame.
    pub inlined: bool,
    /// Whether it is the service's own code: not std, not a registry's crate, not pollscope,
    /// wherever that is built from.
    pub users: bool,
    /// Whether it is in the file that this crate is linked into: tokio is there, too.
    pub beside_us: bool,
}
