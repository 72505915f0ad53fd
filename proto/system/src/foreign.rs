//! A process of another user, or in other namespaces than this one's: which numbers it knows itself and its user by,
//! and what is at the paths that it sees. Called by what attaches to services in containers.
//!
//! What such a process offers is not to be trusted. Here it is only looked at and connected to, never written,
//! created or removed. A path is followed within the root of that process and no further, a link in it included, and
//! what is found counts only if it belongs to the process's own user.

use std::fs;
use std::io::{self, Error, ErrorKind, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, openat, openat2};

use crate::process;

/// The largest environment that is read, in bytes.
const MAX_ENVIRONMENT: u64 = 4 << 20;

/// What `/proc/PID/status` says, which every user may read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Status {
    /// Its real and its effective user, as this process knows them.
    pub users: [u32; 2],
    /// Its pid as it sees itself.
    pub own_pid: u32,
    /// How many pid namespaces lie between this process's and its own.
    pub depth: usize,
    /// Threads that it has.
    pub threads: u32,
}

impl Status {
    /// Of the process with that number here.
    ///
    /// # Errors
    /// What the system says: `NotFound` where there is no such process.
    pub fn of(pid: u32) -> io::Result<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
        Self::parse(&text).ok_or_else(|| Error::new(ErrorKind::InvalidData, "its status cannot be read"))
    }

    fn parse(text: &str) -> Option<Self> {
        let numbers = |key: &str| -> Option<Vec<u32>> {
            let line = text.lines().find_map(|line| line.strip_prefix(key))?;
            line.split_ascii_whitespace().map(|number| number.parse().ok()).collect()
        };
        let users = numbers("Uid:")?;
        // A kernel without pid namespaces has one number for each process.
        let pids = numbers("NSpid:").or_else(|| numbers("Pid:"))?;
        Some(Self {
            users: [*users.first()?, *users.get(1)?],
            own_pid: *pids.last()?,
            depth: pids.len() - 1,
            threads: *numbers("Threads:")?.first()?,
        })
    }
}

/// A process, held by its root.
#[derive(Debug)]
pub struct ForeignProcess {
    /// Its number here.
    pub pid: u32,
    /// What every user may know of it.
    pub status: Status,
    /// When it began, in the kernel's ticks.
    pub start: u64,
    root: OwnedFd,
}

impl ForeignProcess {
    /// Opens the root of the process with that number here.
    ///
    /// # Errors
    /// What the system says: `NotFound` where there is no such process, `PermissionDenied` where this user may not
    /// look into it, `Unsupported` before Linux 5.6.
    pub fn open(pid: u32) -> io::Result<Self> {
        let status = Status::of(pid)?;
        let start = process::start(pid).ok_or(ErrorKind::NotFound)?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = openat(CWD, format!("/proc/{pid}/root"), flags, Mode::empty())?;
        // The number may have gone to another process in between.
        if process::start(pid) != Some(start) {
            return Err(ErrorKind::NotFound.into());
        }
        let process = Self { pid, status, start, root };
        // A system that cannot keep a look-up within a root says so now, and not as if nothing were there.
        process.look_up(Path::new("/"), OFlags::PATH)?;
        Ok(process)
    }

    /// Whether it is of another user, or sees other files or other pids than this process.
    pub fn is_apart(&self) -> bool {
        let inode = |path: String| fs::metadata(path).ok().map(|found| (found.dev(), found.ino()));
        let differs =
            |what: &str| inode(format!("/proc/{}/{what}", self.pid)) != inode(format!("/proc/self/{what}"));
        self.status.users[0] != rustix::process::getuid().as_raw()
            || self.status.depth > 0
            || differs("ns/mnt")
            || differs("root")
    }

    /// Whether addresses such as 127.0.0.1 mean for it what they mean for this process.
    pub fn has_this_network(&self) -> bool {
        let inode = |pid: &str| fs::metadata(format!("/proc/{pid}/ns/net")).ok().map(|found| found.ino());
        inode(&self.pid.to_string()) == inode("self")
    }

    /// The folders in which its sockets may be, by its own paths: `$XDG_RUNTIME_DIR/pollscope` of the environment that
    /// it was started with, and `/tmp/pollscope-<uid>` with its user's number as it sees it.
    pub fn folders(&self) -> Vec<PathBuf> {
        let runtime = self.variable(b"XDG_RUNTIME_DIR").map(|dir| PathBuf::from(dir).join("pollscope"));
        let runtime = runtime.filter(|dir| dir.is_absolute());
        let fallback = self.own_uid().map(|uid| PathBuf::from(format!("/tmp/pollscope-{uid}")));
        runtime.into_iter().chain(fallback).collect()
    }

    fn variable(&self, name: &[u8]) -> Option<std::ffi::OsString> {
        let mut environment = Vec::new();
        let file = fs::File::open(format!("/proc/{}/environ", self.pid)).ok()?;
        file.take(MAX_ENVIRONMENT).read_to_end(&mut environment).ok()?;
        let value =
            environment.split(|byte| *byte == 0).find_map(|pair| pair.strip_prefix(name)?.strip_prefix(b"="));
        Some(std::ffi::OsStr::from_bytes(value?).to_owned())
    }

    /// Its real user as it sees it: in a user namespace the number is another one than here.
    fn own_uid(&self) -> Option<u32> {
        let map = fs::read_to_string(format!("/proc/{}/uid_map", self.pid)).ok()?;
        seen_inside(&map, self.status.users[0])
    }

    /// A socket by the path that the process sees, open as a path.
    ///
    /// # Errors
    /// What the system says; or that it is no socket, or none of the process's user.
    pub fn socket(&self, path: &Path) -> io::Result<OwnedFd> {
        let socket = self.look_up(path, OFlags::PATH | OFlags::NOFOLLOW)?;
        self.check(&socket, FileType::Socket, "it is no socket")?;
        Ok(socket)
    }

    /// A text file of at most `max` bytes by the path that the process sees.
    ///
    /// # Errors
    /// What the system says; or that it is no plain file, none of the process's user, larger, or no UTF-8.
    pub fn text(&self, path: &Path, max: u64) -> io::Result<String> {
        // Opening a pipe or a device can wait or have effects, so what it is comes first.
        self.check(
            &self.look_up(path, OFlags::PATH | OFlags::NOFOLLOW)?,
            FileType::RegularFile,
            "it is no file",
        )?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = self.look_up(path, flags)?;
        self.check(&file, FileType::RegularFile, "it is no file")?;
        let mut bytes = Vec::new();
        fs::File::from(file).take(max + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > max {
            return Err(Error::new(ErrorKind::FileTooLarge, format!("it is larger than {max} bytes")));
        }
        String::from_utf8(bytes).map_err(|_| Error::new(ErrorKind::InvalidData, "it is no UTF-8 text"))
    }

    /// Follows the path with every link in it as the process would, and never out of its root.
    fn look_up(&self, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        let within = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        Ok(openat2(self.root.as_fd(), path, flags | OFlags::CLOEXEC, Mode::empty(), within)?)
    }

    fn check(&self, found: &OwnedFd, kind: FileType, otherwise: &str) -> io::Result<()> {
        let found = fstat(found)?;
        if FileType::from_raw_mode(found.st_mode) != kind {
            return Err(Error::new(ErrorKind::InvalidInput, otherwise));
        }
        if !self.status.users.contains(&found.st_uid) {
            return Err(Error::new(ErrorKind::InvalidInput, "it belongs to another user than the process"));
        }
        Ok(())
    }
}

/// The number inside of a user namespace of a user of this one, by the lines of `/proc/PID/uid_map`.
fn seen_inside(map: &str, user: u32) -> Option<u32> {
    map.lines().find_map(|line| {
        let numbers: Option<Vec<u32>> =
            line.split_ascii_whitespace().map(|number| number.parse().ok()).collect();
        let [inside, outside, count] = numbers?[..] else { return None };
        let place = user.checked_sub(outside).filter(|place| *place < count)?;
        inside.checked_add(place)
    })
}

#[cfg(test)]
mod tests;
