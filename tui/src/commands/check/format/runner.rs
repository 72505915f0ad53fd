//! The machine that the command runs on, as far as formats care: where the checkout is, and where GitHub
//! Actions takes the summary of a step.
//!
//! The rim: it reads the environment once and appends to one file. For the door of this room only.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::place::Repository;

/// What CI systems call the root of the checkout: GitHub Actions, GitLab.
const ROOTS: [&str; 2] = ["GITHUB_WORKSPACE", "CI_PROJECT_DIR"];
/// The file that GitHub Actions shows as the summary of a step.
const SUMMARY: &str = "GITHUB_STEP_SUMMARY";

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Runner {
    here: PathBuf,
    root: PathBuf,
    summary: Option<PathBuf>,
}

impl Runner {
    /// What the environment says; without a CI, the repository that the current folder is in.
    #[expect(clippy::disallowed_methods, reason = "the rim: where the checkout is")]
    pub(crate) fn here() -> Self {
        let here = std::env::current_dir().unwrap_or_default();
        Self::of(here, |name| std::env::var_os(name), Path::exists)
    }

    fn of(
        here: PathBuf,
        variable: impl Fn(&str) -> Option<OsString>,
        exists: impl Fn(&Path) -> bool,
    ) -> Self {
        let variable = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        // A job may check several repositories out, or run outside of its own.
        let told = ROOTS.into_iter().filter_map(variable).find(|root| here.starts_with(root));
        let root =
            told.or_else(|| here.ancestors().find(|base| exists(&base.join(".git"))).map(Path::to_owned));
        Self { root: root.unwrap_or_else(|| here.clone()), here, summary: variable(SUMMARY) }
    }

    /// The checkout, for the formats that attach to lines.
    pub(crate) fn repository(&self) -> Repository {
        Repository::new(&self.root, &self.here, Path::is_file)
    }

    /// Appends to the summary of the step, if there is one.
    ///
    /// # Errors
    /// One line for people: the file, and the error of the system. No reason to fail.
    pub(crate) fn summarise(&self, text: &str) -> Result<(), String> {
        let Some(path) = &self.summary else { return Ok(()) };
        let file = OpenOptions::new().append(true).create(true).open(path);
        file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| {
            format!("the step summary was not written: {SUMMARY} is {}: {error}", path.display())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runner(here: &str, variables: &[(&str, &str)]) -> Runner {
        let variable = |name: &str| {
            let set = variables.iter().find(|(known, _)| *known == name);
            set.map(|(_, value)| OsString::from(value))
        };
        Runner::of(here.into(), variable, |path| path == Path::new("/srv/me/shop/.git"))
    }

    #[test]
    fn the_root_is_what_the_ci_says_or_where_git_is() {
        let root = |here: &str, variables: &[(&str, &str)]| runner(here, variables).root;
        assert_eq!(root("/w/shop/api", &[("GITHUB_WORKSPACE", "/w/shop")]), Path::new("/w/shop"));
        assert_eq!(root("/builds/shop", &[("CI_PROJECT_DIR", "/builds/shop")]), Path::new("/builds/shop"));
        assert_eq!(root("/srv/me/shop/api", &[("GITHUB_WORKSPACE", "")]), Path::new("/srv/me/shop"));
        assert_eq!(root("/srv/me/shop/api", &[("GITHUB_WORKSPACE", "/w/other")]), Path::new("/srv/me/shop"));
        assert_eq!(root("/tmp/x", &[]), Path::new("/tmp/x"));
    }

    #[test]
    fn the_summary_is_appended_to() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("summary.md");
        let runner = runner("/", &[(SUMMARY, path.to_str().expect("a plain path"))]);
        assert_eq!((runner.summarise("one\n"), runner.summarise("two\n")), (Ok(()), Ok(())));
        assert_eq!(std::fs::read_to_string(path).expect("it was written"), "one\ntwo\n");
    }

    #[test]
    fn no_summary_is_no_trouble_and_a_bad_one_is_told() {
        assert_eq!(runner("/", &[]).summarise("one\n"), Ok(()));
        let told =
            runner("/", &[(SUMMARY, "/nowhere/summary.md")]).summarise("one\n").expect_err("no folder");
        assert!(
            told.starts_with("the step summary was not written: GITHUB_STEP_SUMMARY is /nowhere"),
            "{told}"
        );
    }
}
