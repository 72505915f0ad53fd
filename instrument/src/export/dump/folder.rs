//! Where dumps lie: `checkout-4711-20261121-081015.dump.mcap`, the newest [`KEPT`] of a service. A dump
//! appears when it is complete; until then its name ends in `.part`.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use pollscope_model::time::SECOND;
use pollscope_system::file::create_private;

use crate::setup::identity::Identity;

/// Dumps of one service that stay.
const KEPT: usize = 10;
const EXTENSION: &str = "dump.mcap";
const PART: &str = ".part";

/// The folder of one service's dumps.
pub(super) struct Folder {
    path: PathBuf,
    identity: Identity,
}

impl Folder {
    /// Makes it if it is missing.
    pub(super) fn open(path: &Path, identity: &Identity) -> Result<Self, String> {
        fs::create_dir_all(path).map_err(|error| super::super::file::plain(&error))?;
        Ok(Self { path: path.to_owned(), identity: identity.clone() })
    }

    /// Begins a dump.
    pub(super) fn begin(&self, unix_ns: u64) -> io::Result<(Draft<'_>, File)> {
        let name = self.identity.file_name_at(unix_ns / SECOND, EXTENSION);
        let path = self.path.join(format!("{name}{PART}"));
        let file = match create_private(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                // What a process of this number left unfinished, or a link: the name itself goes.
                fs::remove_file(&path)?;
                create_private(&path)?
            }
            created => created?,
        };
        Ok((Draft { folder: self, path, kept: self.path.join(name), done: false }, file))
    }

    /// The oldest leave.
    fn prune(&self) {
        let Ok(entries) = fs::read_dir(&self.path) else { return };
        let names = entries.flatten().map(|entry| entry.file_name());
        let mut dumps: Vec<_> = names.filter_map(|name| Some((self.age(&name)?, name))).collect();
        dumps.sort_unstable();
        for (_, name) in dumps.iter().rev().skip(KEPT) {
            // Another process of the service may have been first.
            let _ = fs::remove_file(self.path.join(name));
        }
    }

    /// Sorts the service's dumps by age; `None` for any other file.
    fn age(&self, name: &OsStr) -> Option<String> {
        let name = name.to_str()?;
        let name = name.strip_suffix(PART).unwrap_or(name);
        let rest = name.strip_prefix(&self.identity.plain_name())?.strip_prefix('-')?;
        let (pid, time) = rest.strip_suffix(EXTENSION)?.strip_suffix('.')?.split_once('-')?;
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let (day, second) = time.split_once('-')?;
        (digits(pid) && digits(day) && digits(second)).then(|| time.to_owned())
    }
}

/// A dump that is being written; gone if it is dropped.
pub(super) struct Draft<'a> {
    folder: &'a Folder,
    path: PathBuf,
    kept: PathBuf,
    done: bool,
}

impl Draft<'_> {
    /// It is complete.
    pub(super) fn keep(mut self) -> io::Result<PathBuf> {
        fs::rename(&self.path, &self.kept)?;
        self.done = true;
        self.folder.prune();
        Ok(std::mem::take(&mut self.kept))
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        if !self.done {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step of a test is the test's failure")]

    use pollscope_model::id::BootId;

    use super::*;
    use crate::setup::config::Config;

    #[cfg(unix)]
    #[test]
    fn a_dump_is_for_this_user_alone_and_follows_no_link() {
        use std::os::unix::fs::{MetadataExt, symlink};
        let place = tempfile::tempdir().unwrap();
        let config = Config { name: Some("api".to_owned()), ..Config::default() };
        let identity = Identity::of_this_process(&config, BootId(1));
        let folder = Folder::open(place.path(), &identity).unwrap();
        let precious = place.path().join("precious");
        fs::write(&precious, "what was there").unwrap();
        let name = identity.file_name_at(5, EXTENSION);
        symlink(&precious, place.path().join(format!("{name}{PART}"))).unwrap();
        let (draft, _file) = folder.begin(5 * SECOND).unwrap();
        let kept = draft.keep().unwrap();
        assert_eq!(fs::symlink_metadata(&kept).unwrap().mode() & 0o177_777, 0o100_600);
        assert_eq!(fs::read_to_string(&precious).unwrap(), "what was there");
    }

    #[test]
    fn the_newest_stay_and_nothing_else_is_touched() {
        let place = tempfile::tempdir().unwrap();
        let config = Config { name: Some("api".to_owned()), ..Config::default() };
        let folder =
            Folder::open(&place.path().join("deep/er"), &Identity::of_this_process(&config, BootId(1)))
                .unwrap();
        let others =
            ["api-4-20200101-000000.mcap", "api-gateway-4-20200101-000000.dump.mcap", "api-x.dump.mcap"];
        for other in others {
            fs::write(folder.path.join(other), "").unwrap();
        }
        fs::write(folder.path.join("api-4-20200101-000000.dump.mcap"), "of an earlier run").unwrap();
        fs::write(folder.path.join("api-4-20200101-000001.dump.mcap.part"), "of one that was killed")
            .unwrap();
        let kept: Vec<_> =
            (0..12).map(|second| folder.begin(second * SECOND).unwrap().0.keep().unwrap()).collect();
        drop(folder.begin(99 * SECOND).unwrap());
        // Older than what the clock of an earlier run said: they leave first.
        let mut left: Vec<_> =
            fs::read_dir(&folder.path).unwrap().map(|entry| entry.unwrap().path()).collect();
        left.retain(|path| !others.iter().any(|other| path.ends_with(other)));
        assert_eq!(left.len(), KEPT, "{left:?}");
        assert!(left.contains(&kept[11]) && !left.contains(&kept[3]), "{left:?}");
        assert!(others.iter().all(|other| folder.path.join(other).exists()));
    }
}
