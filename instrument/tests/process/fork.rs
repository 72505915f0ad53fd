//! A child that is forked without exec is off: it records nothing, waits for nothing, and holds nothing of its
//! parent's, which goes on as if there were no child. A child of a process in which pollscope never ran is a process
//! like others.

use std::collections::BTreeSet;
use std::fs;
use std::future::poll_fn;
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, RawWakerVTable};
use std::time::{Duration, Instant};

use pollscope::{InitError, Listen, Status};
use pollscope_model::measured::Mode;
use tokio::runtime::{Builder, Runtime};

use crate::rig::forked::{clone, fork, succeeds};
use crate::rig::viewer::Viewer;
use crate::rig::{Child, runtime, say, until, wait_for_test};

/// What `flush` and `report` wait together for threads that do not exist, twice five seconds, is far more.
const AT_ONCE: Duration = Duration::from_secs(4);

fn current() -> Runtime {
    Builder::new_current_thread().build().unwrap()
}

/// Whether a task that is spawned through pollscope is wrapped: its waker is not tokio's own then.
fn is_recorded() -> bool {
    let waker =
        || poll_fn(|cx| Poll::Ready(std::ptr::from_ref::<RawWakerVTable>(cx.waker().vtable()) as usize));
    current()
        .block_on(async { pollscope::spawn(waker()).await.unwrap() != tokio::spawn(waker()).await.unwrap() })
}

/// The sockets that this process has open, and its files in a folder.
fn held(folder: &Path) -> BTreeSet<String> {
    let links = fs::read_dir("/proc/self/fd").unwrap().flatten();
    let links =
        links.filter_map(|entry| fs::read_link(entry.path()).ok()).map(|path| path.display().to_string());
    links.filter(|link| link.starts_with("socket:") || Path::new(link).starts_with(folder)).collect()
}

/// Tasks that wait for each other, on one worker: an overload until it is told to stop.
fn overload(runtime: &Runtime) -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    for _ in 0..60 {
        let stop = Arc::clone(&stop);
        let works = async move {
            while !stop.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(2));
                tokio::task::yield_now().await;
            }
        };
        drop(pollscope::spawn_on(works, runtime.handle()));
    }
    stop
}

/// Forks while a viewer looks and the service is overloaded.
pub(crate) fn forks_in_the_midst() {
    let folder = tempfile::tempdir().unwrap();
    // Tokio has a pair of sockets for signals, which all runtimes of a process share.
    let runtime = runtime();
    let inherited = held(folder.path());
    let guard = pollscope::builder()
        .interval(Duration::from_millis(10))
        .overload_limit(Duration::from_millis(5))
        .record(folder.path().join("run.mcap"))
        .try_init()
        .unwrap();
    say(&format!("unix:{}", guard.local_addr().unwrap().to_string().trim_start_matches("unix:")));
    wait_for_test();
    let stop = overload(&runtime);
    until("it is overloaded", pollscope::overloaded);
    assert!(held(folder.path()).len() >= inherited.len() + 3, "a door, a viewer, a recording");

    let mut guard = Some(guard);
    let child = fork(|| {
        assert!(!(0..100).any(|_| pollscope::overloaded()), "overloaded");
        assert_eq!(pollscope::schedule_delay(), None);
        assert_eq!(held(folder.path()), inherited, "of the parent's");
        assert!(!is_recorded(), "recorded");
        let guard = guard.take().unwrap();
        assert_eq!((guard.status(), guard.mode()), (Status::Off, Mode::Sample));
        assert_eq!((guard.local_addr(), guard.record_path()), (None, None));
        let begin = Instant::now();
        guard.flush();
        assert!(guard.report().is_none());
        assert_eq!((guard.dump(Duration::MAX), pollscope::dump(Duration::MAX)), (0, None));
        let _ = guard.capabilities();
        drop(guard);
        assert!(begin.elapsed() < AT_ONCE, "waits for {:?}", begin.elapsed());
        pollscope::observe(current().handle(), "of the child");
        let refused = pollscope::try_init().unwrap_err();
        assert!(matches!(refused, InitError::Forked), "{refused}");
        assert_eq!(pollscope::init().status(), Status::Off);
        assert!(!is_recorded(), "recorded after init");
        say(&refused.to_string());
    });
    assert!(succeeds(child));
    let guard = guard.unwrap();
    assert_eq!(guard.status(), Status::Recording);
    assert!(succeeds(clone(|| {
        guard.flush();
        guard.report().is_none() && guard.status() == Status::Off
    })));
    stop.store(true, Ordering::Relaxed);
    assert!(is_recorded(), "the parent goes on");
    drop(pollscope::spawn_on(std::future::pending::<()>(), runtime.handle()));
    until("the parent's books have what came after the fork", || {
        guard.report().is_some_and(|report| report.tasks.len() == 1)
    });
    say("the parent goes on");
    wait_for_test();
    drop(guard);
    say("ended");
}

#[test]
fn a_forked_child_is_off_and_its_parent_goes_on() {
    let mut child = Child::start("forks", &[]);
    let address = child.line();
    let runtime = runtime();
    let mut first = runtime.block_on(async {
        let mut viewer = Viewer::attach(&address).await.unwrap();
        viewer.next_report().await;
        viewer
    });
    child.go_on();
    let refusal = child.line();
    assert!(refusal.starts_with("this process was forked from one in which pollscope runs"), "{refusal}");
    assert_eq!(child.line(), "the parent goes on");
    runtime.block_on(async {
        first.next_report().await;
        Viewer::attach(&address).await.unwrap().next_report().await;
    });
    child.go_on();
    assert_eq!(child.line(), "ended");
    assert!(child.wait().success());
}

/// Ends its guard while a child lives, and begins again.
pub(crate) fn is_outlived() {
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        let port = "127.0.0.1:0".parse().unwrap();
        pollscope::builder().listen(Listen::Tcp(port)).record(folder.path().join("run.mcap")).try_init()
    };
    let guard = start().unwrap();
    let address = guard.local_addr().unwrap().to_string();
    assert!(TcpStream::connect(&address).is_ok());
    let child = fork(wait_for_test);
    drop(guard);
    let refused = TcpStream::connect(&address).map(drop).map_err(|error| error.kind());
    say(&format!("{refused:?}"));
    // What one has locked, no other writes to.
    say(&format!("{:?}", start().map(|guard| guard.status()).map_err(|error| error.to_string())));
    assert!(succeeds(child));
}

#[test]
fn what_was_the_parents_ends_with_the_parent() {
    let mut child = Child::start("outlived", &[]);
    assert_eq!(child.line(), "Err(ConnectionRefused)", "the port");
    assert_eq!(child.line(), "Ok(Recording)", "the recording");
    child.go_on();
    assert!(child.wait().success());
}

/// Forks workers that start pollscope themselves: before it ever ran here, and after it ended.
pub(crate) fn preforks() {
    let works = || {
        let guard = pollscope::try_init().unwrap();
        assert_eq!((guard.status(), is_recorded()), (Status::Recording, true));
        drop(pollscope::spawn_on(std::future::pending::<()>(), current().handle()));
        say(&guard.report().unwrap().boot.to_string());
        let Some(Listen::Unix(path)) = guard.local_addr() else { panic!("it listens") };
        assert!(std::os::unix::net::UnixStream::connect(path).is_ok());
        drop(guard);
        assert!(pollscope::try_init().is_ok(), "and again");
    };
    let workers = [fork(works), fork(works)];
    assert!(workers.into_iter().all(succeeds));
    let guard = pollscope::try_init().unwrap();
    let (runtime, stop) =
        (Builder::new_multi_thread().worker_threads(1).build().unwrap(), Arc::new(AtomicBool::new(false)));
    let polled = Arc::clone(&stop);
    drop(pollscope::spawn_on(
        async move { until("it may end", || polled.load(Ordering::Relaxed)) },
        runtime.handle(),
    ));
    // The forking thread is known, too, by its number.
    assert!(is_recorded());
    until("a poll is open", || guard.report().is_some_and(|report| !report.stalls.is_empty()));
    drop(guard);
    assert!(succeeds(fork(works)));
    assert!(succeeds(fork(|| {
        let guard = pollscope::builder().stall(Duration::from_millis(20)).try_init().unwrap();
        let this = std::fs::read_link("/proc/thread-self").unwrap();
        let this = this.file_name().and_then(|id| id.to_str()?.parse().ok());
        let is_here = move || {
            let stalls = guard.report().unwrap().stalls;
            assert!(stalls.iter().all(|stall| stall.tid == this), "{stalls:?}");
            !stalls.is_empty()
        };
        // Itself is the poll that is seen.
        let blocks = async move { until("this poll is seen on this thread", is_here) };
        current().block_on(async { pollscope::spawn(blocks).await.unwrap() });
    })));
    stop.store(true, Ordering::Relaxed);
    assert!(pollscope::try_init().is_ok(), "the parent, too");
    say("all ended");
}

#[test]
fn workers_that_start_it_themselves_are_recorded_each_for_itself() {
    let mut child = Child::start("preforks", &[]);
    let mut boots = [(); 3].map(|()| child.line());
    boots.sort_unstable();
    assert!(boots[0] != boots[1] && boots[1] != boots[2], "{boots:?}");
    assert_eq!(child.line(), "all ended");
    assert!(child.wait().success());
}
