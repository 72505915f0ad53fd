//! A comparison as Markdown, for a comment on a pull request: what is worse on top, the rest folded
//! away.

use std::fmt::Write as _;

use pollscope_model::baseline::{Change, Compared, Comparison};

use crate::output::fmt::clean;
use crate::output::markdown::{code, code_cell, plain};

/// Rows of one table: a comment has an end.
const MOST: usize = 50;

/// The comparison, ending in a line feed.
pub(super) fn render(comparison: &Comparison, all: bool) -> String {
    let mut text = format!("**pollscope diff**: {}\n", comparison.summary());
    for change in Change::ALL {
        let figures: Vec<&Compared> = comparison.of(change).collect();
        if figures.is_empty() || (change == Change::Unchanged && !all) {
            continue;
        }
        let folded = matches!(change, Change::Insufficient | Change::Unchanged);
        if folded {
            let _ = write!(text, "\n<details><summary>{change} ({})</summary>\n", figures.len());
        } else {
            let _ = write!(text, "\n### {change}\n");
        }
        text.push_str("\n| site | figure | base | head | why |\n|---|---|--:|--:|---|\n");
        for figure in figures.iter().take(MOST) {
            row(&mut text, figure);
        }
        if figures.len() > MOST {
            let _ = write!(text, "\n… and {} more\n", figures.len() - MOST);
        }
        if folded {
            text.push_str("\n</details>\n");
        }
    }
    for (title, sites) in [("New sites", &comparison.new), ("Vanished sites", &comparison.vanished)] {
        if !sites.is_empty() {
            let shown: Vec<String> =
                sites.iter().take(MOST).map(|site| code(&clean(&site.to_string()))).collect();
            let more = sites.len().saturating_sub(MOST);
            let more = if more > 0 { format!(", … and {more} more") } else { String::new() };
            let _ = write!(text, "\n{title}: {}{more}\n", shown.join(", "));
        }
    }
    for note in &comparison.notes {
        let _ = write!(text, "\n> {}\n", plain(&clean(note)));
    }
    text
}

fn row(text: &mut String, figure: &Compared) {
    let (base, head) = figure.shown();
    let _ = writeln!(
        text,
        "| {} | {} | {base} | {head} | {} |",
        code_cell(&clean(&figure.site.to_string())),
        figure.figure.words(),
        plain(&clean(&figure.reason))
    );
}
