//! What the screens know: where the user is, what they chose, and the newest answers.
//!
//! Plain data. Only [`update`](crate::screens::update) changes it, only [`vm`](crate::screens::vm) reads it for the
//! screen; it knows nothing about drawing, terminals or sources.

pub mod answers;
pub mod command;
pub mod flight;
pub mod hits;
pub mod level;
pub mod list;
pub mod overlay;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use pollscope_model::query::column::{Kind, columns};
use pollscope_model::query::page::Scope;

use crate::screens::glyph::Glyphs;
use crate::screens::keymap::Context;
use crate::screens::theme::Theme;
use crate::sources::Status;
use crate::sources::replay::Playback;
use answers::Answers;
use flight::FlightView;
use hits::Hits;
use level::{Level, Subject};
use list::List;
use overlay::Overlay;

/// One of the numbered screens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tab {
    /// Processes.
    Fleet,
    /// Tasks.
    Tasks,
    /// Spawn sites.
    Sites,
    /// Runtimes and workers.
    Workers,
    /// What the detectors found.
    Findings,
}

impl Tab {
    /// Every tab, from 1 on.
    pub const ALL: [Self; 5] = [Self::Fleet, Self::Tasks, Self::Sites, Self::Workers, Self::Findings];

    /// Its name on screen, that of its keys.
    pub const fn title(self) -> &'static str {
        self.context().title()
    }

    /// What it lists.
    pub const fn kind(self) -> Kind {
        match self {
            Self::Fleet => Kind::Processes,
            Self::Tasks => Kind::Tasks,
            Self::Sites => Kind::Sites,
            Self::Workers => Kind::Workers,
            Self::Findings => Kind::Findings,
        }
    }

    /// Its place in [`Tab::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The tab so many places further, round the end.
    #[must_use]
    pub fn step(self, by: usize) -> Self {
        Self::ALL[(self.index() + by) % Self::ALL.len()]
    }

    const fn context(self) -> Context {
        match self {
            Self::Fleet => Context::Fleet,
            Self::Tasks => Context::Tasks,
            Self::Sites => Context::Sites,
            Self::Workers => Context::Workers,
            Self::Findings => Context::Findings,
        }
    }
}

/// How it all looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Look {
    /// Colours.
    pub theme: Theme,
    /// Characters of pictures.
    pub glyphs: Glyphs,
}

/// A line with the outcome of the last action, for a while.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notice {
    /// Its text.
    pub text: String,
    /// When it leaves.
    pub until: Duration,
}

/// Everything.
pub struct State {
    /// The target in words.
    pub title: Arc<str>,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    /// How it looks.
    pub look: Look,
    /// The scope that the program started with; the fleet's screen always shows it.
    pub home: Scope,
    /// The scope of everything else.
    pub scope: Scope,
    /// The tab that is on.
    pub tab: Tab,
    /// One list per tab.
    pub roots: [List; 5],
    /// What was opened from there, the innermost last.
    pub stack: Vec<Level>,
    /// What lies over the screen.
    pub overlay: Option<Overlay>,
    /// How the connection stands.
    pub link: Status,
    /// The newest answers, and which questions stand.
    pub answers: Answers,
    /// The stretch of time that pictures of single polls show, and the picture.
    pub flight: FlightView,
    /// Where the source is in time, if it can move in it.
    pub playback: Option<Playback>,
    /// Since when the view is held, where the source cannot hold it.
    pub frozen: Option<Duration>,
    /// Time since the program started.
    pub now: Duration,
    /// Outcome of the last action.
    pub notice: Option<Notice>,
    /// Where things are on the screen that was drawn last.
    pub hits: Hits,
    /// The columns that are shown, per kind, in order.
    pub columns: BTreeMap<Kind, Vec<&'static str>>,
    /// Lines that were taken by the command line, the newest last.
    pub history: Vec<String>,
    /// The manual text of a detector.
    pub explain: fn(&str) -> Option<String>,
}

/// The columns of the kind that are shown unless others were chosen.
pub fn usual_columns(kind: Kind) -> Vec<&'static str> {
    columns(kind).into_iter().filter(|column| column.shown).map(|column| column.key).collect()
}

impl State {
    /// The state at the start.
    pub fn new(title: Arc<str>, home: Scope, tab: Tab, look: Look, size: (u16, u16)) -> Self {
        Self {
            link: Status::Connecting { target: title.clone() },
            title,
            size,
            look,
            home,
            scope: home,
            tab,
            roots: Tab::ALL.map(List::new),
            stack: Vec::new(),
            overlay: None,
            answers: Answers::default(),
            flight: FlightView::default(),
            playback: None,
            frozen: None,
            now: Duration::ZERO,
            notice: None,
            hits: Hits::default(),
            columns: Kind::ALL.into_iter().map(|kind| (kind, usual_columns(kind))).collect(),
            history: Vec::new(),
            explain: |_| None,
        }
    }

    /// The list on screen, if it is one.
    pub fn list(&self) -> Option<&List> {
        match self.stack.last() {
            None => Some(&self.roots[self.tab.index()]),
            Some(Level::List(list)) => Some(list),
            Some(Level::Detail(_)) => None,
        }
    }

    /// The list on screen, to change it.
    pub fn list_mut(&mut self) -> Option<&mut List> {
        match self.stack.last_mut() {
            None => Some(&mut self.roots[self.tab.index()]),
            Some(Level::List(list)) => Some(list),
            Some(Level::Detail(_)) => None,
        }
    }

    /// The tab whose kind of list is on screen; for a detail the tab it belongs to.
    pub fn current_tab(&self) -> Tab {
        match self.stack.last() {
            None => self.tab,
            Some(Level::List(list)) => list.tab,
            Some(Level::Detail(detail)) => match detail.subject {
                Subject::Task(..) => Tab::Tasks,
                Subject::Site(..) => Tab::Sites,
                Subject::Finding(_) => Tab::Findings,
            },
        }
    }

    /// Where a key is pressed now.
    pub fn context(&self) -> Context {
        match &self.overlay {
            Some(Overlay::Prompt(_)) => Context::Prompt,
            Some(Overlay::Menu(_)) => Context::Menu,
            Some(Overlay::Text(_)) => Context::Text,
            None => self.place(),
        }
    }

    /// The screen below any overlay.
    pub fn place(&self) -> Context {
        match self.stack.last() {
            None => self.tab.context(),
            Some(Level::List(list)) => list.tab.context(),
            Some(Level::Detail(detail)) => match detail.subject {
                Subject::Task(..) => Context::Task,
                Subject::Site(..) => Context::Site,
                Subject::Finding(_) => Context::Finding,
            },
        }
    }

    /// The scope of a tab: the fleet's is the one that the program started with.
    pub fn scope_of(&self, tab: Tab) -> Scope {
        if tab == Tab::Fleet { self.home } else { self.scope }
    }

    /// Shows a notice for a few seconds.
    pub fn notify(&mut self, text: impl Into<String>) {
        self.notice = Some(Notice { text: text.into(), until: self.now + Duration::from_secs(5) });
    }
}
