//! Where an export goes: standard output, or a file that is there only once it is whole.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Stdout, Write};
use std::path::{Path, PathBuf};

use crate::output::failure::Failure;

/// See the module.
pub(super) enum Out {
    /// `-`.
    Stdout(BufWriter<Stdout>),
    /// A file.
    File(Beside),
}

/// A temporary file beside the one that is wanted; it goes away if it does not become that.
pub(super) struct Beside {
    file: BufWriter<File>,
    temporary: PathBuf,
    wanted: PathBuf,
    force: bool,
    kept: bool,
}

impl Out {
    /// Opens it; over a file that is there only if asked to.
    pub(super) fn open(path: &Path, force: bool) -> Result<Self, Failure> {
        if path == Path::new("-") {
            return Ok(Self::Stdout(BufWriter::with_capacity(1 << 16, io::stdout())));
        }
        if !force && path.symlink_metadata().is_ok() {
            return Err(exists(path));
        }
        let Some(name) = path.file_name() else {
            return Err(Failure::Usage(format!(
                "{} names no file; expected -o FILE, or -o -",
                path.display()
            )));
        };
        let mut temporary = name.to_owned();
        temporary.push(format!(".{}.part", std::process::id()));
        let temporary = path.with_file_name(temporary);
        let file = OpenOptions::new().write(true).create_new(true).open(&temporary);
        let file = file.map_err(|error| Failure::io(format!("create {}", path.display()), error))?;
        Ok(Self::File(Beside {
            file: BufWriter::with_capacity(1 << 16, file),
            temporary,
            wanted: path.to_owned(),
            force,
            kept: false,
        }))
    }

    /// All is written: gives the file its name.
    pub(super) fn keep(self) -> Result<(), Failure> {
        match self {
            Self::Stdout(mut out) => out.flush().map_err(Failure::output),
            Self::File(mut beside) => beside.keep(),
        }
    }

    /// An error while writing to it.
    pub(super) fn failure(&self, error: io::Error) -> Failure {
        match self {
            Self::Stdout(_) => Failure::output(error),
            Self::File(beside) => Failure::io(format!("write {}", beside.wanted.display()), error),
        }
    }
}

impl Beside {
    fn keep(&mut self) -> Result<(), Failure> {
        let path = &self.wanted;
        let failed = |error| Failure::io(format!("write {}", path.display()), error);
        self.file.flush().and_then(|()| self.file.get_ref().sync_all()).map_err(failed)?;
        if self.force {
            std::fs::rename(&self.temporary, path).map_err(failed)?;
            self.kept = true;
            return Ok(());
        }
        // A link and not a renaming: it does not replace what another program put there meanwhile.
        match std::fs::hard_link(&self.temporary, path) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(exists(path)),
            // A file system without links.
            Err(_) => {
                std::fs::rename(&self.temporary, path).map_err(failed)?;
                self.kept = true;
                Ok(())
            }
        }
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if !self.kept {
            // Nothing can be done about a temporary that stays.
            let _ = std::fs::remove_file(&self.temporary);
        }
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(out) => out.write(bytes),
            Self::File(beside) => beside.file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(out) => out.flush(),
            Self::File(beside) => beside.file.flush(),
        }
    }
}

fn exists(path: &Path) -> Failure {
    Failure::Usage(format!(
        "{} exists already; name another file, or add --force to replace it",
        path.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_there_only_once_it_is_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("run.json");
        let entries = || std::fs::read_dir(folder.path()).expect("a folder").count();
        let mut out = Out::open(&path, false).expect("it can be made");
        out.write_all(b"half").expect("it can be written");
        assert!(!path.exists());
        drop(out);
        assert_eq!(entries(), 0, "what was not kept leaves nothing behind");

        let mut out = Out::open(&path, false).expect("it can be made");
        out.write_all(b"whole").expect("it can be written");
        std::fs::write(&path, b"another program's").expect("it can be written");
        assert!(out.keep().is_err());
        assert_eq!(std::fs::read(&path).expect("it is there"), b"another program's");
        assert!(Out::open(&path, false).is_err());

        let mut out = Out::open(&path, true).expect("it may be replaced");
        out.write_all(b"whole").expect("it can be written");
        out.keep().expect("it is kept");
        assert_eq!(std::fs::read(&path).expect("it is there"), b"whole");
        assert_eq!(entries(), 1);
    }
}
