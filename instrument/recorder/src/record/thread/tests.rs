//! What another thread sees of the poll that is open.

use super::polling::OpenPoll;
use super::*;

fn open(task: u64, site: u32, since_ns: u64, is_job: bool) -> OpenPoll {
    OpenPoll { task, site, since_ns, is_job }
}

/// A thread whose polls begin when the caller says: the first millisecond of its time is not sampled.
fn unsampled() -> Box<Thread> {
    let thread = Thread::new(1, Magazine::new());
    thread.split.skip(0);
    thread
}

/// Opens a poll.
fn enter(thread: &Thread, task: u64, label: Label, now: u64) -> Outer {
    thread.enter(task, label, now).0
}

/// Ends it.
fn leave(thread: &Thread, outer: Outer, wall_ns: u64) {
    thread.close(outer);
    thread.leave(outer, wall_ns);
}

#[test]
fn the_open_poll_is_the_innermost_task_since_the_outermost_start() {
    let thread = unsampled();
    assert_eq!(thread.polling(), None);
    let outer = enter(&thread, 7, Label::new(3, 9, false), 100);
    assert_eq!((thread.polling(), thread.scope()), (Some(open(7, 3, 100, false)), 9));
    assert_eq!(thread.set_scope(4), 9);
    assert_eq!(thread.polling(), Some(open(7, 3, 100, false)));
    let inner = enter(&thread, 8, Label::new(5, 0, false), 200);
    assert_eq!(thread.polling(), Some(open(8, 5, 100, false)));
    leave(&thread, inner, 10);
    assert_eq!((thread.polling(), thread.scope()), (Some(open(7, 3, 100, false)), 4));
    leave(&thread, outer, 200);
    assert_eq!((thread.polling(), thread.scope(), thread.polls()), (None, 0, 1));
}

#[test]
fn what_a_job_polls_belongs_to_the_job() {
    let thread = unsampled();
    let (site, scope) = (u32::MAX >> 1, u16::MAX.into());
    let job = enter(&thread, 1, Label::new(site, scope, true), 100);
    assert_eq!((thread.polling(), thread.scope()), (Some(open(1, site, 100, true)), scope));
    let inner = enter(&thread, 2, Label::new(5, 0, false), 200);
    assert_eq!(thread.polling(), Some(open(2, 5, 100, true)));
    leave(&thread, inner, 10);
    leave(&thread, job, 200);
    let next = enter(&thread, 3, Label::new(5, 0, false), 400);
    assert_eq!(thread.polling(), Some(open(3, 5, 400, false)));
    leave(&thread, next, 1);
}

/// Task, site and start are written one after the other; a reader must not see parts of two polls.
#[test]
fn its_parts_belong_together_while_polls_come_and_go() {
    let thread = unsampled();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 1..200_000 {
                let outer = enter(&thread, n, Label::new(n as u32, 0, n % 2 == 0), n);
                leave(&thread, outer, 1);
            }
            over.store(true, Ordering::Relaxed);
        });
        while !over.load(Ordering::Relaxed) {
            if let Some(seen) = thread.polling() {
                let n = seen.since_ns;
                assert_eq!(seen, open(n, n as u32, n, n % 2 == 0));
            }
        }
    });
}

#[test]
fn a_poll_that_is_sampled_begins_after_that_and_shows_no_earlier() {
    let thread = Thread::new(1, Magazine::new());
    let (outer, start) = thread.enter(7, Label::new(3, 0, false), 100);
    assert!(start >= crate::clock::now_ns().saturating_sub(60_000_000_000) && start > 100, "{start}");
    assert_eq!(thread.polling(), Some(open(7, 3, start, false)));
    thread.postpone(outer, start + 5);
    assert_eq!(thread.polling(), Some(open(7, 3, start + 5, false)));
    let (inner, within) = thread.enter(8, Label::new(5, 0, false), start + 9);
    thread.postpone(inner, start + 11);
    assert_eq!((within, thread.since_ns()), (start + 9, start + 5), "the outermost began before");
    leave(&thread, inner, 1);
    thread.close(outer);
    assert_eq!((thread.polling(), thread.task()), (None, 7), "it is over and being recorded");
    thread.leave(outer, 20);
    assert_eq!((thread.task(), thread.polls()), (0, 1));
}
