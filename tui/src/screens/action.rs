//! Everything that a person can make the screens do, by key, mouse, menu or command.

use crate::screens::state::Tab;
use crate::sources::replay::Control;

/// One thing to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// One row up.
    Up,
    /// One row down.
    Down,
    /// Columns before the first one shown.
    Left,
    /// Columns after the last one shown.
    Right,
    /// The first row.
    Top,
    /// The last row.
    Bottom,
    /// Half a screen up.
    HalfUp,
    /// Half a screen down.
    HalfDown,
    /// A screen up.
    PageUp,
    /// A screen down.
    PageDown,
    /// Into what is selected.
    Open,
    /// Out one level.
    Back,
    /// Out one level, and at the top level out of the program.
    Quit,
    /// Out of the program.
    QuitNow,
    /// To one of the tabs.
    Go(Tab),
    /// To the next tab.
    NextTab,
    /// To the tab before.
    PreviousTab,
    /// To the task of what is selected.
    ToTask,
    /// To the site of what is selected.
    ToSite,
    /// To the tasks of what is selected.
    ToTasks,
    /// What the detector of what is selected means.
    Explain,
    /// Opens the command line.
    Command,
    /// Opens the filter line.
    Filter,
    /// Opens the menu of sort columns.
    SortMenu,
    /// Opens the menu of columns.
    ColumnsMenu,
    /// Opens the menu of all actions here.
    Help,
    /// A shorter stretch of single polls.
    ZoomIn,
    /// A longer one.
    ZoomOut,
    /// An earlier one.
    Earlier,
    /// A later one.
    Later,
    /// The newest one, as it comes.
    Live,
    /// Holds what is on screen, or lets it go.
    Freeze,
    /// Moves in time.
    Time(Control),
    /// Writes what is held of the process into a file.
    Dump,
    /// Copies what is selected as text.
    CopyText,
    /// Copies what is selected as JSON.
    CopyJson,
    /// Draws everything anew.
    Redraw,
    /// Back to the shell until `fg` there.
    Suspend,
    /// Takes what was typed or chosen.
    Accept,
    /// Leaves what was typed.
    Cancel,
    /// Completes what was typed.
    Complete,
    /// The line typed before.
    Older,
    /// The line typed after.
    Newer,
    /// Switches the chosen item on or off.
    Toggle,
}
