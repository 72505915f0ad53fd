//! Arbitrary questions and answers.

use pollscope_model::entity::heat::HeatColumn;
use pollscope_model::entity::presence::Presence;
use pollscope_model::entity::slow_poll::PollKind;
use pollscope_model::finding::Finding;
use pollscope_model::id::{RuntimeId, TaskId, WorkerId};
use pollscope_model::level::Level;
use pollscope_model::query::ask::{Answer, Ask, FlightOf, FlightQuery};
use pollscope_model::query::column::Kind;
use pollscope_model::query::detail::{
    ObservedPoll, Overview, RuntimeOverview, SiteDetail, TaskDetail, TaskLink, WorkerHeat,
};
use pollscope_model::query::flight::{
    DIGITS, Flight, Lane, LaneCell, Lanes, LongPoll, Picture, TimeCell, Timeline,
};
use pollscope_model::query::page::{Meta, Page, Query, Row, RowId, Scope, Sort};
use pollscope_model::value::{LineTally, Value};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::{boot, hello, hist, mode, number, slow_poll, text};

fn scope() -> impl Strategy<Value = Scope> {
    prop_oneof![Just(Scope::All), boot().prop_map(Scope::Process)]
}

fn kind() -> impl Strategy<Value = Kind> {
    select(Kind::ALL.to_vec())
}

fn level() -> impl Strategy<Value = Level> {
    select(vec![Level::Allow, Level::Warn, Level::Deny])
}

fn sort() -> impl Strategy<Value = Sort> {
    (text(), any::<bool>()).prop_map(|(column, descending)| Sort { column: column.to_string(), descending })
}

prop_compose! {
    fn query()(
        (kind, scope, filter) in (kind(), scope(), text()),
        (sort, offset, limit) in (vec(sort(), 0..4), number(), number()),
    ) -> Query {
        Query { kind, scope, filter: filter.to_string(), sort, offset, limit }
    }
}

pub(crate) fn ask() -> impl Strategy<Value = Ask> {
    prop_oneof![
        query().prop_map(Ask::Page),
        (boot(), number()).prop_map(|(boot, task)| Ask::Task(boot, TaskId(task))),
        (scope(), text()).prop_map(|(scope, site)| Ask::Site(scope, site)),
        number().prop_map(Ask::Finding),
        scope().prop_map(Ask::Overview),
        flight_query().prop_map(Ask::Flight),
    ]
}

prop_compose! {
    fn flight_query()(
        boot in boot(),
        of in prop_oneof![
            (any::<u32>(), any::<u32>()).prop_map(|(first, most)| FlightOf::Workers { first, most }),
            number().prop_map(|task| FlightOf::Task(TaskId(task))),
        ],
        (until_unix_ns, span_ns, columns) in (option::of(number()), number(), any::<u16>()),
    ) -> FlightQuery {
        FlightQuery { boot, of, until_unix_ns, span_ns, columns }
    }
}

fn lane_cell() -> impl Strategy<Value = LaneCell> {
    prop_oneof![
        Just(LaneCell::Unknown),
        Just(LaneCell::Blank),
        (0..=DIGITS as u8, any::<bool>()).prop_map(|(site, same)| LaneCell::Poll { site, same }),
    ]
}

prop_compose! {
    fn time_cell()(
        (known, polls, wakes) in (any::<bool>(), any::<u32>(), any::<u32>()),
        shares in [any::<u16>(), any::<u16>(), any::<u16>()],
    ) -> TimeCell {
        TimeCell { known, polls, wakes, running: shares[0], sched: shares[1], idle: shares[2] }
    }
}

prop_compose! {
    fn long_poll()(
        (task, site, worker) in (number(), text(), option::of((any::<u32>(), any::<u32>()))),
        (start_unix_ns, wall_ns, open) in (number(), number(), any::<bool>()),
    ) -> LongPoll {
        let worker = worker.map(|(runtime, index)| WorkerId { runtime: RuntimeId(runtime), index });
        LongPoll { task: TaskId(task), site, worker, start_unix_ns, wall_ns, open }
    }
}

fn picture() -> impl Strategy<Value = Picture> {
    let lane = (text(), vec(lane_cell(), 0..8)).prop_map(|(label, cells)| Lane { label, cells });
    prop_oneof![
        (vec(lane, 0..3), number(), vec(text(), 0..3))
            .prop_map(|(lanes, more, sites)| Picture::Lanes(Lanes { lanes, more, sites })),
        (vec(time_cell(), 0..8), any::<bool>())
            .prop_map(|(cells, wakes_seen)| Picture::Timeline(Timeline { cells, wakes_seen })),
    ]
}

prop_compose! {
    fn flight()(
        (meta, why_not, begun) in (meta(), text(), any::<bool>()),
        numbers in [number(), number(), number(), number()],
        (longest, picture) in (option::of(long_poll()), picture().boxed()),
    ) -> Flight {
        let [from_unix_ns, column_ns, missed, polls] = numbers;
        Flight { meta, from_unix_ns, column_ns, why_not, begun, missed, polls, longest, picture }
    }
}

fn series() -> impl Strategy<Value = Vec<Option<f32>>> {
    vec(option::of(-1e9f32..1e9), 0..6)
}

prop_compose! {
    fn line()((line, polls, total_ns, max_ns) in (text(), number(), number(), number())) -> LineTally {
        LineTally { line, polls, total_ns, max_ns }
    }
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        number().prop_map(Value::Count),
        number().prop_map(Value::Nanos),
        number().prop_map(Value::Time),
        number().prop_map(Value::Bytes),
        (0.0f64..1.0).prop_map(Value::Ratio),
        (0.0f64..1e12).prop_map(Value::Rate),
        text().prop_map(Value::Text),
        vec(text(), 0..3).prop_map(Value::List),
        vec(line().boxed(), 0..3).prop_map(Value::Lines),
        series().prop_map(Value::Series),
    ]
}

fn row_id() -> impl Strategy<Value = RowId> {
    prop_oneof![
        boot().prop_map(RowId::Process),
        (boot(), number()).prop_map(|(boot, task)| RowId::Task(boot, TaskId(task))),
        text().prop_map(RowId::Site),
        (boot(), any::<u32>(), any::<u32>()).prop_map(|(boot, runtime, index)| {
            RowId::Worker(boot, WorkerId { runtime: RuntimeId(runtime), index })
        }),
        number().prop_map(RowId::Finding),
    ]
}

prop_compose! {
    fn row()(id in row_id(), level in option::of(level()), cells in vec(value(), 0..6)) -> Row {
        Row { id, level, cells }
    }
}

prop_compose! {
    fn meta()(
        (now_unix_ns, source, lost, processes) in (number(), text(), number(), number()),
        (presence, mode) in (select(vec![Presence::Live, Presence::Stale, Presence::Gone]), mode()),
        loading in option::of(0u8..=99),
    ) -> Meta {
        Meta { now_unix_ns, source, presence, mode, lost, processes, loading }
    }
}

prop_compose! {
    fn page()(
        (kind, meta, rows) in (kind(), meta(), vec(row().boxed(), 0..8)),
        (total, matched, offset) in (number(), number(), number()),
    ) -> Page {
        Page { kind, meta, total, matched, offset, rows }
    }
}

prop_compose! {
    fn finding()(
        texts in [text(), text(), text(), text(), text(), text(), text(), text(), text(), text()],
        (number_of, count, first_ns, last_ns) in (number(), number(), number(), number()),
        (level, task, value, limit, open) in (level(), option::of(number()), value(), value(), any::<bool>()),
        kind in option::of(select(vec![PollKind::Busy, PollKind::Blocked, PollKind::Preempted])),
        (stack, waiting_in, waiters) in (vec(text(), 0..3), text(), option::of(any::<u32>())),
        waits in [option::of(number()), option::of(number())],
    ) -> Finding {
        let [detector, fingerprint, site, line, scope, task_name, process, headline, why, fix] = texts;
        Finding {
            number: number_of, detector, level, fingerprint, site, line, scope, task: task.map(TaskId), task_name,
            process, value, limit, count, first_ns, last_ns, open, kind, stack, headline, why, fix,
            waiting_in, waiters, waited_ns: waits[0], max_waited_ns: waits[1],
        }
    }
}

fn link() -> impl Strategy<Value = TaskLink> {
    (number(), text()).prop_map(|(id, label)| TaskLink { id: TaskId(id), label })
}

fn seen_poll() -> impl Strategy<Value = ObservedPoll> {
    (slow_poll(), text(), vec(text(), 0..3), text())
        .prop_map(|(poll, waiting_in, stack, allowed)| ObservedPoll { poll, waiting_in, stack, allowed })
}

prop_compose! {
    fn task_detail()(
        (meta, row, facts) in (meta().boxed(), row().boxed(), vec((text(), text()), 0..3)),
        (ancestors, children, children_total) in (vec(link(), 0..3), vec(link(), 0..3), number()),
        (slow_polls, poll_limit_ns, findings) in (vec(seen_poll().boxed(), 0..3), number(), vec(finding().boxed(), 0..2)),
        hists in [hist(), hist(), hist()],
    ) -> TaskDetail {
        let [poll, sched, life] = hists;
        TaskDetail {
            meta, row, facts, ancestors, children, children_total, slow_polls, poll, sched, life,
            poll_limit_ns, findings,
        }
    }
}

prop_compose! {
    fn site_detail()(
        (meta, row, tasks) in (meta().boxed(), row().boxed(), vec(link(), 0..3)),
        hists in [hist(), hist(), hist()],
        heat in vec([number(), number(), number(), number(), number(), number(), number(), number()], 0..3),
        (names, findings) in (vec((text(), number()), 0..3), vec(finding().boxed(), 0..2)),
        woken_by in option::of(vec((text(), number()), 0..3)),
    ) -> SiteDetail {
        let [poll, sched, life] = hists;
        let heat = heat.into_iter().map(|decades| HeatColumn { decades }).collect();
        SiteDetail { meta, row, poll, sched, life, heat, tasks, names, woken_by, findings }
    }
}

prop_compose! {
    fn runtime_now()(
        texts in [text(), text(), text()],
        workers in any::<u32>(),
        options in [
            option::of(number()), option::of(number()), option::of(number()), option::of(number()),
            option::of(number()),
        ],
        (global_queue_series, blocking_series) in (series(), series()),
    ) -> RuntimeOverview {
        let [process, name, flavor] = texts;
        RuntimeOverview {
            process, name, flavor, workers, global_queue_series, blocking_series,
            alive_tasks: options[0], seen_tasks: options[1], global_queue: options[2],
            blocking_threads: options[3], blocking_queue: options[4],
        }
    }
}

prop_compose! {
    fn overview()(
        (meta, lag_ns, tasks) in (meta(), number(), number()),
        (presence, findings) in ([number(), number(), number()], [number(), number()]),
        (ribbon, marks) in (series(), vec(any::<u32>(), 0..3)),
        workers in vec((text(), series()), 0..3),
        (runtimes, hellos) in (vec(runtime_now().boxed(), 0..2), vec(hello().boxed(), 0..2)),
        (notes, undecided) in (vec(text(), 0..3), vec((text(), text()), 0..3)),
        set_aside in vec((text(), text()), 0..3),
    ) -> Overview {
        let workers = workers.into_iter().map(|(label, busy)| WorkerHeat { label, busy }).collect();
        Overview {
            meta, lag_ns, presence, tasks, findings, ribbon, marks, workers, runtimes, hellos, notes,
            undecided, set_aside,
        }
    }
}

/// Boxed inside: the whole tree of strategies by value is larger than a test thread's stack.
pub(crate) fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        page().prop_map(Answer::Page).boxed(),
        task_detail().prop_map(|task| Answer::Task(Box::new(task))).boxed(),
        site_detail().prop_map(|site| Answer::Site(Box::new(site))).boxed(),
        finding().prop_map(|finding| Answer::Finding(Box::new(finding))).boxed(),
        overview().prop_map(|overview| Answer::Overview(Box::new(overview))).boxed(),
        flight().prop_map(|flight| Answer::Flight(Box::new(flight))).boxed(),
        text().prop_map(Answer::No).boxed(),
    ]
}
