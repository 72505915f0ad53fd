//! A comparison for people: what is worse first, with what it was and why it is judged so.

use std::fmt::Write as _;

use pollscope_model::baseline::judge::ENOUGH;
use pollscope_model::baseline::{Change, Compared, Comparison};

use crate::output::fmt::{clean, left, right, width};

/// Lines of one kind unless all are asked for; the rest is counted.
const MOST: usize = 20;

/// The comparison as text, ending in a line feed.
pub(crate) fn render(comparison: &Comparison, all: bool) -> String {
    let mut text = String::new();
    for change in Change::ALL {
        let figures: Vec<&Compared> = comparison.of(change).collect();
        if figures.is_empty() || (change == Change::Unchanged && !all) {
            continue;
        }
        let (few, figures): (Vec<_>, Vec<_>) =
            figures.into_iter().partition(|figure| !all && is_rare(figure));
        let most = if all || change == Change::Regressed { usize::MAX } else { MOST };
        let _ = writeln!(text, "{change}");
        table(&mut text, &figures[..figures.len().min(most)]);
        if figures.len() > most {
            let _ = writeln!(text, "  … and {} more; --all shows them", figures.len() - most);
        }
        if !few.is_empty() {
            let (count, s) = (few.len(), if few.len() == 1 { "" } else { "s" });
            let _ = writeln!(
                text,
                "  {count} figure{s} with less than {ENOUGH} samples on both sides; --all shows them"
            );
        }
    }
    for (title, sites) in [("new sites", &comparison.new), ("vanished sites", &comparison.vanished)] {
        if sites.is_empty() {
            continue;
        }
        let _ = writeln!(text, "{title}");
        for site in sites.iter().take(if all { usize::MAX } else { MOST }) {
            let _ = writeln!(text, "  {}", clean(&site.to_string()));
        }
        if !all && sites.len() > MOST {
            let _ = writeln!(text, "  … and {} more; --all shows them", sites.len() - MOST);
        }
    }
    for note in &comparison.notes {
        let _ = writeln!(text, "note: {}", clean(note));
    }
    let _ = writeln!(text, "{}", comparison.summary());
    text
}

/// What happens so seldom that no run has enough samples.
fn is_rare(figure: &Compared) -> bool {
    figure.change == Change::Insufficient
        && figure.head.n < ENOUGH
        && figure.base.is_some_and(|base| base.n < ENOUGH)
}

/// Columns as wide as their content; the reason last, as it is of any length.
fn table(text: &mut String, figures: &[&Compared]) {
    let several = figures.windows(2).any(|pair| pair[0].site.process != pair[1].site.process);
    let rows: Vec<[String; 5]> = figures
        .iter()
        .map(|figure| {
            let mut site = clean(&figure.site.to_string()).into_owned();
            if several {
                let _ = write!(site, " in {}", clean(&figure.site.process));
            }
            let (base, head) = figure.shown();
            [site, figure.figure.words().to_owned(), base, head, reason(figure)]
        })
        .collect();
    let widest = |column: usize| rows.iter().map(|row| width(&row[column])).max().unwrap_or(0);
    let widths = [widest(0), widest(1), widest(2), widest(3)];
    for [site, figure, base, head, reason] in &rows {
        let line = format!(
            "  {}  {}  {} → {}  {reason}",
            left(site, widths[0]),
            left(figure, widths[1]),
            right(base, widths[2]),
            left(head, widths[3]),
        );
        let _ = writeln!(text, "{}", line.trim_end());
    }
}

/// The reason, and of what got worse the evidence.
fn reason(figure: &Compared) -> String {
    let reason = clean(&figure.reason).into_owned();
    if figure.change != Change::Regressed {
        return reason;
    }
    let base = figure.base.map_or(0, |base| base.n);
    let counts = format!("of {base} and {} {}", figure.head.n, figure.figure.samples());
    if reason.is_empty() { counts } else { format!("{reason}; {counts}") }
}
