//! Wake edges as columns.

use pollscope_model::entity::edge::{WakeEdge, Waker};
use pollscope_model::id::SiteId;

use super::column::{ColumnCursor, pack};
use super::{DecodeError, at_most, to_u32};
use crate::limits::MAX_FRAME_ROWS;
use crate::wire;

pub(crate) fn to_wire(edges: &[WakeEdge]) -> Option<wire::EdgeColumns> {
    if edges.is_empty() {
        return None;
    }
    let mut before = 0;
    let to = edges.iter().map(|edge| {
        let to = i64::from(edge.to.0);
        to - std::mem::replace(&mut before, to)
    });
    Some(wire::EdgeColumns {
        to: to.collect(),
        from: pack(edges.iter().map(|edge| number_of(edge.from)).collect()),
        count: pack(edges.iter().map(|edge| edge.count).collect()),
    })
}

pub(crate) fn from_wire(table: &wire::EdgeColumns) -> Result<Vec<WakeEdge>, DecodeError> {
    let rows = table.to.len();
    at_most("edges.to", MAX_FRAME_ROWS, rows)?;
    let mut from = ColumnCursor::new("edges.from", table.from.as_ref(), rows)?;
    let mut count = ColumnCursor::new("edges.count", table.count.as_ref(), rows)?;
    let mut site = 0u64;
    let edge = |step: &i64| {
        site = site.wrapping_add(step.cast_unsigned());
        Ok(WakeEdge { from: waker(from.next())?, to: SiteId(to_u32("edges.to", site)?), count: count.next() })
    };
    table.to.iter().map(edge).collect()
}

fn number_of(waker: Waker) -> u64 {
    match waker {
        Waker::Runtime => 0,
        Waker::OtherThread => 1,
        Waker::Site(site) => 2 + u64::from(site.0),
    }
}

fn waker(number: u64) -> Result<Waker, DecodeError> {
    Ok(match number {
        0 => Waker::Runtime,
        1 => Waker::OtherThread,
        site => Waker::Site(SiteId(to_u32("edges.from", site - 2)?)),
    })
}
