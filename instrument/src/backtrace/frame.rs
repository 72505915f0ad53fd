//! A named stack, and whose code its frames are.

/// A stack with names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// Innermost first; calls that the compiler inlined are frames of their own.
    pub frames: Vec<Frame>,
    /// Whether outer frames are missing: the stack was deeper than what was copied or than the cap, or a
    /// frame could not be unwound.
    pub truncated: bool,
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
    /// Whether it is the service's own code: not std, not a registry's crate, not pollscope.
    pub users: bool,
}

impl Trace {
    /// The innermost frame of the service's own code: the line that ran, or that called what ran.
    pub fn place(&self) -> Option<&Frame> {
        self.frames.iter().find(|frame| frame.users)
    }

    /// From the innermost frame of the service's own code to its outermost; all frames if there is none.
    pub fn trimmed(&self) -> &[Frame] {
        let first = self.frames.iter().position(|frame| frame.users);
        let last = self.frames.iter().rposition(|frame| frame.users);
        match (first, last) {
            (Some(first), Some(last)) => &self.frames[first..=last],
            _ => &self.frames,
        }
    }

    /// What the service's own code had called when the stack was taken, such as `std::thread::sleep`; `None`
    /// if it was itself running, or has no frame here.
    pub fn called(&self) -> Option<&Frame> {
        let first = self.frames.iter().position(|frame| frame.users)?;
        self.frames.get(first.checked_sub(1)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(function: &str, users: bool) -> Frame {
        Frame { function: function.to_owned(), file: None, line: None, inlined: false, users }
    }

    #[test]
    fn the_services_own_code_comes_first() {
        let frames = vec![
            frame("clock_nanosleep", false),
            frame("std::thread::sleep", false),
            frame("shop::checkout", true),
            frame("tower::call", false),
            frame("shop::handler", true),
            frame("tokio::runtime::task::raw::poll", false),
        ];
        let trace = Trace { frames, truncated: false };
        assert_eq!(trace.place().map(|frame| &*frame.function), Some("shop::checkout"));
        assert_eq!(trace.called().map(|frame| &*frame.function), Some("std::thread::sleep"));
        assert_eq!(trace.trimmed().len(), 3);

        let foreign = Trace { frames: vec![frame("epoll_wait", false)], truncated: true };
        assert_eq!((foreign.place(), foreign.called(), foreign.trimmed().len()), (None, None, 1));
    }
}
