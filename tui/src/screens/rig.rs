//! A source made of fixtures, and a user who presses keys: what the tests of the screens stand on.
//!
//! Everything is a function of the question: the same screen, always.

mod details;
mod flight;
mod rows;

use std::sync::Arc;
use std::time::Duration;

use pollscope_model::entity::presence::Presence;
use pollscope_model::id::BootId;
use pollscope_model::measured::Mode;
use pollscope_model::monitor::Monitor;
use pollscope_model::query::ask::{Answer, Ask};
use pollscope_model::query::page::{Meta, Scope};
use pollscope_model::report::Report;
use pollscope_model::testkit::Script;
use pollscope_model::time::SECOND;
use pollscope_model::world::WorldLimits;

use crate::screens::event::{Event, Input, Mouse};
use crate::screens::glyph::Glyphs;
use crate::screens::keymap::key::Key;
use crate::screens::state::{Look, State, Tab};
use crate::screens::theme::{Depth, Palette, Theme};
use crate::screens::update::{self, Effect};
use crate::screens::view;
use crate::sources::{SourceEvent, Status};

/// The process of all fixtures.
pub(crate) const BOOT: BootId = BootId(0x00c0_ffee);
/// 12:04:31 on some day.
const NOW: u64 = 1_900_000_000 * SECOND - 1_900_000_000 * SECOND % (86_400 * SECOND) + 43_471 * SECOND;

/// How much of everything there is.
#[derive(Clone, Copy)]
pub(crate) struct Amount {
    pub(crate) processes: u64,
    pub(crate) tasks: u64,
    pub(crate) sites: u64,
    pub(crate) workers: u64,
    pub(crate) findings: u64,
    pub(crate) loading: Option<u8>,
    pub(crate) mode: Mode,
}

pub(crate) const SOME: Amount = Amount {
    processes: 6,
    tasks: 1_204,
    sites: 57,
    workers: 4,
    findings: 3,
    loading: None,
    mode: Mode::Hooks,
};
pub(crate) const NOTHING: Amount =
    Amount { processes: 0, tasks: 0, sites: 0, workers: 0, findings: 0, loading: None, mode: Mode::Sample };

/// A state with a source and a user.
pub(crate) struct Rig {
    pub(crate) state: State,
    pub(crate) amount: Amount,
    pub(crate) effects: Vec<Effect>,
    /// Answers in place of the fixtures, at that time.
    process: Option<(Monitor, u64)>,
}

/// A monitor with all of a script's reports, the last of them judged.
pub(crate) fn fold(script: &Script, reports: Vec<Report>) -> Monitor {
    let mut monitor = Monitor::new(WorldLimits::default());
    let _ = monitor.connect(script.hello(), script.hello().anchor.unix_ns);
    for report in reports {
        let now = script.hello().anchor.to_unix_ns(report.end_ns);
        monitor.apply(report, now);
        monitor.tick(now);
    }
    monitor.finish(script.now_unix_ns());
    monitor
}

impl Rig {
    /// The screens on six processes, not connected yet.
    pub(crate) fn new(tab: Tab) -> Self {
        let look =
            Look { theme: Theme { palette: Palette::Dark, depth: Depth::Indexed }, glyphs: Glyphs::Block };
        let mut state = State::new(Arc::from("10.0.0.5:7700"), Scope::All, tab, look, (100, 30));
        state.explain = |id| (id == "blocking-poll").then(|| "What it is.\n\nWhat to do.".to_owned());
        let effects = update::start(&mut state);
        Self { state, amount: SOME, effects, process: None }
    }

    /// The same, connected and answered.
    pub(crate) fn connected(tab: Tab, amount: Amount) -> Self {
        let mut rig = Self::new(tab);
        rig.amount = amount;
        rig.status(Status::Connected { label: Arc::from("collector 10.0.0.5:7700") });
        rig.draw(100, 30);
        rig.settle();
        rig
    }

    /// Connected to a process with hostile texts.
    pub(crate) fn hostile(tab: Tab) -> Self {
        let (script, reports) = pollscope_model::testkit::hostile();
        let mut rig = Self::new(tab);
        rig.process = Some((fold(&script, reports), script.now_unix_ns()));
        rig.status(Status::Connected { label: Arc::from(pollscope_model::testkit::HOSTILE) });
        rig.draw(200, 60);
        rig.settle();
        rig
    }

    fn answer(&self, ask: &Ask) -> Answer {
        match &self.process {
            Some((monitor, now_unix_ns)) => monitor.answer(ask, *now_unix_ns),
            None => answer(ask, self.amount),
        }
    }

    pub(crate) fn event(&mut self, event: Event) {
        let effects = update::update(&mut self.state, event);
        self.effects.extend(effects);
    }

    pub(crate) fn status(&mut self, status: Status) {
        self.event(Event::Source(SourceEvent::Status(status)));
    }

    pub(crate) fn pass(&mut self, seconds: u64) {
        let now = self.state.now + Duration::from_secs(seconds);
        self.event(Event::Tick(now));
    }

    pub(crate) fn key(&mut self, key: Key) {
        self.event(Event::Input(Input::Key(key)));
    }

    /// Types the characters and lets the source answer.
    pub(crate) fn press(&mut self, keys: &str) {
        for key in keys.chars() {
            self.key(if key == '\n' { Key::ENTER } else { Key::char(key) });
        }
        self.settle();
    }

    pub(crate) fn click(&mut self, x: u16, y: u16) {
        self.event(Event::Input(Input::Mouse(Mouse::Press, x, y)));
        self.settle();
    }

    /// Answers every standing question until no new one comes up.
    pub(crate) fn settle(&mut self) {
        for _ in 0..8 {
            let open: Vec<_> = self
                .state
                .answers
                .standing
                .iter()
                .filter(|standing| !standing.answered)
                .map(|standing| (standing.id, self.answer(&standing.ask)))
                .collect();
            if open.is_empty() {
                return;
            }
            for (id, answer) in open {
                self.event(Event::Source(SourceEvent::Answer(id, Box::new(answer))));
            }
        }
    }

    /// New data for every question.
    pub(crate) fn refresh(&mut self) {
        for (id, ask) in self.state.answers.questions() {
            let answer = Box::new(self.answer(&ask));
            self.event(Event::Source(SourceEvent::Answer(id, answer)));
        }
    }

    /// Draws and returns the screen as text, without blanks at the ends of lines.
    pub(crate) fn draw(&mut self, columns: u16, rows: u16) -> String {
        self.event(Event::Input(Input::Resize(columns, rows)));
        let (text, hits) = view::text::screen(&self.state, columns, rows);
        let effects = update::drawn(&mut self.state, hits);
        self.effects.extend(effects);
        text
    }
}

fn answer(ask: &Ask, amount: Amount) -> Answer {
    match ask {
        Ask::Page(query) if query.filter.ends_with('>') => {
            Answer::No(Arc::from("a value is missing after `>` at column 5 of the filter"))
        }
        Ask::Page(query) => Answer::Page(rows::page(query, amount)),
        Ask::Task(_, task) => Answer::Task(Box::new(details::task_detail(*task, amount))),
        Ask::Site(_, site) => Answer::Site(Box::new(details::site_detail(site, amount))),
        Ask::Finding(number) => Answer::Finding(Box::new(details::finding(*number))),
        Ask::Overview(_) => Answer::Overview(Box::new(details::overview(amount))),
        Ask::Flight(query) => Answer::Flight(Box::new(flight::flight(query, amount))),
    }
}

fn meta(amount: Amount) -> Meta {
    Meta {
        now_unix_ns: NOW,
        source: Arc::from(format!("{} processes", amount.processes)),
        presence: Presence::Live,
        mode: amount.mode,
        lost: 0,
        processes: amount.processes,
        loading: amount.loading,
    }
}
