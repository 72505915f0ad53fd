//! Lines of text in roles: what a screen is made of.

use crate::output::fmt::{clean, cut, width, wrap};
use crate::screens::theme::Role;

/// Text in one role.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Span {
    /// The text; cleaned again when it is drawn.
    pub text: String,
    /// What it is.
    pub role: Role,
}

/// One line.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Line {
    /// Its parts, from the left.
    pub spans: Vec<Span>,
    /// Whether the cursor is on it.
    pub selected: bool,
}

impl Line {
    /// An empty line.
    pub fn new() -> Self {
        Self::default()
    }

    /// A line of one part.
    pub fn of(role: Role, text: impl Into<String>) -> Self {
        Self::new().with(role, text)
    }

    /// The line with one more part at the end.
    #[must_use]
    pub fn with(mut self, role: Role, text: impl Into<String>) -> Self {
        self.push(role, text);
        self
    }

    /// Adds a part at the end.
    pub fn push(&mut self, role: Role, text: impl Into<String>) {
        let text = text.into();
        if !text.is_empty() {
            self.spans.push(Span { text, role });
        }
    }

    /// Adds all parts of another line.
    pub fn append(&mut self, other: Self) {
        self.spans.extend(other.spans);
    }

    /// Columns that it takes.
    pub fn width(&self) -> usize {
        self.spans.iter().map(|span| width(&span.text)).sum()
    }

    /// Fills it with spaces up to that column.
    pub fn pad_to(&mut self, columns: usize) {
        let gap = columns.saturating_sub(self.width());
        self.push(Role::Text, " ".repeat(gap));
    }

    /// The line, cut to the columns; a cut is marked.
    #[must_use]
    pub fn cut(self, columns: usize) -> Self {
        if self.width() <= columns {
            return self;
        }
        let mut left = columns;
        let mut line = Self { spans: Vec::new(), selected: self.selected };
        for span in self.spans {
            let text = cut(&span.text, left).into_owned();
            let (used, was) = (width(&text), width(&span.text));
            line.push(span.role, text);
            left -= used.min(left);
            if used < was {
                break;
            }
        }
        line
    }

    /// The line and another one at the right end of the columns; the left one is cut for it.
    #[must_use]
    pub fn beside(self, right: Self, columns: usize) -> Self {
        let right = right.cut(columns);
        let mut line = self.cut(columns.saturating_sub(right.width() + 1));
        line.pad_to(columns - right.width());
        line.append(right);
        line
    }

    /// A rule across the columns with a title at the left and words at the right.
    pub fn rule(title: &str, right: &str, columns: usize) -> Self {
        let words = cut(right, columns.saturating_sub(width(title) + 8));
        let tail = if words.is_empty() { 0 } else { width(&words) + 3 };
        let title = cut(title, columns.saturating_sub(tail + 5));
        let mut line = Self::of(Role::Rule, "─ ").with(Role::Title, title).with(Role::Rule, " ");
        let fill = columns.saturating_sub(line.width() + tail);
        line.push(Role::Rule, "─".repeat(fill));
        if tail > 0 {
            line.push(Role::Rule, " ");
            line.push(Role::Dim, words);
            line.push(Role::Rule, " ─");
        }
        line.cut(columns)
    }

    /// The line as if it were not current.
    #[must_use]
    pub fn dim(mut self) -> Self {
        for span in &mut self.spans {
            span.role = Role::Dim;
        }
        self
    }

    /// Its text.
    pub fn plain(&self) -> String {
        self.spans.iter().map(|span| span.text.as_str()).collect()
    }
}

/// Several columns of lines side by side, each that wide, with a gap of one.
pub fn side_by_side(columns: Vec<Vec<Line>>, each: usize) -> Vec<Line> {
    let height = columns.iter().map(Vec::len).max().unwrap_or(0);
    let mut lines = vec![Line::new(); height];
    for (at, column) in columns.into_iter().enumerate() {
        for (line, part) in lines.iter_mut().zip(column) {
            line.pad_to(at * (each + 1));
            line.append(part.cut(each));
        }
    }
    lines
}

/// `label value` pairs, as many to a line as fit; one that is too long for a line is wrapped.
pub fn flow(pairs: impl IntoIterator<Item = (String, String)>, columns: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut line = Line::new();
    for (label, value) in pairs {
        let wide = 2 + width(&label) + 1 + width(&value);
        if line.width() > 0 && line.width() + wide + 1 > columns {
            lines.push(std::mem::take(&mut line));
        }
        if wide > columns {
            let mut label = format!("  {} ", clean(&label));
            for part in wrap(&value, columns.saturating_sub(width(&label)).max(8)) {
                lines.push(Line::of(Role::Dim, label).with(Role::Text, part).cut(columns));
                label = String::from("    ");
            }
            continue;
        }
        let gap = if line.width() > 0 { " " } else { "" };
        line.push(Role::Dim, format!("{gap}  {} ", clean(&label)));
        line.push(Role::Text, clean(&value));
    }
    if line.width() > 0 {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_and_pairs_of_lines_always_fit() {
        for columns in 0..60 {
            for (title, right) in
                [("", ""), ("Tasks 1-17 of 43", ""), ("Tasks", "sort BUSY ▼"), ("日本語", "日本")]
            {
                let rule = Line::rule(title, right, columns);
                assert!(rule.width() <= columns, "{title} {right} {columns}: {:?}", rule.plain());
                let beside = Line::of(Role::Text, title).beside(Line::of(Role::Text, right), columns);
                assert!(beside.width() <= columns, "{columns}: {:?}", beside.plain());
            }
        }
        assert_eq!(Line::rule("A", "b", 14).plain(), "─ A ────── b ─");
    }
}
