//! What another thread sees of the poll that is open.

use super::polling::OpenPoll;
use super::*;

fn open(task: u64, site: u32, since_ns: u64, is_job: bool) -> OpenPoll {
    OpenPoll { task, site, since_ns, is_job }
}

#[test]
fn the_open_poll_is_the_innermost_task_since_the_outermost_start() {
    let thread = Thread::new(1, Magazine::new());
    assert_eq!(thread.polling(), None);
    let outer = thread.enter(7, Label::new(3, 9, false), 100);
    assert_eq!((thread.polling(), thread.scope()), (Some(open(7, 3, 100, false)), 9));
    assert_eq!(thread.set_scope(4), 9);
    assert_eq!(thread.polling(), Some(open(7, 3, 100, false)));
    let inner = thread.enter(8, Label::new(5, 0, false), 200);
    assert_eq!(thread.polling(), Some(open(8, 5, 100, false)));
    thread.leave(inner, 10);
    assert_eq!((thread.polling(), thread.scope()), (Some(open(7, 3, 100, false)), 4));
    thread.leave(outer, 200);
    assert_eq!((thread.polling(), thread.scope(), thread.polls.get()), (None, 0, 1));
}

#[test]
fn what_a_job_polls_belongs_to_the_job() {
    let thread = Thread::new(1, Magazine::new());
    let (site, scope) = (u32::MAX >> 1, u16::MAX.into());
    let job = thread.enter(1, Label::new(site, scope, true), 100);
    assert_eq!((thread.polling(), thread.scope()), (Some(open(1, site, 100, true)), scope));
    let inner = thread.enter(2, Label::new(5, 0, false), 200);
    assert_eq!(thread.polling(), Some(open(2, 5, 100, true)));
    thread.leave(inner, 10);
    thread.leave(job, 200);
    let next = thread.enter(3, Label::new(5, 0, false), 400);
    assert_eq!(thread.polling(), Some(open(3, 5, 400, false)));
    thread.leave(next, 1);
}

/// Task, site and start are written one after the other; a reader must not see parts of two polls.
#[test]
fn its_parts_belong_together_while_polls_come_and_go() {
    let thread = Thread::new(1, Magazine::new());
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 1..200_000 {
                let outer = thread.enter(n, Label::new(n as u32, 0, n % 2 == 0), n);
                thread.leave(outer, 1);
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
