//! The key table.

use super::Context as C;
use super::key::Key;
use crate::screens::action::Action;
use crate::screens::state::Tab;
use crate::sources::replay::Control;

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Binding {
    /// The keys; any of them does it.
    pub keys: &'static [Key],
    /// What they do.
    pub action: Action,
    /// Where: the bits of [`Context`](super::Context).
    pub contexts: u16,
    /// For the key line, `keys words`; empty if it has no place there.
    pub line: &'static str,
    /// One sentence fragment for the menu and the reference.
    pub help: &'static str,
}

const TEN_SECONDS: i64 = 10 * pollscope_model::time::SECOND.cast_signed();
const LISTS: u16 =
    C::Fleet as u16 | C::Tasks as u16 | C::Sites as u16 | C::Workers as u16 | C::Findings as u16;
const DETAILS: u16 = C::Task as u16 | C::Site as u16 | C::Finding as u16;
const SCREENS: u16 = LISTS | DETAILS;
/// Where single polls are shown over time.
const FLIGHT: u16 = C::Workers as u16 | C::Task as u16;
/// Where `[`, `]` and `L` move in time; where single polls are shown they move in the picture.
const TIME: u16 = SCREENS & !FLIGHT;
const OVERLAYS: u16 = C::Menu as u16 | C::Text as u16;
const SCROLL: u16 = SCREENS | OVERLAYS;
const ALL: u16 = SCROLL | C::Prompt as u16;

const fn bind(
    keys: &'static [Key],
    action: Action,
    contexts: u16,
    line: &'static str,
    help: &'static str,
) -> Binding {
    Binding { keys, action, contexts, line, help }
}

/// Every key, what it does and where. The order is that of the key line and of the `?` menu.
pub static BINDINGS: &[Binding] = &[
    bind(&[Key::ESC], Action::Back, DETAILS, "Esc back", "out one level"),
    bind(&[Key::char('j'), Key::DOWN], Action::Down, LISTS, "j/k move", "one row down"),
    bind(&[Key::char('j'), Key::DOWN], Action::Down, DETAILS | OVERLAYS, "j/k scroll", "one row down"),
    bind(&[Key::char('k'), Key::UP], Action::Up, SCROLL, "", "one row up"),
    bind(&[Key::ENTER], Action::Open, C::Fleet as u16, "Enter open", "open the process: its tasks"),
    bind(&[Key::ENTER], Action::Open, C::Tasks as u16, "Enter detail", "everything about the task"),
    bind(&[Key::ENTER], Action::Open, C::Sites as u16, "Enter tasks", "the tasks spawned at the site"),
    bind(&[Key::ENTER], Action::Open, C::Workers as u16, "Enter task", "the task that the worker polls now"),
    bind(&[Key::ENTER], Action::Open, C::Findings as u16, "Enter detail", "everything about the finding"),
    bind(&[Key::ENTER], Action::Open, C::Task as u16, "", "the site that spawned the task"),
    bind(&[Key::ENTER], Action::Open, C::Site as u16, "Enter tasks", "the tasks spawned at the site"),
    bind(&[Key::ENTER], Action::Open, C::Finding as u16, "Enter task", "the task or site that shows it"),
    bind(&[Key::ENTER], Action::Accept, C::Menu as u16, "Enter choose", "choose the item"),
    bind(&[Key::ENTER, Key::char('q')], Action::Cancel, C::Text as u16, "", "close the text"),
    bind(&[Key::ENTER], Action::Accept, C::Prompt as u16, "Enter take", "take what was typed"),
    bind(&[Key::char('d')], Action::ToSite, C::Sites as u16, "d detail", "everything about the site"),
    bind(
        &[Key::char('t')],
        Action::ToTask,
        C::Findings as u16 | C::Finding as u16,
        "t task",
        "the task that shows it",
    ),
    bind(
        &[Key::char('S')],
        Action::ToSite,
        C::Tasks as u16 | C::Findings as u16,
        "S site",
        "the site of the selected row",
    ),
    bind(&[Key::char('g'), Key::char('S')], Action::ToSite, C::Task as u16, "g site", "the task's site"),
    bind(
        &[Key::char('g'), Key::char('S')],
        Action::ToSite,
        C::Finding as u16,
        "g site",
        "the finding's site",
    ),
    bind(&[Key::char('g')], Action::ToTasks, C::Site as u16, "", "the tasks spawned at the site"),
    bind(&[Key::char('s')], Action::SortMenu, LISTS, "s sort", "choose the column to sort by"),
    bind(&[Key::char('c')], Action::ColumnsMenu, LISTS, "c columns", "choose the columns"),
    bind(&[Key::char('/')], Action::Filter, LISTS, "/ filter", "filter the rows as you type"),
    bind(
        &[Key::char('+'), Key::char('=')],
        Action::ZoomIn,
        FLIGHT,
        "+/- zoom",
        "a shorter stretch of single polls",
    ),
    bind(&[Key::char('-')], Action::ZoomOut, FLIGHT, "", "a longer stretch of single polls"),
    bind(
        &[Key::char('[')],
        Action::Earlier,
        C::Workers as u16,
        "[/] step",
        "an earlier stretch of single polls",
    ),
    bind(&[Key::char(']')], Action::Later, C::Workers as u16, "", "a later stretch of single polls"),
    bind(
        &[Key::char('['), Key::char('h'), Key::LEFT],
        Action::Earlier,
        C::Task as u16,
        "[/] step",
        "an earlier stretch of single polls",
    ),
    bind(
        &[Key::char(']'), Key::char('l'), Key::RIGHT],
        Action::Later,
        C::Task as u16,
        "",
        "a later stretch of single polls",
    ),
    bind(
        &[Key::char('D')],
        Action::Dump,
        FLIGHT,
        "",
        "write what is shown, with the single polls of the last 15 s, into a recording in the current folder",
    ),
    bind(&[Key::char('L')], Action::Live, FLIGHT, "", "the newest single polls, as they come"),
    bind(
        &[Key::char(' ')],
        Action::Freeze,
        SCREENS,
        "Space freeze",
        "hold the view while data flows on, or go on; play a recording",
    ),
    bind(&[Key::char('[')], Action::Time(Control::Step(-1)), TIME, "", "back in time by one report"),
    bind(&[Key::char(']')], Action::Time(Control::Step(1)), TIME, "", "on in time by one report"),
    bind(&[Key::char('(')], Action::Time(Control::Jump(-TEN_SECONDS)), SCREENS, "", "back in time by 10 s"),
    bind(&[Key::char(')')], Action::Time(Control::Jump(TEN_SECONDS)), SCREENS, "", "on in time by 10 s"),
    bind(
        &[Key::char('{')],
        Action::Time(Control::Finding(-1)),
        SCREENS,
        "",
        "to where the finding before opened",
    ),
    bind(
        &[Key::char('}')],
        Action::Time(Control::Finding(1)),
        SCREENS,
        "",
        "to where the next finding opened",
    ),
    bind(&[Key::char('<')], Action::Time(Control::Slower), SCREENS, "", "play more slowly"),
    bind(&[Key::char('>')], Action::Time(Control::Faster), SCREENS, "", "play faster"),
    bind(
        &[Key::char('L')],
        Action::Time(Control::Newest),
        TIME,
        "",
        "to now, or to the end of the recording",
    ),
    bind(&[Key::char(' ')], Action::Toggle, C::Menu as u16, "Space switch", "switch the item on or off"),
    bind(&[Key::char('y')], Action::CopyText, SCREENS, "y/Y copy", "copy as text (OSC 52)"),
    bind(&[Key::char('Y')], Action::CopyJson, SCREENS, "", "copy as JSON (OSC 52)"),
    bind(
        &[Key::char('e')],
        Action::Explain,
        SCREENS,
        "e explain",
        "what the selected finding's detector means and what to do",
    ),
    bind(&[Key::char(':')], Action::Command, SCREENS, ": command", "type a command"),
    bind(&[Key::ESC], Action::Back, LISTS, "", "out one level: the filter, then the screen before"),
    bind(&[Key::ESC], Action::Cancel, OVERLAYS, "Esc close", "close it"),
    bind(&[Key::ESC], Action::Cancel, C::Prompt as u16, "Esc leave", "leave it as it was before"),
    bind(&[Key::char('q')], Action::Quit, SCREENS, "q quit", "out one level; at the top level: quit"),
    bind(&[Key::char('q')], Action::Cancel, C::Menu as u16, "", "close the menu"),
    bind(&[Key::char('Q'), Key::ctrl('c')], Action::QuitNow, SCROLL, "", "quit from anywhere"),
    bind(&[Key::ctrl('c')], Action::QuitNow, C::Prompt as u16, "", "quit"),
    bind(&[Key::char('g'), Key::HOME], Action::Top, LISTS | OVERLAYS, "", "the first row"),
    bind(&[Key::HOME], Action::Top, DETAILS, "", "the first row"),
    bind(&[Key::char('G'), Key::END], Action::Bottom, SCROLL, "", "the last row"),
    bind(&[Key::ctrl('d')], Action::HalfDown, SCROLL, "", "half a screen down"),
    bind(&[Key::ctrl('u')], Action::HalfUp, SCROLL, "", "half a screen up"),
    bind(&[Key::PAGE_DOWN, Key::ctrl('f')], Action::PageDown, SCROLL, "", "a screen down"),
    bind(&[Key::PAGE_UP, Key::ctrl('b')], Action::PageUp, SCROLL, "", "a screen up"),
    bind(&[Key::char('h'), Key::LEFT], Action::Left, LISTS, "", "columns to the left"),
    bind(&[Key::char('l'), Key::RIGHT], Action::Right, LISTS, "", "columns to the right"),
    bind(&[Key::char('1')], Action::Go(Tab::Fleet), SCREENS, "", "to Fleet"),
    bind(&[Key::char('2')], Action::Go(Tab::Tasks), SCREENS, "", "to Tasks"),
    bind(&[Key::char('3')], Action::Go(Tab::Sites), SCREENS, "", "to Sites"),
    bind(&[Key::char('4')], Action::Go(Tab::Workers), SCREENS, "", "to Workers"),
    bind(&[Key::char('5')], Action::Go(Tab::Findings), SCREENS, "", "to Findings"),
    bind(&[Key::TAB], Action::NextTab, SCREENS, "", "to the next tab"),
    bind(&[Key::BACK_TAB], Action::PreviousTab, SCREENS, "", "to the tab before"),
    bind(&[Key::TAB], Action::Complete, C::Prompt as u16, "Tab complete", "complete what was typed"),
    bind(&[Key::UP, Key::ctrl('p')], Action::Older, C::Prompt as u16, "Up/Down history", "the line before"),
    bind(&[Key::DOWN, Key::ctrl('n')], Action::Newer, C::Prompt as u16, "", "the line after"),
    bind(&[Key::ctrl('l')], Action::Redraw, ALL, "", "draw everything anew"),
    bind(&[Key::ctrl('z')], Action::Suspend, ALL, "", "back to the shell until `fg`"),
    bind(
        &[Key::char('?')],
        Action::Help,
        SCREENS,
        "? keys",
        "the keys of this place, in a menu that runs them",
    ),
];
