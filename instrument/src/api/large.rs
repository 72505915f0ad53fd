//! Which futures and closures are boxed before they are moved on, as tokio does it with its own.
//!
//! Every function that takes a task or a job from the user decides here, first thing: each further frame
//! that such a value moves through holds another copy of it, so that one of some hundred KiB overflows the
//! stack of a thread on which tokio spawns it. Nothing else moves a value that was not looked at here.

use std::marker::PhantomData;

/// From this size on (bytes) a value is boxed: tokio's own limits.
const LIMIT: usize = if cfg!(debug_assertions) { 2 << 10 } else { 16 << 10 };

/// The decision about values of type `T`: a constant, so that only the branch that is taken is compiled.
pub(crate) struct Large<T>(PhantomData<T>);

impl<T> Large<T> {
    /// Whether the value is boxed.
    pub(crate) const BOXED: bool = size_of::<T>() > LIMIT;
}
