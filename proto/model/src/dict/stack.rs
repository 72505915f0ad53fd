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

impl Frame {
    /// The function without the closures inside of it: an `async fn` runs as a closure of itself.
    pub fn name(&self) -> &str {
        let mut name = &*self.function;
        while let Some((outer, last)) = name.rsplit_once("::")
            && last.contains("closure")
            && last.starts_with('{')
        {
            name = outer;
        }
        name
    }

    /// In a few words, `cart::load src/cart.rs:70`.
    pub fn short(&self) -> String {
        match (&self.file, self.line) {
            (Some(file), 0) => format!("{} {file}", self.name()),
            (Some(file), line) => format!("{} {file}:{line}", self.name()),
            (None, _) => self.name().to_owned(),
        }
    }
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

    /// What the user's innermost frame called, if anything: the lock, the sleep, the read.
    pub fn called(&self) -> Option<&Frame> {
        let (at, _) = self.users_frame()?;
        self.frames.get(at.checked_sub(1)?)
    }

    /// The frames for people, `function (file:line)`: from the user's innermost to the user's
    /// outermost, without what lies beyond on either side; all of them if none is the user's.
    pub fn shown(&self) -> Vec<Arc<str>> {
        let users = |frame: &Frame| frame.users;
        let first = self.frames.iter().position(users).unwrap_or(0);
        let last = self.frames.iter().rposition(users).map_or(self.frames.len(), |last| last + 1);
        self.frames[first..last].iter().map(|frame| frame.to_string().into()).collect()
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

    #[test]
    fn people_see_the_users_frames_first() {
        let frame = |function: &str, users: bool| Frame {
            function: function.into(),
            file: users.then(|| "src/cart.rs".into()),
            line: 7,
            users,
        };
        let stack = Stack {
            frames: vec![
                frame("clock_nanosleep", false),
                frame("std::thread::sleep", false),
                frame("cart::load::{{closure}}::{{closure}}", true),
                frame("core::future::poll_fn", false),
                frame("cart::render::{{closure}}", true),
                frame("tokio::runtime::task::raw::poll", false),
            ],
            truncated: false,
        };
        let shown = stack.shown();
        assert_eq!((shown.len(), &*shown[1]), (3, "core::future::poll_fn"));
        assert_eq!(stack.called().map(Frame::name), Some("std::thread::sleep"));
        assert_eq!(
            stack.users_frame().map(|(_, frame)| frame.short()),
            Some("cart::load src/cart.rs:7".into())
        );
        let foreign = Stack { frames: stack.frames[..2].to_vec(), truncated: true };
        assert_eq!((foreign.shown().len(), foreign.called()), (2, None));
    }
}
