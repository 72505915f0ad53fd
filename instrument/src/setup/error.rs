//! Why pollscope did not start: what [`try_init`](crate::try_init) returns. Every room that `init` calls may give one.

/// Why pollscope did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InitError {
    /// A setting, of the builder or of the environment, cannot be used.
    #[error("{0}")]
    Setting(String),
    /// An earlier guard of this process is still alive.
    #[error("already running in this process: keep one guard")]
    AlreadyRunning,
    /// This process was forked from one in which a guard was alive: it has none of pollscope's threads, and what those
    /// had locked is locked here for good.
    #[error(
        "this process was forked from one in which pollscope runs: nothing is recorded here; call init in the child \
         and not before the fork, or drop the guard before it"
    )]
    Forked,
    /// The place to listen at cannot be had.
    #[error("{0}")]
    Listen(String),
    /// The recording cannot be written.
    #[error("{0}")]
    Record(String),
    /// Dumps cannot be written, or not be asked for by that signal.
    #[error("{0}")]
    Dump(String),
    /// The operating system gave no thread.
    #[error("no thread could be started")]
    Thread(#[source] std::io::Error),
}

/// Decides whether to go on without what cannot be had.
pub(crate) type Failed<'a> = &'a mut dyn FnMut(InitError) -> Result<(), InitError>;
