//! Text that fits: cleans what came from the network and cuts or pads it to columns.
//!
//! Everything that a process says of itself (names, groups, sites, reasons) goes through [`clean`]
//! before it gets anywhere near a terminal. Nothing here allocates for text that is fine as it is.

use std::borrow::Cow;

use pollscope_model::dict::{Site, short_line};
use pollscope_model::text;
use unicode_width::UnicodeWidthChar;

/// The text without anything that could move a cursor, hide or reorder other text: control
/// characters and line separators become `?`, characters without a width (joiners, direction marks,
/// combining accents) disappear (see [`text::clean`]). What remains is one or two columns per character.
pub fn clean(text: &str) -> Cow<'_, str> {
    let text = text::clean(text);
    if text.chars().all(|c| c.width().is_some_and(|width| width > 0)) {
        return text;
    }
    let keep = |c: char| match c.width() {
        None => Some('?'),
        Some(0) => None,
        Some(_) => Some(c),
    };
    Cow::Owned(text.chars().filter_map(keep).collect())
}

/// A line for standard error: it may quote a name or a path, which then ends no line.
pub fn notice(text: &str) -> String {
    format!("pollscope: {}", clean(text))
}

/// Columns that the text takes once it is clean.
pub fn width(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(1)).sum()
}

/// The clean text, cut to the columns; a cut is marked with `…`.
pub fn cut(text: &str, columns: usize) -> Cow<'_, str> {
    let text = clean(text);
    if width(&text) <= columns {
        return text;
    }
    let Some(room) = columns.checked_sub(1) else { return Cow::Borrowed("") };
    let mut used = 0;
    let mut kept: String = text
        .chars()
        .take_while(|c| {
            used += c.width().unwrap_or(1);
            used <= room
        })
        .collect();
    kept.push('…');
    Cow::Owned(kept)
}

/// The clean text, cut at the front: for paths, of which the end says most.
pub fn cut_front(text: &str, columns: usize) -> Cow<'_, str> {
    let text = clean(text);
    if width(&text) <= columns {
        return text;
    }
    let Some(room) = columns.checked_sub(1) else { return Cow::Borrowed("") };
    let mut used = 0;
    let mut kept: Vec<char> = text
        .chars()
        .rev()
        .take_while(|c| {
            used += c.width().unwrap_or(1);
            used <= room
        })
        .collect();
    kept.push('…');
    Cow::Owned(kept.into_iter().rev().collect())
}

/// The clean text in exactly that many columns, at the left.
pub fn left(text: &str, columns: usize) -> String {
    let text = cut(text, columns);
    let gap = columns.saturating_sub(width(&text));
    let mut padded = text.into_owned();
    padded.extend(std::iter::repeat_n(' ', gap));
    padded
}

/// The clean text in exactly that many columns, at the right.
pub fn right(text: &str, columns: usize) -> String {
    let text = cut(text, columns);
    let gap = columns.saturating_sub(width(&text));
    let mut padded = " ".repeat(gap);
    padded.push_str(&text);
    padded
}

/// The clean text, one paragraph whatever it holds, in lines of at most that many columns, broken at spaces where
/// there are any.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    if text.is_empty() {
        return Vec::new();
    }
    let columns = columns.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in clean(text).split(' ') {
        let mut word = word.to_owned();
        loop {
            let gap = usize::from(used > 0);
            let wide = width(&word);
            if used + gap + wide <= columns {
                line.extend(std::iter::repeat_n(' ', gap));
                line.push_str(&word);
                used += gap + wide;
                break;
            }
            if used > 0 {
                lines.push(std::mem::take(&mut line));
                used = 0;
                continue;
            }
            let (head, tail) = word.split_at(split_at(&word, columns));
            lines.push(head.to_owned());
            word = tail.to_owned();
        }
    }
    lines.push(line);
    lines
}

/// The same of a text of ours with several paragraphs.
pub fn wrap_lines(text: &str, columns: usize) -> Vec<String> {
    let wrapped = |line: &str| if line.is_empty() { vec![String::new()] } else { wrap(line, columns) };
    text.lines().flat_map(wrapped).collect()
}

/// The byte at which the text passes that many columns; at least one character is taken.
fn split_at(text: &str, columns: usize) -> usize {
    let mut used = 0;
    text.char_indices()
        .find(|(index, c)| {
            used += c.width().unwrap_or(1);
            used > columns && *index > 0
        })
        .map_or(text.len(), |(index, _)| index)
}

/// A whole number with thousands separated: `1,204`.
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A site or a line as short as it stays readable, see [`Site::short`]; any other text as it is.
pub fn short_site(site: &str) -> String {
    Site::parse(site).map_or_else(|| short_line(site), |site| site.short())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_that_moves_or_hides_text_survives() {
        assert_eq!(clean("plain"), "plain");
        assert_eq!(clean("a\x1b[2Jb\r\n"), "a?[2Jb??");
        assert_eq!(clean("x\u{202e}y\u{200b}z\u{9b}1m"), "xyz?1m");
        assert_eq!(clean("日本"), "日本");
    }

    #[test]
    fn wide_text_is_cut_by_columns_not_by_characters() {
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!(left("日本語", 4), "日… ");
        assert_eq!(right("7", 3), "  7");
        assert_eq!(cut_front("src/bin/cart.rs", 8), "…cart.rs");
        assert_eq!(cut("abc", 0), "");
    }

    #[test]
    fn long_text_wraps_at_spaces_and_inside_words_that_are_too_long() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
        assert_eq!(wrap_lines("a\n\nb", 5), ["a", "", "b"]);
        assert_eq!(wrap("a\n\nb", 5), ["a??b"]);
    }

    #[test]
    fn numbers_and_sites_are_short() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(1_204), "1,204");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(short_site("src/cart.rs:88:9"), "cart.rs:88");
        assert_eq!(short_site("jobs/src/main.rs:7:1"), "jobs/main.rs:7");
        assert_eq!(short_site("src/main.rs:7:1"), "main.rs:7");
        assert_eq!(short_site("src/cart.rs:70"), "cart.rs:70");
        assert_eq!(short_site("not a site"), "not a site");
    }

    proptest! {
        #[test]
        fn every_text_fits(text in any::<String>(), columns in 0usize..40) {
            prop_assert_eq!(width(&left(&text, columns)), columns);
            prop_assert_eq!(width(&right(&text, columns)), columns);
            prop_assert!(width(&cut_front(&text, columns)) <= columns);
            for line in wrap(&text, columns.max(2)) {
                prop_assert!(width(&line) <= columns.max(2));
            }
        }
    }
}
