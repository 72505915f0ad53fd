//! Pictures of single polls, and the questions for them.

use pollscope_model::id::{RuntimeId, TaskId, WorkerId};
use pollscope_model::query::ask::{FlightOf, FlightQuery};
use pollscope_model::query::flight::{
    DIGITS, Flight, Lane, LaneCell, Lanes, LongPoll, Picture, TimeCell, Timeline,
};

use super::field::Field;
use super::{DecodeError, Reason};
use crate::wire;

pub(crate) fn query_to_wire(query: &FlightQuery) -> wire::FlightQuery {
    use wire::flight_query::Of;
    wire::FlightQuery {
        boot: query.boot.to_wire(),
        of: Some(match query.of {
            FlightOf::Workers { first, most } => Of::Workers(wire::WorkerLanes { first, most }),
            FlightOf::Task(task) => Of::Task(task.0),
        }),
        until_unix_ns: query.until_unix_ns,
        span_ns: query.span_ns,
        columns: query.columns.into(),
    }
}

pub(crate) fn query_from_wire(query: &wire::FlightQuery) -> Result<FlightQuery, DecodeError> {
    use wire::flight_query::Of;
    Ok(FlightQuery {
        boot: Field::from_wire("ask.flight.boot", query.boot.clone())?,
        of: match query.of.as_ref().ok_or(DecodeError::missing("ask.flight.of"))? {
            Of::Workers(lanes) => FlightOf::Workers { first: lanes.first, most: lanes.most },
            Of::Task(task) => FlightOf::Task(TaskId(*task)),
        },
        until_unix_ns: query.until_unix_ns,
        span_ns: query.span_ns,
        columns: narrow("ask.flight.columns", query.columns)?,
    })
}

fn narrow(field: &'static str, value: u32) -> Result<u16, DecodeError> {
    u16::try_from(value).map_err(|_| DecodeError::new(field, Reason::OutOfRange(value.into())))
}

pub(crate) fn to_wire(flight: &Flight) -> wire::FlightPicture {
    use wire::flight_picture::Picture as Wire;
    wire::FlightPicture {
        meta: flight.meta.to_wire(),
        from_unix_ns: flight.from_unix_ns,
        column_ns: flight.column_ns,
        why_not: flight.why_not.to_string(),
        begun: flight.begun,
        missed: flight.missed,
        polls: flight.polls,
        longest: flight.longest.as_ref().map(|poll| wire::LongPoll {
            task: poll.task.0,
            site: poll.site.to_string(),
            runtime: poll.worker.map(|worker| worker.runtime.0),
            worker: poll.worker.map(|worker| worker.index),
            start_unix_ns: poll.start_unix_ns,
            wall_ns: poll.wall_ns,
            open: poll.open,
        }),
        picture: Some(match &flight.picture {
            Picture::Lanes(lanes) => Wire::Lanes(wire::FlightLanes {
                lanes: lanes.lanes.iter().map(lane_to_wire).collect(),
                more: lanes.more,
                sites: lanes.sites.iter().map(ToString::to_string).collect(),
            }),
            Picture::Timeline(timeline) => Wire::Timeline(timeline_to_wire(timeline)),
        }),
    }
}

pub(crate) fn from_wire(flight: wire::FlightPicture) -> Result<Flight, DecodeError> {
    use wire::flight_picture::Picture as Wire;
    Ok(Flight {
        meta: Field::from_wire("answer.flight.meta", flight.meta)?,
        from_unix_ns: flight.from_unix_ns,
        column_ns: flight.column_ns,
        why_not: flight.why_not.into(),
        begun: flight.begun,
        missed: flight.missed,
        polls: flight.polls,
        longest: flight.longest.map(|poll| LongPoll {
            task: TaskId(poll.task),
            site: poll.site.into(),
            worker: poll
                .runtime
                .zip(poll.worker)
                .map(|(runtime, index)| WorkerId { runtime: RuntimeId(runtime), index }),
            start_unix_ns: poll.start_unix_ns,
            wall_ns: poll.wall_ns,
            open: poll.open,
        }),
        picture: match flight.picture.ok_or(DecodeError::missing("answer.flight.picture"))? {
            Wire::Lanes(lanes) => Picture::Lanes(Lanes {
                lanes: lanes.lanes.into_iter().map(lane_from_wire).collect::<Result<_, _>>()?,
                more: lanes.more,
                sites: lanes.sites.into_iter().map(Into::into).collect(),
            }),
            Wire::Timeline(timeline) => Picture::Timeline(timeline_from_wire(&timeline)?),
        },
    })
}

fn lane_to_wire(lane: &Lane) -> wire::FlightLane {
    let cell = |cell: &LaneCell| match *cell {
        LaneCell::Unknown => 0,
        LaneCell::Blank => 1,
        LaneCell::Poll { site, same } => 2 + 2 * site.min(DIGITS as u8) + u8::from(same),
    };
    wire::FlightLane { label: lane.label.to_string(), cells: lane.cells.iter().map(cell).collect() }
}

fn lane_from_wire(lane: wire::FlightLane) -> Result<Lane, DecodeError> {
    let cell = |byte: &u8| match *byte {
        0 => Ok(LaneCell::Unknown),
        1 => Ok(LaneCell::Blank),
        byte if usize::from(byte) < 2 + 2 * (DIGITS + 1) => {
            Ok(LaneCell::Poll { site: (byte - 2) / 2, same: byte % 2 == 1 })
        }
        byte => Err(DecodeError::new("answer.flight.cells", Reason::Unknown(byte.into()))),
    };
    Ok(Lane { label: lane.label.into(), cells: lane.cells.iter().map(cell).collect::<Result<_, _>>()? })
}

fn timeline_to_wire(timeline: &Timeline) -> wire::FlightTimeline {
    let list = |of: fn(&TimeCell) -> u32| timeline.cells.iter().map(of).collect();
    wire::FlightTimeline {
        known: timeline.cells.iter().map(|cell| u8::from(cell.known)).collect(),
        running: list(|cell| cell.running.into()),
        sched: list(|cell| cell.sched.into()),
        idle: list(|cell| cell.idle.into()),
        polls: list(|cell| cell.polls),
        wakes: list(|cell| cell.wakes),
        wakes_seen: timeline.wakes_seen,
    }
}

fn timeline_from_wire(timeline: &wire::FlightTimeline) -> Result<Timeline, DecodeError> {
    let expected = timeline.known.len();
    for list in [&timeline.running, &timeline.sched, &timeline.idle, &timeline.polls, &timeline.wakes] {
        if list.len() != expected {
            let reason = Reason::Length { expected, got: list.len() };
            return Err(DecodeError::new("answer.flight.timeline", reason));
        }
    }
    let cell = |at: usize| {
        let share = |list: &[u32]| narrow("answer.flight.timeline", list[at]);
        Ok(TimeCell {
            known: timeline.known[at] != 0,
            running: share(&timeline.running)?,
            sched: share(&timeline.sched)?,
            idle: share(&timeline.idle)?,
            polls: timeline.polls[at],
            wakes: timeline.wakes[at],
        })
    };
    Ok(Timeline {
        cells: (0..expected).map(cell).collect::<Result<_, DecodeError>>()?,
        wakes_seen: timeline.wakes_seen,
    })
}
