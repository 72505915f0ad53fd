//! The line that blocks is in the stack, whatever the thread is blocked in.

use std::io::{Read, Write};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pollscope::__private::backtrace::{Refused, Resolver, Trace};

use crate::victim::{Flags, Victim, own_tid};
use crate::{PATIENCE, engine, take};

const DEADLINE: Duration = Duration::from_secs(120);

/// Takes stacks until one is as expected, and shows the last one if none is.
fn until(victim: &Victim, expected: impl Fn(&Trace) -> bool) -> Trace {
    let mut resolver = Resolver::new();
    let begin = Instant::now();
    loop {
        let trace = resolver.resolve(&take(victim.tid(), PATIENCE).expect("an answer"));
        if expected(&trace) {
            return trace;
        }
        assert!(begin.elapsed() < DEADLINE, "{}: {trace:#?}", victim.name);
    }
}

/// The innermost frame of the service's own code: here, of these tests.
fn place(trace: &Trace) -> Option<usize> {
    trace.frames.iter().position(|frame| frame.users)
}

/// Whether that is this function, in this file at one of those lines.
fn is_at(trace: &Trace, function: &str, lines: RangeInclusive<u32>) -> bool {
    place(trace).map(|at| &trace.frames[at]).is_some_and(|frame| {
        frame.function == function
            && frame.file.as_deref() == Some("instrument/tests/stacks/places.rs")
            && frame.line.is_some_and(|line| lines.contains(&line))
    })
}

/// Whether what it called, and what that called, has such a name.
fn calls(trace: &Trace, part: &str) -> bool {
    trace.frames[..place(trace).unwrap_or(0)].iter().any(|frame| frame.function.contains(part))
}

#[inline(never)]
fn sleeps(flags: &Flags) {
    while flags.go_on() {
        std::thread::sleep(Duration::from_millis(20));
    }
}
const SLEEPS: u32 = line!() - 3;

#[inline(never)]
fn locks(flags: &Flags, mutex: &Mutex<u32>) {
    while flags.go_on() {
        let mut guard = mutex.lock().unwrap_or_else(PoisonError::into_inner);
        *guard += 1;
    }
}
const LOCKS: u32 = line!() - 4;

#[inline(never)]
fn reads(mut pipe: impl Read) {
    let mut byte = [0];
    while pipe.read(&mut byte).is_ok_and(|read| read > 0) {}
}
const READS: u32 = line!() - 2;

#[inline(never)]
fn burns(flags: &Flags) -> u64 {
    let mut sum = 0u64;
    while flags.go_on() {
        sum = sum.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
    }
    sum
}
const BURNS: RangeInclusive<u32> = line!() - 7..=line!() - 3;

#[test]
fn a_thread_that_sleeps() {
    let Some(_alone) = engine() else { return };
    let victim = Victim::start("sleeps", sleeps);
    let trace = until(&victim, |trace| is_at(trace, "stacks::places::sleeps", SLEEPS..=SLEEPS));
    assert!(calls(&trace, "sleep"), "{trace:#?}");
    assert!(!trace.truncated, "{trace:#?}");
}

#[test]
fn a_thread_that_waits_for_a_lock() {
    let Some(_alone) = engine() else { return };
    let mutex = Arc::new(Mutex::new(0));
    let held = mutex.lock().expect("it is free");
    let theirs = Arc::clone(&mutex);
    let victim = Victim::start("locks", move |flags| locks(flags, &theirs));
    let trace = until(&victim, |trace| is_at(trace, "stacks::places::locks", LOCKS..=LOCKS));
    assert!(calls(&trace, "lock"), "{trace:#?}");
    drop(held);
}

#[test]
fn a_thread_that_reads_a_slow_pipe() {
    let Some(_alone) = engine() else { return };
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    writer.write_all(&[1]).expect("room in the pipe");
    let victim = Victim::start("reads", move |_| reads(reader));
    let trace = until(&victim, |trace| is_at(trace, "stacks::places::reads", READS..=READS));
    assert!(calls(&trace, "read"), "{trace:#?}");
    drop(writer);
}

#[test]
fn a_thread_that_burns_cpu() {
    let Some(_alone) = engine() else { return };
    let victim = Victim::start("burns", |flags| {
        std::hint::black_box(burns(flags));
    });
    let trace = until(&victim, |trace| {
        trace.frames.iter().any(|frame| {
            frame.function == "stacks::places::burns" && frame.line.is_some_and(|line| BURNS.contains(&line))
        })
    });
    // Out to where the thread began: no frame pointers are needed on the way.
    assert!(!trace.truncated, "{trace:#?}");
    assert!(trace.frames.iter().any(|frame| frame.function.contains("thread_start")), "{trace:#?}");
}

#[test]
fn the_own_thread_and_nobody() {
    let Some(_alone) = engine() else { return };
    let trace = Resolver::new().resolve(&take(own_tid(), PATIENCE).expect("an answer"));
    assert!(trace.frames.iter().any(|frame| frame.function.ends_with("the_own_thread_and_nobody")));
    // The kernel gives out no id this large.
    assert!(matches!(take(0x7fff_ffff, PATIENCE), Err(Refused::Gone)));
}
