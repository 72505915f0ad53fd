//! The watchdog: one plain thread, `pollscope-watchdog`, that sees polls which take too long while they do,
//! and asks what their threads are doing: the kernel's word, and the stack.
//!
//! It starts with the first who wants it, the guard or a session, and ends with the last. It only reads: what the recording threads write anyway
//! ([`thread`](pollscope_recorder::thread)), and the counters of observed runtimes ([`workers`]). Of a service's
//! thread it asks something only when that has been in one poll for longer than the limit, rarely (see
//! [`budget`]), and never under a debugger. What it finds waits in a queue ([`looks`]) for the drain.
//!
//! To wake up is what it costs: some 30 µs each time on a virtual machine, a hundred times what a look takes.
//! So it looks at every second limit while anything is polled, at every fourth while nothing is, and in between
//! only when a poll that was seen not to be short reaches the limit. A poll of four times the limit is always
//! seen, one of the limit more often than not. Sessions pay for more, two looks in each limit, and have nearly
//! every poll that reaches it seen.

mod budget;
mod closely;
mod kernel;
mod limits;
pub(crate) mod looks;
mod naming;
mod polls;
mod roll_call;
mod scanner;
pub(crate) mod stacks;
mod standing;
pub(crate) mod stopped;
mod workers;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Sender, channel};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pollscope_recorder::session::Session;

use crate::setup::switches::SWITCHES;
use crate::setup::{notice, own_thread};
use crate::watch::backtrace::{self, Engine};
use scanner::Scanner;

/// How long a session waits for the first look that knows of it.
const FIRST_LOOK: Duration = Duration::from_secs(2);
/// How long a service that ends, or is asked for a report, waits for names.
pub(crate) const NAMING: Duration = Duration::from_secs(3);

/// What the watchdog's thread and those that ask it share. Process-wide since there is one watchdog, which outlives
/// guards and sessions that want it, and since the drains of all of them read what it found.
static WATCHDOG: State = State {
    engine: LazyLock::new(backtrace::installed),
    shared: Mutex::new(Shared { wanted: 0, running: None }),
    limits: limits::Limits::new(),
    stops: stopped::Stops::new(),
    naming: naming::Threads::new(),
    table: LazyLock::new(Mutex::default),
    pending: looks::PendingLooks::new(),
};

struct State {
    /// What takes stacks here, or why nothing does.
    engine: LazyLock<Result<Engine, &'static str>>,
    shared: Mutex<Shared>,
    limits: limits::Limits,
    stops: stopped::Stops,
    naming: naming::Threads,
    table: LazyLock<Mutex<stacks::Table>>,
    pending: looks::PendingLooks,
}

/// What takes stacks here, or why nothing does.
fn engine() -> Result<&'static Engine, &'static str> {
    WATCHDOG.engine.as_ref().map_err(|why| *why)
}

/// Why no stacks are taken; `None` if they are.
pub(crate) fn no_stacks() -> Option<&'static str> {
    engine().err()
}

/// Waits until the watchdog has looked once more, which knows then of every stop of the process, and until the
/// stacks that were taken so far have their names; but not beyond the deadline.
pub(crate) fn settle(deadline: Instant) {
    await_look(deadline);
    looks::settle(deadline);
}

/// Waits until the watchdog has looked once more, but not beyond the deadline.
fn await_look(deadline: Instant) {
    let (looked, looks) = channel();
    let asked = shared().running.as_ref().is_some_and(|(ask, _)| ask.send(looked).is_ok());
    if asked {
        // A thread that panicked answers by dropping the sender.
        let _ = looks.recv_timeout(deadline.saturating_duration_since(Instant::now()));
    }
}

/// Whether the guard's stalls are being seen, up to the last report of a guard that ends.
pub(crate) fn runs() -> bool {
    SWITCHES.sees_stalls.load(Ordering::Relaxed)
}

/// The guard's last report is out.
pub(crate) fn ends() {
    SWITCHES.sees_stalls.store(false, Ordering::Relaxed);
}

/// The thread, while it is wanted.
#[derive(Default)]
struct Shared {
    wanted: usize,
    running: Option<(Sender<Sender<()>>, JoinHandle<()>)>,
}

fn shared() -> MutexGuard<'static, Shared> {
    WATCHDOG.shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn start(&mut self) -> io::Result<()> {
        if self.running.as_ref().is_some_and(|(_, thread)| !thread.is_finished()) {
            return Ok(());
        }
        let (ask, asked) = channel();
        let thread = own_thread::start("watchdog", move || {
            let mut scanner = Scanner::new();
            if catch_unwind(AssertUnwindSafe(|| scanner.work(&asked))).is_err() {
                notice::warn(
                    "internal error in pollscope-watchdog: no more stalls are seen, all else goes on",
                );
                SWITCHES.sees_stalls.store(false, Ordering::Relaxed);
            }
            looks::set_open(Vec::new());
        })?;
        self.running = Some((ask, thread));
        Ok(())
    }
}

/// Keeps the watchdog thread alive.
#[derive(Debug)]
pub(crate) struct Watchdog(Session);

impl Watchdog {
    /// Polls of the session, or of all that is none's, are looked at from this age on. Starts the thread
    /// if it does not run. For a session it returns when the thread has begun to look, since a test may block in its
    /// first line: what came before that (a pause that was meant for larger limits, reading how stacks are
    /// unwound here) would hide it. A service is not made to wait.
    pub(crate) fn start(of: Session, limit: Duration) -> io::Result<Self> {
        let (looked, looks) = channel();
        {
            let mut shared = shared();
            shared.start()?;
            shared.wanted += 1;
            limits::set(of, u64::try_from(limit.as_nanos()).unwrap_or(limits::NEVER - 1).max(1));
            if let Some((ask, _)) = &shared.running {
                // It has ended only if it panicked, which was told.
                let _ = ask.send(looked);
            }
        }
        if of.is_none() {
            // At once, and not when the thread has come to run.
            SWITCHES.sees_stalls.store(true, Ordering::Relaxed);
        } else {
            naming::keep();
            let _ = looks.recv_timeout(FIRST_LOOK);
        }
        Ok(Self(of))
    }

    /// Takes the wish back, ends the thread if no other wish keeps it, and waits for the names of the stacks that
    /// were taken: a process may end right after its first slow poll. Nothing here takes longer than the deadline.
    pub(crate) fn stop(self, deadline: Instant) {
        if self.0.is_none() {
            // The guard's last report tells of every stop of the process.
            await_look(deadline);
        }
        let last = {
            let mut shared = shared();
            limits::set(self.0, limits::NEVER);
            shared.wanted -= 1;
            if shared.wanted == 0 { shared.running.take() } else { None }
        };
        if let Some((ask, thread)) = last {
            drop(ask);
            if !own_thread::join(thread, deadline) {
                notice::warn("pollscope-watchdog has not ended in time and is left behind");
            }
            looks::settle(deadline);
            looks::give_up();
            if self.0.is_none() {
                naming::keep_nothing();
            }
            naming::join(deadline);
        } else {
            looks::settle(deadline);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_asks_for_a_look_is_told_of_it() {
        let (ask, asked) = channel();
        let thread = std::thread::spawn(move || Scanner::new().work(&asked));
        let answers = [(); 2].map(|()| {
            let (looked, looks) = channel();
            ask.send(looked).expect("it works");
            looks
        });
        for looks in answers {
            looks.recv_timeout(Duration::from_secs(60)).expect("it has looked");
        }
        drop(ask);
        thread.join().expect("and ends");
    }
}
