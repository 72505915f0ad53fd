//! Pictures of single polls.

use std::sync::Arc;

use pollscope_model::id::{RuntimeId, TaskId, WorkerId};
use pollscope_model::measured::Mode;
use pollscope_model::query::ask::{FlightOf, FlightQuery};
use pollscope_model::query::flight::{Flight, Lane, LaneCell, Lanes, LongPoll, Picture, TimeCell, Timeline};
use pollscope_model::time::MILLISECOND;

use super::rows::SITES;
use super::{Amount, NOW, meta};

/// Four workers of which one is blocked at the end, or a task that is polled ever so often.
pub(super) fn flight(query: &FlightQuery, amount: Amount) -> Flight {
    let columns = u32::from(query.columns);
    let column_ns = query.span_ns / u64::from(columns);
    let until = query.until_unix_ns.unwrap_or(NOW);
    let start = columns * 7 / 10;
    let lane = |worker: u32| {
        let cell = |at: u32| match (worker, at % (4 + worker * 3)) {
            _ if at < 6 => LaneCell::Unknown,
            (1, _) if at >= start => LaneCell::Poll { site: 0, same: at > start },
            (3, n) if n > 0 => LaneCell::Blank,
            (_, 2) => LaneCell::Blank,
            (_, n) => LaneCell::Poll { site: ((at / 4 + worker) % 4) as u8, same: n == 1 },
        };
        Lane { label: Arc::from(format!("w{worker}")), cells: (0..columns).map(cell).collect() }
    };
    let time = |at: u32| TimeCell {
        known: at >= 6,
        running: if at >= start { 1_000 } else { [40, 0, 0, 0, 300, 0, 0][at as usize % 7] },
        sched: if at % 7 == 3 && at < start { 200 } else { 0 },
        idle: if at.is_multiple_of(7) || at >= start { 0 } else { 900 },
        polls: u32::from(at.is_multiple_of(7) && at <= start),
        wakes: if at < start { [0, 0, 0, 1, 0, 0, 3][at as usize % 7] } else { 0 },
    };
    let picture = match query.of {
        FlightOf::Task(_) => Picture::Timeline(Timeline {
            cells: (0..columns).map(time).collect(),
            wakes_seen: amount.mode != Mode::Hooks,
        }),
        FlightOf::Workers { .. } => Picture::Lanes(Lanes {
            lanes: (0..amount.workers as u32).map(lane).collect(),
            more: 0,
            sites: SITES[..4].iter().map(|site| Arc::from(*site)).collect(),
        }),
    };
    let sample = amount.mode == Mode::Sample;
    Flight {
        meta: meta(amount),
        from_unix_ns: until - query.span_ns,
        column_ns,
        why_not: if sample { "limited to sample mode, which sees no single task".into() } else { "".into() },
        begun: !sample && amount.tasks > 0,
        missed: if amount.findings > 3 { 4_096 } else { 0 },
        polls: amount.tasks,
        longest: Some(LongPoll {
            task: TaskId(101),
            site: Arc::from(SITES[0]),
            worker: Some(WorkerId { runtime: RuntimeId(0), index: 1 }),
            start_unix_ns: until - query.span_ns * 3 / 10,
            wall_ns: 412 * MILLISECOND,
            open: true,
        }),
        picture,
    }
}
