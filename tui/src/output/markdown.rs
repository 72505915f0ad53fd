//! Text as Markdown that shows it and does nothing else: no link, no mention, no tag, no further cell.
//!
//! Pure. What comes in is one clean line (see [`crate::output::fmt::clean`]); the writer of Markdown puts every word
//! of a process through here.

/// Shows nothing; keeps apart what GitHub would read as a mention, an issue or an address.
const SPLIT: char = '\u{200b}';

/// In a heading, a paragraph, a list or a cell of a table.
pub(crate) fn plain(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + text.len() / 8);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            // Tables disagree about backslashes before pipes.
            '|' => escaped.push_str("&#124;"),
            '\\' => escaped.push_str("&#92;"),
            '`' | '*' | '_' | '~' | '[' | ']' | '<' | '>' | '&' | '#' | '!' | '$' => {
                escaped.extend(['\\', c]);
            }
            c => escaped.push(c),
        }
        let next = chars.peek();
        let splits = match c {
            '@' | '#' => next.is_some(),
            ':' => next == Some(&'/'),
            'w' | 'W' => next == Some(&'.') && escaped.to_ascii_lowercase().ends_with("www"),
            _ => false,
        };
        if splits {
            escaped.push(SPLIT);
        }
    }
    escaped
}

/// As code in a line of text; `–` if there is nothing.
pub(crate) fn code(text: &str) -> String {
    if text.trim().is_empty() {
        return "–".to_owned();
    }
    let ticks = "`".repeat(longest_run(text) + 1);
    let space = if text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']) { " " } else { "" };
    format!("{ticks}{space}{text}{space}{ticks}")
}

/// As code in a cell of a table, which a pipe would end even there.
pub(crate) fn code_cell(text: &str) -> String {
    if !text.contains('|') {
        return code(text);
    }
    let escaped = text
        .chars()
        .map(|c| if c.is_ascii_punctuation() { format!("&#{};", c as u32) } else { c.to_string() });
    format!("<code>{}</code>", escaped.collect::<String>())
}

/// Between tags.
pub(crate) fn html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '@' | '#' => escaped.extend([c, SPLIT]),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Several lines as a block of code.
pub(crate) fn fence(language: &str, lines: &str) -> String {
    let ticks = "`".repeat(longest_run(lines).max(2) + 1);
    format!("{ticks}{language}\n{lines}\n{ticks}\n")
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ordinary_text_stays_readable() {
        assert_eq!(plain("52ms in one poll (limit 10ms)"), "52ms in one poll (limit 10ms)");
        assert_eq!(plain("task `GET /checkout`: <late>"), "task \\`GET /checkout\\`: \\<late\\>");
        assert_eq!(code("src/cart.rs:88:9"), "`src/cart.rs:88:9`");
        assert_eq!(code(""), "–");
    }

    #[test]
    fn nothing_is_mentioned_or_linked() {
        assert_eq!(plain("@all"), "@\u{200b}all");
        assert_eq!(plain("see http://evil and www.evil"), "see http:\u{200b}//evil and www\u{200b}.evil");
        assert_eq!(plain("#12"), "\\#\u{200b}12");
        assert_eq!(html("<b>@all"), "&lt;b&gt;@\u{200b}all");
    }

    #[test]
    fn code_is_longer_quoted_than_what_it_holds() {
        assert_eq!(code("a``b"), "```a``b```");
        assert_eq!(code("`a"), "`` `a ``");
        assert_eq!(code_cell("a|b"), "<code>a&#124;b</code>");
        assert_eq!(fence("sh", "a\n````b"), "`````sh\na\n````b\n`````\n");
    }
    proptest! {
        #[test]
        fn no_text_mentions_or_links(text in "[@:/.wW a-c|\\\\`<]{0,20}") {
            for shown in [plain(&text), html(&text)] {
                prop_assert!(!shown.contains("@a"), "{}", shown);
            }
            let shown = plain(&text).to_lowercase();
            prop_assert!(!shown.contains("://") && !shown.contains("www."), "{}", shown);
            prop_assert!(!code_cell(&text).contains('|'));
        }
    }
}
