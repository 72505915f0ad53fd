//! Files that a setting or an argument names. Opening one never waits: a pipe, a device or a folder is
//! refused before anything is read, and a text has a stated largest size.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

/// The largest policy, configuration or similar text, in bytes.
pub const MAX_TEXT_BYTES: u64 = 1 << 20;

/// Opens a plain file for reading; a link to one is followed.
///
/// # Errors
/// What the system says, or that the path leads to something else than a plain file.
pub fn open(path: &Path) -> io::Result<File> {
    // Opening a device can have effects, so what it is comes first; it is asked again of what was opened.
    plain(&std::fs::metadata(path)?)?;
    let mut options = OpenOptions::new();
    options.read(true);
    without_waiting(&mut options, 0);
    let file = options.open(path)?;
    plain(&file.metadata()?)?;
    Ok(file)
}

/// Reads a plain text file of at most `max` bytes.
///
/// # Errors
/// What the system says, that the path leads to something else than a plain file, that the file is larger
/// than `max` (nothing beyond that is read), or that it is no UTF-8.
pub fn read_text(path: &Path, max: u64) -> io::Result<String> {
    let file = open(path)?;
    let too_large =
        || io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {max} bytes; shorten it"));
    if file.metadata()?.len() > max {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    // One more than is allowed, so that a file that grows meanwhile is told from one that just fits.
    file.take(max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max {
        return Err(too_large());
    }
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is no UTF-8 text"))
}

/// Creates a file that only this user can read. The name must be free: a file, or a link, that has it is an
/// error of the kind `AlreadyExists` and stays as it is.
///
/// # Errors
/// What the system says.
pub fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    without_waiting(&mut options, 0o600);
    options.open(path)
}

/// Opens a plain file that may be there to append to it; a new one can only be read by this user.
///
/// # Errors
/// What the system says, or that the path leads to something else than a plain file.
pub fn append_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    without_waiting(&mut options, 0o600);
    let file = options.open(path)?;
    plain(&file.metadata()?)?;
    Ok(file)
}

/// [`create_private`] over a plain file that may be there: it is emptied, and closed to other users.
///
/// # Errors
/// What the system says, or that the path leads to something else than a plain file.
pub fn replace_private(path: &Path) -> io::Result<File> {
    match std::fs::metadata(path) {
        Ok(found) => plain(&found)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    without_waiting(&mut options, 0o600);
    let file = options.open(path)?;
    plain(&file.metadata()?)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    }
    file.set_len(0)?;
    Ok(file)
}

/// Opening a pipe that has no other end returns at once; what is created has that mode.
#[cfg(unix)]
fn without_waiting(options: &mut OpenOptions, mode: u32) {
    use std::os::unix::fs::OpenOptionsExt;
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
    options.custom_flags(flags.bits().cast_signed());
    if mode != 0 {
        options.mode(mode);
    }
}

#[cfg(not(unix))]
fn without_waiting(_: &mut OpenOptions, _: u32) {}

/// An error that says what it is, unless it is a plain file.
fn plain(found: &Metadata) -> io::Result<()> {
    if found.is_file() {
        return Ok(());
    }
    let what = kind(found);
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("it is {what}; name a plain file")))
}

fn kind(found: &Metadata) -> &'static str {
    if found.is_dir() {
        return "a folder";
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        let kind = found.file_type();
        if kind.is_fifo() {
            return "a pipe";
        }
        if kind.is_socket() {
            return "a socket";
        }
        if kind.is_char_device() || kind.is_block_device() {
            return "a device";
        }
    }
    "no plain file"
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step of a test is the test's failure")]

    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn what_is_no_plain_file_is_refused_at_once() {
        use rustix::fs::{CWD, FileType, Mode, mknodat};
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        let socket = folder.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let cases = [
            (pipe.as_path(), "it is a pipe"),
            (socket.as_path(), "it is a socket"),
            (folder.path(), "it is a folder"),
            (Path::new("/dev/zero"), "it is a device"),
        ];
        for (path, words) in cases {
            for error in [
                open(path).unwrap_err(),
                read_text(path, 10).unwrap_err(),
                replace_private(path).unwrap_err(),
            ] {
                assert!(error.to_string().starts_with(words), "{}: {error}", path.display());
            }
            assert_eq!(create_private(path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        }
    }

    #[test]
    fn a_text_has_a_largest_size() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text");
        std::fs::write(&path, "0123456789").unwrap();
        assert_eq!(read_text(&path, 10).unwrap(), "0123456789");
        assert_eq!(read_text(&path, 9).unwrap_err().to_string(), "it is larger than 9 bytes; shorten it");
        std::fs::write(&path, b"\xff").unwrap();
        assert_eq!(read_text(&path, 9).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[cfg(unix)]
    #[test]
    fn what_is_created_is_for_this_user_alone_and_no_link_is_followed() {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let folder = tempfile::tempdir().unwrap();
        let [new, old, link] = ["new", "old", "link"].map(|name| folder.path().join(name));
        create_private(&new).unwrap();
        assert_eq!(mode(&new), 0o600);
        std::fs::write(&old, "what was there").unwrap();
        std::fs::set_permissions(&old, std::fs::Permissions::from_mode(0o644)).unwrap();
        std::os::unix::fs::symlink(&old, &link).unwrap();
        assert_eq!(create_private(&link).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read_to_string(&old).unwrap(), "what was there");
        replace_private(&old).unwrap();
        assert_eq!((mode(&old), std::fs::read_to_string(&old).unwrap().as_str()), (0o600, ""));
    }
}
