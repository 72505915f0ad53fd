//! Thousands of stacks of threads that are where a careless engine hangs or crashes: in the allocator, the
//! dynamic loader, an unwind, at their end, at the end of their stack.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pollscope::__private::backtrace::{RawStack, Refused, Resolver};

use crate::victim::{Flags, Victim, own_tid};
use crate::{PATIENCE, engine, take};

/// To each victim.
const REQUESTS: u32 = 400;
/// Every so many are also named, which costs most in a build without optimisation.
const NAMED: u32 = 10;
/// A deadlock may hold any lock, the test harness' own too: after this the process is killed from outside of
/// everything.
const DEADLINE: Duration = Duration::from_secs(300);

#[test]
fn thousands_of_stacks_and_neither_a_hang_nor_a_crash() {
    let Some(_alone) = engine() else { return };
    let done = deadline();
    let victims = [
        Victim::start("allocator", allocates),
        Victim::start("loader", loads_libraries),
        Victim::start("unwinder", unwinds),
        Victim::start("spawner", spawns_mortals),
        Victim::with_stack("deep", SMALL_STACK, |flags| descends(flags, 0)),
        Victim::with_stack("small", 16 << 10, allocates),
    ];
    let mut resolver = Resolver::new();
    let mut books = victims.each_ref().map(|_| Book::default());
    while books.iter().any(|book| book.answers + book.gone < REQUESTS || book.answers == 0) {
        for (victim, book) in victims.iter().zip(&mut books) {
            // With no patience at all: most answers come too late, while others are asked.
            let hasty = take(victim.tid(), Duration::ZERO);
            assert!(!matches!(hasty, Err(Refused::Unavailable(_) | Refused::Replaced)), "{hasty:?}");
            let named = book.answers.is_multiple_of(NAMED).then_some(&mut resolver);
            book.enter(take(victim.tid(), PATIENCE), named);
        }
    }
    for (victim, book) in victims.iter().zip(&books) {
        let name = victim.name;
        assert_eq!(book.silent, 0, "{name}: a thread that can answer does: {book:?}");
        assert!(book.gone == 0 || name == "spawner", "{name}: {book:?}");
        assert!(book.found > 0 && book.truncated * 10 <= book.named, "{name}: {book:?}");
    }
    done.store(true, Ordering::Relaxed);
}

/// What became of the requests to one victim.
#[derive(Debug, Default)]
struct Book {
    answers: u32,
    gone: u32,
    silent: u32,
    /// Of the answers, those whose frames were looked at.
    named: u32,
    /// Of these, those in which a function of this file is.
    found: u32,
    /// Of these, those that end before the thread's first function.
    truncated: u32,
}

impl Book {
    fn enter(&mut self, outcome: Result<RawStack, Refused>, resolver: Option<&mut Resolver>) {
        match outcome {
            Ok(stack) => {
                self.answers += 1;
                let Some(resolver) = resolver else { return };
                let trace = resolver.resolve(&stack);
                assert!(!trace.frames.is_empty());
                self.named += 1;
                self.found += u32::from(trace.frames.iter().any(|frame| {
                    frame.file.as_deref().is_some_and(|file| file.ends_with("tests/stacks/attack.rs"))
                }));
                self.truncated += u32::from(trace.truncated);
            }
            Err(Refused::Gone) => self.gone += 1,
            Err(Refused::Silent) => self.silent += 1,
            // The hasty request's answer is still being written.
            Err(Refused::Busy) => std::thread::yield_now(),
            Err(other) => panic!("{other}"),
        }
    }
}

/// Kills this process after the deadline, unless it is told that all is well.
fn deadline() -> &'static AtomicBool {
    let done: &'static AtomicBool = Box::leak(Box::new(AtomicBool::new(false)));
    std::thread::spawn(move || {
        std::thread::sleep(DEADLINE);
        if !done.load(Ordering::Relaxed) {
            rustix::io::write(std::io::stderr(), b"the attack did not end in time\n").ok();
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).ok();
        }
    });
    done
}

/// Small and large, kept and given back: arenas, bins, `mmap`, `brk`, `munmap`.
fn allocates(flags: &Flags) {
    let mut kept: [Vec<u8>; 8] = Default::default();
    let mut size = 1;
    while flags.go_on() {
        size = (size * 7 + 13) % (1 << 20);
        kept[size % 8] = black_box(Vec::with_capacity(size));
        drop(black_box(Box::new([size; 4])));
    }
}

/// Takes the loader's lock and changes what is mapped.
#[expect(unsafe_code, reason = "std opens no libraries")]
fn loads_libraries(flags: &Flags) {
    while flags.go_on() {
        // SAFETY: the library has no initialisers of note, and nothing of it is used.
        unsafe {
            let library = libc::dlopen(c"libresolv.so.2".as_ptr(), libc::RTLD_NOW);
            if !library.is_null() {
                libc::dlclose(library);
            }
        }
    }
}

/// Walks its own stack with the loader's lock held, runs destructors on the way.
fn unwinds(flags: &Flags) {
    struct Noisy(Vec<u8>);
    impl Drop for Noisy {
        fn drop(&mut self) {
            black_box(self.0.clone());
        }
    }
    fn deeper(depth: u32) {
        let _noisy = Noisy(vec![1; 100]);
        if depth == 0 {
            std::panic::resume_unwind(Box::new(()));
        }
        deeper(depth - 1);
    }
    while flags.go_on() {
        assert!(std::panic::catch_unwind(|| deeper(8)).is_err());
        drop(black_box(std::backtrace::Backtrace::force_capture()));
    }
}

/// Threads that live for moments; it is always the youngest that is looked at, so that many are found
/// starting, in their destructors, or gone, and their ids taken by the next.
fn spawns_mortals(flags: &Flags) {
    struct Last(Vec<u8>);
    impl Drop for Last {
        fn drop(&mut self) {
            // Long enough to be met here.
            let begin = Instant::now();
            while begin.elapsed() < Duration::from_millis(3) {
                black_box(self.0.clone());
            }
        }
    }
    thread_local! {
        static LAST: Last = Last(vec![7; 4000]);
    }
    let youngest = &flags.tid;
    while flags.go_on() {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                youngest.store(own_tid(), Ordering::Release);
                LAST.with(|last| black_box(last.0.len()));
            });
        });
    }
}

const SMALL_STACK: usize = 64 << 10;

/// Down to where the next frame would hardly fit, and up again.
fn descends(flags: &Flags, top: usize) {
    let room = black_box([0u8; 256]);
    let here = room.as_ptr().addr();
    let top = if top == 0 { here } else { top };
    // What std, libc and the thread's own beginning need stays free.
    if top - here < SMALL_STACK - (20 << 10) {
        descends(flags, top);
        black_box(room);
        return;
    }
    while flags.go_on() {
        black_box(here);
    }
}

#[test]
#[expect(unsafe_code, reason = "std blocks no signals")]
fn a_thread_that_blocks_the_signal_gets_none() {
    let Some(_alone) = engine() else { return };
    let victim = Victim::start("deaf", |flags| {
        // SAFETY: the mask of this thread alone, in a set that all zeros made valid already.
        unsafe {
            let mut set = std::mem::zeroed();
            libc::sigemptyset(&raw mut set);
            libc::sigaddset(&raw mut set, libc::SIGURG);
            libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
        }
        flags.ready.store(true, Ordering::Release);
        while flags.go_on() {
            std::thread::yield_now();
        }
    });
    while !victim.flags.ready.load(Ordering::Acquire) {
        std::thread::yield_now();
    }
    assert!(matches!(take(victim.tid(), Duration::from_millis(20)), Err(Refused::Deaf)));
    assert!(take(own_tid(), PATIENCE).is_ok(), "others are answered");
}
