//! Which stretch of time the pictures of single polls show: how much of it, and where it ends. The
//! same for the lanes of all workers and for one task, so that what is found in one is seen in the other.

use pollscope_model::id::BootId;
use pollscope_model::query::ask::{Answer, FlightOf, FlightQuery};
use pollscope_model::query::flight::Flight;
use pollscope_model::time::{MILLISECOND, SECOND};

/// Columns before a picture: the names of its rows.
pub const LABEL: u16 = 11;
/// Lanes that a picture has at most.
pub const MAX_LANES: u32 = 16;
/// How far back one can look: what a viewer keeps of single events.
const BACK_NS: u64 = 900 * SECOND;

/// Stretches to choose from, the shortest first.
const SPANS_NS: [u64; 13] = [
    10 * MILLISECOND,
    20 * MILLISECOND,
    50 * MILLISECOND,
    100 * MILLISECOND,
    200 * MILLISECOND,
    500 * MILLISECOND,
    SECOND,
    2 * SECOND,
    5 * SECOND,
    10 * SECOND,
    20 * SECOND,
    30 * SECOND,
    60 * SECOND,
];

/// See the module.
pub struct FlightView {
    /// Index into [`SPANS_NS`].
    zoom: usize,
    /// Wall-clock time at which the picture ends; `None` while it follows the newest.
    pub until_unix_ns: Option<u64>,
    /// The newest answer.
    pub answer: Option<Box<Answer>>,
    /// Whose picture it is.
    of: Option<(BootId, FlightOf)>,
}

impl Default for FlightView {
    fn default() -> Self {
        Self { zoom: 7, until_unix_ns: None, answer: None, of: None }
    }
}

impl FlightView {
    /// What is looked at now: the picture of anything else is not shown for it. A user who looks away comes
    /// back to the newest.
    pub fn look_at(&mut self, of: Option<(BootId, FlightOf)>) {
        if self.of != of {
            self.of = of;
            self.answer = None;
        }
        if of.is_none() {
            self.until_unix_ns = None;
        }
    }

    /// The question for a screen of that many columns.
    pub fn query(&self, boot: BootId, of: FlightOf, columns: u16) -> FlightQuery {
        let columns = columns.saturating_sub(LABEL + 1).max(8);
        FlightQuery { boot, of, until_unix_ns: self.until_unix_ns, span_ns: self.span_ns(), columns }
    }

    /// How much time the picture shows.
    pub fn span_ns(&self) -> u64 {
        SPANS_NS[self.zoom]
    }

    /// The picture, if one came.
    pub fn picture(&self) -> Option<&Flight> {
        match self.answer.as_deref() {
            Some(Answer::Flight(flight)) => Some(flight),
            _ => None,
        }
    }

    /// A shorter stretch, or a longer one, round the same middle if it stands still.
    pub fn zoom(&mut self, closer: bool) {
        let before = self.span_ns();
        self.zoom =
            if closer { self.zoom.saturating_sub(1) } else { (self.zoom + 1).min(SPANS_NS.len() - 1) };
        let after = self.span_ns();
        self.until_unix_ns =
            self.until_unix_ns.map(|until| (until - before.min(until) / 2).saturating_add(after / 2));
        self.keep_in_reach();
    }

    /// A quarter of the stretch earlier or later; from the newest on it follows again.
    pub fn step(&mut self, later: bool) {
        let Some(newest) = self.newest_unix_ns() else { return };
        let (until, by) = (self.until_unix_ns.unwrap_or(newest), (self.span_ns() / 4).max(1));
        self.until_unix_ns = Some(if later { until.saturating_add(by) } else { until.saturating_sub(by) });
        self.keep_in_reach();
    }

    /// Shows the moment, a little before the end of the stretch.
    pub fn show(&mut self, unix_ns: u64) {
        self.until_unix_ns = Some(unix_ns.saturating_add(self.span_ns() / 8));
    }

    /// Follows the newest again.
    pub fn follow(&mut self) {
        self.until_unix_ns = None;
    }

    fn newest_unix_ns(&self) -> Option<u64> {
        self.picture().map(|flight| flight.meta.now_unix_ns)
    }

    fn keep_in_reach(&mut self) {
        let Some(newest) = self.newest_unix_ns() else { return };
        let earliest = newest.saturating_sub(BACK_NS).saturating_add(self.span_ns());
        self.until_unix_ns =
            self.until_unix_ns.map(|until| until.max(earliest.min(newest))).filter(|until| *until < newest);
    }
}
