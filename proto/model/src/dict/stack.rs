//! Call stacks: what a thread was doing when it was looked at.

use std::fmt;
use std::sync::Arc;

/// The most frames that a stack keeps: the innermost.
pub const MAX_FRAMES: usize = 64;

/// The most stacks that a dictionary keeps; further ones are refused and counted.
pub const MAX_STACKS: usize = 2_048;

/// One call.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Frame {
    /// The function's path, demangled and without its hash, `cart::load`; an address if it has no name.
    pub function: Arc<str>,
    /// Path of the source file as the compiler saw it, if known.
    pub file: Option<Arc<str>>,
    /// Line of the call, from 1; 0 if unknown.
    pub line: u32,
    /// Whether it is the user's own code: not of the standard library, of the runtime or of a
    /// dependency.
    pub users: bool,
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.file, self.line) {
            (Some(file), 0) => write!(f, "{} ({file})", self.function),
            (Some(file), line) => write!(f, "{} ({file}:{line})", self.function),
            (None, _) => f.write_str(&self.function),
        }
    }
}

/// The calls of one thread, innermost first.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Stack {
    /// The calls.
    pub frames: Vec<Frame>,
    /// Outer frames are missing: there were more than were kept, or the way up was not found.
    pub truncated: bool,
}

impl Stack {
    /// The innermost of the user's frames, and its index: the line that the user can change.
    pub fn users_frame(&self) -> Option<(usize, &Frame)> {
        self.frames.iter().enumerate().find(|(_, frame)| frame.users)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_print_what_is_known_of_them() {
        let frame = |file: Option<&str>, line| {
            let file = file.map(Arc::from);
            Frame { function: "cart::load".into(), file, line, users: true }.to_string()
        };
        assert_eq!(frame(Some("src/cart.rs"), 70), "cart::load (src/cart.rs:70)");
        assert_eq!(frame(Some("src/cart.rs"), 0), "cart::load (src/cart.rs)");
        assert_eq!(frame(None, 70), "cart::load");
    }
}
