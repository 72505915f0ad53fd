//! Every interleaving of the one writer and a reader.

use loom::sync::Arc;
use loom::thread;

use pollscope_model::hist::Hist;

use super::HistShard;

/// Whatever the reader meets, it sees the first so many values and nothing else.
#[test]
fn loom_a_reader_sees_the_values_up_to_one_of_them() {
    loom::model(|| {
        let values = [1, 2, 1, 4];
        let shard = Arc::new(HistShard::default());
        shard.record(values[0]);
        let writer = {
            let shard = Arc::clone(&shard);
            thread::spawn(move || {
                for value in &values[1..] {
                    shard.record(*value);
                }
            })
        };
        let counts = |hist: &Hist| hist.buckets().collect::<Vec<_>>();
        let mut seen = Hist::new();
        shard.add_to(&mut seen);
        let mut first = Hist::new();
        let known = values.into_iter().any(|value| {
            first.record(value);
            counts(&first) == counts(&seen)
        });
        assert!(known, "{:?}", counts(&seen));
        writer.join().expect("no panic");
        let mut all = Hist::new();
        shard.add_to(&mut all);
        assert_eq!((all, 4), (first_of(&values), shard.count()));
    });
}

fn first_of(values: &[u64]) -> Hist {
    let mut hist = Hist::new();
    values.iter().for_each(|value| hist.record(*value));
    hist
}
