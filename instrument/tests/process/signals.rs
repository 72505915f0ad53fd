//! The service's signals stay the service's: no thread of pollscope takes them.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use pollscope::{Builder, DumpSignal, Listen};

use crate::rig::{Child, mask, say, until};

/// The signals that a thread of ours may take: those that its own instructions cause, the profilers', and the two
/// that cannot be blocked.
const LEFT: [i32; 9] = [
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGILL,
    libc::SIGTRAP,
    libc::SIGSYS,
    libc::SIGPROF,
    libc::SIGKILL,
    libc::SIGSTOP,
];

/// Everything that starts a thread.
fn busy(folder: &std::path::Path) -> Builder {
    pollscope::builder()
        .listen(Listen::Auto)
        // A name, so that it is looked up, and nothing that answers.
        .endpoint("http://localhost:1")
        .record(folder.join("record"))
        .dump_to(folder.join("dumps"))
        .stall(Duration::from_millis(20))
}

/// The name and the blocked signals of each thread.
fn threads_of_process() -> BTreeMap<String, (String, u64)> {
    let read = |entry: fs::DirEntry| {
        let status = fs::read_to_string(entry.path().join("status")).ok()?;
        let field = |name| Some(status.lines().find_map(|line| line.strip_prefix(name))?.trim().to_owned());
        let blocked = u64::from_str_radix(&field("SigBlk:")?, 16).ok()?;
        Some((entry.file_name().to_string_lossy().into_owned(), (field("Name:")?, blocked)))
    };
    fs::read_dir("/proc/self/task").unwrap().flatten().filter_map(read).collect()
}

/// Starts all threads of pollscope and looks at them.
pub(crate) fn threads() {
    let folder = tempfile::tempdir().unwrap();
    let own = || fs::read_to_string("/proc/thread-self/status").unwrap();
    let mask = |status: &str| status.lines().find(|line| line.starts_with("SigBlk:")).map(str::to_owned);
    let (before, mask_before) = (threads_of_process(), mask(&own()));
    let _guard = busy(folder.path()).try_init().unwrap();
    assert_eq!(mask(&own()), mask_before, "the starting thread has its mask back");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let wanted = ["drain", "io", "dns", "file", "dump", "watch"].map(|name| format!("pollscope-{name}"));
    let mut seen = BTreeMap::new();
    until("all threads of pollscope run", || {
        // A stack that is taken starts the thread that names it.
        let blocks = || std::thread::sleep(Duration::from_millis(60));
        runtime.block_on(async { pollscope::spawn(async move { blocks() }).await }).unwrap();
        for (name, blocked) in threads_of_process().into_values() {
            if name.starts_with("pollscope-") {
                seen.insert(name, blocked);
            }
        }
        let names = |wanted: &String| seen.keys().any(|name| name.starts_with(wanted.as_str()));
        wanted.iter().all(names) && (seen.contains_key("pollscope-names") || !takes_stacks())
    });
    // One that has just begun has its starter's name for a moment.
    until("every new thread says whose it is", || {
        let known = |name: &str| name.starts_with("pollscope-") || name.starts_with("tokio-");
        threads_of_process().iter().all(|(tid, (name, _))| before.contains_key(tid) || known(name))
    });
    for (name, blocked) in &seen {
        // 32 and 33 are the C library's own.
        let open: Vec<i32> = (1..=64).filter(|signal| blocked >> (signal - 1) & 1 == 0).collect();
        let open: Vec<i32> = open.into_iter().filter(|signal| !(32..=33).contains(signal)).collect();
        assert!(open.iter().all(|signal| LEFT.contains(signal)), "{name} takes the signals {open:?}");
    }
    say(&format!("{} threads block all", seen.len()));
}

fn takes_stacks() -> bool {
    cfg!(feature = "backtrace") && pollscope::__private::backtrace::install().is_ok()
}

#[test]
fn no_thread_of_pollscope_takes_a_signal() {
    let mut child = Child::start("threads", &[]);
    assert!(child.line().ends_with("threads block all"));
    assert!(child.wait().success());
}

/// Blocks SIGTERM after `init` in all threads that are its own, and takes it by `sigwait`.
pub(crate) fn waits_for_sigterm() {
    let folder = tempfile::tempdir().unwrap();
    // Blocked in all other threads of this process since its start, as the test had it.
    mask::unblock(libc::SIGTERM);
    let guard = busy(folder.path()).try_init().unwrap();
    mask::block(libc::SIGTERM);
    mask::send_to_process(libc::SIGTERM);
    say(&format!("took signal {}", mask::wait_for(libc::SIGTERM)));
    drop(guard);
    say("ended gracefully");
}

#[test]
fn a_service_that_waits_for_sigterm_gets_it() {
    mask::block(libc::SIGTERM);
    let mut child = Child::start("sigwait", &[]);
    assert_eq!(child.line(), format!("took signal {}", libc::SIGTERM));
    assert_eq!(child.line(), "ended gracefully");
    assert!(child.wait().success());
}

/// Blocks the signal that asks for a dump in all threads that are its own.
pub(crate) fn dumps_on_a_signal() {
    let folder = tempfile::tempdir().unwrap();
    let _guard = busy(folder.path()).dump_on(DumpSignal::Usr1).try_init().unwrap();
    mask::send_to_process(libc::SIGUSR1);
    let dumps = folder.path().join("dumps");
    until("the dump is a file", || fs::read_dir(&dumps).is_ok_and(|files| files.count() > 0));
    say("dumped");
}

#[test]
fn the_signal_for_a_dump_is_taken_where_the_service_blocks_it() {
    mask::block(libc::SIGUSR1);
    let mut child = Child::start("dump", &[]);
    assert_eq!(child.line(), "dumped");
    assert!(child.wait().success());
}
