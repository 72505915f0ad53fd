//! What is on every screen: title line, tabs, time ribbon, key line.

use std::time::Duration;

use pollscope_model::entity::presence::Presence;
use pollscope_model::query::page::Meta;
use pollscope_model::time::Nanos;
use pollscope_model::value::Value;

use super::Screen;
use super::text::Line;
use crate::output::fmt;
use crate::screens::action::Action;
use crate::screens::glyph::Glyphs;
use crate::screens::keymap::{self, Context};
use crate::screens::state::hits::Area;
use crate::screens::state::level::{Level, Subject};
use crate::screens::state::overlay::{Overlay, Prompt, PromptKind};
use crate::screens::state::{State, Tab};
use crate::screens::theme::Role;
use crate::sources::Status;
use crate::sources::replay::{Control, Playback, Run, SPEEDS};

/// Where the screen's numbers come from and how fresh they are.
pub(super) fn title(state: &State, width: usize) -> Line {
    let mut left = Line::of(Role::Title, " pollscope ").with(Role::Text, fmt::clean(&state.title));
    let overview = state.answers.overview.as_deref();
    if let Some(overview) = overview {
        if overview.meta.source != state.title && !overview.meta.source.is_empty() {
            left.push(Role::Dim, " · ");
            left.push(Role::Text, fmt::clean(&overview.meta.source));
        }
        // Before the first totals are in there is no number of tasks.
        if !matches!(state.stack.last(), Some(Level::Detail(_))) && overview.meta.loading != Some(0) {
            left.push(Role::Dim, " · ");
            left.push(Role::Text, format!("{} tasks", fmt::thousands(overview.tasks)));
        }
    }
    if let Some(Level::Detail(detail)) = state.stack.last() {
        let what = match &detail.subject {
            Subject::Task(_, task) => format!("task {task}"),
            Subject::Site(_, site) => fmt::short_site(&fmt::clean(site)),
            Subject::Finding(number) => format!("finding {number}"),
        };
        left.push(Role::Dim, " › ");
        left.push(Role::Accent, what);
    }
    left.beside(freshness(state, overview.map(|overview| (&overview.meta, overview.lag_ns))), width)
}

fn freshness(state: &State, known: Option<(&Meta, u64)>) -> Line {
    let moved = state.playback.as_ref().filter(|playback| playback.run != Run::Live);
    let loading = known.and_then(|(meta, _)| meta.loading).filter(|percent| *percent > 0);
    let word = match (&state.link, state.frozen, known) {
        (Status::Connecting { .. } | Status::Connected { .. }, None, _)
            if loading.is_some() && moved.is_none() =>
        {
            (Role::Warn, format!("LOADING {}%", loading.unwrap_or(0)))
        }
        (Status::Connecting { .. }, ..) => (Role::Warn, "CONNECTING".to_owned()),
        (Status::Lost { .. }, ..) => (Role::Bad, "LOST".to_owned()),
        (Status::Ended { .. }, ..) => (Role::Bad, "ENDED".to_owned()),
        (Status::Refused { .. }, ..) => (Role::Bad, "REFUSED".to_owned()),
        (Status::Connected { .. }, None, _) if moved.is_some_and(|playback| playback.run == Run::Paused) => {
            (Role::Accent, "PAUSED".to_owned())
        }
        (Status::Connected { .. }, None, _) if moved.is_some() => (Role::Accent, "PLAYING".to_owned()),
        (_, Some(since), _) => (Role::Accent, format!("FROZEN {}", ago(state.now.saturating_sub(since)))),
        (.., None) => (Role::Warn, "WAITING".to_owned()),
        (.., Some((meta, _))) => match meta.presence {
            Presence::Live => (Role::Good, "LIVE".to_owned()),
            Presence::Stale => (Role::Warn, "STALE".to_owned()),
            Presence::Gone => (Role::Bad, "GONE".to_owned()),
        },
    };
    let mut line = Line::of(word.0, word.1);
    if let Some((meta, lag)) = known {
        line.push(Role::Text, format!(" {}", Value::Time(meta.now_unix_ns)));
        if moved.is_none() {
            line.push(Role::Dim, lag_text(state, lag));
        }
        let role = if meta.lost > 0 { Role::Bad } else { Role::Dim };
        line.push(role, format!(" · drops {}", Value::Count(meta.lost)));
    }
    line.with(Role::Text, " ")
}

/// How old the newest data is.
fn lag_text(state: &State, lag: u64) -> String {
    let waited = state.now.saturating_sub(state.answers.overview_at);
    let lag = lag.saturating_add(u64::try_from(waited.as_nanos()).unwrap_or(u64::MAX));
    format!(" · lag {:.1}s", lag as f64 / 1e9)
}

/// An age in whole seconds: `12s`, `3m05s`.
fn ago(age: Duration) -> String {
    Nanos(age.as_secs().saturating_mul(pollscope_model::time::SECOND)).to_string().replace("0ns", "0s")
}

/// The tabs.
pub(super) fn tabs(state: &State, area: Area, screen: &mut Screen) {
    let here = state.current_tab();
    let open = state.answers.overview.as_deref().map_or(0, |overview| overview.findings.iter().sum());
    let full = area.w >= 60;
    let mut line = Line::new();
    for tab in Tab::ALL {
        let number = tab.index() + 1;
        let name = if full || tab == here { format!("{number} {}", tab.title()) } else { number.to_string() };
        let name = if tab == Tab::Findings && open > 0 { format!("{name}({open})") } else { name };
        let x = line.width() as u16;
        if tab == here {
            line.push(Role::Accent, format!(" [{name}]"));
        } else {
            line.push(Role::Text, format!("  {name} "));
        }
        screen.hits.tabs.push((Area::new(x, area.y, line.width() as u16 - x, 1), tab));
    }
    let right =
        Line::of(Role::Key, ":").with(Role::Dim, " command  ").with(Role::Key, "?").with(Role::Dim, " keys ");
    let right = if area.w >= 80 { right } else { Line::new() };
    screen.put(area, vec![line.beside(right, area.w as usize)]);
}

/// The line above the key line: the time ribbon, or what belongs to the line being typed.
pub(super) fn above_keys(state: &State, width: usize) -> Line {
    if let Some(Overlay::Prompt(prompt)) = &state.overlay {
        if let Some(error) = prompt_error(state, prompt) {
            return Line::of(Role::Bad, format!(" ! {}", fmt::clean(&error))).cut(width);
        }
        if !prompt.candidates.is_empty() {
            let mut line = Line::of(Role::Text, " ");
            for (at, candidate) in prompt.candidates.iter().enumerate() {
                let word = candidate.rsplit(' ').next().unwrap_or(candidate);
                let role = if prompt.candidate == Some(at) { Role::Accent } else { Role::Dim };
                line.push(role, format!("{word}  "));
            }
            return line.cut(width);
        }
    }
    match state.playback.as_ref().filter(|playback| playback.run != Run::Live) {
        Some(playback) => position(playback, state.look.glyphs, time_keys(state.place(), playback), width),
        None => ribbon(state, width),
    }
}

/// What the keys of time do here. Where single polls are shown, some of them move in that picture instead.
fn time_keys(place: Context, playback: &Playback) -> &'static str {
    let moves = |control| keymap::bindings(place).any(|binding| binding.action == Action::Time(control));
    match (moves(Control::Step(1)) && moves(Control::Newest), playback.follows) {
        (true, true) => "  [ ] step  { } finding  L live",
        (true, false) => "  [ ] step  { } finding  L end",
        (false, _) => "  ( ) 10s  { } finding",
    }
}

/// Where time stands between the oldest and the newest moment; a `!` where a finding opened.
fn position(playback: &Playback, glyphs: Glyphs, keys: &str, width: usize) -> Line {
    let from = format!(" {} ", Value::Time(playback.from_unix_ns));
    let mut tail =
        format!(" {}  {}", Value::Time(playback.to_unix_ns), SPEEDS[playback.speed.min(SPEEDS.len() - 1)].0);
    if width >= 80 {
        tail.push_str(keys);
    }
    if !playback.note.is_empty() {
        tail.push_str("  ");
        tail.push_str(&fmt::clean(&playback.note));
    }
    let tail = fmt::cut(&tail, (width * 2 / 3).max(20));
    let room = width.saturating_sub(fmt::width(&from) + fmt::width(&tail) + 1).max(1);
    let (rail, knob) = if glyphs == Glyphs::Ascii { ('-', 'O') } else { ('─', '●') };
    let span = playback.to_unix_ns.saturating_sub(playback.from_unix_ns).max(1);
    let cell = |unix_ns: u64| {
        let share = unix_ns.saturating_sub(playback.from_unix_ns) as f64 / span as f64;
        ((share * room as f64) as usize).min(room - 1)
    };
    let here = cell(playback.at_unix_ns);
    let found: Vec<usize> = playback.findings.iter().map(|unix_ns| cell(*unix_ns)).collect();
    let mut line = Line::of(Role::Dim, from);
    for at in 0..room {
        let (role, glyph) = match at {
            _ if at == here => (Role::Accent, knob),
            _ if found.contains(&at) => (Role::Bad, '!'),
            _ if at < here => (Role::Ink, rail),
            _ => (Role::Dim, rail),
        };
        match line.spans.last_mut() {
            Some(last) if last.role == role => last.text.push(glyph),
            _ => line.push(role, glyph),
        }
    }
    line.with(Role::Dim, tail).cut(width)
}

fn prompt_error(state: &State, prompt: &Prompt) -> Option<String> {
    match prompt.kind {
        PromptKind::Command => prompt.error.clone(),
        PromptKind::Filter => state.list().and_then(|list| list.error.as_ref()).map(ToString::to_string),
    }
}

/// The longest poll over the last 15 minutes; a `!` where a finding opened.
fn ribbon(state: &State, width: usize) -> Line {
    let Some(overview) = state.answers.overview.as_deref().filter(|overview| !overview.ribbon.is_empty())
    else {
        return Line::of(Role::Dim, " -15m  no history yet").cut(width);
    };
    let longest = overview.ribbon.iter().flatten().copied().fold(0.0_f32, f32::max);
    let seconds = overview.ribbon.len() as u64 * 10;
    let since =
        format!(" -{} ", Nanos(seconds * pollscope_model::time::SECOND).to_string().replace("m00s", "m"));
    // No poll takes no time: none was recorded.
    let longest = if longest > 0.0 { Nanos(longest as u64).to_string() } else { "–".to_owned() };
    let mut tail = format!(" now  longest poll {longest}");
    if !overview.marks.is_empty() {
        tail.push_str("  ! finding opened");
    }
    let room = width.saturating_sub(fmt::width(&since) + fmt::width(&tail) + 1);
    // From 10 us to 10 s, logarithmic.
    let scaled: Vec<Option<f32>> =
        overview.ribbon.iter().map(|point| point.map(|ns| (ns.max(1.0).log10() - 4.0) / 6.0)).collect();
    let glyphs = state.look.glyphs;
    let marked: Vec<usize> =
        overview.marks.iter().map(|mark| glyphs.cell_of(*mark as usize, scaled.len(), room)).collect();
    let mut line = Line::of(Role::Dim, since);
    for (cell, glyph) in glyphs.spark(&scaled, room).chars().enumerate() {
        let (role, glyph) = if marked.contains(&cell) { (Role::Bad, '!') } else { (Role::Ink, glyph) };
        match line.spans.last_mut() {
            Some(last) if last.role == role => last.text.push(glyph),
            _ => line.push(role, glyph),
        }
    }
    line.with(Role::Dim, tail).cut(width)
}

/// The last line: what the keys do here, the line being typed, or how the last action went.
pub(super) fn keys(state: &State, width: usize) -> Line {
    if let Some(Overlay::Prompt(prompt)) = &state.overlay {
        return prompt_line(state, prompt, width);
    }
    if let Some(notice) = &state.notice {
        return Line::of(Role::Accent, format!(" {}", fmt::clean(&notice.text))).cut(width);
    }
    key_line(state.context(), width)
}

fn key_line(context: Context, width: usize) -> Line {
    let mut line = Line::new();
    let last = keymap::bindings(context).filter(|binding| !binding.line.is_empty()).last();
    let tail = last.map_or(0, |binding| fmt::width(binding.line) + 2);
    for binding in keymap::bindings(context).filter(|binding| !binding.line.is_empty()) {
        let is_last = last.is_some_and(|last| std::ptr::eq(last, binding));
        let room = if is_last { width } else { width.saturating_sub(tail) };
        if line.width() + fmt::width(binding.line) + 2 > room {
            continue;
        }
        let (keys, words) = binding.line.split_once(' ').unwrap_or((binding.line, ""));
        line.push(Role::Text, if line.spans.is_empty() { " " } else { "  " });
        line.push(Role::Key, keys);
        line.push(Role::Dim, format!(" {words}"));
    }
    line.cut(width)
}

fn prompt_line(state: &State, prompt: &Prompt, width: usize) -> Line {
    let (mark, right) = match prompt.kind {
        PromptKind::Command => (" :", String::new()),
        PromptKind::Filter => (" /", matches(state)),
    };
    let room = width.saturating_sub(fmt::width(&right) + 6);
    let value = prompt.input.value();
    let cursor = value.char_indices().nth(prompt.input.cursor()).map_or(value.len(), |(at, _)| at);
    let (before, after) = value.split_at(cursor);
    let before = fmt::cut_front(before, room);
    let mut under = after.chars();
    let cell = under.next().map_or_else(|| " ".to_owned(), |c| fmt::clean(&c.to_string()).into_owned());
    Line::of(Role::Key, mark)
        .with(Role::Accent, before)
        .with(Role::Selected, cell)
        .with(Role::Accent, fmt::clean(under.as_str()))
        .beside(Line::of(Role::Dim, right).with(Role::Text, " "), width)
}

fn matches(state: &State) -> String {
    match state.list().and_then(|list| list.page.as_ref()) {
        Some(page) => format!("{} of {} match", fmt::thousands(page.matched), fmt::thousands(page.total)),
        None => String::new(),
    }
}
