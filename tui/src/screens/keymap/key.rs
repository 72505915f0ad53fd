//! One key press, as it is compared, printed and written in the table.

use std::fmt;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// A key with the modifiers that matter. Shift is part of a character, not beside it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Key {
    code: KeyCode,
    ctrl: bool,
    alt: bool,
}

impl Key {
    /// Enter.
    pub const ENTER: Self = Self::plain(KeyCode::Enter);
    /// Escape.
    pub const ESC: Self = Self::plain(KeyCode::Esc);
    /// Tab.
    pub const TAB: Self = Self::plain(KeyCode::Tab);
    /// Shift and Tab.
    pub const BACK_TAB: Self = Self::plain(KeyCode::BackTab);
    /// Arrow up.
    pub const UP: Self = Self::plain(KeyCode::Up);
    /// Arrow down.
    pub const DOWN: Self = Self::plain(KeyCode::Down);
    /// Arrow left.
    pub const LEFT: Self = Self::plain(KeyCode::Left);
    /// Arrow right.
    pub const RIGHT: Self = Self::plain(KeyCode::Right);
    /// Home.
    pub const HOME: Self = Self::plain(KeyCode::Home);
    /// End.
    pub const END: Self = Self::plain(KeyCode::End);
    /// Page up.
    pub const PAGE_UP: Self = Self::plain(KeyCode::PageUp);
    /// Page down.
    pub const PAGE_DOWN: Self = Self::plain(KeyCode::PageDown);
    /// Backspace.
    pub const BACKSPACE: Self = Self::plain(KeyCode::Backspace);
    /// Delete.
    pub const DELETE: Self = Self::plain(KeyCode::Delete);

    const fn plain(code: KeyCode) -> Self {
        Self { code, ctrl: false, alt: false }
    }

    /// A character.
    pub const fn char(c: char) -> Self {
        Self::plain(KeyCode::Char(c))
    }

    /// A character with Ctrl.
    pub const fn ctrl(c: char) -> Self {
        Self { code: KeyCode::Char(c), ctrl: true, alt: false }
    }

    /// The character that the key types, if it types one.
    pub const fn typed(self) -> Option<char> {
        match self.code {
            KeyCode::Char(c) if !self.ctrl && !self.alt => Some(c),
            _ => None,
        }
    }
}

impl From<KeyEvent> for Key {
    fn from(event: KeyEvent) -> Self {
        let code = match event.code {
            KeyCode::Tab if event.modifiers.contains(KeyModifiers::SHIFT) => KeyCode::BackTab,
            code => code,
        };
        Self {
            code,
            ctrl: event.modifiers.contains(KeyModifiers::CONTROL),
            alt: event.modifiers.contains(KeyModifiers::ALT),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ctrl {
            f.write_str("Ctrl-")?;
        }
        if self.alt {
            f.write_str("Alt-")?;
        }
        match self.code {
            KeyCode::Char(' ') => f.write_str("Space"),
            KeyCode::Char(c) => write!(f, "{c}"),
            KeyCode::BackTab => f.write_str("Shift-Tab"),
            KeyCode::PageUp => f.write_str("PgUp"),
            KeyCode::PageDown => f.write_str("PgDn"),
            code => write!(f, "{code:?}"),
        }
    }
}
