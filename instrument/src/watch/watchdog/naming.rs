//! The thread `pollscope-names`: gives the stacks that were taken their names. To read debug information may
//! take a second the first time, which neither the watchdog nor the drain may lose.
//!
//! It is started by the first stack and ends with the watchdog. Its queue is short: what finds no room stays
//! without a stack. What it read, mostly more than all of the recorder, it lets go when stacks fail to come, and when it
//! ends with a service's guard. When it ends with a test's session, the next session of the process takes that over.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::looks::{Is, Look, Named};
use super::stacks;
use super::{WATCHDOG, engine};
use crate::setup::{notice, own_thread};
use crate::watch::backtrace::{Names, TakenStack, Trace};

/// Stacks that wait for their names. Each holds a copy of the thread's stack.
const QUEUE: usize = 16;
/// After so long without a stack the debug information is released, which is mostly more than all of the recorder,
/// unless sessions share it. A stack with places that have no name yet reads it again, which takes milliseconds, and up
/// to some hundred of them where it is large.
const PAUSE: Duration = Duration::from_secs(1);
/// After so long the names that were found go, too.
const IDLE: Duration = Duration::from_secs(20);

/// A look that waits for its stack. Dropped without a name, it says that there is none.
pub(super) struct Ticket(Arc<Look>);

impl Ticket {
    pub(super) fn of(look: &Arc<Look>) -> Self {
        Self(Arc::clone(look))
    }
}

impl Ticket {
    /// Says why there is no stack.
    pub(super) fn refuse(self, why: &str) {
        self.0.refuse(stacks::intern_absence(why));
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.name(Named::default());
    }
}

/// The way to the thread.
#[derive(Default)]
pub(super) struct Naming {
    queue: Option<SyncSender<(Box<dyn TakenStack>, Ticket)>>,
    /// Stacks that found no room.
    pub(super) refused: u64,
}

impl Naming {
    /// Sends a stack to be named, and starts the thread if need be.
    pub(super) fn send(&mut self, stack: Box<dyn TakenStack>, ticket: Ticket) {
        let queue = match self.queue.take() {
            Some(queue) => Some(queue),
            None => start(),
        };
        let Some(queue) = queue else {
            self.refused += 1;
            return;
        };
        match queue.try_send((stack, ticket)) {
            Ok(()) => self.queue = Some(queue),
            Err(TrySendError::Full(_)) => {
                self.refused += 1;
                self.queue = Some(queue);
            }
            // It panicked; the next stack starts another.
            Err(TrySendError::Disconnected(_)) => self.refused += 1,
        }
    }
}

/// What is known of the threads that name stacks.
pub(super) struct Threads {
    /// Those that were started and may not have ended.
    started: Mutex<Vec<JoinHandle<()>>>,
    kept: Mutex<Kept>,
}

impl Threads {
    /// None.
    pub(super) const fn new() -> Self {
        Self { started: Mutex::new(Vec::new()), kept: Mutex::new(Kept { is_wanted: false, resolver: None }) }
    }
}

fn started() -> MutexGuard<'static, Vec<JoinHandle<()>>> {
    WATCHDOG.naming.started.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for the thread, whose queue has no sender any more, but not beyond the deadline: one that still reads debug
/// information ends by itself, and what it is to name is given up already.
pub(super) fn join(deadline: Instant) {
    for thread in std::mem::take(&mut *started()) {
        own_thread::join(thread, deadline);
    }
}

fn start() -> Option<SyncSender<(Box<dyn TakenStack>, Ticket)>> {
    let (queue, tickets) = sync_channel(QUEUE);
    match own_thread::start("names", move || work(&tickets)) {
        Ok(thread) => {
            let mut started = started();
            started.retain(|thread| !thread.is_finished());
            started.push(thread);
            Some(queue)
        }
        Err(error) => {
            notice::warn(&format!("stacks stay without names, no thread could be started: {error}"));
            None
        }
    }
}

/// What a thread that ended had read, for the next one.
struct Kept {
    /// A session began since the last guard ended.
    is_wanted: bool,
    resolver: Option<Box<dyn Names>>,
}

fn kept() -> MutexGuard<'static, Kept> {
    WATCHDOG.naming.kept.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A session begins: what is read from now on is kept for the next one. To read it again costs each session of a large
/// test binary most of a second on a CPU.
pub(super) fn keep() {
    kept().is_wanted = true;
}

/// A guard ends: nothing is kept, neither what is kept now nor what a thread that still runs has read.
pub(super) fn keep_nothing() {
    // What was read is dropped outside of the lock.
    let _read = {
        let mut kept = kept();
        kept.is_wanted = false;
        kept.resolver.take()
    };
}

fn work(tickets: &Receiver<(Box<dyn TakenStack>, Ticket)>) {
    // There is no stack without it.
    let Ok(engine) = engine() else { return };
    while let Ok(first) = tickets.recv() {
        let earlier = kept().resolver.take();
        let mut resolver = match earlier {
            Some(earlier) => earlier.go_on(),
            None => (engine.names)(),
        };
        let mut next = Ok(first);
        while let Ok((stack, ticket)) = next {
            let trace = resolver.resolve(&*stack);
            let named = Named {
                stack: stacks::intern(&trace),
                is: what_is(&trace),
                panics: panics(&trace),
                taken_ns: stack.taken_ns(),
            };
            ticket.0.name(named);
            drop((stack, ticket));
            next = tickets.recv_timeout(PAUSE);
            if matches!(next, Err(RecvTimeoutError::Timeout)) {
                if !kept().is_wanted {
                    resolver.release();
                }
                next = tickets.recv_timeout(IDLE);
            }
        }
        if matches!(next, Err(RecvTimeoutError::Disconnected)) {
            let mut kept = kept();
            if kept.is_wanted {
                kept.resolver = Some(resolver);
            }
        }
    }
}

/// Tokio's poll of a task: called through a table, so that no compiler inlines it. A worker's own loop is one
/// such task, of the blocking pool.
const POLL: &str = "tokio::runtime::task::raw::poll";

/// What is on the stack of a thread that panics, as long as it writes the panic's message and backtrace: std's
/// functions between the panic and its hook, of several releases.
const PANICS: [&str; 4] =
    ["rust_begin_unwind", "panic_with_hook", "std::panicking::begin_panic", "std::panicking::panic_handler"];

/// Whether the thread panics, and has not begun to unwind.
fn panics(trace: &Trace) -> bool {
    let is_of_std = |function: &str| function.starts_with("std::") || function.contains("rust_begin_unwind");
    let is_one = |function: &str| is_of_std(function) && PANICS.iter().any(|name| function.contains(name));
    trace.frames.iter().any(|frame| !frame.users && is_one(&frame.function))
}

/// What kind of thread has this stack. Without names nothing can be said: that a thread is in no runtime's code is
/// proved by a stack that is whole, with names for all that is in our own file, and with some of it. The names of
/// the C library, which a stripped program has still, prove nothing.
fn what_is(trace: &Trace) -> Is {
    let functions = || trace.frames.iter().map(|frame| frame.function.as_str());
    if functions().any(|function| function.contains("block_in_place")) {
        return Is::Released;
    }
    let workers_loop = functions().any(|function| function.contains("scheduler::multi_thread::worker"));
    let polls = functions().filter(|function| function.contains(POLL)).count();
    if polls > usize::from(workers_loop) {
        return Is::InTask;
    }
    if functions().any(|function| function.contains("tokio::runtime::")) {
        return Is::InRuntime;
    }
    let mut own = trace.frames.iter().filter(|frame| frame.beside_us).peekable();
    let is_told = own.peek().is_some() && own.all(|frame| !frame.function.contains("+0x"));
    if is_told && !trace.truncated { Is::Elsewhere } else { Is::Unknown }
}

#[cfg(test)]
mod tests {
    use super::super::Watchdog;
    use super::*;
    use crate::api::hooks::Callbacks;
    use crate::check::book::{Book, Settings};
    use crate::watch::backtrace::Frame;
    use pollscope_recorder::session::Session;

    fn trace(functions: &[&str]) -> Trace {
        let frame = |function: &&str| Frame {
            function: (*function).to_owned(),
            file: None,
            line: None,
            inlined: false,
            users: false,
            // As the tests below write it.
            beside_us: function.contains("::") || function.starts_with("shop"),
        };
        Trace { frames: functions.iter().map(frame).collect(), ..Trace::default() }
    }

    #[test]
    fn what_was_read_for_a_session_is_there_for_the_next_and_ends_with_a_guard() {
        const THIS: &str = "watch::watchdog::naming::tests::what_was_read_for_a_session_is_there_for_the_next_and_ends_with_a_guard";
        if super::super::no_stacks().is_some() || !crate::testkit::alone(THIS) {
            return;
        }
        let limit = Duration::from_millis(5);
        let is_kept = || kept().resolver.is_some();
        for _ in 0..2 {
            let stall = Some(limit);
            let settings =
                Settings { name: "reads".to_owned(), slow_poll: limit, stall, policy: String::new() };
            let book = Book::open(settings).expect("a number is free");
            let mut builder = tokio::runtime::Builder::new_current_thread();
            let runtime = book.build(&mut builder, Callbacks::new(), "reads").expect("a runtime");
            // Until its stack was taken, which a machine without a CPU for the watchdog puts off.
            let deadline = Instant::now() + Duration::from_secs(60);
            let mut stacks = 0;
            while stacks == 0 && Instant::now() < deadline {
                let _here = book.enter();
                let sleeps = async move { std::thread::sleep(10 * limit) };
                runtime.block_on(async { crate::spawn(sleeps).await.expect("returns") });
                stacks = book.last_report().slow_polls.iter().filter(|poll| poll.stack.is_some()).count();
            }
            assert!(stacks > 0, "no stack in a minute");
            assert!(!is_kept(), "it is in use");
            drop((runtime, book));
            assert!(is_kept());
        }
        let guards = Watchdog::start(Session::NONE, limit).expect("a thread");
        guards.stop(Instant::now() + Duration::from_secs(60));
        assert!(!is_kept());
    }

    #[test]
    fn the_frames_tell_that_a_thread_panics() {
        let polls =
            ["std::panicking::catch_unwind", "std::panicking::try", "tokio::runtime::task::raw::poll"];
        for functions in [
            &["read", "std::backtrace_rs::symbolize::resolve", "std::panicking::panic_with_hook"] as &[_],
            &[
                "std::panicking::panic_handler::{{closure}}",
                "std::sys::backtrace::__rust_end_short_backtrace",
            ],
            &["futex_wait", "std::panicking::rust_panic_with_hook"],
            &["write", "std::panicking::begin_panic_handler::{{closure}}"],
            &["shop::hook", "__rustc::rust_begin_unwind"],
        ] {
            assert!(panics(&trace(&[functions, &polls].concat())), "{functions:?}");
        }
        assert!(!panics(&trace(&polls)));
        assert!(!panics(&trace(&[&["shop::panic_with_hook"] as &[_], &polls].concat())));
    }

    #[test]
    fn the_frames_tell_what_a_thread_is_doing() {
        let raw = "tokio::runtime::task::raw::poll";
        let worker = "tokio::runtime::scheduler::multi_thread::worker::Context::run";
        let block_on = "tokio::runtime::scheduler::current_thread::CoreGuard::block_on";
        let place = "tokio::runtime::scheduler::multi_thread::worker::block_in_place";
        for (functions, is) in [
            (&["sleep", "shop::handler", raw, worker, raw] as &[_], Is::InTask),
            (&["epoll_wait", worker, raw], Is::InRuntime),
            (&["job", raw], Is::InTask),
            (&["shop::handler", raw, block_on, "main"], Is::InTask),
            (&["shop::main::{{closure}}", block_on, "main"], Is::InRuntime),
            (&["sleep", place, "shop::handler", raw, worker, raw], Is::Released),
            (&["read", "shop::main"], Is::Elsewhere),
            (&["shop+0x1234"], Is::Unknown),
            (&["clock_nanosleep", "shop+0x1234", "__libc_start_main"], Is::Unknown),
            (&["clock_nanosleep", "shop+0x1234", "shop::main"], Is::Unknown),
            (&["clock_nanosleep", "start_thread"], Is::Unknown),
        ] {
            assert_eq!(what_is(&trace(functions)), is, "{functions:?}");
        }
    }
}
