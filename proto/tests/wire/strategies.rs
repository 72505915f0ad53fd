//! Arbitrary values of the model's types.

pub(crate) mod query;

use std::sync::Arc;

use pollscope_model::dict::{DictEntry, Frame, Site, Stack};
use pollscope_model::entity::edge::{WakeEdge, Waker};
use pollscope_model::entity::event::{Event, EventBlock};
use pollscope_model::entity::runtime::{Flavor, RuntimeRecord, WorkerDelta};
use pollscope_model::entity::site::SiteDelta;
use pollscope_model::entity::slow_poll::SlowPoll;
use pollscope_model::entity::stall::Stall;
use pollscope_model::entity::stop::Stop;
use pollscope_model::entity::task::{HandleState, TaskKind, TaskRecord, TaskState, WakesBy, WokenBy};
use pollscope_model::entity::usage::ProcessUsage;
use pollscope_model::hello::{Hello, ProcessInfo, ProtocolVersion};
use pollscope_model::hist::Hist;
use pollscope_model::id::{BootId, NameId, RuntimeId, SiteId, StackId, TaskId, WorkerId};
use pollscope_model::measured::{Capability, Coverage, Metric, Mode};
use pollscope_model::report::{Detail, Losses, Report, ReportKind};
use pollscope_model::time::ClockAnchor;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

/// Numbers as they come: mostly small, sometimes at an edge.
pub(crate) fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 0u64..100,
        2 => 0u64..10_000_000_000,
        1 => select(vec![0, 1, u64::from(u32::MAX), 1 << 63, u64::MAX - 1, u64::MAX]),
        1 => any::<u64>(),
    ]
}

pub(crate) fn text() -> impl Strategy<Value = Arc<str>> {
    "[a-zé/_.:]{0,12}".prop_map(Arc::from)
}

pub(crate) fn boot() -> impl Strategy<Value = BootId> {
    any::<u128>().prop_map(BootId)
}

fn name() -> impl Strategy<Value = NameId> {
    prop_oneof![3 => 0u32..4, 1 => any::<u32>()].prop_map(NameId)
}

fn site_id() -> impl Strategy<Value = SiteId> {
    prop_oneof![5 => 0u32..5, 1 => any::<u32>()].prop_map(SiteId)
}

pub(crate) fn hist() -> impl Strategy<Value = Hist> {
    vec(number(), 0..12).prop_map(|values| {
        let mut hist = Hist::new();
        for value in values {
            hist.record(value);
        }
        hist
    })
}

pub(crate) fn mode() -> impl Strategy<Value = Mode> {
    select(vec![Mode::Sample, Mode::Wrap, Mode::Hooks])
}

fn woken_by() -> impl Strategy<Value = WokenBy> {
    prop_oneof![
        Just(WokenBy::Unknown),
        number().prop_map(|task| WokenBy::Task(TaskId(task))),
        Just(WokenBy::Itself),
        Just(WokenBy::Runtime),
        Just(WokenBy::OtherThread),
    ]
}

fn kind() -> impl Strategy<Value = TaskKind> {
    select(TaskKind::ALL.to_vec())
}

fn handle() -> impl Strategy<Value = HandleState> {
    select(vec![HandleState::Held, HandleState::Dropped, HandleState::Joined, HandleState::Aborted])
}

prop_compose! {
    pub(crate) fn task()(
        (id, site, name, group, scope) in (number(), site_id(), name(), name(), name()),
        (parent, runtime, worker) in (option::of(number()), option::of(0u32..3), option::of(any::<u32>())),
        (mode, kind, state) in (mode(), kind(), select(TaskState::ALL.to_vec())),
        (handle, woken_by, long_lived) in (handle(), woken_by(), any::<bool>()),
        times in [number(), number(), number(), number(), number()],
        sums in [number(), number(), number(), number(), number(), number(), number(), number()],
        (wakers, clones, drops, future_bytes) in (any::<u32>(), number(), number(), number()),
        (by, told) in ([number(), number(), number()], any::<bool>()),
    ) -> TaskRecord {
        let rest = sums[5].wrapping_sub(sums[6]).wrapping_sub(by[0]).wrapping_sub(by[1]);
        TaskRecord {
            id: TaskId(id), site, name, group, scope, mode, kind, state, handle, woken_by, long_lived,
            parent: parent.map(TaskId), runtime: runtime.map(RuntimeId), worker,
            spawned_ns: times[0], ended_ns: times[1], last_poll_end_ns: times[2],
            poll_start_ns: times[3], scheduled_since_ns: times[4],
            polls: sums[0], busy_ns: sums[1], max_poll_ns: sums[2], scheduled_ns: sums[3],
            max_sched_ns: sums[4], wakes: sums[5], self_wakes: sums[6], forced_yields: sums[7],
            wakes_by: WakesBy { tasks: by[0], threads: by[1], runtime: if told { rest } else { by[2] } },
            wakers, waker_clones: clones, waker_drops: drops, future_bytes,
        }
    }
}

prop_compose! {
    fn site()(
        site in site_id(),
        counts in [
            number(), number(), number(), number(), number(), number(), number(),
            number(), number(), number(), number(), number(), number(), number(),
        ],
        hists in [hist(), hist(), hist()],
    ) -> SiteDelta {
        let [poll, sched, life] = hists;
        SiteDelta {
            site, poll, sched, life,
            spawned: counts[0], completed: counts[1], cancelled: counts[2], panicked: counts[3],
            ended: counts[4], swallowed_panics: counts[5], detached_failures: counts[6],
            wakes: counts[7], self_wakes: counts[8], forced_yields: counts[9],
            slow_polls: counts[10], max_future_bytes: counts[11],
            outcomes_left: counts[12], outcomes_taken: counts[13],
        }
    }
}

prop_compose! {
    fn worker()(
        (runtime, index, thread, tid) in (any::<u32>(), any::<u32>(), name(), option::of(any::<u32>())),
        sums in [number(), number(), number()],
        options in [option::of(number()), option::of(number()), option::of(number()), option::of(number()), option::of(number())],
        (parked, polling) in (any::<bool>(), option::of((number(), number()))),
    ) -> WorkerDelta {
        WorkerDelta {
            id: WorkerId { runtime: RuntimeId(runtime), index }, thread, tid, parked,
            busy_ns: sums[0], interval_ns: sums[1], parks: sums[2],
            polls: options[0], local_queue: options[1], steals: options[2],
            cpu_ns: options[3], preempted_ns: options[4],
            polling: polling.map(|(task, since)| (TaskId(task), since)),
        }
    }
}

prop_compose! {
    fn runtime()(
        (id, name, workers, gone) in (any::<u32>(), name(), any::<u32>(), any::<bool>()),
        flavor in select(vec![Flavor::MultiThread, Flavor::CurrentThread]),
        options in [option::of(number()), option::of(number()), option::of(number()), option::of(number()), option::of(number())],
        blocking_ended in option::of(number()),
    ) -> RuntimeRecord {
        RuntimeRecord {
            id: RuntimeId(id), name, flavor, workers, gone,
            alive_tasks: options[0], global_queue: options[1], blocking_threads: options[2],
            blocking_idle: options[3], blocking_queue: options[4], blocking_ended,
        }
    }
}

prop_compose! {
    pub(crate) fn slow_poll()(
        (task, site, worker) in (number(), site_id(), option::of(any::<u32>())),
        times in [number(), number(), number(), number(), number()],
        split in [option::of(number()), option::of(number())],
        (stack, waiting_in) in (option::of(any::<u32>()), option::of(name())),
        (waiters, waits) in (option::of(any::<u32>()), [option::of(number()), option::of(number())]),
        in_place in any::<bool>(),
        (allowed_ns, counts, allowed_for, allowed_at, allowed_others) in
            (number(), [number(), number(), number(), number()], option::of(name()), option::of(name()), any::<bool>()),
    ) -> SlowPoll {
        SlowPoll {
            task: TaskId(task), site, worker, nth: times[0], start_ns: times[1], wall_ns: times[2],
            busy_ns: split[0], preempted_ns: split[1], stack: stack.map(StackId), waiting_in, waiters,
            waited_ns: waits[0], max_waited_ns: waits[1], in_place, allowed_ns, allowed_for, allowed_at,
            allowed_others, allowed_preempted_ns: counts[0], faults: counts[1], nested_ns: counts[2],
            nested_preempted_ns: counts[3],
        }
    }
}

prop_compose! {
    fn stall()(
        (worker, tid, thread) in (option::of((any::<u32>(), any::<u32>())), option::of(any::<u32>()), name()),
        (task, site, since_ns) in (option::of(number()), option::of(site_id()), number()),
        (stack, waiting_in, allowed_ns) in (option::of(any::<u32>()), option::of(name()), number()),
    ) -> Stall {
        Stall {
            worker: worker.map(|(runtime, index)| WorkerId { runtime: RuntimeId(runtime), index }),
            tid, thread, task: task.map(TaskId), site, since_ns, stack: stack.map(StackId), waiting_in,
            allowed_ns,
        }
    }
}

fn edge() -> impl Strategy<Value = WakeEdge> {
    let from = prop_oneof![Just(Waker::Runtime), Just(Waker::OtherThread), site_id().prop_map(Waker::Site)];
    (from, site_id(), number()).prop_map(|(from, to, count)| WakeEdge { from, to, count })
}

fn frame() -> impl Strategy<Value = Frame> {
    (text(), option::of(text()), any::<u32>(), any::<bool>()).prop_map(|(function, file, line, users)| {
        Frame { function, file: file.filter(|file| !file.is_empty()), line, users }
    })
}

fn worker_id() -> impl Strategy<Value = WorkerId> {
    (any::<u32>(), any::<u32>()).prop_map(|(runtime, index)| WorkerId { runtime: RuntimeId(runtime), index })
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (number(), site_id(), number(), number(), option::of(worker_id())).prop_map(
            |(task, site, start_ns, wall_ns, worker)| Event::Poll {
                task: TaskId(task),
                site,
                start_ns,
                wall_ns,
                worker,
            }
        ),
        (number(), number(), woken_by()).prop_map(|(task, at_ns, by)| Event::Wake {
            task: TaskId(task),
            at_ns,
            by
        }),
    ]
}

prop_compose! {
    fn event_block()(
        (thread, first, from_ns, to_ns) in (any::<u32>(), number(), number(), number()),
        events in vec(event(), 0..6),
    ) -> EventBlock {
        EventBlock { thread, first, from_ns, to_ns, events }
    }
}

fn dict_entry() -> impl Strategy<Value = DictEntry> {
    prop_oneof![
        (any::<u32>(), text(), any::<u32>(), any::<u32>())
            .prop_map(|(id, file, line, column)| DictEntry::Site(SiteId(id), Site { file, line, column })),
        (any::<u32>(), text()).prop_map(|(id, name)| DictEntry::Name(NameId(id), name)),
        (
            any::<u32>(),
            vec(frame(), 0..5),
            any::<bool>(),
            text().prop_map(|why| (!why.is_empty()).then_some(why))
        )
            .prop_map(|(id, frames, truncated, why)| DictEntry::Stack(
                StackId(id),
                Stack { frames, truncated, why }
            )),
    ]
}

fn stop() -> impl Strategy<Value = Stop> {
    (number(), number()).prop_map(|(from_ns, to_ns)| Stop { from_ns, to_ns })
}

fn report_kind() -> impl Strategy<Value = ReportKind> {
    prop_oneof![
        Just(ReportKind::Delta),
        (0u32..5, 1u32..5).prop_map(|(part, more)| ReportKind::Snapshot { part, parts: part + more }),
    ]
}

prop_compose! {
    fn usage()(
        (cpu_ns, memory_bytes) in (option::of(number()), option::of(number())),
        (threads, open_files, open_files_max) in (option::of(number()), option::of(number()), option::of(number())),
    ) -> ProcessUsage {
        ProcessUsage { cpu_ns, memory_bytes, threads, open_files, open_files_max }
    }
}

prop_compose! {
    pub(crate) fn report()(
        (boot, kind, detail) in (boot(), report_kind(), select(vec![Detail::Full, Detail::Top])),
        (seq, back, start_ns, end_ns) in (number(), number(), number(), number()),
        (dict, runtimes, workers) in (vec(dict_entry().boxed(), 0..4), vec(runtime().boxed(), 0..3), vec(worker().boxed(), 0..4)),
        (sites, tasks, slow_polls) in (vec(site().boxed(), 0..5), vec(task().boxed(), 0..20), vec(slow_poll().boxed(), 0..4)),
        (stalls, stops, edges) in (vec(stall().boxed(), 0..4), vec(stop().boxed(), 0..3), vec(edge().boxed(), 0..6)),
        events in vec(event_block().boxed(), 0..4).boxed(),
        losses in [number(), number(), number(), number(), number(), number(), number(), number(), number()],
        usage in usage().boxed(),
    ) -> Report {
        Report {
            boot, kind, detail, seq, first_seq: seq.saturating_sub(back), start_ns, end_ns,
            dict, runtimes, workers, sites, tasks, slow_polls, stalls, stops, edges, events,
            usage,
            losses: Losses {
                tasks_uncounted: losses[0], slow_polls: losses[1], ended_rows: losses[2],
                dict_entries: losses[3], reports_folded: losses[4],
                runtimes_unseen: losses[5], connections_refused: losses[6], viewers_refused: losses[7],
                threads_uncounted: losses[8],
            },
        }
    }
}

prop_compose! {
    pub(crate) fn hello()(
        (major, minor, boot, mode) in (any::<u32>(), any::<u32>(), boot(), mode()),
        texts in [text(), text(), text(), text(), text(), text()],
        (pid, cpus, unix_ns, mono_ns, interval_ns, hist_scale) in (any::<u32>(), any::<u32>(), number(), number(), number(), any::<u8>()),
        slow_poll_ns in proptest::option::of(number()),
        reasons in vec((select(Metric::ALL.to_vec()), select(vec![Coverage::All, Coverage::Wrapped, Coverage::NoTask]), text()), 0..5),
    ) -> Hello {
        let [version, name, host, exe, build, policy] = texts.map(|text| text.to_string());
        Hello {
            protocol: ProtocolVersion { major, minor }, version, boot, mode, interval_ns, hist_scale, policy, slow_poll_ns,
            process: ProcessInfo { name, pid, host, exe, cpus, build },
            capabilities: reasons
                .into_iter()
                .map(|(metric, coverage, reason)| Capability { metric, coverage, reason: reason.to_string() })
                .collect(),
            anchor: ClockAnchor { unix_ns, mono_ns },
        }
    }
}
