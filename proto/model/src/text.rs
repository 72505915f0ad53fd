//! Text from outside on its way out: what a process or a file says of itself must not move a cursor, end a
//! line, or hide and reorder other text, wherever it is written.
//!
//! Pure. Every writer to a terminal, a log or a file for people uses [`clean`]; a writer that can keep such
//! characters escaped, as JSON can, asks [`is_unsafe`].

use std::borrow::Cow;

/// Whether the character ends a line or does something to a terminal: C0, DEL and C1, and Unicode's separators
/// of lines and paragraphs.
fn is_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Whether the character is not seen itself: it orders other text anew, joins it, or stands for nothing.
fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{115f}' | '\u{1160}'
        | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// Whether the character may not be written as it is.
pub fn is_unsafe(c: char) -> bool {
    is_control(c) || is_hidden(c)
}

/// The text as one line: control characters become `?`, hidden ones disappear. Allocates only where there are
/// some.
pub fn clean(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let keep = |c| match c {
        c if is_control(c) => Some('?'),
        c if is_hidden(c) => None,
        c => Some(c),
    };
    Cow::Owned(text.chars().filter_map(keep).collect())
}

/// The same of a text of several lines: its line feeds stay. For text of ours whose pieces are clean already, and
/// for blocks of code; a name that is put into a line of its own goes through [`clean`].
pub fn clean_lines(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|c| c != '\n' && is_unsafe(c)) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.split('\n').map(clean).collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_moves_hides_or_reorders_gets_through() {
        assert_eq!(clean("plain — 日本 é"), "plain — 日本 é");
        assert!(matches!(clean("plain"), Cow::Borrowed(_)));
        assert_eq!(clean("a\x1b[2Jb\r\n"), "a?[2Jb??");
        assert_eq!(clean("x\u{202e}y\u{200b}z\u{9b}1m\u{7f}"), "xyz?1m?");
        assert_eq!(clean("one\u{2028}two\u{2029}three"), "one?two?three");
        assert_eq!(clean("\u{2066}a\u{2069}\u{feff}\u{e0041}"), "a");
        assert_eq!(clean_lines("one\ntw\u{202e}o\r\n\u{2028}"), "one\ntwo?\n?");
        assert!(matches!(clean_lines("one\ntwo"), Cow::Borrowed(_)));
    }
}
