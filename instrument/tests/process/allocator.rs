//! An allocator that makes the recorder wait, as glibc's does where the thread that holds its lock has no CPU. What the
//! recorder allocates for a poll, before the task's own code runs and after it, is no time of the task's.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::thread::sleep;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;

use crate::rig::{Child, say};

/// For how long an allocation waits.
const WAIT: Duration = Duration::from_millis(300);
/// All polls here are shorter, also on a machine that is short of CPU.
const SHORT: Duration = Duration::from_millis(250);
/// Delays before a poll: the recorder counts each in another place, and the long ones in one more.
const DELAYS: [Duration; 5] = [
    Duration::ZERO,
    Duration::from_micros(300),
    Duration::from_millis(3),
    Duration::from_millis(60),
    Duration::ZERO,
];

thread_local! {
    static WAITS: Cell<bool> = const { Cell::new(false) };
}

static WAITED: AtomicUsize = AtomicUsize::new(0);

struct Waits;

#[global_allocator]
static ALLOCATOR: Waits = Waits;

#[expect(unsafe_code, reason = "what an allocator is made of")]
// SAFETY: all of it is the system's allocator, which is called with what the caller gave.
unsafe impl GlobalAlloc for Waits {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        wait();
        // SAFETY: the caller keeps the contract of this function, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        wait();
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Waits at an allocation, on a thread that is told to.
fn wait() {
    if WAITS.try_with(Cell::get) == Ok(true) {
        WAITED.fetch_add(1, Ordering::Relaxed);
        sleep(WAIT);
    }
}

/// Two polls, in which what the recorder allocates waits, and nothing else: before the task's own code runs, after it,
/// and where it wakes another task.
async fn wakes(woken: oneshot::Sender<()>) {
    WAITS.set(true);
    woken.send(()).unwrap();
    WAITS.set(false);
    let mut polls = 0;
    poll_fn(|cx| {
        WAITS.set(false);
        polls += 1;
        if polls == 2 {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        WAITS.set(true);
        Poll::Pending
    })
    .await;
    WAITS.set(true);
}

/// Waits to be woken.
async fn is_woken(woken: oneshot::Receiver<()>) {
    let mut woken = std::pin::pin!(woken);
    poll_fn(|cx| {
        WAITS.set(false);
        let is_woken = woken.as_mut().poll(cx).is_ready();
        WAITS.set(true);
        if is_woken { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// Spawns both.
type Spawn = fn(&Handle, oneshot::Sender<()>, oneshot::Receiver<()>);

/// Runs both tasks after each delay. Another thread spawns them, so that the thread that polls them has no memory for
/// their sites yet.
fn run(runtime: &Runtime, spawn: Spawn) {
    for delay in DELAYS {
        let (sender, receiver) = oneshot::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| spawn(runtime.handle(), sender, receiver)).join().unwrap();
        });
        sleep(delay);
        runtime.block_on(async {
            while runtime.metrics().num_alive_tasks() > 0 {
                WAITS.set(true);
                tokio::task::yield_now().await;
                WAITS.set(false);
            }
        });
    }
}

/// Has tasks of either kind, and tells how long the longest of their polls was.
pub(crate) fn allocates() {
    let guard = pollscope::builder().listen(pollscope::Listen::Off).try_init().unwrap();
    let runtime = Builder::new_current_thread().build().unwrap();
    // This thread has a state of its own from now on, and takes over none of a thread that spawned and ended.
    runtime.block_on(pollscope::spawn_on(async {}, runtime.handle())).unwrap();
    run(&runtime, |handle, sender, receiver| {
        drop(pollscope::spawn_on(is_woken(receiver), handle));
        drop(pollscope::spawn_on(wakes(sender), handle));
    });
    if cfg!(tokio_unstable) {
        let mut builder = Builder::new_current_thread();
        pollscope::attach(&mut builder);
        let runtime = builder.build().unwrap();
        run(&runtime, |handle, sender, receiver| {
            drop(handle.spawn(is_woken(receiver)));
            drop(handle.spawn(wakes(sender)));
        });
    }
    let report = guard.report().unwrap();
    let polls: u64 = report.sites.iter().map(|site| site.poll.count()).sum();
    let longest = report.sites.iter().map(|site| site.poll.max()).max().unwrap();
    say(&format!("{} {polls} {longest}", WAITED.load(Ordering::Relaxed)));
}

#[test]
fn what_the_recorder_allocates_is_no_time_of_the_poll_that_it_is_for() {
    let mut child = Child::start("allocates", &[]);
    let line = child.line();
    assert!(child.wait().success());
    let told: Vec<u64> = line.split(' ').map(|number| number.parse().unwrap()).collect();
    let [waited, polls, longest_ns] = told[..] else { panic!("{line}") };
    assert!(waited >= 5, "allocations did wait: {line}");
    let kinds = if cfg!(tokio_unstable) { 2 } else { 1 };
    assert!(polls >= 4 * kinds * DELAYS.len() as u64, "{line}");
    assert!(longest_ns < SHORT.as_nanos() as u64, "a poll waited for the recorder's memory: {line}");
}
