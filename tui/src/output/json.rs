//! JSON as it is written here: what could move a cursor or reorder text where the JSON is shown is escaped as
//! `\u202e`, which every reader turns back into the same text.
//!
//! Every writer of JSON in this crate goes through this room.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};

use pollscope_model::text::is_unsafe;
use pollscope_model::value::LineTally;
use pollscope_model::verdict;
use serde::Serialize;

/// What is undecided, by the contract: in the findings and in a check's verdict.
#[derive(Serialize)]
pub(crate) struct Undecided<'a> {
    detector: &'a str,
    reason: &'a str,
    /// There is evidence over its limit.
    over_limit: bool,
}

impl<'a> From<&'a verdict::Undecided> for Undecided<'a> {
    fn from(one: &'a verdict::Undecided) -> Self {
        Self { detector: &one.rule, reason: &one.reason, over_limit: one.over_limit }
    }
}

/// A line of the user's code with what slow polls took there, by the contract.
#[derive(Serialize)]
pub(crate) struct Seen<'a> {
    /// `null` for all lines that are not listed.
    line: Option<&'a str>,
    polls: u64,
    total_ns: u64,
    max_ns: u64,
}

impl<'a> From<&'a LineTally> for Seen<'a> {
    fn from(one: &'a LineTally) -> Self {
        let line = Some(&*one.line).filter(|line| !line.is_empty());
        Self { line, polls: one.polls, total_ns: one.total_ns, max_ns: one.max_ns }
    }
}

/// Writes a value on one line, without a newline.
pub(crate) fn write(out: impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(Escaping(out), value).map_err(io::Error::from)
}

/// The value on one line.
pub(crate) fn line(value: &impl Serialize) -> io::Result<String> {
    let text = serde_json::to_string(value).map_err(io::Error::from)?;
    Ok(escaped(&text).into_owned())
}

/// The value on many lines.
pub(crate) fn pretty(value: &impl Serialize) -> io::Result<String> {
    let text = serde_json::to_string_pretty(value).map_err(io::Error::from)?;
    Ok(escaped(&text).into_owned())
}

/// Such characters stand only inside of strings; between them there are at most newlines.
fn escaped(json: &str) -> Cow<'_, str> {
    let escapes = |c: char| c != '\n' && is_unsafe(c);
    if !json.chars().any(escapes) {
        return Cow::Borrowed(json);
    }
    let mut text = String::with_capacity(json.len() + 32);
    for c in json.chars() {
        if escapes(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(text, "\\u{unit:04x}");
            }
        } else {
            text.push(c);
        }
    }
    Cow::Owned(text)
}

/// The serializer writes whole characters; what is none is passed on as it is.
struct Escaping<W>(W);

impl<W: Write> Write for Escaping<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.0.write_all(escaped(text).as_bytes())?,
            Err(_) => self.0.write_all(bytes)?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_escaped_is_read_back_as_it_was() {
        let text = "a\u{1b}[2J\u{7f}\u{9b}\u{202e}b\u{2028}\u{e0041}\n\"日本";
        let mut written = Vec::new();
        write(&mut written, &text).expect("memory takes it");
        for json in [
            String::from_utf8(written).expect("text"),
            line(&text).expect("a line"),
            pretty(&[text]).expect("lines"),
        ] {
            assert!(!json.chars().any(|c| c != '\n' && is_unsafe(c)), "{json:?}");
            assert!(json.contains("\\u009b\\u202eb\\u2028\\udb40\\udc41"), "{json}");
            let back: serde_json::Value = serde_json::from_str(&json).expect("JSON");
            assert_eq!(back.as_str().or_else(|| back[0].as_str()), Some(text));
        }
    }
}
