//! Every interleaving of a writer that goes round the ring and a reader that copies it.

use loom::sync::Arc;
use loom::thread;

use super::Ring;

/// What the reader gets is whole, in order, and where its numbers say.
#[test]
fn loom_a_reader_never_sees_half_an_event_nor_the_wrong_one() {
    loom::model(|| {
        let ring = Arc::new(Ring::new(1));
        ring.push([0, 100, 200]);
        let writer = {
            let ring = Arc::clone(&ring);
            thread::spawn(move || (1..3).for_each(|n| ring.push([n, n + 100, n + 200])))
        };
        let (first, events) = ring.read(0, 8);
        for (n, words) in (first..).zip(&events) {
            assert_eq!(*words, [n, n + 100, n + 200]);
        }
        writer.join().expect("no panic");
        assert_eq!(ring.read(0, 8), (2, vec![[2, 102, 202]]));
    });
}
