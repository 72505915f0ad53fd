//! The lines of the user's code that a library's slow polls were seen at, over all processes that have the site.

use std::collections::HashMap;
use std::sync::Arc;

use super::SiteItem;
use crate::measured::Metric;
use crate::value::{LineTally, Value};

/// Lines that are listed; the rest is one entry without a line.
const SHOWN: usize = 20;

/// Those that took most time first; null where no process takes stacks.
pub(super) fn cell(site: &SiteItem<'_>) -> Value {
    if !site.parts.iter().any(|part| part.process.measures_for_some(Metric::Stacks)) {
        return Value::Null;
    }
    let mut sums: HashMap<Arc<str>, LineTally> = HashMap::new();
    let mut rest = LineTally::default();
    for part in &site.parts {
        for line in part.site.lines() {
            let new = || LineTally { line: line.line.clone(), ..LineTally::default() };
            sums.entry(line.line.clone()).or_insert_with(new).merge(&line);
        }
        rest.merge(&part.site.other_lines());
    }
    let mut lines: Vec<_> = sums.into_values().collect();
    lines.sort_by(|a, b| b.total_ns.cmp(&a.total_ns).then_with(|| a.line.cmp(&b.line)));
    lines.iter().skip(SHOWN).for_each(|line| rest.merge(line));
    lines.truncate(SHOWN);
    lines.extend(Some(rest).filter(|rest| rest.polls > 0));
    Value::Lines(lines)
}
