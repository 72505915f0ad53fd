//! The lines of the user's code that stacks show, each once under a number: what slow polls that a library spawned at one
//! line of its own are told apart by. A function has a number as well: code that computes is seen at another of its lines
//! each time.
//!
//! The dictionary alone writes it, once for each stack that it takes. Bounded: a line more than there may be stacks has
//! no number.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Frame, MAX_STACKS, Site, Stack};
use crate::id::{LineId, StackId};

/// Where in the user's code a thread was when it was looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum StackLine {
    /// At that line, or in what it called.
    Users(LineId),
    /// In libraries only: the whole of the task's stack is known, and no frame of it is the user's.
    Library,
    /// No stack was taken, or not all of it is known.
    #[default]
    Unknown,
}

/// A line, or a function as a whole.
#[derive(Clone, Debug)]
struct Entry {
    text: Arc<str>,
    /// The function that the line is in; of a function itself.
    function: LineId,
}

/// What has a number.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Key {
    Line(Arc<str>),
    Function(Arc<str>),
}

/// See the [module](self).
#[derive(Clone, Debug, Default)]
pub(super) struct Lines {
    entries: Vec<Entry>,
    ids: HashMap<Key, LineId>,
    of_stacks: Vec<StackLine>,
    /// Bytes of the texts.
    bytes: usize,
}

impl Lines {
    /// Takes a stack of the dictionary, whose numbers are bounded.
    pub(super) fn put(&mut self, id: StackId, stack: &Stack) {
        let line = match stack.users_frame() {
            Some((_, frame)) => self.id(frame).map_or(StackLine::Unknown, StackLine::Users),
            None if stack.is_of_libraries() => StackLine::Library,
            None => StackLine::Unknown,
        };
        let index = id.0 as usize;
        if self.of_stacks.len() <= index {
            self.of_stacks.resize(index + 1, StackLine::Unknown);
        }
        self.of_stacks[index] = line;
    }

    /// The line's number, or its function's where no line is known.
    fn id(&mut self, frame: &Frame) -> Option<LineId> {
        let line: Option<Arc<str>> = frame.line().map(Into::into);
        let shown = line.clone().unwrap_or_else(|| frame.name().into());
        let function = self.enter(Key::Function(frame.function.clone()), &shown, None)?;
        line.map_or(Some(function), |line| self.enter(Key::Line(line.clone()), &line, Some(function)))
    }

    fn enter(&mut self, key: Key, text: &Arc<str>, function: Option<LineId>) -> Option<LineId> {
        if let Some(known) = self.ids.get(&key) {
            return Some(*known);
        }
        if self.entries.len() >= 2 * MAX_STACKS {
            return None;
        }
        let id = LineId(u32::try_from(self.entries.len()).ok()?);
        self.bytes += text.len();
        self.entries.push(Entry { text: text.clone(), function: function.unwrap_or(id) });
        self.ids.insert(key, id);
        Some(id)
    }

    /// The line of a stack.
    pub(super) fn of(&self, stack: StackId) -> StackLine {
        self.of_stacks.get(stack.0 as usize).copied().unwrap_or_default()
    }

    pub(super) fn text(&self, id: LineId) -> Option<&Arc<str>> {
        self.entries.get(id.0 as usize).map(|entry| &entry.text)
    }

    /// The function that a line is in.
    pub(super) fn function_of(&self, id: LineId) -> LineId {
        self.entries.get(id.0 as usize).map_or(id, |entry| entry.function)
    }

    /// Bytes that it holds.
    pub(super) fn held_bytes(&self) -> usize {
        let entry = size_of::<Entry>() + size_of::<Key>() + size_of::<LineId>();
        self.bytes + self.entries.len() * entry + self.of_stacks.capacity() * size_of::<StackLine>()
    }
}

/// A line in a few characters, `cart.rs:70` for `src/cart.rs:70`; a function stays as it is.
pub fn short_line(text: &str) -> String {
    let line = text.rsplit_once(':').and_then(|(file, line)| Some((file, line.parse().ok()?)));
    line.map_or_else(|| text.to_owned(), |(file, line)| Site { file: file.into(), line, column: 0 }.short())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dict::{DictEntry, Dictionary};

    fn frame(function: &str, file: Option<&str>, line: u32) -> Frame {
        Frame {
            function: function.into(),
            file: file.map(Into::into),
            line,
            users: function.starts_with("shop::"),
        }
    }

    #[test]
    fn stacks_of_one_line_have_one_number() {
        let mut dict = Dictionary::default();
        let mut enter = |id, frames: &[Frame]| {
            let stack = Stack { frames: frames.to_vec(), ..Stack::default() };
            dict.insert(DictEntry::Stack(StackId(id), stack));
            dict.line_of(Some(StackId(id)))
        };
        let hash = |line| frame("shop::login::hash", Some("src/login.rs"), line);
        let first = enter(0, &[frame("memcpy", None, 0), hash(15), frame("shop::serve", None, 0)]);
        assert_eq!(enter(1, &[frame("sha2::compress", None, 0), hash(15)]), first);
        let second = enter(2, &[hash(31)]);
        assert_ne!(first, second);
        let bare = enter(3, &[frame("shop::login::hash::{{closure}}", None, 0)]);
        assert_eq!(enter(4, &[frame("h2::poll", None, 0)]), StackLine::Library);
        assert_eq!(enter(5, &[]), StackLine::Unknown);
        let texts: Vec<_> = [first, second, bare]
            .into_iter()
            .map(|line| match line {
                StackLine::Users(line) => dict.line_text(line),
                other => panic!("{other:?}"),
            })
            .collect();
        let texts: Vec<&str> = texts.iter().map(|text| &**text).collect();
        assert_eq!(texts, ["src/login.rs:15", "src/login.rs:31", "shop::login::hash"]);
        let function = |line| match line {
            StackLine::Users(line) => dict.function_of(line),
            other => panic!("{other:?}"),
        };
        assert_eq!(function(first), function(second));
        assert_eq!(&*dict.line_text(function(second)), "src/login.rs:15", "the first that was seen");
        assert_eq!(StackLine::Users(function(bare)), bare);
        assert_eq!(dict.line_of(None), StackLine::Unknown);
        assert_eq!(dict.line_of(Some(StackId(99))), StackLine::Unknown);
        assert_eq!(&*dict.line_text(LineId(9)), "(line 9 unknown)");
    }

    #[test]
    fn a_stack_of_which_something_is_missing_says_nothing_of_the_users_code() {
        let line = |stack: Stack| {
            let mut lines = Lines::default();
            lines.put(StackId(0), &stack);
            lines.of(StackId(0))
        };
        let stack = Stack { frames: vec![frame("h2::poll", None, 0)], ..Stack::default() };
        assert_eq!(line(stack.clone()), StackLine::Library);
        assert_eq!(line(Stack { truncated: true, ..stack.clone() }), StackLine::Unknown);
        assert_eq!(line(Stack { why: Some("the program is stripped".into()), ..stack }), StackLine::Unknown);
    }

    #[test]
    fn a_sender_of_ever_new_lines_finds_no_more_room_than_there_are_stacks() {
        let mut lines = Lines::default();
        for line in 0..2 * MAX_STACKS as u32 {
            lines.put(
                StackId(0),
                &Stack { frames: vec![frame("shop::f", Some("a.rs"), line + 1)], ..Stack::default() },
            );
        }
        assert_eq!((lines.entries.len(), lines.of(StackId(0))), (2 * MAX_STACKS, StackLine::Unknown));
    }

    #[test]
    fn a_line_is_shortened_and_a_function_is_not() {
        for (line, short) in [
            ("src/login.rs:15", "login.rs:15"),
            ("jobs/src/main.rs:7", "jobs/main.rs:7"),
            ("shop::login::hash", "shop::login::hash"),
            ("", ""),
        ] {
            assert_eq!(short_line(line), short);
        }
    }
}
