//! Threads that sleep in known ways, and what the kernel says of them.

use std::io::Read;
use std::os::fd::AsRawFd;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use super::{Word, ask, is_traced, linux::state};
use crate::watch::usage;

fn tid() -> u32 {
    rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs()
}

/// Asks about a thread until the answer is the one that is waited for. `None`: the kernel does not tell here.
fn asked_until(tid: u32, expected: impl Fn(&Word) -> bool) -> Option<Word> {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let word = ask(tid)?;
        if expected(&word) {
            return Some(word);
        }
        assert!(Instant::now() < deadline, "the last answer was {word:?}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn sleeps_in(word: &Word, call: &str) -> bool {
    matches!(word, Word::Sleeps(text) if text.starts_with(call))
}

#[test]
fn a_thread_that_waits_for_a_lock_sleeps_in_a_futex() {
    let lock = std::sync::Mutex::new(());
    let held = lock.lock().expect("not poisoned");
    std::thread::scope(|scope| {
        let (tell, told) = channel();
        let lock = &lock;
        scope.spawn(move || {
            tell.send(tid()).expect("the test listens");
            drop(lock.lock());
        });
        asked_until(told.recv().expect("told"), |word| sleeps_in(word, "futex"));
        drop(held);
    });
}

#[test]
fn a_thread_that_reads_a_pipe_sleeps_in_a_read_of_it() {
    let (mut read, write) = std::io::pipe().expect("a pipe");
    std::thread::scope(|scope| {
        let (tell, told) = channel();
        scope.spawn(move || {
            tell.send((tid(), read.as_raw_fd())).expect("the test listens");
            let _ = read.read(&mut [0]);
        });
        let (tid, fd) = told.recv().expect("told");
        asked_until(tid, |word| *word == Word::Sleeps(format!("read(fd {fd}, pipe)")));
        drop(write);
    });
}

#[test]
fn a_thread_that_sleeps_does_not_run_and_one_that_works_does() {
    let (stop, stopped) = channel::<()>();
    std::thread::scope(|scope| {
        let (tell, told) = channel();
        scope.spawn(move || {
            tell.send(tid()).expect("the test listens");
            let _ = stopped.recv_timeout(Duration::from_secs(60));
        });
        let tid = told.recv().expect("told");
        if asked_until(tid, |word| matches!(word, Word::Sleeps(_))).is_some() {
            let before = usage::of(tid);
            std::thread::sleep(Duration::from_millis(5));
            assert_eq!(usage::of(tid), before);
        }
        drop(stop);
    });
    assert!(matches!(ask(tid()), Some(Word::Active) | None));
    assert!(!is_traced() || ask(tid()).is_some());
}

#[test]
fn nothing_is_said_of_a_thread_that_is_gone() {
    assert_eq!((ask(u32::MAX), usage::of(u32::MAX)), (None, None));
}

#[test]
fn the_state_follows_a_name_of_any_shape() {
    assert_eq!(state("7 (tokio-rt) R (x) S 1 2"), Some('S'));
    assert_eq!(state("7 (a"), None);
}

#[test]
fn the_word_of_a_thread_without_a_cpu_is_another() {
    assert_eq!((Word::Active.text(false), Word::Active.text(true)), ("running", "runnable"));
    assert_eq!(Word::Sleeps("futex_wait".to_owned()).text(true), "futex_wait");
}
