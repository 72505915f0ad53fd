//! Site deltas as columns.

use pollscope_model::entity::site::SiteDelta;
use pollscope_model::id::SiteId;

use super::column::table;
use super::{DecodeError, at_most, hist, to_u32};
use crate::limits::{MAX_FRAME_HIST_CELLS, MAX_FRAME_ROWS};
use crate::wire;

table! {
    "sites": wire::SiteColumns {
        spawned, completed, cancelled, panicked, ended, swallowed_panics, detached_failures, wakes,
        self_wakes, forced_yields, slow_polls, max_future_bytes, outcomes_left, outcomes_taken,
    } => Cells, Builder, Reader
}

/// Room that reading the site's histograms back takes.
pub(crate) fn hist_cells(site: &SiteDelta) -> usize {
    hist::cells(&site.poll) + hist::cells(&site.sched) + hist::cells(&site.life)
}

pub(crate) fn to_wire(sites: &[SiteDelta]) -> Option<wire::SiteColumns> {
    if sites.is_empty() {
        return None;
    }
    let (mut builder, mut before) = (Builder::default(), 0);
    let mut ids = Vec::with_capacity(sites.len());
    for site in sites {
        ids.push(i64::from(site.site.0) - before);
        before = i64::from(site.site.0);
        builder.push(Cells {
            spawned: site.spawned,
            completed: site.completed,
            cancelled: site.cancelled,
            panicked: site.panicked,
            ended: site.ended,
            swallowed_panics: site.swallowed_panics,
            detached_failures: site.detached_failures,
            wakes: site.wakes,
            self_wakes: site.self_wakes,
            forced_yields: site.forced_yields,
            slow_polls: site.slow_polls,
            max_future_bytes: site.max_future_bytes,
            outcomes_left: site.outcomes_left,
            outcomes_taken: site.outcomes_taken,
        });
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
    let mut reader = Reader::new(table, rows)?;
    let mut poll = hist::Reader::new("sites.poll", table.poll.as_ref(), rows)?;
    let mut sched = hist::Reader::new("sites.sched", table.sched.as_ref(), rows)?;
    let mut life = hist::Reader::new("sites.life", table.life.as_ref(), rows)?;
    let (mut id, mut room) = (0u64, MAX_FRAME_HIST_CELLS);
    let mut sites = Vec::with_capacity(rows);
    for step in &table.ids {
        id = id.wrapping_add(step.cast_unsigned());
        let cells = reader.next();
        sites.push(SiteDelta {
            site: SiteId(to_u32("sites.ids", id)?),
            spawned: cells.spawned,
            completed: cells.completed,
            cancelled: cells.cancelled,
            panicked: cells.panicked,
            ended: cells.ended,
            swallowed_panics: cells.swallowed_panics,
            detached_failures: cells.detached_failures,
            wakes: cells.wakes,
            self_wakes: cells.self_wakes,
            forced_yields: cells.forced_yields,
            slow_polls: cells.slow_polls,
            max_future_bytes: cells.max_future_bytes,
            outcomes_left: cells.outcomes_left,
            outcomes_taken: cells.outcomes_taken,
            poll: poll.next(&mut room)?,
            sched: sched.next(&mut room)?,
            life: life.next(&mut room)?,
        });
    }
    poll.finish()?;
    sched.finish()?;
    life.finish()?;
    Ok(sites)
}
