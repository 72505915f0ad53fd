//! Spawn sites, over all processes of the scope: their columns, and how a row gets its cells.

mod columns;
mod lines;

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use super::flag::{FindingSource, Flag};
use super::page::RowId;
use super::run::{Rows, Texts};
use crate::entity::site::SiteDelta;
use crate::hist::Hist;
use crate::level::Level;
use crate::measured::{Coverage, Metric};
use crate::time::SECOND;
use crate::value::Value;
use crate::world::{Process, SiteRates, SiteView};
pub(super) use columns::FIELDS;

/// Rates are means over this long.
const RATE_NS: u64 = 60 * SECOND;

/// One site in one process.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) process: &'a Process,
    pub(super) site: SiteView<'a>,
    pub(super) flag: Option<&'a Flag>,
}

/// One site over all processes that have it.
pub(super) struct SiteItem<'a> {
    pub(super) text: Arc<str>,
    pub(super) parts: Vec<Part<'a>>,
    /// Busy nanoseconds per second over all sites of the answer.
    pub(super) busy_of_all: f64,
}

/// Every site of the processes, those of the same text as one.
pub(super) fn collect<'a>(
    processes: impl Iterator<Item = &'a Process>,
    source: &'a dyn FindingSource,
) -> Vec<SiteItem<'a>> {
    let mut by_text: HashMap<Arc<str>, Vec<Part<'a>>> = HashMap::new();
    let mut busy_of_all = 0.0;
    for process in processes {
        for site in process.sites() {
            let flag = source.site(process.boot(), site.id());
            busy_of_all += site.rates(RATE_NS).busy_ns_per_s.unwrap_or(0.0);
            by_text.entry(site.text()).or_default().push(Part { process, site, flag });
        }
    }
    by_text.into_iter().map(|(text, parts)| SiteItem { text, parts, busy_of_all }).collect()
}

impl<'a> SiteItem<'a> {
    fn sum(&self, of: impl Fn(&Part<'a>) -> u64) -> u64 {
        self.parts.iter().fold(0, |sum, part| sum.saturating_add(of(part)))
    }

    /// The flag of the process in which it is worst.
    pub(super) fn flag(&self) -> Option<&'a Flag> {
        self.parts.iter().filter_map(|part| part.flag).max_by_key(|flag| flag.level)
    }

    /// Totals over all processes; borrowed when there is only one.
    pub(super) fn totals(&self) -> Cow<'a, SiteDelta> {
        match self.parts.as_slice() {
            [one] => Cow::Borrowed(one.site.totals()),
            many => {
                let mut all = SiteDelta::default();
                for part in many {
                    all.merge(part.site.totals());
                }
                Cow::Owned(all)
            }
        }
    }

    fn rate(&self, of: impl Fn(SiteRates) -> Option<f64>) -> Option<f64> {
        let rates = self.parts.iter().filter_map(|part| of(part.site.rates(RATE_NS)));
        rates.reduce(|sum, rate| sum + rate)
    }

    fn measured(&self, metric: Metric, cell: impl FnOnce() -> Value) -> Value {
        let measured = self.parts.iter().any(|part| match part.process.hello().coverage(metric) {
            Coverage::All => true,
            // Of hooked tasks too where their runtime tracks it and another one does not.
            Coverage::Wrapped if metric == Metric::ScheduleDelay => !part.site.totals().sched.is_empty(),
            Coverage::Wrapped => part.site.totals().is_wrapped(),
            Coverage::NoTask => false,
        });
        if measured { cell() } else { Value::Null }
    }

    fn quantile(&self, q: f64, of: impl Fn(&SiteDelta) -> &Hist) -> Value {
        of(&self.totals()).quantile(q).map_or(Value::Null, Value::Nanos)
    }

    fn max(&self, of: impl Fn(&SiteDelta) -> &Hist) -> Value {
        let max = self.parts.iter().map(|part| of(part.site.totals())).filter(|hist| !hist.is_empty());
        max.map(Hist::max).max().map_or(Value::Null, Value::Nanos)
    }

    /// The sum of the processes' series, newest ends aligned.
    fn polls_series(&self) -> Vec<Option<f32>> {
        let mut sum: Vec<Option<f32>> = Vec::new();
        for part in &self.parts {
            let series = part.site.polls_series();
            if series.len() > sum.len() {
                sum.splice(0..0, std::iter::repeat_n(None, series.len() - sum.len()));
            }
            for (sum, point) in sum.iter_mut().rev().zip(series.iter().rev()) {
                *sum = match (*sum, *point) {
                    (Some(a), Some(b)) => Some(a + b),
                    (a, b) => a.or(b),
                };
            }
        }
        sum
    }
}

impl Rows for SiteItem<'_> {
    const DEFAULT_ORDER: &'static [(&'static str, bool)] =
        &[("flag", true), ("busy_per_s_ns", true), ("busy_ns", true)];

    fn id(&self) -> RowId {
        RowId::Site(self.text.clone())
    }

    fn level(&self) -> Option<Level> {
        self.flag().map(|flag| flag.level)
    }

    fn rank(&self) -> u8 {
        self.level().map_or(0, |level| level as u8 + 1)
    }

    fn by_id(&self, other: &Self) -> Ordering {
        self.text.cmp(&other.text)
    }

    fn texts(&self, texts: &mut Texts<'_>) -> bool {
        texts.long(&self.text) || self.parts.iter().any(|part| texts.long(part.process.label()))
    }
}
