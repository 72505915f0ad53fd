//! Runtimes that were given to [`observe`]: their workers' busy time and parks, queues and alive tasks,
//! read at every tick from tokio's own counters. Nothing on the service's hot path.
//!
//! Which runtimes there are is in the table [`observed`]; whether each is still there, in [`presence`]; how many jobs of
//! their blocking pools ended, in [`jobs`].

pub(crate) mod jobs;
mod observed;
mod presence;

use std::collections::HashMap;
use std::time::Duration;

use pollscope_model::entity::runtime::{Flavor, RuntimeRecord, WorkerDelta};
use pollscope_model::id::{NameId, RuntimeId, WorkerId};
use pollscope_recorder::session::Session;
use tokio::runtime::{RuntimeFlavor, RuntimeMetrics};

pub use observed::observe;
use observed::{Observed, table};
pub(crate) use observed::{
    guard_ends, guards_ended, handles, observe_unnamed, observes_a_runtime, release_gone, switch_off,
    switch_on, thread_starts, thread_stops, unseen,
};
#[cfg(any(feature = "check", test))]
pub(crate) use observed::{observe_in, session_ends, session_of};

/// What is known of the runtimes. Process-wide since tokio's hooks and [`observe`] come with nothing of ours, before
/// there is a guard and after.
static SAMPLED: Sampled = Sampled { runtimes: observed::Runtimes::new(), ended: jobs::Ended::new() };

struct Sampled {
    runtimes: observed::Runtimes,
    /// Jobs.
    ended: jobs::Ended,
}

#[derive(Clone, Copy, Default)]
struct WorkerTotals {
    busy: Duration,
    parks: u64,
    steals: Option<u64>,
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
        for (at, observed) in table().all.iter().enumerate() {
            if of.is_none_or(|session| session == observed.session) {
                self.read(RuntimeId(at as u32), observed, now_ns, &mut sample);
            }
        }
        sample
    }

    fn read(&mut self, id: RuntimeId, observed: &Observed, now_ns: u64, sample: &mut Sample) {
        let name = NameId(observed.name);
        let gone = RuntimeRecord { id, name, gone: true, ..RuntimeRecord::default() };
        // The one that had the place before, if this reader was not told yet that it is gone.
        if self.last.get(&id).is_some_and(|last| last.runtime != observed.id) {
            self.last.remove(&id);
            sample.runtimes.push(gone.clone());
        }
        let Some(handle) = &observed.handle else {
            self.last.remove(&id);
            sample.runtimes.push(gone);
            return;
        };
        let metrics = handle.metrics();
        let alive_tasks = metrics.num_alive_tasks() as u64;
        let own_tasks = u64::from(observed.presence.is_waiting());
        let blocking = unstable::blocking(&metrics);
        sample.runtimes.push(RuntimeRecord {
            id,
            name,
            flavor: match handle.runtime_flavor() {
                RuntimeFlavor::CurrentThread => Flavor::CurrentThread,
                _ => Flavor::MultiThread,
            },
            workers: metrics.num_workers() as u32,
            alive_tasks: Some(alive_tasks.saturating_sub(own_tasks)),
            global_queue: Some(metrics.global_queue_depth() as u64),
            blocking_threads: blocking.threads,
            blocking_idle: blocking.idle,
            blocking_queue: blocking.queue,
            blocking_ended: jobs::ended(id.0 as usize),
            gone: false,
        });
        // A session is there before its runtimes, and is told all of them; others begin now.
        let from_birth = !observed.session.is_none();
        let at_ns = if from_birth { observed.since_ns } else { now_ns };
        let new = || Last { runtime: observed.id, at_ns, workers: Vec::new() };
        let known = self.last.entry(id).or_insert_with(new);
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
    table().all.iter().filter_map(metrics).map(queued).sum()
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
    use pollscope_recorder::session::Session;

    #[test]
    fn a_thread_learns_its_place_while_the_runtimes_are_read() {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
        super::observe(runtime.handle(), "read");
        let known = super::table().all.iter().position(|known| known.id == runtime.handle().id());
        let (tell, told) = std::sync::mpsc::channel();
        let reading = super::table();
        runtime.spawn(async move { tell.send(crate::runtime::place::of_this_thread()) });
        let place = told.recv_timeout(Duration::from_secs(60)).expect("it does not wait");
        drop(reading);
        assert_eq!(known.map(|at| (at as u64 + 1) << 32 | 1), Some(place));
    }

    fn name_of(handle: &tokio::runtime::Handle) -> Option<u32> {
        let table = super::table();
        let known = table.all.iter().find(|known| known.id == handle.id() && known.handle.is_some());
        known.map(|known| known.name)
    }

    fn alone() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime")
    }

    #[test]
    fn the_name_that_was_given_stays_when_a_thread_of_the_runtime_registers_it() {
        let (runtime, unnamed) = (alone(), alone());
        let of_all = |name| Some(pollscope_recorder::intern::name(name));
        super::observe(runtime.handle(), "given");
        // As a worker does that parks meanwhile and found the runtime unknown.
        super::observe_unnamed(runtime.handle(), Session::NONE);
        assert_eq!(name_of(runtime.handle()), of_all("given"));
        super::observe(runtime.handle(), "renamed");
        super::observe_unnamed(runtime.handle(), Session::NONE);
        assert_eq!(name_of(runtime.handle()), of_all("renamed"));

        super::observe_unnamed(unnamed.handle(), Session::NONE);
        assert_eq!(name_of(unnamed.handle()), of_all("runtime"));
        super::observe(unnamed.handle(), "late");
        assert_eq!(name_of(unnamed.handle()), of_all("late"));
    }

    #[test]
    fn the_name_that_was_given_stays_under_a_later_guard() {
        if !crate::testkit::alone("report::sample::tests::the_name_that_was_given_stays_under_a_later_guard")
        {
            return;
        }
        let runtime = alone();
        let of_all = |name| Some(pollscope_recorder::intern::name(name));
        super::observe(runtime.handle(), "given");
        super::guard_ends();
        assert_eq!(name_of(runtime.handle()), None);
        super::observe_unnamed(runtime.handle(), Session::NONE);
        assert_eq!(name_of(runtime.handle()), of_all("given"));
        super::guard_ends();
        super::observe(runtime.handle(), "renamed");
        super::observe_unnamed(runtime.handle(), Session::NONE);
        assert_eq!(name_of(runtime.handle()), of_all("renamed"));
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
