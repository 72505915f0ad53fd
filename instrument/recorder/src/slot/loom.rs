//! Every interleaving of asking, answering late or in time, and giving up.

use loom::sync::Arc;
use loom::thread;

use super::Slot;

/// Two halves that an answer writes one after the other: a torn read shows.
type Room = (u32, u32);

fn write(room: &mut Room, tid: u32) {
    room.0 = tid;
    room.1 = tid;
}

/// The asker loses patience at any moment, and asks another thread: what it reads is whole and of the thread
/// that it asked, and an answer that begins after that is never written over what is read.
#[test]
fn loom_an_impatient_asker_reads_only_its_own_answer() {
    loom::model(|| {
        let slot = Arc::new(Slot::new((0, 0)));
        assert!(slot.ask(1));
        let answerers: Vec<_> = [1, 2]
            .map(|tid| {
                let slot = Arc::clone(&slot);
                thread::spawn(move || slot.answer(tid, |room| write(room, tid)))
            })
            .into();
        match slot.collect(1, |room| *room) {
            Some(answer) => assert_eq!(answer, (1, 1)),
            None => drop(slot.withdraw(1)),
        }
        if slot.ask(2) {
            if let Some(answer) = slot.collect(2, |room| *room) {
                assert_eq!(answer, (2, 2));
            }
        }
        for answerer in answerers {
            answerer.join().expect("no panic");
        }
        if let Some(answer) = slot.collect(2, |room| *room) {
            assert_eq!(answer, (2, 2));
        }
    });
}

/// Two signals of one request, as when the first comes late and a second was sent: one answer.
#[test]
fn loom_two_signals_are_one_answer() {
    loom::model(|| {
        let slot = Arc::new(Slot::new((0, 0)));
        assert!(slot.ask(1));
        let other = Arc::clone(&slot);
        let second = thread::spawn(move || other.answer(1, |room| room.0 += 1));
        slot.answer(1, |room| room.0 += 1);
        second.join().expect("no panic");
        assert_eq!(slot.collect(1, |room| room.0), Some(1));
    });
}
