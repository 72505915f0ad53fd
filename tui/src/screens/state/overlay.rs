//! What lies over the screen: the command or filter line, a menu, a text.

use tui_input::Input;

use crate::screens::action::Action;

/// One of them.
pub enum Overlay {
    /// A line being typed.
    Prompt(Prompt),
    /// A menu.
    Menu(Menu),
    /// A text.
    Text(Text),
}

/// What the typed line is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PromptKind {
    /// A command.
    Command,
    /// The list's filter, live.
    Filter,
}

/// A line being typed.
pub struct Prompt {
    /// What for.
    pub kind: PromptKind,
    /// The line and its cursor.
    pub input: Input,
    /// What to restore when it is left.
    pub before: String,
    /// How far back in the history; 0 is the line itself.
    pub back: usize,
    /// Completions, if they were asked for.
    pub candidates: Vec<String>,
    /// The completion that is in the line.
    pub candidate: Option<usize>,
    /// What was wrong with the line when it was taken.
    pub error: Option<String>,
}

impl Prompt {
    /// A line that starts with that text.
    pub fn new(kind: PromptKind, text: &str) -> Self {
        Self {
            kind,
            input: Input::new(text.to_owned()),
            before: text.to_owned(),
            back: 0,
            candidates: Vec::new(),
            candidate: None,
            error: None,
        }
    }
}

/// What choosing an item does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Choice {
    /// Runs the action on the screen below.
    Run(Action),
    /// Sorts by the column, or turns its order round.
    SortBy(&'static str),
    /// Back to the list's own order.
    SortDefault,
    /// Shows or hides the column.
    Column(&'static str),
}

/// One line of a menu.
pub struct Item {
    /// What is chosen by.
    pub label: String,
    /// What it means.
    pub note: String,
    /// Whether it is on, where that makes sense.
    pub on: Option<bool>,
    /// What choosing does.
    pub choice: Choice,
}

/// A menu.
pub struct Menu {
    /// Its heading.
    pub title: &'static str,
    /// Its lines.
    pub items: Vec<Item>,
    /// The line under the cursor.
    pub selected: usize,
}

/// A text.
pub struct Text {
    /// Its heading.
    pub title: String,
    /// The text, in paragraphs.
    pub body: String,
    /// Lines scrolled away at the top.
    pub scroll: usize,
}
