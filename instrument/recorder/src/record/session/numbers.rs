//! The sessions' numbers: who has one, and when it is free again.
//!
//! A [`Lease`] is shared by the session itself, by the threads that it labels and by the runtimes that were
//! built for it. When the last of them is gone the number waits until no record speaks of it: a task that
//! went on elsewhere, a waker or join handle that was kept. Only then the next session gets it. No thread
//! waits for that: meanwhile the next session gets another.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};

use super::{MAX, Session, runtimes, sessions, set_slow_poll_ns};
use crate::quiet;
use crate::record::shard::Shards;
use crate::record::thread;
use crate::record::{Recorder, given_back, intern, slots};
use crate::runtime::Runtime;

/// Which numbers are free.
pub(super) struct Numbers {
    /// Numbers that were ever handed out.
    made: u16,
    /// Those whose lease is over, the longest first.
    left: VecDeque<Session>,
}

impl Numbers {
    /// All are free.
    pub(super) const fn new() -> Self {
        Self { made: 0, left: VecDeque::new() }
    }
}

fn numbers() -> MutexGuard<'static, Numbers> {
    sessions().numbers.lock().unwrap_or_else(PoisonError::into_inner)
}

/// See the module.
#[derive(Debug)]
pub struct Lease(Session);

impl Lease {
    /// A number that nothing speaks of; `None` if too many are in use. The caller has emptied what the drain
    /// still held, or a number that could be free is not.
    pub fn take() -> Option<Arc<Self>> {
        let mut numbers = numbers();
        let free = (0..numbers.left.len()).find(|at| is_quiet(numbers.left[*at]));
        let session = match free.and_then(|at| numbers.left.remove(at)) {
            Some(session) => session,
            None if usize::from(numbers.made) + 1 < MAX => {
                numbers.made += 1;
                Session(numbers.made)
            }
            None => return None,
        };
        Some(Arc::new(Self(session)))
    }

    /// Whose it is.
    pub fn session(&self) -> Session {
        self.0
    }

    /// Labels the calling thread until the result is dropped.
    pub fn enter(self: &Arc<Self>) -> Entered {
        let thread = thread::here_for(self.0);
        Entered {
            before: thread.set_session(self.0),
            _lease: Arc::clone(self),
            _here: std::marker::PhantomData,
        }
    }

    /// Labels the calling thread for good. For the threads of a runtime, which keeps the lease.
    pub fn stay(&self) {
        thread::here_for(self.0).set_session(self.0);
    }

    /// What is spawned on the runtime of that number is the session's.
    pub fn add_runtime(&self, number: u64) {
        let mut runtimes = runtimes();
        if runtimes.iter().all(|(known, _)| *known != number) {
            runtimes.push((number, self.0));
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        runtimes().retain(|(_, session)| *session != self.0);
        numbers().left.push_back(self.0);
    }
}

/// A thread that belongs to a session.
#[derive(Debug)]
pub struct Entered {
    before: Session,
    _lease: Arc<Lease>,
    /// Labels a thread, so it stays on it.
    _here: std::marker::PhantomData<*const ()>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        thread::here().set_session(self.before);
    }
}

/// A session is open from now on; polls of it are slow from `slow_poll_ns` on.
pub fn open(session: Session, slow_poll_ns: u64, runtime: Runtime) {
    // Together with the recorder's switch.
    let _numbers = numbers();
    sessions().is_open[session.index()].store(true, Ordering::Relaxed);
    let least = set_slow_poll_ns(session, slow_poll_ns.max(1));
    let open = sessions().open.fetch_add(1, Ordering::Relaxed) + 1;
    Recorder::global().set_runtime(runtime);
    Recorder::global().set_sessions(open != 0, least);
}

/// It is closed: what goes on in it leaves no evidence any more.
pub fn close(session: Session) {
    let _numbers = numbers();
    sessions().is_open[session.index()].store(false, Ordering::Relaxed);
    let least = set_slow_poll_ns(session, u64::MAX);
    let open = sessions().open.fetch_sub(1, Ordering::Relaxed) - 1;
    Recorder::global().set_sessions(open != 0, least);
}

/// Whether no record speaks of a session in which no task can begin, except one of its own tasks.
fn is_quiet(session: Session) -> bool {
    let births = || {
        // Each time anew: a task may spawn where none of the session has before.
        let sites = intern::sites_of(session);
        thread::read().shards().map(|shards| births(shards, &sites)).fold(0, u64::wrapping_add)
    };
    quiet::is_quiet(|| slots::none_of(session) && given_back::none_of(session), births)
}

fn births(shards: &Shards, sites: &[u32]) -> u64 {
    sites.iter().filter_map(|site| shards.known(*site)).map(|shard| shard.spawned.get()).sum()
}
