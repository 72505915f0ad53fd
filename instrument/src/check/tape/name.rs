//! The name of a session's recording: its test, the process and the second, and a number where there are several. No name
//! is given twice in one process, also where its file was removed: the text of a failure names a file, and opens the run
//! that it tells of or none.
//!
//! Called by the tape when its file begins. Never writes over a file.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::PoisonError;

use pollscope_model::time::SECOND;
use pollscope_proto::recording::EXTENSION;
use pollscope_recorder::clock;

use super::super::TESTS;
use super::RecordSetting;
use crate::check::book::Book;

/// Names that are tried for one file.
const TRIES: u32 = 1_000;

/// Creates a file of a name that neither another file has nor this process has given before.
pub(super) fn create(setting: &RecordSetting, book: &Book) -> io::Result<(PathBuf, File)> {
    fs::create_dir_all(&setting.folder)?;
    for _ in 0..TRIES {
        let (unix_s, number) = TESTS
            .names
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .next(now_s(), |unix_s| setting.path(&book.file_stem(unix_s), ""));
        let other = if number == 1 { String::new() } else { format!("-{number}") };
        let path = setting.path(&book.file_stem(unix_s), &format!("{other}.{EXTENSION}"));
        match pollscope_system::file::create_private(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            opened => return opened.map(|file| (path, file)),
        }
    }
    Err(io::Error::other(format!("{TRIES} files of that name are there")))
}

fn now_s() -> u64 {
    clock::anchor().to_unix_ns(clock::now_ns()) / SECOND
}

/// The numbers that were given in the latest second. Names hold the second, so that those before are over.
#[derive(Default)]
pub(in crate::check) struct Given {
    unix_s: u64,
    numbers: HashMap<PathBuf, u32>,
}

impl Given {
    /// The second and the number of the next name. A thread that read the clock before another one gets that one's
    /// second.
    fn next(&mut self, now_s: u64, stem: impl Fn(u64) -> PathBuf) -> (u64, u32) {
        if now_s > self.unix_s {
            self.unix_s = now_s;
            self.numbers.clear();
        }
        let number = self.numbers.entry(stem(self.unix_s)).or_default();
        *number += 1;
        (self.unix_s, *number)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::Duration;

    use super::*;
    use crate::check::book::Settings;

    #[test]
    fn no_name_is_given_twice_though_its_file_is_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let setting = RecordSetting { folder: folder.path().to_path_buf(), ..RecordSetting::default() };
        let settings = Settings {
            name: "given twice".to_owned(),
            slow_poll: Duration::from_secs(60),
            stall: None,
            policy: String::new(),
        };
        let book = Book::open(settings).expect("a number is free");
        let mut names = HashSet::new();
        for _ in 0..6 {
            let (path, _) = create(&setting, &book).expect("a file");
            fs::remove_file(&path).expect("it is there");
            assert!(names.insert(path.clone()), "{} is another run's", path.display());
        }
    }

    #[test]
    fn numbers_begin_anew_with_each_second_and_not_with_an_earlier_one() {
        let mut given = Given::default();
        let mut next =
            |now_s, test: &str| given.next(now_s, |unix_s| PathBuf::from(format!("{test}-{unix_s}")));
        assert_eq!([next(7, "a"), next(7, "b"), next(7, "a")], [(7, 1), (7, 1), (7, 2)]);
        assert_eq!([next(8, "a"), next(7, "a")], [(8, 1), (8, 2)]);
        assert_eq!(given.numbers.len(), 1);
    }
}
