//! Fingerprints: the same text for the same fault, across runs and edits.
//!
//! Pure functions of texts. The engine, the verdict and the baseline make fingerprints with them.

/// Same fault, same text, across runs and edits: detector, source file of the spawn site and name of the
/// tasks, with digits replaced, so that no line number and no id is in it.
pub(crate) fn fingerprint(detector: &str, file: &str, name: &str) -> String {
    let mut text = format!("{detector} {}", file.replace('\\', "/"));
    if !name.is_empty() {
        text.push(' ');
        text.push_str(&without_digits(name));
    }
    text
}

/// The same with the function, of the user's, that was running.
pub(crate) fn with_frame(fingerprint: &str, function: &str) -> String {
    format!("{fingerprint} in {}", without_digits(function))
}

/// Each run of digits as one `#`: ids and counters differ from run to run.
pub(crate) fn without_digits(name: &str) -> String {
    let (mut text, mut number) = (String::new(), false);
    for c in name.chars() {
        if !c.is_ascii_digit() {
            text.push(c);
        } else if !number {
            text.push('#');
        }
        number = c.is_ascii_digit();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_has_neither_lines_nor_ids() {
        assert_eq!(fingerprint("task-leak", "src\\net.rs", "conn{:51028}"), "task-leak src/net.rs conn{:#}");
        let plain = fingerprint("task-leak", "src/net.rs", "");
        assert_eq!(plain, "task-leak src/net.rs");
        assert_eq!(with_frame(&plain, "cart::load_v2"), "task-leak src/net.rs in cart::load_v#");
    }
}
