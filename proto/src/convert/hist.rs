//! One histogram per row: only buckets that hold something travel.

use pollscope_model::hist::{BUCKETS, Hist};

use super::column::{ColumnCursor, pack};
use super::{DecodeError, Reason, at_most};
use crate::limits::MAX_FRAME_HIST_CELLS;
use crate::wire;

/// Room that reading the histogram back takes: from its first bucket to its last.
pub(crate) fn cells(hist: &Hist) -> usize {
    hist.span()
}

pub(crate) fn to_wire<'a>(hists: impl Iterator<Item = &'a Hist>) -> Option<wire::HistColumns> {
    let mut columns = wire::HistColumns::default();
    let (mut buckets, mut sums, mut maxima) = (Vec::new(), Vec::new(), Vec::new());
    for hist in hists {
        let (before, mut next) = (columns.counts.len(), 0);
        for (bucket, count) in hist.buckets() {
            columns.gaps.push((bucket - next) as u32);
            columns.counts.push(count);
            next = bucket + 1;
        }
        buckets.push((columns.counts.len() - before) as u64);
        sums.push(hist.sum());
        maxima.push(hist.max());
    }
    columns.buckets = pack(buckets);
    columns.sums = pack(sums);
    columns.maxima = pack(maxima);
    (columns != wire::HistColumns::default()).then_some(columns)
}

/// Reads one histogram column row by row.
pub(crate) struct HistReader<'a> {
    field: &'static str,
    buckets: ColumnCursor<'a>,
    sums: ColumnCursor<'a>,
    maxima: ColumnCursor<'a>,
    cells: std::iter::Zip<std::slice::Iter<'a, u32>, std::slice::Iter<'a, u64>>,
}

impl<'a> HistReader<'a> {
    pub(crate) fn new(
        field: &'static str,
        columns: Option<&'a wire::HistColumns>,
        rows: usize,
    ) -> Result<Self, DecodeError> {
        let (gaps, counts) = columns.map_or((&[][..], &[][..]), |c| (&c.gaps[..], &c.counts[..]));
        if gaps.len() != counts.len() {
            return Err(DecodeError::new(field, Reason::Length { expected: counts.len(), got: gaps.len() }));
        }
        Ok(Self {
            field,
            buckets: ColumnCursor::new(field, columns.and_then(|c| c.buckets.as_ref()), rows)?,
            sums: ColumnCursor::new(field, columns.and_then(|c| c.sums.as_ref()), rows)?,
            maxima: ColumnCursor::new(field, columns.and_then(|c| c.maxima.as_ref()), rows)?,
            cells: gaps.iter().zip(counts),
        })
    }

    /// The next row's histogram; `room` is what the whole message may still ask for.
    pub(crate) fn next(&mut self, room: &mut usize) -> Result<Hist, DecodeError> {
        let buckets = self.buckets.next();
        at_most(self.field, BUCKETS, usize::try_from(buckets).unwrap_or(usize::MAX))?;
        let mut hist = Hist::new();
        let mut next = 0usize;
        for done in 0..buckets {
            let Some((gap, count)) = self.cells.next() else {
                let (expected, got) = (buckets as usize, done as usize);
                return Err(DecodeError::new(self.field, Reason::Length { expected, got }));
            };
            let bucket = next.saturating_add(*gap as usize);
            if bucket >= BUCKETS {
                return Err(DecodeError::new(self.field, Reason::OutOfRange(bucket as u64)));
            }
            hist.add_bucket(bucket, *count);
            next = bucket + 1;
        }
        hist.add_totals(self.sums.next(), self.maxima.next());
        *room = room.checked_sub(cells(&hist)).ok_or_else(|| {
            let (limit, got) = (MAX_FRAME_HIST_CELLS, MAX_FRAME_HIST_CELLS + 1);
            DecodeError::new(self.field, Reason::TooMany { limit, got })
        })?;
        Ok(hist)
    }

    /// Refuses buckets that belong to no row.
    pub(crate) fn finish(self) -> Result<(), DecodeError> {
        match self.cells.len() {
            0 => Ok(()),
            got => Err(DecodeError::new(self.field, Reason::Length { expected: 0, got })),
        }
    }
}
