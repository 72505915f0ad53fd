//! The line that blocks is in the stack, whatever the thread is blocked in.

use std::io::{Read, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pollscope::__private::backtrace::{Refused, Resolver, Trace, take};

use crate::victim::{Flags, Victim, own_tid};
use crate::{PATIENCE, engine};

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

/// Whether the service's own innermost frame is that function, in this file at one of those lines.
fn is_at(trace: &Trace, function: &str, lines: std::ops::RangeInclusive<u32>) -> bool {
    trace.place().is_some_and(|frame| {
        frame.function.ends_with(function)
            && frame.file.as_deref().is_some_and(|file| file.ends_with("tests/stacks/places.rs"))
            && frame.line.is_some_and(|line| lines.contains(&line))
    })
}

fn calls(trace: &Trace, part: &str) -> bool {
    let at = trace.frames.iter().position(|frame| frame.users).unwrap_or(0);
    trace.frames[..at].iter().any(|frame| frame.function.contains(part))
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
const BURNS: std::ops::RangeInclusive<u32> = line!() - 7..=line!() - 3;

#[test]
fn a_thread_that_sleeps() {
    let Some(_alone) = engine() else { return };
    let victim = Victim::start("sleeps", sleeps);
    let trace = until(&victim, |trace| is_at(trace, "places::sleeps", SLEEPS..=SLEEPS));
    assert!(calls(&trace, "sleep"), "{trace:#?}");
    assert_eq!(trace.called().map(|frame| &*frame.function), Some("std::thread::functions::sleep"));
    assert!(!trace.truncated, "{trace:#?}");
}

#[test]
fn a_thread_that_waits_for_a_lock() {
    let Some(_alone) = engine() else { return };
    let mutex = Arc::new(Mutex::new(0));
    let held = mutex.lock().expect("nobody else has it");
    let theirs = Arc::clone(&mutex);
    let victim = Victim::start("locks", move |flags| locks(flags, &theirs));
    let trace = until(&victim, |trace| is_at(trace, "places::locks", LOCKS..=LOCKS));
    assert!(calls(&trace, "lock"), "{trace:#?}");
    drop(held);
}

#[test]
fn a_thread_that_reads_a_slow_pipe() {
    let Some(_alone) = engine() else { return };
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    writer.write_all(&[1]).expect("room in the pipe");
    let victim = Victim::start("reads", move |_| reads(reader));
    let trace = until(&victim, |trace| is_at(trace, "places::reads", READS..=READS));
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
            frame.function.ends_with("places::burns") && frame.line.is_some_and(|line| BURNS.contains(&line))
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
