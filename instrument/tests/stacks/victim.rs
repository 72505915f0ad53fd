//! A thread that does one thing over and over until it is told to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{Builder, JoinHandle};

/// See the module. Stops with its value.
pub(crate) struct Victim {
    pub(crate) name: &'static str,
    pub(crate) flags: Arc<Flags>,
    thread: Option<JoinHandle<()>>,
}

/// What victim and captor share.
#[derive(Default)]
pub(crate) struct Flags {
    pub(crate) stop: AtomicBool,
    /// The kernel's id of the thread to look at; 0 before it runs.
    pub(crate) tid: AtomicU32,
    /// What some victims do before they can be looked at is done.
    pub(crate) ready: AtomicBool,
}

impl Flags {
    pub(crate) fn go_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }
}

/// The calling thread's id.
pub(crate) fn own_tid() -> u32 {
    rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs()
}

impl Victim {
    /// Starts one; `work` looks at its flags every now and then.
    pub(crate) fn start(name: &'static str, work: impl FnOnce(&Flags) + Send + 'static) -> Self {
        Self::with_stack(name, 2 << 20, work)
    }

    pub(crate) fn with_stack(
        name: &'static str,
        stack: usize,
        work: impl FnOnce(&Flags) + Send + 'static,
    ) -> Self {
        let flags = Arc::new(Flags::default());
        let own = Arc::clone(&flags);
        let run = move || {
            own.tid.store(own_tid(), Ordering::Release);
            work(&own);
        };
        let thread = Builder::new().name(name.to_owned()).stack_size(stack).spawn(run).expect("a thread");
        Self { name, flags, thread: Some(thread) }
    }

    /// Waits until it runs.
    pub(crate) fn tid(&self) -> u32 {
        loop {
            match self.flags.tid.load(Ordering::Acquire) {
                0 => std::thread::yield_now(),
                tid => return tid,
            }
        }
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        self.flags.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "{} panicked", self.name);
        }
    }
}
