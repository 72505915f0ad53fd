//! What a comparison says: for each figure of each site whether it got worse, better, stayed, or why
//! cannot be told. Data; its renderers decide nothing.

use std::fmt;
use std::sync::Arc;

use super::identity::{Place, SiteKey};
use crate::names::names;
use crate::time::Nanos;

names! {
    /// What is compared of a site.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
    pub enum Figure {
        /// p99 of poll times.
        Poll = "p99_poll",
        /// p99 of schedule delays.
        Sched = "p99_sched",
        /// p99 of lifetimes.
        Life = "p99_life",
        /// Tasks alive at the end.
        Left = "left",
        /// Self-wakes per 1,000 polls.
        SelfWakes = "self_wakes",
    }
}

impl Figure {
    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Poll => "p99 poll",
            Self::Sched => "p99 schedule delay",
            Self::Life => "p99 lifetime",
            Self::Left => "tasks left at the end",
            Self::SelfWakes => "self-wakes per 1,000 polls",
        }
    }

    /// What is counted to get it.
    pub const fn samples(self) -> &'static str {
        match self {
            Self::Poll | Self::SelfWakes => "polls",
            Self::Sched => "waits",
            Self::Life => "ended tasks",
            Self::Left => "spawned tasks",
        }
    }

    /// Whether it is a duration.
    pub const fn is_duration(self) -> bool {
        matches!(self, Self::Poll | Self::Sched | Self::Life)
    }

    /// A value of it as people read it.
    pub fn show(self, value: u64) -> String {
        if self.is_duration() { Nanos(value).to_string() } else { value.to_string() }
    }
}

names! {
    /// What became of a figure.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
    pub enum Change {
        /// Worse.
        Regressed = "regressed",
        /// It cannot be told; the reason says why and what would help.
        Insufficient = "insufficient data",
        /// Better.
        Improved = "improved",
        /// Neither.
        Unchanged = "unchanged",
    }
}

/// A value on one side and how many samples it comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Measured {
    /// The figure's value: nanoseconds, or a count.
    pub value: u64,
    /// Bounds of the true value with 99 % each; `None` where there are none.
    pub bounds: Option<(u64, u64)>,
    /// Samples.
    pub n: u64,
}

/// A site as both sides know it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct SiteName {
    /// Name of the process.
    pub process: Arc<str>,
    /// `src/cart.rs lookup`.
    pub key: Arc<str>,
    /// Where it is now: `src/cart.rs:88:9`; a route is its own place.
    pub place: Arc<str>,
    /// Whether it is one of several of that key.
    pub one_of_several: bool,
}

impl SiteName {
    /// The name of a site of that key.
    pub(super) fn new(process: &Arc<str>, key: &SiteKey, place: Place, one_of_several: bool) -> Self {
        Self {
            process: process.clone(),
            key: key.to_string().into(),
            place: match place.line {
                0 => key.file.clone(),
                _ => format!("{}:{place}", key.file).into(),
            },
            one_of_several,
        }
    }
}

impl fmt::Display for SiteName {
    /// `src/cart.rs:88:9 lookup`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)?;
        // A route's key begins with its place, which has blanks of its own.
        if let Some(name) = self.key.strip_prefix(&*self.place) {
            return f.write_str(name);
        }
        match self.key.split_once(' ') {
            Some((_, name)) => write!(f, " {name}"),
            None => Ok(()),
        }
    }
}

/// One figure of one site.
#[derive(Clone, PartialEq, Debug)]
pub struct Compared {
    /// The site.
    pub site: SiteName,
    /// The figure.
    pub figure: Figure,
    /// What became of it.
    pub change: Change,
    /// All comparable base runs together; `None` if there is none.
    pub base: Option<Measured>,
    /// The run that is judged.
    pub head: Measured,
    /// Why it is judged so, or why it cannot be told, with the remedy; in words that follow a colon.
    pub reason: Arc<str>,
    /// It would have regressed with better data.
    pub suspect: bool,
}

impl Compared {
    /// Head by base, where that says anything.
    pub fn ratio(&self) -> Option<f64> {
        let base = self.base?.value;
        (base > 0).then(|| self.head.value as f64 / base as f64)
    }

    /// The value of the base and of the head as people read them; `–` where there is no base.
    pub fn shown(&self) -> (String, String) {
        let base = self.base.map_or_else(|| "–".to_owned(), |base| self.figure.show(base.value));
        (base, self.figure.show(self.head.value))
    }
}

/// What a run is beside its baseline: every figure that was compared, and how.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Comparison {
    /// Every figure of every site that both sides know: the regressed first, then what cannot
    /// tell, then by name.
    pub figures: Vec<Compared>,
    /// Sites that no base run knows: only the absolute rules judge them.
    pub new: Vec<SiteName>,
    /// Sites of the base that this run does not know.
    pub vanished: Vec<SiteName>,
    /// Base runs that were compared with.
    pub runs: u64,
    /// What a reader should know, in full sentences.
    pub notes: Vec<Arc<str>>,
}

impl Comparison {
    /// What changed in that way, in order.
    pub fn of(&self, change: Change) -> impl Iterator<Item = &Compared> + '_ {
        self.figures.iter().filter(move |figure| figure.change == change)
    }

    /// What got worse.
    pub fn regressed(&self) -> impl Iterator<Item = &Compared> + '_ {
        self.of(Change::Regressed)
    }

    /// Whether anything got worse.
    pub fn is_worse(&self) -> bool {
        self.regressed().next().is_some()
    }

    /// Whether at least one poll time could be judged. A comparison that says nothing is no pass.
    pub fn is_judged(&self) -> bool {
        self.figures
            .iter()
            .any(|figure| figure.change != Change::Insufficient && figure.figure == Figure::Poll)
            || self.is_worse()
    }

    /// One line: `1 regressed, 2 insufficient data, 0 improved, 14 unchanged; 1 new site, 0 vanished`.
    pub fn summary(&self) -> String {
        let counts: Vec<String> =
            Change::ALL.iter().map(|change| format!("{} {change}", self.of(*change).count())).collect();
        format!("{}; sites: {} new, {} vanished", counts.join(", "), self.new.len(), self.vanished.len())
    }
}
