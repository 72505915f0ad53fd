//! Every interleaving of marking and taking.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering};
use loom::thread;

use super::Marks;

/// What two threads mark while the drain takes is taken at least once each, and after the last take no
/// mark is left.
#[test]
fn loom_each_mark_is_taken() {
    loom::model(|| {
        let marks = Arc::new(Marks::new());
        let writers: Vec<_> = [0, 63]
            .map(|at| {
                let marks = Arc::clone(&marks);
                thread::spawn(move || marks.word(at).note(at))
            })
            .into();
        let early = marks.take(0);
        for writer in writers {
            writer.join().expect("no panic");
        }
        let late = marks.take(0);
        assert_eq!(early | late, 1 | 1 << 63);
        assert_eq!(early & late, 0);
        assert_eq!(marks.take(0), 0);
    });
}

/// A mark that is there already, and a thread that writes a word and then marks that once more.
fn written_then(mark: fn(&Marks)) -> (Arc<Marks>, Arc<AtomicU64>, thread::JoinHandle<()>) {
    let (marks, word) = (Arc::new(Marks::new()), Arc::new(AtomicU64::new(0)));
    marks.word(5).note(5);
    let (marked, written) = (Arc::clone(&marks), Arc::clone(&word));
    let writer = thread::spawn(move || {
        written.store(1, Ordering::Relaxed);
        mark(&marked);
    });
    (marks, word, writer)
}

/// A word that is written and then surely marked: the drain finds the mark after it, or has read it.
#[test]
fn loom_a_sure_mark_has_no_gap() {
    loom::model(|| {
        let (marks, word, writer) = written_then(|marks| marks.word(5).set(5));
        assert_eq!(marks.take(0), 1 << 5);
        let seen = word.load(Ordering::Relaxed);
        writer.join().expect("no panic");
        assert!(seen == 1 || marks.take(0) == 1 << 5);
    });
}

/// A word that is written and then noted, by a thread that the drain hears of later: the drain finds the
/// mark, or sees the word when it looks once more.
#[test]
fn loom_a_note_shows_at_the_second_look() {
    loom::model(|| {
        let (marks, word, writer) = written_then(|marks| marks.word(5).note(5));
        let again = marks.take(0);
        writer.join().expect("no panic");
        let look = again | marks.take(0);
        assert_eq!(look, 1 << 5);
        assert_eq!(word.load(Ordering::Relaxed), 1);
    });
}
