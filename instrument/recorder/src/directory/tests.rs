//! What a thread does that meets a holder without a CPU.

use std::sync::mpsc::channel;
use std::time::Instant;

use super::*;
use crate::record::split::Reading;

static PLACES: Directory<u64, 4> = Directory::new();

/// A holder of lower priority gets the CPU of the thread that waits, since that thread leaves it.
#[test]
fn a_thread_that_waits_for_a_holder_leaves_its_cpu() {
    const HELD_FOR: Duration = Duration::from_millis(300);
    if Reading::now().is_none() {
        return;
    }
    assert!(PLACES.insert(1, &7));
    let (begin, begun) = channel();
    let remover = std::thread::spawn(move || {
        begun.recv().expect("it is held");
        let (before, began) = (Reading::now()?, Instant::now());
        let removed = PLACES.remove(1).copied();
        let wall_ns = began.elapsed().as_nanos() as u64;
        Some((removed, Reading::now()?.since(before, wall_ns, 0).busy_ns, wall_ns))
    });
    let found = PLACES.find(1, |_| {
        begin.send(()).expect("it waits");
        std::thread::sleep(HELD_FOR);
    });
    assert_eq!(found, Some(&7));
    let (removed, busy_ns, wall_ns) = remover.join().expect("no panic").expect("readable");
    assert_eq!(removed, Some(7));
    assert!(busy_ns < wall_ns / 4, "{busy_ns} of {wall_ns} ns on the CPU");
    assert_eq!(PLACES.find(1, |_| ()), None);
}
