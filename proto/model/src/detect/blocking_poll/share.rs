//! How many polls of a site were slow, and at which lines of the user's, in words; only `blocking-poll` uses it.

use crate::detect::view::{ObservedSite, View};
use crate::dict::short_line;
use crate::id::LineId;
use crate::value::Value;

/// Lines that are named beside polls of which none is known.
const NAMED: usize = 3;

/// As a sentence or two. `over`: as many are known to be over the limit.
pub(super) fn text(view: &View<'_>, observed: &ObservedSite<'_>, line: Option<LineId>, over: u64) -> String {
    let totals = observed.view.totals();
    let site = view.short_site(observed.id());
    let of_site = format!(
        "{} of {} polls at {site} were slow.",
        Value::Count(totals.slow_polls),
        Value::Count(totals.poll.count())
    );
    let (slow, seen) = observed.view.slow_at(line);
    match line {
        Some(line) if seen < slow => format!(
            "{} slow polls were at {}, as far as their stack was taken ({}). {of_site}",
            Value::Count(slow),
            view.short_line(line),
            Value::Count(seen)
        ),
        Some(line) => {
            format!("{} slow polls were seen at {}. {of_site}", Value::Count(slow), view.short_line(line))
        }
        None => match rest(observed, slow.max(over)) {
            Some(rest) => format!("{rest} {of_site}"),
            // Evidence without its count comes from a process of which a report was lost; the next snapshot has the
            // count.
            None if over > totals.slow_polls => {
                format!(
                    "{} polls at {site} were slow, more than are counted: reports were lost.",
                    Value::Count(over)
                )
            }
            None => of_site,
        },
    }
}

/// Of polls that belong to no line, where others of their site do.
fn rest(observed: &ObservedSite<'_>, slow: u64) -> Option<String> {
    let lines = observed.view.lines();
    let named: Vec<String> = lines
        .iter()
        .take(NAMED)
        .map(|line| format!("{} ×{}", short_line(&line.line), Value::Count(line.polls)))
        .collect();
    if named.is_empty() {
        return None;
    }
    let more = if lines.len() > NAMED { ", …" } else { "" };
    let refused = match observed.view.other_lines().polls {
        0 => String::new(),
        n => format!(" {} of them were at more lines than are told apart.", Value::Count(n)),
    };
    Some(format!(
        "{} slow polls showed no line of yours, beside those seen at {}{more}.{refused}",
        Value::Count(slow),
        named.join(", ")
    ))
}
