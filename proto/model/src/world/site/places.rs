//! What the slow polls of a site belong to, to read: the site itself, or a line of the user's code where a library spawns.

use super::SiteView;
use super::lines::{LineState, is_awake};
use crate::entity::slow_poll::SlowPoll;
use crate::entity::stall::Stall;
use crate::hist::Hist;
use crate::id::LineId;
use crate::value::LineTally;

impl<'a> SiteView<'a> {
    /// The lines of the user's code that slow polls were seen at, those that took most time first. Of a library's site
    /// only: the user's own is the line.
    pub fn lines(&self) -> Vec<LineTally> {
        let text = |line: &LineState| self.process.dictionary().line_text(line.id);
        let mut lines: Vec<_> = self.state.lines.iter().map(|line| line.seen.of_line(text(line))).collect();
        lines.sort_by(|a, b| b.total_ns.cmp(&a.total_ns).then_with(|| a.line.cmp(&b.line)));
        lines
    }

    /// The line that a slow poll of the site belongs to; `None` is the site itself. A poll of which no line is known
    /// belongs to the line if there is but one.
    pub(crate) fn line_of(&self, poll: &SlowPoll) -> Option<LineId> {
        // The user's own sites have none.
        if !self.has_lines() {
            return None;
        }
        self.state.lines.of(self.state.lines.at(self.process.dictionary(), poll))
    }

    /// The same of a poll that is open still.
    pub(crate) fn line_of_stall(&self, stall: &Stall) -> Option<LineId> {
        let (dictionary, lines) = (self.process.dictionary(), &self.state.lines);
        let blocks = !is_awake(dictionary, stall.waiting_in);
        lines.of(lines.at_stack(dictionary, stall.stack, stall.waiting_in, blocks))
    }

    /// What slow polls can belong to: the site itself, then each line.
    pub(crate) fn places(&self) -> impl Iterator<Item = Option<LineId>> + use<'a> {
        std::iter::once(None).chain(self.state.lines.iter().map(|line| Some(line.id)))
    }

    /// The slow polls of a line, or of the site itself, that are still remembered; some of them twice.
    pub(crate) fn slow_polls_at(&self, line: Option<LineId>) -> impl Iterator<Item = &'a SlowPoll> + use<'a> {
        let site = *self;
        let of_line = line.and_then(|line| self.state.lines.get(line));
        let seen = of_line.into_iter().flat_map(|line| line.kept.iter());
        seen.chain(self.slow_polls().filter(move |poll| site.line_of(poll) == line))
    }

    /// How many slow polls belong to a line, and how many of them were seen there; those of the site itself that were
    /// told, if it has lines, else all that it counted.
    pub(crate) fn slow_at(&self, line: Option<LineId>) -> (u64, u64) {
        let lines = &self.state.lines;
        match line.and_then(|line| lines.get(line)) {
            Some(line) => (line.seen.polls.saturating_add(line.unseen), line.seen.polls),
            None if self.has_lines() => (lines.rest(), 0),
            None => (self.totals().slow_polls, 0),
        }
    }

    /// Whether its slow polls were seen at lines of the user's, as a library's are.
    pub(crate) fn has_lines(&self) -> bool {
        self.state.lines.iter().next().is_some()
    }

    /// Slow polls at lines that found no room beside those, without a line.
    pub fn other_lines(&self) -> LineTally {
        self.state.lines.refused().of_line("".into())
    }

    /// Whether it is the only line of the site.
    pub(crate) fn is_sole(&self, line: LineId) -> bool {
        self.state.lines.sole().is_some_and(|sole| sole.id == line)
    }

    /// Times of the slow polls that were seen at a line, as in [`SiteView::own_poll_times`].
    pub(crate) fn own_times_at(&self, line: LineId) -> Option<&'a Hist> {
        self.state.lines.get(line).map(|line| &line.own)
    }

    /// The same as in [`SiteView::held_poll_times`].
    pub(crate) fn held_times_at(&self, line: LineId) -> Option<&'a Hist> {
        self.state.lines.get(line).map(|line| &line.held)
    }
}
