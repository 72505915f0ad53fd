//! Where things are on the screen that was drawn last, for the mouse and for scrolling.

use super::Tab;

/// A rectangle of the screen, in columns and rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Area {
    /// First column.
    pub x: u16,
    /// First row.
    pub y: u16,
    /// Columns.
    pub w: u16,
    /// Rows.
    pub h: u16,
}

impl Area {
    /// A rectangle.
    pub const fn new(x: u16, y: u16, w: u16, h: u16) -> Self {
        Self { x, y, w, h }
    }

    /// Whether the cell lies in it.
    pub const fn holds(self, x: u16, y: u16) -> bool {
        x >= self.x && y >= self.y && x - self.x < self.w && y - self.y < self.h
    }

    /// The first rows of it, at most so many, and what remains.
    pub fn split(self, rows: u16) -> (Self, Self) {
        let h = rows.min(self.h);
        (Self { h, ..self }, Self { y: self.y.saturating_add(h), h: self.h - h, ..self })
    }
}

/// What can be clicked, and how much room there is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Hits {
    /// The tabs.
    pub tabs: Vec<(Area, Tab)>,
    /// Column heads of the list, with the column's key.
    pub heads: Vec<(Area, &'static str)>,
    /// The list's rows; the first one shows the list's `top`.
    pub rows: Area,
    /// The menu's items, and the first of them on screen.
    pub menu: (Area, usize),
    /// Lines of a detail or text, and how many of them fit.
    pub text: (usize, usize),
}
