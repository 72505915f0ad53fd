//! Where the collector's log is written: names and reasons that come from peers neither end a line nor
//! move a cursor there.
//!
//! Used by the binary, for everything that is logged.

use std::io::{self, Write};

use pollscope_model::text::clean;

/// Writes each event as one clean line. The log writes an event at once.
#[derive(Debug)]
pub struct CleanLog<W>(pub W);

impl<W: Write> Write for CleanLog<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        self.0.write_all(format!("{}\n", clean(line)).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_forges_no_line_and_moves_no_cursor() {
        let mut log = CleanLog(Vec::new());
        let subscriber =
            "INFO connected process=evil\u{1b}[2J\u{9b}1m\nINFO connected process=bank\u{2028}x\n";
        log.write_all(subscriber.as_bytes()).expect("memory takes it");
        let text = String::from_utf8(log.0).expect("text");
        assert_eq!(text, "INFO connected process=evil?[2J?1m?INFO connected process=bank?x\n");
    }

    #[test]
    fn nothing_harmful_is_logged() {
        use pollscope_model::testkit::{HOSTILE, raw};
        let mut log = CleanLog(Vec::new());
        log.write_all(format!("INFO connected process={HOSTILE}\n").as_bytes()).expect("memory takes it");
        let text = String::from_utf8(log.0).expect("text");
        assert_eq!((raw(&text, &[]), text.lines().count()), (Vec::new(), 1), "{text}");
        assert!(text.contains("process==cmd()?"), "{text}");
    }
}
