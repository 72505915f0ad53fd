//! Strings of bounded length.

use super::{DecodeError, at_most};
use crate::limits::MAX_TEXT_BYTES;

/// The text, cut at a character's edge if it is longer than the limit.
pub(crate) fn clip(text: &str) -> String {
    clip_to(text, MAX_TEXT_BYTES)
}

/// The same with a limit of its own.
pub(crate) fn clip_to(text: &str, limit: usize) -> String {
    let mut end = limit.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

/// The text as it came, unless no sender of ours can have sent it.
pub(crate) fn checked(field: &'static str, text: String) -> Result<String, DecodeError> {
    at_most(field, MAX_TEXT_BYTES, text.len())?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_between_characters() {
        assert_eq!(clip_to("aé", 2), "a");
        assert_eq!(clip_to("aé", 3), "aé");
        assert_eq!(clip_to("", 3), "");
    }
}
