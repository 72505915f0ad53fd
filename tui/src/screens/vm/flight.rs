//! Single polls over time: the lanes of the workers, and the timeline of one task.

use pollscope_model::query::ask::Answer;
use pollscope_model::query::flight::{DIGITS, Flight, Lane, LaneCell, Lanes, Picture, TimeCell, Timeline};
use pollscope_model::time::{MILLISECOND, Nanos, SECOND};
use pollscope_model::value::Value;

use super::text::Line;
use crate::output::fmt;
use crate::screens::glyph::Glyphs;
use crate::screens::state::State;
use crate::screens::state::flight::LABEL;
use crate::screens::theme::Role;

/// What stands where nothing is known.
const UNKNOWN: char = '┄';
/// Columns from one time on the axis to the next.
const TICK: usize = 20;

/// The lanes of the workers, in at most that many lines.
pub(super) fn lanes(state: &State, width: usize, height: usize) -> Vec<Line> {
    let title = format!("Poll lanes · {}", Nanos(state.flight.span_ns()));
    let (mut lines, flight) = match head(state, &title, "a run of digits = one poll", width) {
        Ok(found) => found,
        Err(lines) => return lines,
    };
    let Picture::Lanes(lanes) = &flight.picture else { return waiting(&title, width) };
    // What the digits mean goes without the longest poll, and the lanes without the rest, if need be.
    let mut below = vec![legend(lanes, width), axis(flight, width)];
    let room = height.saturating_sub(lines.len());
    below.truncate(room.saturating_sub(lanes.lanes.len().min(2)));
    below.reverse();
    let longest = longest(flight, width).filter(|_| lanes.lanes.len() + below.len() < room);
    let room = room.saturating_sub(below.len() + usize::from(longest.is_some()));
    let shown = lanes.lanes.len().min(room);
    lines.extend(lanes.lanes.iter().take(shown).map(|lane| lane_line(lane, width)));
    let more = lanes.more + (lanes.lanes.len() - shown) as u64;
    if more > 0 && shown > 0 {
        let last = lines.len() - 1;
        lines[last] =
            Line::of(Role::Dim, format!("  and {} lanes more in a taller window", more + 1)).cut(width);
    }
    lines.extend(below);
    lines.extend(longest);
    lines
}

/// How many lines [`lanes`] would like to have.
pub(super) fn lanes_height(state: &State) -> usize {
    match state.flight.picture().map(|flight| &flight.picture) {
        Some(Picture::Lanes(lanes)) => lanes.lanes.len() + 4,
        _ => 4,
    }
}

/// The timeline of the task on screen.
pub(super) fn timeline(state: &State, width: usize) -> Vec<Line> {
    let title = format!("Timeline · {}", Nanos(state.flight.span_ns()));
    let (mut lines, flight) = match head(state, &title, "", width) {
        Ok(found) => found,
        Err(lines) => return lines,
    };
    let Picture::Timeline(timeline) = &flight.picture else { return waiting(&title, width) };
    lines.extend(rows(timeline, state.look.glyphs, width));
    lines.push(axis(flight, width));
    lines.extend(longest(flight, width));
    lines
}

/// The heading over a picture; instead of it the reason why there is none.
fn head<'a>(
    state: &'a State,
    title: &str,
    words: &str,
    width: usize,
) -> Result<(Vec<Line>, &'a Flight), Vec<Line>> {
    let flight = match state.flight.answer.as_deref() {
        Some(Answer::Flight(flight)) => flight,
        Some(Answer::No(reason)) => return Err(said(title, &[reason], width)),
        _ => return Err(waiting(title, width)),
    };
    if !flight.why_not.is_empty() {
        return Err(said(title, &[&format!("Not measured: {}", flight.why_not)], width));
    }
    if !flight.begun {
        return Err(waiting(title, width));
    }
    let keys = match state.flight.until_unix_ns {
        Some(_) => "+/- zoom  [ ] step  L live",
        None => "+/- zoom  [ ] step",
    };
    let words = if words.is_empty() { keys.to_owned() } else { format!("{words}   {keys}") };
    let mut lines = vec![Line::rule(title, &words, width)];
    if flight.polls == 0 && state.flight.until_unix_ns.is_none() {
        let empty = "No recorded poll is in this stretch: - shows more time, [ what was before.";
        lines.push(Line::of(Role::Dim, format!("  {empty}")).cut(width));
    }
    if flight.missed > 0 {
        let missed = format!(
            "  {} events were overwritten before they were read ({UNKNOWN}); POLLSCOPE_FLIGHT_EVENTS keeps more",
            fmt::thousands(flight.missed)
        );
        lines.push(Line::of(Role::Warn, missed).cut(width));
    }
    Ok((lines, flight))
}

fn waiting(title: &str, width: usize) -> Vec<Line> {
    said(title, &["Asked the process to record single polls; the first come within a second or two."], width)
}

fn said(title: &str, paragraphs: &[&str], width: usize) -> Vec<Line> {
    let mut lines = vec![Line::rule(title, "", width)];
    for paragraph in paragraphs {
        let wrapped = fmt::wrap(paragraph, width.saturating_sub(4));
        lines.extend(wrapped.into_iter().map(|line| Line::of(Role::Dim, format!("  {line}"))));
    }
    lines
}

fn label(text: &str) -> Line {
    Line::of(Role::Text, format!("  {} ", fmt::left(text, usize::from(LABEL) - 3)))
}

/// Adds a character, to the part before if that has the same role.
fn put(line: &mut Line, role: Role, glyph: char) {
    match line.spans.last_mut() {
        Some(last) if last.role == role => last.text.push(glyph),
        _ => line.push(role, glyph),
    }
}

fn lane_line(lane: &Lane, width: usize) -> Line {
    let mut line = label(&fmt::clean(&lane.label));
    let mut barred = false;
    let mut before = LaneCell::Blank;
    for cell in &lane.cells {
        let (role, glyph) = match *cell {
            LaneCell::Unknown => (Role::Dim, UNKNOWN),
            LaneCell::Blank => (Role::Ink, ' '),
            // Where one poll follows another there is a bar between their digits.
            LaneCell::Poll { same: false, .. } if matches!(before, LaneCell::Poll { .. }) && !barred => {
                (Role::Rule, '▏')
            }
            LaneCell::Poll { site, .. } => match char::from_digit(u32::from(site) + 1, 10) {
                Some(digit) if usize::from(site) < DIGITS => (Role::Ink, digit),
                _ => (Role::Ink, '·'),
            },
        };
        barred = glyph == '▏';
        before = *cell;
        put(&mut line, role, glyph);
    }
    line.cut(width)
}

/// What the digits mean.
fn legend(lanes: &Lanes, width: usize) -> Line {
    let mut legend = Line::of(Role::Text, "  ");
    for (at, site) in lanes.sites.iter().enumerate() {
        legend.push(Role::Ink, (at + 1).to_string());
        legend.push(Role::Text, format!(" {}   ", fmt::short_site(&fmt::clean(site))));
    }
    legend.with(Role::Dim, format!("· other   {UNKNOWN} not recorded   blank: no recorded poll")).cut(width)
}

fn longest(flight: &Flight, width: usize) -> Option<Line> {
    let poll = flight.longest.as_ref()?;
    let mut line = Line::of(Role::Dim, "  longest poll ").with(Role::Text, Nanos(poll.wall_ns).to_string());
    line.push(Role::Dim, if poll.open { " so far, task " } else { ", task " });
    line.push(Role::Text, poll.task.to_string());
    if !poll.site.is_empty() {
        line.push(Role::Dim, " of ");
        line.push(Role::Text, fmt::short_site(&fmt::clean(&poll.site)));
    }
    if let Some(worker) = poll.worker {
        line.push(Role::Dim, format!(" on w{}", worker.index));
    }
    line.push(Role::Dim, format!(", began {}", moment(poll.start_unix_ns, flight.column_ns)));
    Some(line.cut(width))
}

/// The time of day, as exactly as a column is wide.
fn moment(unix_ns: u64, column_ns: u64) -> String {
    let (unit, digits) = if column_ns >= 100 * MILLISECOND { (SECOND / 10, 1) } else { (MILLISECOND, 3) };
    format!("{}.{:0digits$}", Value::Time(unix_ns), unix_ns % SECOND / unit)
}

/// The times below a picture.
fn axis(flight: &Flight, width: usize) -> Line {
    let columns = match &flight.picture {
        Picture::Lanes(lanes) => lanes.lanes.iter().map(|lane| lane.cells.len()).max().unwrap_or(0),
        Picture::Timeline(timeline) => timeline.cells.len(),
    };
    let mut line = Line::of(Role::Text, " ".repeat(usize::from(LABEL)));
    for at in (0..columns).step_by(TICK) {
        line.pad_to(usize::from(LABEL) + at);
        let time = moment(flight.from_unix_ns.saturating_add(at as u64 * flight.column_ns), flight.column_ns);
        // The first has the hour, the others what differs from it.
        let text = if at == 0 { time } else { time[5..].to_owned() };
        if at + text.len() <= columns {
            line.push(Role::Dim, text);
        }
    }
    line.cut(width)
}

fn rows(timeline: &Timeline, glyphs: Glyphs, width: usize) -> Vec<Line> {
    let row = |name: &str, glyph: &dyn Fn(&TimeCell) -> (Role, char)| {
        let mut line = label(name);
        for cell in &timeline.cells {
            let (role, glyph) =
                if cell.known || cell.running > 0 { glyph(cell) } else { (Role::Dim, UNKNOWN) };
            put(&mut line, role, glyph);
        }
        line.cut(width)
    };
    let unseen = |name: &str| {
        label(name).with(Role::Dim, "not measured: hooks see no wakes; pollscope::spawn does").cut(width)
    };
    let mut rows = vec![row("running", &|cell| match cell.running {
        0 => (Role::Ink, ' '),
        share => (Role::Ink, glyphs.fill(f32::from(share) / 1_000.0)),
    })];
    if timeline.wakes_seen {
        rows.push(row("sched", &|cell| {
            if cell.sched > 0 { (Role::Warn, glyphs.shade(1)) } else { (Role::Ink, ' ') }
        }));
    } else {
        rows.push(unseen("sched"));
    }
    rows.push(row("idle", &|cell| {
        if cell.idle > 500 { (Role::Dim, glyphs.shade(0)) } else { (Role::Ink, ' ') }
    }));
    if timeline.wakes_seen {
        rows.push(row("wakes", &|cell| match cell.wakes {
            0 => (Role::Ink, ' '),
            1 => (Role::Ink, '^'),
            more => (Role::Ink, char::from_digit(more, 10).unwrap_or('+')),
        }));
    } else {
        rows.push(unseen("wakes"));
    }
    rows
}
