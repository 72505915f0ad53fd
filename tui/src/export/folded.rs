//! Folded stacks: one line for each stack, outermost frame first, and its weight in microseconds. For
//! flame graphs: `inferno-flamegraph`, `flamegraph.pl`, speedscope.

use std::collections::BTreeMap;
use std::io::{self, Write};

use pollscope_model::text::clean;

use super::format::Weight;
use super::index::ExportIndex;
use super::stacks::{self, UNSEEN, Weights};

/// Writes the slow polls with that weight; how many lines there were.
pub(super) fn write(index: &ExportIndex, weight: Weight, mut out: impl Write) -> io::Result<u64> {
    let mut lines: BTreeMap<String, u64> = BTreeMap::new();
    for (key, weights) in stacks::sum(index) {
        let weight = of(&weights, weight);
        if weight == 0 {
            continue;
        }
        let mut line = format!("{};{}", plain(index.name()), plain(&key.site));
        let frames = stacks::frames(index, &key);
        for frame in frames.iter().rev() {
            line.push(';');
            line.push_str(&plain(&frame.function));
        }
        if frames.is_empty() {
            line.push(';');
            line.push_str(UNSEEN);
        }
        let total = lines.entry(line).or_default();
        *total = total.saturating_add(weight);
    }
    for (line, weight) in &lines {
        writeln!(out, "{line} {weight}")?;
    }
    out.flush()?;
    Ok(lines.len() as u64)
}

fn of(weights: &Weights, weight: Weight) -> u64 {
    let ns = match weight {
        Weight::Count => return weights.count,
        Weight::Blocked => weights.blocked_ns,
        Weight::Busy => weights.busy_ns,
        Weight::Preempted => weights.preempted_ns,
        Weight::Wall => weights.wall_ns,
    };
    ns / 1_000
}

/// The clean name without what the format itself is made of: semicolons between frames.
fn plain(name: &str) -> String {
    let plain = clean(name).replace(';', ":");
    match plain.trim() {
        "" => "(no name)".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_break_the_lines() {
        assert_eq!(plain("a;b\nc 12"), "a:b?c 12");
        assert_eq!(plain("\u{1b}[31m<F as G<'a>>::h"), "?[31m<F as G<'a>>::h");
        assert_eq!(plain(" \u{200b}"), "(no name)");
    }
}
