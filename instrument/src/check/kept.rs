//! What is left of a session that failed, for a later look into it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use pollscope_model::report::Report;
use pollscope_model::text::clean;

use crate::check::book::Book;

/// Records a session while it runs. Dropped, it leaves nothing behind.
pub(super) trait Recording: Send {
    /// Takes the next report of the books. Never waits.
    fn hold(&mut self, report: &Report);

    /// Writes what waits. Waits for the disk: for a thread of ours.
    fn write(&mut self, book: &Book);

    /// The session failed: completes the file.
    fn keep(self: Box<Self>, book: &Book) -> Kept;
}

/// The recording, where `POLLSCOPE_RECORD` asked for one.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    /// What to open.
    pub(super) path: Option<PathBuf>,
    /// Why it is not there, or not whole.
    pub(super) trouble: Option<String>,
}

impl Kept {
    /// The last lines of a failure.
    pub(super) fn write_to(&self, text: &mut String) {
        if let Some(trouble) = &self.trouble {
            // It may quote a path or a variable: one line.
            let _ = write!(text, "\n  record    {}", clean(trouble));
        }
        if let Some(path) = &self.path {
            let _ = write!(text, "\n  open      pollscope open {}", quoted(path));
        }
    }
}

/// Clean, and as a shell takes it for one word.
fn quoted(path: &Path) -> String {
    let path = path.to_string_lossy();
    let path = clean(&path);
    let plain = |c: char| c.is_alphanumeric() || "/\\:._-+=@%,".contains(c);
    if path.chars().all(plain) { path.into_owned() } else { format!("'{}'", path.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word() {
        for (path, word) in
            [("/tmp/a-1.mcap", "/tmp/a-1.mcap"), ("/tmp/my  runs/it's", "'/tmp/my  runs/it'\\''s'")]
        {
            assert_eq!(quoted(Path::new(path)), word);
        }
    }
}
