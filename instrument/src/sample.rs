//! Runtimes that were given to [`observe`]: their workers' busy time and parks, queues and alive tasks,
//! read at every tick from tokio's own counters. Nothing on the service's hot path.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pollscope_model::entity::runtime::{Flavor, RuntimeRecord, WorkerDelta};
use pollscope_model::id::{NameId, RuntimeId, WorkerId};
use tokio::runtime::{Handle, RuntimeFlavor, RuntimeMetrics};

use crate::clock;
use crate::record::session::{self, Session};
use crate::record::{intern, tokio_id};

/// More runtimes than this are not observed: a service that makes one per request must not fill us.
const MAX_RUNTIMES: usize = 256;

struct Observed {
    /// `None` once the runtime is gone.
    handle: Option<Handle>,
    id: tokio::runtime::Id,
    name: u32,
    session: Session,
    /// Its session is over.
    over: bool,
    since_ns: u64,
    /// Of its threads, those that told us that they started and not yet that they stop.
    threads: u32,
}

#[derive(Clone, Copy, Default)]
struct WorkerTotals {
    busy: Duration,
    parks: u64,
    steals: Option<u64>,
}

static RUNTIMES: Mutex<Vec<Observed>> = Mutex::new(Vec::new());
/// Who they are ([`tokio_id::number`]; 0: nobody), for threads of the service, which never wait for the lock: a
/// worker that parks once and has nothing to do after that has no second time to tell where it belongs.
static IDS: [AtomicU64; MAX_RUNTIMES] = [const { AtomicU64::new(0) }; MAX_RUNTIMES];
/// Grows with every runtime that comes or goes.
static CHANGES: AtomicU64 = AtomicU64::new(1);

fn runtimes() -> MutexGuard<'static, Vec<Observed>> {
    RUNTIMES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Watches a runtime from outside: its workers, queues and alive tasks appear under `name` at the next
/// tick, in every mode, at no cost to its tasks.
///
/// Which threads its workers are is told by the threads themselves on runtimes that were built with
/// [`attach`](crate::attach). On others a few tasks of ours, over after 0.2 ms and some turns, ask for it while a worker
/// that is not known moves: soon after this call, and less and less often.
///
/// A runtime that is observed already is renamed. At most 256 are observed in a process's life; a
/// handle is kept for each, which does not keep the runtime from shutting down. That a runtime is gone is
/// known only of multi-thread runtimes that were built with [`attach`](crate::attach).
pub fn observe(handle: &Handle, name: &str) {
    observe_in(handle, name, session::current());
}

/// The same for a runtime of a session. It takes the place of one that is gone with its session, once there
/// are many.
pub(crate) fn observe_in(handle: &Handle, name: &str, session: Session) {
    let name = intern::name(name);
    let id = handle.id();
    let mut runtimes = runtimes();
    if let Some(known) = runtimes.iter_mut().find(|known| known.id == id) {
        known.name = name;
        return;
    }
    // A handle that is kept for a session that is over would keep the session's number.
    if !session.is_none() && !session::is_open(session) {
        return;
    }
    let observed = Observed {
        handle: Some(handle.clone()),
        id,
        name,
        session,
        over: false,
        since_ns: clock::now_ns(),
        threads: 0,
    };
    let many = runtimes.len() >= MAX_RUNTIMES / 2;
    let over = if many { runtimes.iter().position(|known| known.over) } else { None };
    let at = over.unwrap_or(runtimes.len());
    let Some(slot) = IDS.get(at) else { return };
    slot.store(tokio_id::number(id), Ordering::Release);
    match over {
        Some(at) => runtimes[at] = observed,
        None => runtimes.push(observed),
    }
    CHANGES.fetch_add(1, Ordering::Release);
}

/// A session is over, and so is what it observed.
#[cfg(any(feature = "check", test))]
pub(crate) fn session_ends(session: Session) {
    let of_it = |known: &&mut Observed| known.session == session;
    let ends = |known: &mut Observed| {
        (known.session, known.over) = (Session::NONE, true);
        known.handle.take()
    };
    let gone: Vec<_> = runtimes().iter_mut().filter(of_it).filter_map(ends).collect();
    CHANGES.fetch_add(1, Ordering::Release);
    // Outside of the lock, as in `thread_stops`.
    drop(gone);
}

/// The session of an observed runtime.
#[cfg(any(feature = "check", test))]
pub(crate) fn session_of(runtime: RuntimeId) -> Session {
    runtimes().get(runtime.0 as usize).map_or(Session::NONE, |known| known.session)
}

/// A thread of a runtime starts: observes the runtime, unless it is observed already.
pub(crate) fn thread_starts(session: Session) {
    let Ok(handle) = Handle::try_current() else { return };
    let id = handle.id();
    if !runtimes().iter().any(|known| known.id == id) {
        observe_in(&handle, handle.name().unwrap_or("runtime"), session);
    }
    if let Some(known) = runtimes().iter_mut().find(|known| known.id == id) {
        known.threads += 1;
    }
}

/// A thread of a runtime stops. A multi-thread runtime has its workers from start to shutdown, so it is
/// gone with the last one; of a current-thread runtime nobody tells.
pub(crate) fn thread_stops() {
    let Ok(handle) = Handle::try_current() else { return };
    let id = handle.id();
    let gone = {
        let mut runtimes = runtimes();
        let Some(known) = runtimes.iter_mut().find(|known| known.id == id) else { return };
        known.threads = known.threads.saturating_sub(1);
        let is_last = known.threads == 0 && handle.runtime_flavor() == RuntimeFlavor::MultiThread;
        if is_last { known.handle.take() } else { None }
    };
    if gone.is_some() {
        CHANGES.fetch_add(1, Ordering::Release);
    }
    // Outside of the lock: it may be the last thing that keeps the runtime's memory.
    drop(gone);
}

/// The runtimes that are there, if some came or went since `known`, which moves on.
pub(crate) fn handles(known: &mut u64) -> Option<Vec<(RuntimeId, Session, Handle)>> {
    let changes = CHANGES.load(Ordering::Acquire);
    if std::mem::replace(known, changes) == changes {
        return None;
    }
    let runtimes = runtimes();
    let handle = |(at, known): (usize, &Observed)| {
        Some((RuntimeId(at as u32), known.session, known.handle.as_ref()?.clone()))
    };
    Some(runtimes.iter().enumerate().filter_map(handle).collect())
}

/// Whether any runtime is observed.
pub(crate) fn observes_a_runtime() -> bool {
    !runtimes().is_empty()
}

/// Runtime and worker of the calling thread, each plus one, 0 for unknown: `runtime << 32 | worker`.
/// Never waits.
pub(crate) fn place_of_this_thread() -> u64 {
    let worker = tokio::runtime::worker_index().map_or(0, |index| index as u64 + 1);
    let Ok(handle) = Handle::try_current() else { return worker };
    let id = tokio_id::number(handle.id());
    let known = IDS.iter().map(|known| known.load(Ordering::Acquire)).take_while(|known| *known != 0);
    let runtime = known.zip(1..).find(|(known, _)| *known == id).map_or(0, |(_, nth)| nth);
    runtime << 32 | worker
}

/// What one reading of all observed runtimes gives.
#[derive(Default)]
pub(crate) struct Sample {
    pub(crate) runtimes: Vec<RuntimeRecord>,
    pub(crate) workers: Vec<WorkerDelta>,
}

/// One reader of the runtimes, with what it read last.
#[derive(Default)]
pub(crate) struct Sampler {
    last: HashMap<RuntimeId, Last>,
}

struct Last {
    runtime: tokio::runtime::Id,
    at_ns: u64,
    workers: Vec<WorkerTotals>,
}

impl Sampler {
    /// Reads every observed runtime, or those of a session; the workers' counters are those since the last
    /// call.
    pub(crate) fn sample(&mut self, now_ns: u64, of: Option<Session>) -> Sample {
        let mut sample = Sample::default();
        for (at, observed) in runtimes().iter().enumerate() {
            if of.is_none_or(|session| session == observed.session) {
                self.read(RuntimeId(at as u32), observed, now_ns, &mut sample);
            }
        }
        sample
    }

    fn read(&mut self, id: RuntimeId, observed: &Observed, now_ns: u64, sample: &mut Sample) {
        let name = NameId(observed.name);
        let Some(handle) = &observed.handle else {
            sample.runtimes.push(RuntimeRecord { id, name, gone: true, ..RuntimeRecord::default() });
            return;
        };
        let metrics = handle.metrics();
        let blocking = unstable::blocking(&metrics);
        sample.runtimes.push(RuntimeRecord {
            id,
            name,
            flavor: match handle.runtime_flavor() {
                RuntimeFlavor::CurrentThread => Flavor::CurrentThread,
                _ => Flavor::MultiThread,
            },
            workers: metrics.num_workers() as u32,
            alive_tasks: Some(metrics.num_alive_tasks() as u64),
            global_queue: Some(metrics.global_queue_depth() as u64),
            blocking_threads: blocking.threads,
            blocking_idle: blocking.idle,
            blocking_queue: blocking.queue,
            gone: false,
        });
        // A session is there before its runtimes, and is told all of them; others begin now.
        let from_birth = !observed.session.is_none();
        let at_ns = if from_birth { observed.since_ns } else { now_ns };
        let new = || Last { runtime: observed.id, at_ns, workers: Vec::new() };
        let known = self.last.entry(id).or_insert_with(new);
        if known.runtime != observed.id {
            *known = new();
        }
        let interval_ns = now_ns.saturating_sub(std::mem::replace(&mut known.at_ns, now_ns));
        let first = known.workers.is_empty() && !from_birth;
        known.workers.resize_with(metrics.num_workers(), WorkerTotals::default);
        for (index, last) in known.workers.iter_mut().enumerate() {
            let queues = unstable::queues(&metrics, index);
            let totals = WorkerTotals {
                busy: metrics.worker_total_busy_duration(index),
                parks: metrics.worker_park_count(index),
                steals: queues.steals,
            };
            let before = if first { totals } else { *last };
            *last = totals;
            sample.workers.push(WorkerDelta {
                id: WorkerId { runtime: id, index: index as u32 },
                busy_ns: totals.busy.saturating_sub(before.busy).as_nanos() as u64,
                interval_ns: if first { 0 } else { interval_ns },
                parks: totals.parks.saturating_sub(before.parks),
                parked: metrics.worker_park_unpark_count(index) % 2 == 1,
                local_queue: queues.local,
                steals: totals.steals.map(|steals| steals.saturating_sub(before.steals.unwrap_or(0))),
                ..WorkerDelta::default()
            });
        }
    }
}

/// Tasks in the queues of all observed runtimes, as far as tokio shows them.
pub(crate) fn queued() -> u64 {
    let metrics = |observed: &Observed| Some(observed.handle.as_ref()?.metrics());
    let queued = |metrics: RuntimeMetrics| {
        let locals = (0..metrics.num_workers()).filter_map(|index| unstable::queues(&metrics, index).local);
        metrics.global_queue_depth() as u64 + locals.sum::<u64>()
    };
    runtimes().iter().filter_map(metrics).map(queued).sum()
}

/// The blocking pool, as far as tokio shows it.
#[derive(Default)]
struct Blocking {
    threads: Option<u64>,
    idle: Option<u64>,
    queue: Option<u64>,
}

/// A worker's own queue, as far as tokio shows it.
#[derive(Default)]
struct Queues {
    local: Option<u64>,
    steals: Option<u64>,
}

#[cfg(tokio_unstable)]
mod unstable {
    //! What tokio shows with `--cfg tokio_unstable` only.

    use tokio::runtime::RuntimeMetrics;

    use super::{Blocking, Queues};

    pub(super) fn blocking(metrics: &RuntimeMetrics) -> Blocking {
        Blocking {
            threads: Some(metrics.num_blocking_threads() as u64),
            idle: Some(metrics.num_idle_blocking_threads() as u64),
            queue: Some(metrics.blocking_queue_depth() as u64),
        }
    }

    pub(super) fn queues(metrics: &RuntimeMetrics, worker: usize) -> Queues {
        Queues {
            local: Some(metrics.worker_local_queue_depth(worker) as u64),
            steals: Some(metrics.worker_steal_count(worker)),
        }
    }
}

#[cfg(not(tokio_unstable))]
mod unstable {
    //! Stable tokio shows none of it.

    use tokio::runtime::RuntimeMetrics;

    use super::{Blocking, Queues};

    pub(super) fn blocking(_: &RuntimeMetrics) -> Blocking {
        Blocking::default()
    }

    pub(super) fn queues(_: &RuntimeMetrics, _: usize) -> Queues {
        Queues::default()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pollscope_model::entity::runtime::{RuntimeRecord, WorkerDelta};

    use crate::testkit::{fold, fold_until, record};

    #[test]
    fn a_thread_learns_its_place_while_the_runtimes_are_read() {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
        super::observe(runtime.handle(), "read");
        let known = super::runtimes().iter().position(|known| known.id == runtime.handle().id());
        let (tell, told) = std::sync::mpsc::channel();
        let reading = super::runtimes();
        runtime.spawn(async move { tell.send(super::place_of_this_thread()) });
        let place = told.recv_timeout(Duration::from_secs(60)).expect("it does not wait");
        drop(reading);
        assert_eq!(known.map(|at| (at as u64 + 1) << 32 | 1), Some(place));
    }

    #[test]
    fn an_observed_runtime_shows_its_workers_and_what_they_poll() {
        record();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
        super::observe(runtime.handle(), "observed");
        let id = fold_until("the runtime", |fold| {
            let named = |known: &&RuntimeRecord| &*fold.dict.name(known.name) == "observed";
            // The roll call's tasks are alive for a moment.
            fold.runtimes.iter().find(named).filter(|known| known.alive_tasks == Some(0)).cloned()
        });
        assert_eq!((id.workers, id.gone), (2, false));
        assert_eq!(id.blocking_queue.is_some(), cfg!(tokio_unstable));

        let (release, wait) = std::sync::mpsc::channel::<()>();
        let held =
            crate::task("holds-a-worker").spawn_on(async move { wait.recv().is_ok() }, runtime.handle());
        // The first poll of a thread tells us where it belongs.
        let polling = fold_until("the worker that polls", |fold| {
            fold.workers.iter().find(|worker| worker.id.runtime == id.id && worker.polling.is_some()).cloned()
        });
        let task = fold().one("holds-a-worker").expect("drained").clone();
        assert_eq!(polling.polling.map(|(task, _)| task), Some(task.id));
        assert_eq!(
            (task.runtime, task.worker),
            (Some(id.id), Some(polling.id.index)),
            "{task:?} {polling:?}"
        );
        assert_eq!(polling.local_queue.is_some(), cfg!(tokio_unstable));
        assert!(!polling.parked);
        release.send(()).expect("still waiting");
        assert!(runtime.block_on(held).expect("returns"));

        let busy = |fold: &crate::testkit::Fold| {
            let of = |worker: &&WorkerDelta| worker.id == polling.id;
            fold.worker_totals.values().find(of).map_or((0, 0), |worker| (worker.busy_ns, worker.parks))
        };
        fold_until("the worker's busy time and park", |fold| {
            let (busy_ns, parks) = busy(fold);
            (busy_ns > 0 && parks > 0).then_some(())
        });
        runtime.shutdown_timeout(Duration::from_secs(10));
    }
}
