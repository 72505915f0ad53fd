//! What a process has at one moment, as the kernel tells it. Reads `/proc/self` and changes nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The kernel's flag of a thread that runs no code of the program any more.
const PF_EXITING: u64 = 4;

/// A process at one moment.
pub(super) struct State {
    /// The name of each thread, by its number.
    threads: BTreeMap<String, String>,
    /// What each descriptor leads to, by its number.
    descriptors: BTreeMap<String, String>,
    status: String,
    /// What a process has one of, and pollscope leaves alone.
    pub(super) settings: Settings,
    /// Resident bytes without a file behind them.
    pub(super) anonymous_bytes: u64,
    /// Addresses that are taken, resident or not.
    pub(super) address_bytes: u64,
    pub(super) mappings: usize,
}

/// What belongs to the process as a whole.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Settings {
    folder: PathBuf,
    umask: String,
    environment: Vec<(std::ffi::OsString, std::ffi::OsString)>,
    limits: String,
    /// Of the calling thread.
    blocked_signals: String,
    nice: Option<String>,
    oom_score: String,
    privileges: [String; 2],
    children: String,
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn field(status: &str, name: &str) -> String {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_default().trim().to_owned()
}

fn bytes(status: &str, name: &str) -> u64 {
    let kib = field(status, name);
    kib.split(' ').next().and_then(|kib| kib.parse::<u64>().ok()).expect("the kernel tells of memory") << 10
}

impl State {
    #[expect(clippy::disallowed_methods, reason = "whether the environment is as it was")]
    pub(super) fn now() -> Self {
        let status = read("/proc/thread-self/status");
        let name = |task: fs::DirEntry| {
            let stat = fs::read_to_string(task.path().join("stat")).ok()?;
            let (name, rest) = stat.split_once('(')?.1.rsplit_once(") ")?;
            // A thread that was waited for may be here still, on its way out.
            let flags: u64 = rest.split(' ').nth(6)?.parse().ok()?;
            let is_exiting = flags & PF_EXITING != 0;
            (!is_exiting).then(|| (task.file_name().to_string_lossy().into_owned(), name.to_owned()))
        };
        let leads_to = |descriptor: fs::DirEntry| {
            let target = fs::read_link(descriptor.path()).ok()?.to_string_lossy().into_owned();
            // The one by which this folder is read.
            let known = (descriptor.file_name().to_string_lossy().into_owned(), target);
            (!known.1.starts_with("/proc/") || known.1.contains("schedstat")).then_some(known)
        };
        let stat = read("/proc/self/stat");
        Self {
            threads: fs::read_dir("/proc/self/task").unwrap().flatten().filter_map(name).collect(),
            descriptors: fs::read_dir("/proc/self/fd").unwrap().flatten().filter_map(leads_to).collect(),
            settings: Settings {
                folder: std::env::current_dir().unwrap(),
                umask: field(&status, "Umask"),
                environment: std::env::vars_os().collect(),
                limits: read("/proc/self/limits"),
                blocked_signals: field(&status, "SigBlk"),
                nice: stat.rsplit(") ").next().and_then(|rest| Some(rest.split(' ').nth(16)?.to_owned())),
                oom_score: read("/proc/self/oom_score_adj"),
                privileges: ["NoNewPrivs", "Seccomp"].map(|name| field(&status, name)),
                children: read("/proc/thread-self/children"),
            },
            anonymous_bytes: bytes(&status, "RssAnon"),
            address_bytes: bytes(&status, "VmSize"),
            mappings: read("/proc/self/maps").lines().count(),
            status,
        }
    }

    /// The names of pollscope's threads, sorted.
    pub(super) fn threads(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.threads.values().map(String::as_str).collect();
        names.retain(|name| name.starts_with("pollscope-"));
        names.sort_unstable();
        names
    }

    /// The threads that are here and were not before.
    pub(super) fn threads_since(&self, before: &Self) -> Vec<&str> {
        let is_new = |(tid, name): (&String, &String)| before.threads.get(tid) != Some(name);
        self.threads.iter().filter(|thread| is_new(*thread)).map(|(_, name)| name.as_str()).collect()
    }

    /// What the descriptors lead to that are here and were not before.
    pub(super) fn descriptors_since(&self, before: &Self) -> Vec<&str> {
        let is_new = |(fd, to): (&String, &String)| before.descriptors.get(fd) != Some(to);
        self.descriptors.iter().filter(|known| is_new(*known)).map(|(_, to)| to.as_str()).collect()
    }

    /// Descriptors that lead to something with this in its name.
    pub(super) fn descriptors_to(&self, what: &str) -> usize {
        self.descriptors.values().filter(|to| to.contains(what)).count()
    }

    /// The signals that have a handler, and those that are ignored.
    pub(super) fn signals(&self) -> [u64; 2] {
        ["SigCgt", "SigIgn"].map(|name| u64::from_str_radix(&field(&self.status, name), 16).unwrap())
    }
}
