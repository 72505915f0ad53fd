//! What is held of a process, told again as reports, so that a viewer can keep it. Told are the
//! totals, the tasks, the newest slow polls, what is open now and the single events; how the
//! rates went is not.

use super::Process;
use super::events::EventTrack;
use crate::entity::edge::WakeEdge;
use crate::entity::event::{Event, EventBlock, MAX_BLOCK_EVENTS};
use crate::report::{MAX_FOLDED_EVENTS, Report, ReportKind};

/// Task rows of one part.
const PART_ROWS: usize = 16_384;
/// Blocks of one delta.
const DELTA_BLOCKS: usize = MAX_FOLDED_EVENTS / MAX_BLOCK_EVENTS;

impl Process {
    /// A snapshot of what is held now, then deltas with nothing but the single events of the last
    /// nanoseconds. Folded after [`Process::hello`], they give the same rows.
    ///
    /// Costs a copy of all that.
    pub fn snapshot_reports(&self, last_ns: u64) -> Vec<Report> {
        let tasks: Vec<_> = self.tasks().map(|task| task.record()).collect();
        let parts = tasks.len().div_ceil(PART_ROWS).max(1);
        let seq = self.last_seq().unwrap_or(0);
        let empty = || Report {
            boot: self.boot(),
            first_seq: seq,
            seq,
            start_ns: self.now_ns(),
            end_ns: self.now_ns(),
            detail: self.detail(),
            losses: *self.losses(),
            usage: self.usage(),
            ..Report::default()
        };
        let mut reports: Vec<Report> = (0..parts)
            .map(|part| Report {
                kind: ReportKind::Snapshot { part: part as u32, parts: parts as u32 },
                tasks: tasks.iter().skip(part * PART_ROWS).take(PART_ROWS).cloned().collect(),
                ..empty()
            })
            .collect();
        if let Some(first) = reports.first_mut() {
            first.dict = self.dictionary().entries().collect();
            first.runtimes = self.runtimes().map(|runtime| runtime.record().clone()).collect();
            first.workers = self.workers().map(|worker| worker.record().clone()).collect();
            first.sites = self.sites().map(|site| site.totals().clone()).collect();
            first.edges = self.sites().flat_map(|site| self.edges_to(site.id())).collect();
            first.slow_polls = self.slow_polls_since(0).cloned().collect();
            first.stalls = self.stalls().to_vec();
            first.stops = self.stops().copied().collect();
        }
        let begin_ns = self.now_ns().saturating_sub(last_ns);
        let blocks: Vec<_> =
            (0..).zip(self.tracks()).flat_map(|(n, track)| blocks(n, track, begin_ns)).collect();
        for (seq, blocks) in (seq + 1..).zip(blocks.chunks(DELTA_BLOCKS)) {
            let (events, stalls) = (blocks.to_vec(), self.stalls().to_vec());
            reports.push(Report { first_seq: seq, seq, events, stalls, ..empty() });
        }
        reports
    }

    fn edges_to(&self, to: crate::id::SiteId) -> impl Iterator<Item = WakeEdge> + '_ {
        self.wakers_of(to).map(move |(from, count)| WakeEdge { from, to, count })
    }
}

/// What a thread did since then. Numbered anew: what is missing is told by the times that are covered.
fn blocks(thread: u32, track: &EventTrack, begin_ns: u64) -> Vec<EventBlock> {
    let mut blocks = Vec::new();
    let mut first = 0;
    let mut told_ns = 0;
    for (from_ns, to_ns) in track.spans().filter(|(_, to_ns)| *to_ns > begin_ns) {
        let mut from_ns = from_ns.max(begin_ns);
        // What ended at the very beginning belongs to it, unless the stretch before has it.
        let after = told_ns.max(from_ns.saturating_sub(1));
        let events: Vec<Event> =
            track.ended_after(after).take_while(|event| event.end_ns() <= to_ns).copied().collect();
        let mut rest = events.as_slice();
        loop {
            let (block, later) = rest.split_at(rest.len().min(MAX_BLOCK_EVENTS));
            rest = later;
            let ends = block.last().map_or(to_ns, Event::end_ns).max(from_ns);
            let end_ns = if rest.is_empty() { to_ns } else { ends };
            blocks.push(EventBlock { thread, first, from_ns, to_ns: end_ns, events: block.to_vec() });
            first += block.len() as u64;
            from_ns = end_ns;
            if rest.is_empty() {
                break;
            }
        }
        told_ns = to_ns;
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::task::WokenBy;
    use crate::id::TaskId;
    use crate::testkit::Script;
    use crate::world::{Applied, World, WorldLimits};

    fn world(hello: crate::hello::Hello, reports: Vec<Report>) -> World {
        let mut world = World::new(WorldLimits::default());
        world.connect(hello, 1).expect("there is room");
        for report in reports {
            assert_eq!(world.apply(report, 1), Applied::New);
        }
        world
    }

    /// From and to.
    type Spans = Vec<(u64, u64)>;

    fn events(process: &Process) -> Vec<(Vec<Event>, Spans)> {
        process
            .tracks()
            .map(|track| (track.ended_after(0).copied().collect(), track.spans().collect()))
            .collect()
    }

    #[test]
    fn what_is_told_again_gives_the_same_rows_and_events() {
        let mut script = Script::new("checkout");
        let site = script.site("src/cart.rs:88:9");
        script.spawn(site);
        script.spawn(site);
        let mut reports = vec![script.second()];
        let mut second = script.second();
        let end_ns = second.end_ns;
        let wake = |at_ns| Event::Wake { task: TaskId(1), at_ns, by: WokenBy::Runtime };
        let block = |first, from_ns, to_ns, count: u64| EventBlock {
            thread: 7,
            first,
            from_ns,
            to_ns,
            events: (0..count).map(|n| wake(to_ns - count + n)).collect(),
        };
        // Something is missing between the two.
        second.events = vec![
            block(3, end_ns - 90_000, end_ns - 50_000, 4_000),
            block(9_000, end_ns - 20_000, end_ns, 4_096),
            block(13_096, end_ns, end_ns + 10_000, 4_096),
        ];
        reports.push(second);
        let first = world(script.hello(), reports);
        let process = first.processes().next().expect("greeted");
        let again = world(script.hello(), process.snapshot_reports(u64::MAX));
        let snapshot_reports = again.processes().next().expect("greeted");
        assert_eq!(events(process), events(snapshot_reports));
        assert_eq!(events(process)[0].1.len(), 2, "the hole is told");
        let rows = |process: &Process| {
            let mut tasks: Vec<_> = process.tasks().map(|task| task.record()).collect();
            tasks.sort_by_key(|task| task.id);
            let mut sites: Vec<_> =
                process.sites().map(|site| (site.text(), site.totals().clone())).collect();
            sites.sort_by(|a, b| a.0.cmp(&b.0));
            (tasks, sites)
        };
        assert_eq!(rows(process), rows(snapshot_reports));
        assert!(
            events(world(script.hello(), process.snapshot_reports(0)).processes().next().expect("greeted"))
                .len()
                <= 1
        );
    }
}
