//! Every interleaving of two that leave letters and one that takes them.

use loom::sync::Arc;
use loom::thread;

use super::Mailbox;

/// Each letter is taken once, and those of one thread in its order.
#[test]
fn loom_every_letter_is_taken_once_and_in_order() {
    loom::model(|| {
        let mailbox = Arc::new(Mailbox::default());
        let writer = |from: u32| {
            let mailbox = Arc::clone(&mailbox);
            thread::spawn(move || (from..from + 2).for_each(|n| mailbox.leave(Box::new(n))))
        };
        let writers = [writer(0), writer(10)];
        let mut seen = mailbox.take();
        for writer in writers {
            writer.join().expect("no panic");
        }
        seen.extend(mailbox.take());
        let of = |from: u32| seen.iter().map(|n| **n).filter(move |n| (from..from + 2).contains(n));
        assert_eq!(of(0).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(of(10).collect::<Vec<_>>(), [10, 11]);
        assert_eq!(seen.len(), 4);
    });
}
