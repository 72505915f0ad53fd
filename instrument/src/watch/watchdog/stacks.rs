//! The stacks that were taken and named, each stored once under a number and sent once in the dictionary.
//!
//! Written by the thread that names them, read by the drain.

use std::collections::HashMap;
use std::sync::{Arc, MutexGuard, PoisonError};

use pollscope_model::dict::{DictEntry, Frame, MAX_FRAMES, MAX_STACKS, Stack};
use pollscope_model::id::StackId;

use super::WATCHDOG;
use crate::watch::backtrace::Trace;

/// Every stack once.
#[derive(Default)]
pub(super) struct Table {
    stacks: Vec<Arc<Stack>>,
    ids: HashMap<Arc<Stack>, u32>,
    refused: u64,
}

fn table() -> MutexGuard<'static, Table> {
    WATCHDOG.table.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The number of a stack; `None` when the table is full, which is counted.
///
/// A table that is half full takes no more than the way to the user's own code and what that called: code
/// that computes is interrupted at a different instruction each time, and would fill it.
pub(super) fn intern(trace: &Trace) -> Option<StackId> {
    let mut table = table();
    let users = trace.frames.iter().position(|frame| frame.users).unwrap_or(0);
    let skip = if table.stacks.len() >= MAX_STACKS / 2 { users.saturating_sub(1) } else { 0 };
    let frames = trace.frames.iter().skip(skip).take(MAX_FRAMES);
    let stack = Stack {
        frames: frames
            .map(|frame| Frame {
                function: frame.function.as_str().into(),
                file: frame.file.as_deref().map(Into::into),
                line: frame.line.unwrap_or(0),
                users: frame.users,
            })
            .collect(),
        truncated: trace.truncated || trace.frames.len() - skip > MAX_FRAMES,
        why: trace.why.clone(),
    };
    table.put(stack)
}

/// The number of a reason why there is no stack: a stack without frames.
pub(super) fn intern_absence(why: &str) -> Option<StackId> {
    table().put(Stack { why: Some(why.into()), ..Stack::default() })
}

impl Table {
    fn put(&mut self, stack: Stack) -> Option<StackId> {
        if let Some(id) = self.ids.get(&stack) {
            return Some(StackId(*id));
        }
        if self.stacks.len() >= MAX_STACKS {
            self.refused += 1;
            return None;
        }
        let id = self.stacks.len() as u32;
        let stack = Arc::new(stack);
        self.stacks.push(Arc::clone(&stack));
        self.ids.insert(stack, id);
        Some(StackId(id))
    }
}

/// The entries from one number on, to below another or to the last; and the number after the last.
pub(crate) fn entries(from: usize, to: usize) -> (Vec<DictEntry>, usize) {
    let table = table();
    let to = to.min(table.stacks.len());
    let entry = |(at, stack): (usize, &Arc<Stack>)| DictEntry::Stack(StackId(at as u32), Stack::clone(stack));
    (table.stacks.iter().enumerate().take(to).skip(from).map(entry).collect(), to)
}

/// Stacks that found no room.
pub(crate) fn refused() -> u64 {
    table().refused
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::backtrace;

    fn trace(function: &str) -> Trace {
        let frame = |function: &str, users| backtrace::Frame {
            function: function.to_owned(),
            file: Some("src/cart.rs".to_owned()),
            line: Some(70),
            inlined: false,
            users,
            beside_us: users,
        };
        Trace { frames: vec![frame("sleep", false), frame(function, true)], ..Trace::default() }
    }

    #[test]
    fn one_number_for_one_stack() {
        let id = intern(&trace("stacks-test-1")).expect("room");
        assert_eq!(intern(&trace("stacks-test-1")), Some(id));
        assert_ne!(intern(&trace("stacks-test-2")), Some(id));
        let (entries, end) = entries(id.0 as usize, usize::MAX);
        assert!(end > id.0 as usize + 1);
        let DictEntry::Stack(first, stack) = &entries[0] else { panic!("{entries:?}") };
        assert_eq!((*first, stack.frames.len(), stack.truncated), (id, 2, false));
        assert_eq!(stack.users_frame().map(|(at, frame)| (at, frame.line)), Some((1, 70)));
    }
}
