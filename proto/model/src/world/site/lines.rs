//! The lines of the user's code that a library's slow polls were seen at: a library spawns all that it serves at one line
//! of its own, so that the site alone does not say which code took the time.
//!
//! Polls that blocked belong to the line that they were seen asleep at. Polls that computed belong to the function, since
//! each is seen at another of its lines; so does one that blocked and was seen awake, unless a line of that function is
//! known to block. Polls of which no line is known belong to the line if the site has but one; else to none.
//!
//! Bounded: a poll at a line that finds no room is counted. Only the fold writes.

use std::sync::Arc;

use super::kept::Kept;
use crate::dict::{Dictionary, StackLine};
use crate::entity::activity::ThreadActivity;
use crate::entity::slow_poll::SlowPoll;
use crate::hist::Hist;
use crate::id::{LineId, NameId, StackId};
use crate::value::LineTally;

/// The most lines that are told apart at one site.
pub(in crate::world) const MAX_LINES: usize = 32;

/// How many polls, and what they took.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) polls: u64,
    /// Wall time.
    pub(super) total_ns: u64,
    pub(super) max_ns: u64,
}

impl Tally {
    fn add(&mut self, poll: &SlowPoll) {
        self.polls += 1;
        self.total_ns = self.total_ns.saturating_add(poll.wall_ns);
        self.max_ns = self.max_ns.max(poll.wall_ns);
    }

    /// With the line's text; an empty one for lines that are not told apart.
    pub(super) fn of_line(self, line: Arc<str>) -> LineTally {
        LineTally { line, polls: self.polls, total_ns: self.total_ns, max_ns: self.max_ns }
    }
}

/// What is remembered of one line.
#[derive(Clone, Debug)]
pub(super) struct LineState {
    pub(super) id: LineId,
    /// Slow polls that were seen there.
    pub(super) seen: Tally,
    /// Slow polls of which no line is known, told while the site had no other line.
    pub(super) unseen: u64,
    /// Those that were seen, each with the time that the code is answerable for.
    pub(super) own: Hist,
    /// The same polls, each with the time that it held its worker and was not allowed to.
    pub(super) held: Hist,
    pub(super) kept: Kept,
}

/// See the [module](self).
#[derive(Clone, Debug, Default)]
pub(super) struct SiteLines {
    lines: Vec<LineState>,
    /// Slow polls of which no line is known, told while the site had none or several.
    unseen: u64,
    /// Slow polls that were seen in libraries only.
    elsewhere: u64,
    /// Slow polls at lines that found no room.
    refused: Tally,
}

impl SiteLines {
    /// Takes a slow poll at that line. `before`: the line that was known of it when it was told before; `None` for a new
    /// one.
    pub(super) fn add(&mut self, poll: &SlowPoll, line: StackLine, before: Option<StackLine>) {
        if poll.in_place {
            return;
        }
        let is_news = match before {
            None => true,
            Some(StackLine::Unknown) => line != StackLine::Unknown,
            Some(_) => false,
        };
        if before == Some(StackLine::Unknown) && is_news {
            let unseen = match self.lines.as_mut_slice() {
                [sole] => &mut sole.unseen,
                _ => &mut self.unseen,
            };
            *unseen = unseen.saturating_sub(1);
        }
        match line {
            StackLine::Users(id) => self.add_seen(poll, id, is_news),
            StackLine::Unknown if is_news => match self.lines.as_mut_slice() {
                [sole] => sole.unseen += 1,
                _ => self.unseen += 1,
            },
            StackLine::Library if is_news => self.elsewhere += 1,
            StackLine::Unknown | StackLine::Library => {}
        }
    }

    fn add_seen(&mut self, poll: &SlowPoll, id: LineId, is_news: bool) {
        let Some(line) = self.place(id) else {
            if is_news {
                self.refused.add(poll);
            }
            return;
        };
        if !line.kept.update(poll) && is_news {
            line.kept.add(poll);
        }
        if is_news {
            line.seen.add(poll);
            line.own.record(poll.judged_ns());
            line.held.record(poll.held_ns());
        }
    }

    /// The line's state; a new one if there is room.
    fn place(&mut self, id: LineId) -> Option<&mut LineState> {
        let at = match self.lines.iter().position(|line| line.id == id) {
            Some(at) => at,
            None if self.lines.len() >= MAX_LINES => return None,
            None => {
                let unseen = if self.lines.is_empty() { std::mem::take(&mut self.unseen) } else { 0 };
                let (own, held, kept) = (Hist::new(), Hist::new(), Kept::default());
                self.lines.push(LineState { id, seen: Tally::default(), unseen, own, held, kept });
                self.lines.len() - 1
            }
        };
        self.lines.get_mut(at)
    }

    /// The line or the function that a poll was at.
    pub(super) fn at(&self, dictionary: &Dictionary, poll: &SlowPoll) -> StackLine {
        let blocked = poll.blocked_ns().zip(poll.busy_ns).is_some_and(|(blocked, busy)| blocked > busy);
        self.at_stack(dictionary, poll.stack, poll.waiting_in, blocked)
    }

    /// The same of a poll that is open still.
    pub(super) fn at_stack(
        &self,
        dictionary: &Dictionary,
        stack: Option<StackId>,
        waiting_in: Option<NameId>,
        blocked: bool,
    ) -> StackLine {
        let StackLine::Users(line) = dictionary.line_of(stack) else { return dictionary.line_of(stack) };
        let function = dictionary.function_of(line);
        let blocks =
            |known: &&LineState| known.id != function && dictionary.function_of(known.id) == function;
        StackLine::Users(match (blocked, is_awake(dictionary, waiting_in)) {
            (true, false) => line,
            (true, true) => self.lines.iter().find(blocks).map_or(function, |known| known.id),
            (false, _) => function,
        })
    }

    /// Every line, in the order in which they were seen first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &LineState> {
        self.lines.iter()
    }

    pub(super) fn get(&self, id: LineId) -> Option<&LineState> {
        self.lines.iter().find(|line| line.id == id)
    }

    /// The line, if there is but one.
    pub(super) fn sole(&self) -> Option<&LineState> {
        match self.lines.as_slice() {
            [sole] => Some(sole),
            _ => None,
        }
    }

    /// The line that a poll of that stack belongs to.
    pub(super) fn of(&self, line: StackLine) -> Option<LineId> {
        match line {
            StackLine::Users(id) => self.get(id).map(|line| line.id),
            StackLine::Unknown => self.sole().map(|line| line.id),
            StackLine::Library => None,
        }
    }

    /// Slow polls that belong to no line.
    pub(super) fn rest(&self) -> u64 {
        self.unseen.saturating_add(self.elsewhere).saturating_add(self.refused.polls)
    }

    /// Slow polls at lines that found no room.
    pub(super) fn refused(&self) -> Tally {
        self.refused
    }

    /// Keeps times coarser.
    pub(super) fn coarsen(&mut self, width: usize) {
        for line in &mut self.lines {
            line.own.coarsen(width);
            line.held.coarsen(width);
        }
    }

    /// Forgets all but the newest poll of each line.
    pub(super) fn reduce(&mut self) {
        self.lines.iter_mut().for_each(|line| line.kept.reduce());
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        let of_line = |line: &LineState| {
            line.own.heap_bytes() + line.held.heap_bytes() + line.kept.capacity() * size_of::<SlowPoll>()
        };
        self.lines.capacity() * size_of::<LineState>() + self.lines.iter().map(of_line).sum::<usize>()
    }
}

/// Whether the kernel said of a thread that it ran, or could have.
pub(super) fn is_awake(dictionary: &Dictionary, waiting_in: Option<NameId>) -> bool {
    let word = waiting_in.map(|word| dictionary.name(word));
    let activity = word.as_deref().and_then(ThreadActivity::of);
    matches!(activity, Some(ThreadActivity::Running | ThreadActivity::Runnable))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::TaskId;

    const HERE: StackLine = StackLine::Users(LineId(3));
    const THERE: StackLine = StackLine::Users(LineId(7));

    fn poll(nth: u64) -> SlowPoll {
        SlowPoll { task: TaskId(1), nth, wall_ns: 10, ..SlowPoll::default() }
    }

    fn counts(lines: &SiteLines) -> Vec<(u32, u64, u64)> {
        lines.iter().map(|line| (line.id.0, line.seen.polls, line.unseen)).collect()
    }

    #[test]
    fn what_shows_no_line_belongs_to_a_sole_one() {
        let mut lines = SiteLines::default();
        (0..2).for_each(|nth| lines.add(&poll(nth), StackLine::Unknown, None));
        assert_eq!((lines.rest(), lines.of(StackLine::Unknown)), (2, None));
        lines.add(&poll(2), HERE, None);
        lines.add(&poll(3), StackLine::Unknown, None);
        lines.add(&poll(4), StackLine::Library, None);
        assert_eq!((counts(&lines), lines.rest()), (vec![(3, 1, 3)], 1));
        assert_eq!((lines.of(StackLine::Unknown), lines.of(StackLine::Library)), (Some(LineId(3)), None));

        lines.add(&poll(5), THERE, None);
        lines.add(&poll(6), StackLine::Unknown, None);
        assert_eq!((counts(&lines), lines.rest()), (vec![(3, 1, 3), (7, 1, 0)], 2));
        assert_eq!((lines.of(StackLine::Unknown), lines.of(THERE)), (None, Some(LineId(7))));
    }

    #[test]
    fn a_poll_that_is_told_again_is_counted_once() {
        let mut lines = SiteLines::default();
        lines.add(&poll(1), HERE, None);
        lines.add(&poll(1), HERE, Some(HERE));
        lines.add(&poll(2), StackLine::Unknown, None);
        lines.add(&poll(2), StackLine::Unknown, Some(StackLine::Unknown));
        assert_eq!(counts(&lines), [(3, 1, 1)]);
        lines.add(&SlowPoll { waiters: Some(3), ..poll(2) }, HERE, Some(StackLine::Unknown));
        assert_eq!(counts(&lines), [(3, 2, 0)]);
        let line = lines.get(LineId(3)).expect("it was seen");
        assert_eq!(
            (line.seen.total_ns, line.seen.max_ns, line.own.count(), line.kept.iter().count()),
            (20, 10, 2, 2)
        );
        assert_eq!(line.kept.iter().last().and_then(|poll| poll.waiters), Some(3));
    }

    #[test]
    fn lines_that_find_no_room_are_counted() {
        let mut lines = SiteLines::default();
        for line in 0..MAX_LINES as u32 + 5 {
            lines.add(&poll(line.into()), StackLine::Users(LineId(line)), None);
        }
        assert_eq!((lines.iter().count(), lines.refused().polls, lines.rest()), (MAX_LINES, 5, 5));
        assert_eq!(lines.of(StackLine::Users(LineId(MAX_LINES as u32))), None, "it stays with the site");
    }

    #[test]
    fn a_poll_that_held_no_worker_is_at_no_line() {
        let mut lines = SiteLines::default();
        lines.add(&SlowPoll { in_place: true, ..poll(1) }, HERE, None);
        assert_eq!(counts(&lines), []);
    }
}
