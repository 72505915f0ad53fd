//! Site deltas as columns.

use pollscope_model::entity::site::SiteDelta;
use pollscope_model::hist::Hist;
use pollscope_model::id::SiteId;

use super::column::table;
use super::{DecodeError, at_most, hist, to_u32};
use crate::limits::{MAX_FRAME_HIST_CELLS, MAX_FRAME_ROWS};
use crate::wire;

/// Declares the columns that are numbers of a site, each once.
macro_rules! counters {
    ($($counter:ident),* $(,)?) => {
        table! { "sites": wire::SiteColumns { $($counter),* } => Cells, ColumnBuilder, ColumnReader }

        fn cells(site: &SiteDelta) -> Cells {
            Cells { $($counter: site.$counter),* }
        }

        fn delta(site: SiteId, cells: Cells, [poll, sched, life]: [Hist; 3]) -> SiteDelta {
            SiteDelta { site, $($counter: cells.$counter,)* poll, sched, life }
        }
    };
}

counters! {
    spawned, completed, cancelled, panicked, ended, swallowed_panics, detached_failures, wakes, self_wakes,
    forced_yields, slow_polls, max_future_bytes, outcomes_left, outcomes_taken,
}

/// Room that reading the site's histograms back takes.
pub(crate) fn hist_cells(site: &SiteDelta) -> usize {
    hist::cells(&site.poll) + hist::cells(&site.sched) + hist::cells(&site.life)
}

pub(crate) fn to_wire(sites: &[SiteDelta]) -> Option<wire::SiteColumns> {
    if sites.is_empty() {
        return None;
    }
    let (mut builder, mut before) = (ColumnBuilder::default(), 0);
    let mut ids = Vec::with_capacity(sites.len());
    for site in sites {
        ids.push(i64::from(site.site.0) - before);
        before = i64::from(site.site.0);
        builder.push(cells(site));
    }
    let mut columns = builder.finish(ids);
    columns.poll = hist::to_wire(sites.iter().map(|site| &site.poll));
    columns.sched = hist::to_wire(sites.iter().map(|site| &site.sched));
    columns.life = hist::to_wire(sites.iter().map(|site| &site.life));
    Some(columns)
}

pub(crate) fn from_wire(table: &wire::SiteColumns) -> Result<Vec<SiteDelta>, DecodeError> {
    let rows = table.ids.len();
    at_most("sites.ids", MAX_FRAME_ROWS, rows)?;
    let mut reader = ColumnReader::new(table, rows)?;
    let mut poll = hist::HistReader::new("sites.poll", table.poll.as_ref(), rows)?;
    let mut sched = hist::HistReader::new("sites.sched", table.sched.as_ref(), rows)?;
    let mut life = hist::HistReader::new("sites.life", table.life.as_ref(), rows)?;
    let (mut id, mut room) = (0u64, MAX_FRAME_HIST_CELLS);
    let mut sites = Vec::with_capacity(rows);
    for step in &table.ids {
        id = id.wrapping_add(step.cast_unsigned());
        let site = SiteId(to_u32("sites.ids", id)?);
        let hists = [poll.next(&mut room)?, sched.next(&mut room)?, life.next(&mut room)?];
        sites.push(delta(site, reader.next(), hists));
    }
    poll.finish()?;
    sched.finish()?;
    life.finish()?;
    Ok(sites)
}
