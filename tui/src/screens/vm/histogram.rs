//! A histogram as horizontal bars on a logarithmic axis: three steps to a decade where there is
//! room, two otherwise, so that two modes are seen as two.
//!
//! Bars are as long as the logarithm of their count: a mode of forty polls among nine thousand is
//! still a mode. The count stands beside each bar.

use pollscope_model::hist::{Hist, upper_edge};
use pollscope_model::time::Nanos;
use pollscope_model::value::Value;

use super::text::Line;
use crate::output::fmt;
use crate::screens::glyph::Glyphs;
use crate::screens::theme::Role;

/// Steps per decade, the finest first.
const STEPS: [&[u64]; 3] = [&[1, 2, 5], &[1, 3], &[1]];

/// One bar: values above `from` and up to `to`.
struct Bar {
    from: u64,
    to: u64,
    count: u64,
}

/// What is drawn in a line.
enum Row {
    Bar(Bar),
    /// Several bars with nothing in them: those above `from` up to `to`.
    Gap(Bar),
    Limit(u64),
}

/// The bars with a line for the limit, then the quantiles; at most that many lines.
pub(super) fn lines(
    hist: &Hist,
    limit: Option<u64>,
    width: usize,
    height: usize,
    glyphs: Glyphs,
) -> Vec<Line> {
    if hist.is_empty() {
        return vec![Line::of(Role::Dim, "  nothing counted yet")];
    }
    let quantiles = quantiles(hist, width);
    let room = height.saturating_sub(quantiles.len()).max(1);
    let rows = STEPS
        .iter()
        .map(|steps| rows(bars(hist, steps), limit))
        .find(|rows| rows.len() <= room)
        .unwrap_or_else(|| rows(bars(hist, STEPS[2]), limit));
    let most = hist.buckets().map(|(_, count)| count).max().unwrap_or(1);
    let most =
        rows.iter().fold(most, |most, row| if let Row::Bar(bar) = row { most.max(bar.count) } else { most });
    let digits = Value::Count(most).to_string().len().max(4);
    let bar_room = width.saturating_sub(7 + 1 + 1 + digits + 2);
    let mut over = limit.is_some_and(|limit| hist.quantile(0.0).is_some_and(|least| least > limit));
    let mut lines = Vec::new();
    for row in rows {
        let line = match row {
            Row::Limit(limit) => {
                over = true;
                limit_line(limit, width)
            }
            Row::Gap(gap) => Line::of(Role::Dim, format!("       ⋮ 0 up to {}", Nanos(gap.to))),
            Row::Bar(bar) => Line::of(Role::Dim, fmt::right(&Nanos(bar.from).to_string(), 6))
                .with(Role::Rule, " ▏")
                .with(
                    if over { Role::Bad } else { Role::Ink },
                    glyphs.bar(log_share(bar.count, most), bar_room),
                )
                .with(Role::Text, format!(" {}", Value::Count(bar.count)))
                .with(Role::Bad, if over && bar.count > 0 { " !" } else { "" }),
        };
        lines.push(line.cut(width));
    }
    lines.extend(quantiles);
    lines
}

/// Bars, with runs of empty ones folded and the limit between those below and those above it.
fn rows(bars: Vec<Bar>, limit: Option<u64>) -> Vec<Row> {
    let limit = limit.filter(|limit| bars.last().is_some_and(|bar| bar.to > *limit));
    let mut rows: Vec<Row> = Vec::new();
    let mut open = limit;
    for bar in bars {
        if let Some(limit) = open.take_if(|limit| bar.from >= *limit) {
            rows.push(Row::Limit(limit));
        }
        match rows.last_mut() {
            Some(Row::Gap(gap)) if bar.count == 0 => gap.to = bar.to,
            _ if bar.count == 0 => rows.push(Row::Gap(bar)),
            _ => rows.push(Row::Bar(bar)),
        }
    }
    // The limit lies inside of the last bar: it is drawn below it, for what is above it is not known.
    rows.extend(open.map(Row::Limit));
    rows
}

fn limit_line(limit: u64, width: usize) -> Line {
    let mut line =
        Line::of(Role::Dim, fmt::right(&Nanos(limit).to_string(), 6)).with(Role::Warn, " ┄┄ limit ");
    let fill = width.saturating_sub(line.width() + 1);
    line.push(Role::Warn, "┄".repeat(fill));
    line.cut(width)
}

/// `p50 0.9ms  p90 3ms  p99 412ms  max 412ms`, in two lines if one is too narrow.
pub(super) fn quantiles(hist: &Hist, width: usize) -> Vec<Line> {
    let at = |q| hist.quantile(q).map_or_else(|| "–".to_owned(), |ns| Nanos(ns).to_string());
    let pair = |name: &str, value: String| Line::of(Role::Dim, format!("  {name} ")).with(Role::Text, value);
    let mut pairs = [
        pair("p50", at(0.5)),
        pair("p90", at(0.9)),
        pair("p99", at(0.99)),
        pair("max", Nanos(hist.max()).to_string()),
    ]
    .into_iter();
    let mut lines = Vec::new();
    let all: usize = pairs.clone().map(|pair| pair.width()).sum();
    let first = if all <= width { 4 } else { 2 };
    for take in [first, 4 - first] {
        let mut line = Line::new();
        pairs.by_ref().take(take).for_each(|pair| line.append(pair));
        lines.extend((!line.spans.is_empty()).then(|| line.cut(width)));
    }
    lines
}

fn log_share(count: u64, most: u64) -> f64 {
    if count == 0 { 0.0 } else { (count as f64 + 1.0).ln() / (most as f64 + 1.0).ln() }
}

fn bars(hist: &Hist, steps: &[u64]) -> Vec<Bar> {
    let edges: Vec<u64> = std::iter::once(0)
        .chain((0..19).flat_map(|decade| steps.iter().map(move |step| step * 10_u64.pow(decade))))
        .collect();
    let mut bars: Vec<Bar> = edges
        .windows(2)
        .map(|pair| Bar { from: pair[0], to: pair[1], count: 0 })
        .chain(std::iter::once(Bar { from: edges[edges.len() - 1], to: u64::MAX, count: 0 }))
        .collect();
    for (bucket, count) in hist.buckets() {
        // The exact maximum, not its bucket's edge, decides where the last values stand.
        let value = upper_edge(bucket).min(hist.max());
        let at = bars.partition_point(|bar| bar.to < value).min(bars.len() - 1);
        bars[at].count = bars[at].count.saturating_add(count);
    }
    let first = bars.iter().position(|bar| bar.count > 0).unwrap_or(0);
    let last = bars.iter().rposition(|bar| bar.count > 0).unwrap_or(0);
    bars.truncate(last + 1);
    bars.split_off(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bimodal() -> Hist {
        let mut hist = Hist::new();
        (0..9_000).for_each(|i| hist.record(700_000 + i * 50));
        (0..40).for_each(|i| hist.record(380_000_000 + i * 1_000_000));
        hist
    }

    #[test]
    fn two_modes_are_seen_as_two_with_a_gap_and_the_limit_between() {
        let lines = lines(&bimodal(), Some(10_000_000), 40, 16, Glyphs::Block);
        let text: Vec<String> = lines.iter().map(Line::plain).collect();
        let limit = text.iter().position(|line| line.contains("limit")).expect("a limit line");
        let long = |line: &String| line.contains("███");
        assert!(text[..limit].iter().all(|line| !line.contains('!')), "{text:#?}");
        assert!(text[..limit].iter().any(long), "{text:#?}");
        assert!(text[limit..].iter().any(long), "{text:#?}");
        assert!(
            text.iter().any(|line| line.contains("⋮ 0 up to 10ms")),
            "no gap between the modes: {text:#?}"
        );
        assert!(text.last().is_some_and(|line| line.contains("max 419ms")), "{text:#?}");
    }

    #[test]
    fn every_value_is_in_some_bar_and_the_lines_fit() {
        let hist = bimodal();
        for steps in STEPS {
            assert_eq!(bars(&hist, steps).iter().map(|bar| bar.count).sum::<u64>(), hist.count());
        }
        for width in 0..50 {
            for height in 0..20 {
                for line in lines(&hist, Some(1), width, height, Glyphs::Block) {
                    assert!(line.width() <= width.max(22), "{width}x{height}: {}", line.plain());
                }
            }
        }
    }

    #[test]
    fn extreme_values_have_a_bar() {
        let mut hist = Hist::new();
        hist.record(0);
        hist.record(u64::MAX);
        assert_eq!(bars(&hist, STEPS[0]).iter().map(|bar| bar.count).sum::<u64>(), 2);
        assert!(!lines(&Hist::new(), None, 40, 10, Glyphs::Ascii).is_empty());
    }
}
