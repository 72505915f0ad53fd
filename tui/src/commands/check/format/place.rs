//! Where in the repository something is: what annotations and alerts attach to.
//!
//! Pure: which files exist is asked through a function, so that it can be tested without any. For the
//! formats of this room only.

use std::path::{Component, Path, PathBuf};

use pollscope_model::finding::Finding;

use crate::output::fmt::clean;

/// Bytes of a path; longer ones are no paths.
const LONGEST: usize = 1_024;

/// The repository that was checked out, and where in it the command runs.
#[derive(Clone, Debug)]
pub(crate) struct Repository {
    root: PathBuf,
    here: PathBuf,
    exists: fn(&Path) -> bool,
}

/// A line of a source file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Spot {
    /// Below the root of the repository and with `/`, if it is inside; else as it was given.
    pub(super) file: String,
    /// From 1; 0 if it is not known.
    pub(super) line: u32,
    /// From 1; 0 if it is not known.
    pub(super) column: u32,
    /// Whether the repository holds the file.
    pub(super) inside: bool,
}

/// One call of a stack, as [`Finding::stack`] writes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Call<'a> {
    /// The function's path.
    pub(super) function: &'a str,
    /// File and line (0 if it is not known), if the file is known.
    pub(super) source: Option<(&'a str, u32)>,
}

impl Repository {
    /// Both paths absolute; `here` at or below `root`. `exists` says whether there is such a file.
    pub(crate) fn new(root: &Path, here: &Path, exists: fn(&Path) -> bool) -> Self {
        Self { root: plain(root), here: plain(here), exists }
    }

    /// The line that a person has to look at: the user's line that the finding names, the innermost call that is in the
    /// repository, or the spawn site. `None` if both are outside, or if the finding is about no line.
    pub(super) fn spot_of(&self, finding: &Finding) -> Option<Spot> {
        let calls = || {
            let frames = finding.stack.iter().filter_map(|frame| call(frame).source);
            line(&finding.line).into_iter().chain(frames)
        };
        let known = |file: &str| self.known(file);
        let spawned = site(&finding.site);
        let ran = calls().find_map(|(file, line)| Some((known(file)?, line, 0)));
        let spawned_here = || spawned.and_then(|(file, line, column)| Some((known(file)?, line, column)));
        // A machine that judges a recording may have no files at all.
        let not_found = || {
            let ran = calls().find_map(|(file, line)| Some((self.as_given(file)?, line, 0)));
            ran.or_else(|| {
                spawned.and_then(|(file, line, column)| Some((self.as_given(file)?, line, column)))
            })
        };
        let (file, line, column) = ran.or_else(spawned_here).or_else(not_found)?;
        Some(Spot { file, line, column, inside: true })
    }

    /// The line of that file.
    pub(super) fn spot(&self, file: &str, line: u32, column: u32) -> Spot {
        match self.known(file).or_else(|| self.as_given(file)) {
            Some(file) => Spot { file, line, column, inside: true },
            None => Spot { file: clean(file).into_owned(), line, column, inside: false },
        }
    }

    /// The path below the root, if the file is there. The compiler writes paths as seen from the root of
    /// the cargo workspace, which may be any folder between here and the root of the repository.
    fn known(&self, file: &str) -> Option<String> {
        let bases = self.here.ancestors().take_while(|base| base.starts_with(&self.root));
        bases
            .map(|base| plain(&base.join(file)))
            .find(|path| (self.exists)(path))
            .and_then(|path| self.below(&path))
    }

    /// The path below the root as it was given, if it may be there.
    fn as_given(&self, file: &str) -> Option<String> {
        let libraries = Path::new(file).starts_with("library");
        if libraries { None } else { self.below(&plain(&self.here.join(file))) }
    }

    fn below(&self, path: &Path) -> Option<String> {
        let below = path.strip_prefix(&self.root).ok()?;
        let parts = below.components().map(|part| part.as_os_str().to_string_lossy());
        let path = parts.collect::<Vec<_>>().join("/");
        Some(clean(&path).into_owned()).filter(|path| !path.is_empty())
    }
}

/// File, line and column of `src/cart.rs:88:9`.
pub(super) fn site(text: &str) -> Option<(&str, u32, u32)> {
    let (rest, column) = text.rsplit_once(':')?;
    let (file, line) = rest.rsplit_once(':')?;
    Some((file, line.parse().ok()?, column.parse().ok()?)).filter(|(file, ..)| is_path(file))
}

/// File and line of `src/cart.rs:70`; `None` for a function, which stands where no line is known.
fn line(text: &str) -> Option<(&str, u32)> {
    let (file, line) = text.rsplit_once(':')?;
    Some((file, line.parse().ok()?)).filter(|(file, _)| is_path(file))
}

/// What `function (file:line)` says.
pub(super) fn call(frame: &str) -> Call<'_> {
    let parts = frame.strip_suffix(')').and_then(|frame| frame.rsplit_once(" ("));
    let Some((function, source)) = parts else { return Call { function: frame, source: None } };
    let with_line = source.rsplit_once(':').and_then(|(file, line)| Some((file, line.parse().ok()?)));
    let (file, line) = with_line.unwrap_or((source, 0));
    if is_path(file) {
        Call { function, source: Some((file, line)) }
    } else {
        Call { function: frame, source: None }
    }
}

/// Whether it may be the path of a file. A part of nothing but invisible characters is none: cleaned away,
/// it would leave another path behind, even an absolute one.
fn is_path(text: &str) -> bool {
    let seen = |part: &str| part.is_empty() || !clean(part).is_empty();
    (1..=LONGEST).contains(&text.len()) && text.split('/').all(seen)
}

/// The path without `.` and `..`, as far as that is possible without looking at it.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use pollscope_model::testkit::verdict;

    use super::*;

    const FILES: [&str; 3] =
        ["/repo/backend/src/cart.rs", "/repo/backend/src/main.rs", "/repo/tools/build.rs"];

    fn exists(path: &Path) -> bool {
        FILES.iter().any(|file| Path::new(file) == path)
    }

    fn nothing(_: &Path) -> bool {
        false
    }

    #[test]
    fn sites_and_frames_are_read_as_they_are_written() {
        assert_eq!(site("src/cart.rs:88:9"), Some(("src/cart.rs", 88, 9)));
        assert_eq!(site("C:\\src\\cart.rs:88:9"), Some(("C:\\src\\cart.rs", 88, 9)));
        assert_eq!((site(""), site("cart.rs:9"), site(":1:2")), (None, None, None));
        assert_eq!(site("\u{202e}/cart.rs:88:9"), None, "what is seen of it is another path");
        assert_eq!(site("e\u{301}/cart.rs:88:9"), Some(("e\u{301}/cart.rs", 88, 9)), "an accent of its own");
        let told = |frame| (call(frame).function, call(frame).source);
        assert_eq!(told("cart::load (src/cart.rs:70)"), ("cart::load", Some(("src/cart.rs", 70))));
        assert_eq!(told("cart::load (src/cart.rs)"), ("cart::load", Some(("src/cart.rs", 0))));
        assert_eq!(told("<fn(u8) as Pay>::pay (a.rs:1)"), ("<fn(u8) as Pay>::pay", Some(("a.rs", 1))));
        assert_eq!(told("<fn(u8)>"), ("<fn(u8)>", None));
        assert_eq!(told("odd ()"), ("odd ()", None));
    }

    #[test]
    fn a_file_is_found_from_any_folder_of_the_repository() {
        for here in ["/repo/backend", "/repo/backend/src", "/repo/./backend/crates/../"] {
            let repository = Repository::new(Path::new("/repo"), Path::new(here), exists);
            let spot = repository.spot("src/cart.rs", 88, 9);
            assert_eq!((&*spot.file, spot.inside), ("backend/src/cart.rs", true), "{here}");
        }
        let repository = Repository::new(Path::new("/repo"), Path::new("/repo/backend"), exists);
        assert_eq!(repository.spot("/repo/tools/build.rs", 1, 1).file, "tools/build.rs");
        assert_eq!(repository.spot("../tools/build.rs", 1, 1).file, "tools/build.rs");
    }

    #[test]
    fn what_is_outside_stays_outside() {
        let repository = Repository::new(Path::new("/repo"), Path::new("/repo"), nothing);
        for file in ["/rustc/1234/library/core/src/lib.rs", "../elsewhere.rs", "library/std/src/fs.rs", ""] {
            let spot = repository.spot(file, 1, 1);
            assert_eq!((&*spot.file, spot.inside), (file, false));
        }
    }

    #[test]
    fn a_finding_is_at_the_innermost_line_of_the_repository() {
        let findings = verdict().findings;
        let repository = Repository::new(Path::new("/repo"), Path::new("/repo/backend"), exists);
        let spot = repository.spot_of(&findings[0]).map(|spot| (spot.file, spot.line, spot.column));
        assert_eq!(spot, Some(("backend/src/cart.rs".to_owned(), 93, 0)));
        assert_eq!(repository.spot_of(&findings[1]), None, "it is about no line");

        let mut foreign = Finding { line: "".into(), ..findings[0].clone() };
        foreign.stack = vec!["hyper::poll (/srv/me/.cargo/registry/src/hyper/lib.rs:7)".into()];
        let spot = repository.spot_of(&foreign).map(|spot| (spot.file, spot.line, spot.column));
        assert_eq!(spot, Some(("backend/src/cart.rs".to_owned(), 88, 9)), "the spawn site");
        foreign.site = "/srv/me/.cargo/registry/src/hyper/lib.rs:9:1".into();
        assert_eq!(repository.spot_of(&foreign), None);

        foreign.line = "src/main.rs:7".into();
        let spot = repository.spot_of(&foreign).map(|spot| (spot.file, spot.line, spot.column));
        assert_eq!(spot, Some(("backend/src/main.rs".to_owned(), 7, 0)), "the user's line");
        foreign.line = "shop::main::handle".into();
        assert_eq!(repository.spot_of(&foreign), None, "a function is no place");

        let elsewhere = Repository::new(Path::new("/repo"), Path::new("/repo"), nothing);
        let spot = elsewhere.spot_of(&findings[0]).map(|spot| (spot.file, spot.line));
        assert_eq!(spot, Some(("src/cart.rs".to_owned(), 93)), "as it was told");
    }
}
