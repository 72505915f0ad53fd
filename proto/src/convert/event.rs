//! Single events as columns. The schema's comments say what each number means.

use pollscope_model::entity::event::{Event, EventBlock};
use pollscope_model::entity::task::WokenBy;
use pollscope_model::id::{RuntimeId, SiteId, TaskId, WorkerId};

use super::column::{diff, table, undiff};
use super::{DecodeError, Reason, at_most, to_u32};
use crate::limits::MAX_FRAME_ROWS;
use crate::wire;

const WAKE: u64 = 1;
const HAS_WORKER: u64 = 1 << 1;

table! {
    "events": wire::EventColumns { what, end, wall, site, runtime, worker, by } => Cells, ColumnBuilder, ColumnReader
}

/// `None` if there are no blocks.
pub(crate) fn to_wire(blocks: &[EventBlock]) -> Option<wire::EventColumns> {
    if blocks.is_empty() {
        return None;
    }
    let (mut ids, mut builder, mut id) = (Vec::new(), ColumnBuilder::default(), 0u64);
    for block in blocks {
        let mut end_ns = block.to_ns;
        for event in &block.events {
            let task = event.task().0;
            ids.push(task.wrapping_sub(id).cast_signed());
            builder.push(cells(event, end_ns));
            (id, end_ns) = (task, wrapping_end(event));
        }
    }
    let mut table = builder.finish(ids);
    table.blocks = blocks
        .iter()
        .map(|block| wire::EventBlock {
            thread: block.thread,
            first: block.first,
            from_ns: block.from_ns,
            to_ns: block.to_ns,
            rows: block.events.len() as u32,
        })
        .collect();
    Some(table)
}

/// Unlike the model's, it has an inverse for every pair of numbers.
fn wrapping_end(event: &Event) -> u64 {
    match event {
        Event::Poll { start_ns, wall_ns, .. } => start_ns.wrapping_add(*wall_ns),
        Event::Wake { at_ns, .. } => *at_ns,
    }
}

fn cells(event: &Event, before_ns: u64) -> Cells {
    let end = diff(wrapping_end(event), before_ns);
    match *event {
        Event::Poll { site, wall_ns, worker, .. } => Cells {
            what: if worker.is_some() { HAS_WORKER } else { 0 },
            end,
            wall: wall_ns,
            site: u64::from(site.0),
            runtime: worker.map_or(0, |worker| worker.runtime.0.into()),
            worker: worker.map_or(0, |worker| worker.index.into()),
            by: 0,
        },
        Event::Wake { task, by, .. } => {
            let (who, by) = match by {
                WokenBy::Unknown => (0, 0),
                WokenBy::Task(by) => (1, diff(by.0, task.0)),
                WokenBy::Itself => (2, 0),
                WokenBy::Runtime => (3, 0),
                WokenBy::OtherThread => (4, 0),
            };
            Cells { what: WAKE | who << 1, end, by, ..Cells::default() }
        }
    }
}

pub(crate) fn from_wire(table: &wire::EventColumns) -> Result<Vec<EventBlock>, DecodeError> {
    at_most("events.blocks", MAX_FRAME_ROWS, table.blocks.len())?;
    at_most("events.ids", MAX_FRAME_ROWS, table.ids.len())?;
    let rows = table.blocks.iter().fold(0, |sum: usize, block| sum.saturating_add(block.rows as usize));
    if rows != table.ids.len() {
        let reason = Reason::Length { expected: rows, got: table.ids.len() };
        return Err(DecodeError::new("events.ids", reason));
    }
    let mut reader = ColumnReader::new(table, rows)?;
    let (mut ids, mut id) = (table.ids.iter(), 0u64);
    let mut blocks = Vec::with_capacity(table.blocks.len());
    for block in &table.blocks {
        let mut events = Vec::with_capacity(block.rows as usize);
        let mut end_ns = block.to_ns;
        for step in ids.by_ref().take(block.rows as usize) {
            id = id.wrapping_add(step.cast_unsigned());
            let cells = reader.next();
            end_ns = undiff(cells.end, end_ns);
            events.push(event(TaskId(id), end_ns, cells)?);
        }
        blocks.push(EventBlock {
            thread: block.thread,
            first: block.first,
            from_ns: block.from_ns,
            to_ns: block.to_ns,
            events,
        });
    }
    Ok(blocks)
}

fn event(task: TaskId, end_ns: u64, cells: Cells) -> Result<Event, DecodeError> {
    let unknown = |what| Err(DecodeError::new("events.what", Reason::Unknown(what)));
    if cells.what & WAKE == 0 {
        if cells.what & !HAS_WORKER != 0 {
            return unknown(cells.what);
        }
        let worker = WorkerId {
            runtime: RuntimeId(to_u32("events.runtime", cells.runtime)?),
            index: to_u32("events.worker", cells.worker)?,
        };
        return Ok(Event::Poll {
            task,
            site: SiteId(to_u32("events.site", cells.site)?),
            start_ns: end_ns.wrapping_sub(cells.wall),
            wall_ns: cells.wall,
            worker: (cells.what & HAS_WORKER != 0).then_some(worker),
        });
    }
    let by = match cells.what >> 1 {
        0 => WokenBy::Unknown,
        1 => WokenBy::Task(TaskId(undiff(cells.by, task.0))),
        2 => WokenBy::Itself,
        3 => WokenBy::Runtime,
        4 => WokenBy::OtherThread,
        _ => return unknown(cells.what),
    };
    Ok(Event::Wake { task, at_ns: end_ns, by })
}
