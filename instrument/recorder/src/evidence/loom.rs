//! Every interleaving of a thread that needs its cases again and a drain that reads them.

use std::collections::HashMap;

use loom::sync::Arc;
use loom::thread;
use pollscope_model::entity::slow_poll::SlowPoll;

use super::{Evidence, PLACES, Taken};

/// Each slow poll has one waiter, for a time of its own.
fn waited_ns(number: u64) -> u64 {
    30 - number
}

/// What the drain knows, by number: who waited, and those that it still watches.
#[derive(Default)]
struct Drain {
    told: Vec<u64>,
    waited_ns: HashMap<u64, u64>,
    open: Vec<u64>,
}

impl Drain {
    fn visit(&mut self, evidence: &Evidence) {
        let Taken { polls, harm, first_counted } = evidence.take(self.open.iter().copied());
        for (number, poll) in polls {
            assert_eq!(poll.start_ns, 100 * number);
            self.told.push(number);
            self.open.push(number);
        }
        for (number, harm) in harm {
            assert!(self.open.contains(&number), "{number} is not watched");
            assert!([0, waited_ns(number)].contains(&harm.waited_ns), "{number} has the waiter of another");
            self.waited_ns.insert(number, harm.waited_ns);
        }
        self.open.retain(|number| *number >= first_counted);
    }
}

/// No slow poll is lost, whatever the drain does meanwhile, and each has its own waiters to the last.
#[test]
fn loom_a_case_changes_hands_under_the_drains_eyes() {
    const POLLS: u64 = PLACES + 1;
    let mut model = loom::model::Builder::new();
    // Without a bound it takes minutes.
    model.preemption_bound = Some(3);
    model.check(|| {
        let evidence = Arc::new(Evidence::default());
        let thread = {
            let evidence = Arc::clone(&evidence);
            thread::spawn(move || {
                for number in 0..POLLS {
                    let start_ns = 100 * number;
                    assert!(evidence.keep(SlowPoll { start_ns, wall_ns: 50, ..SlowPoll::default() }));
                    evidence.waited(start_ns + 50 - waited_ns(number));
                }
            })
        };
        let mut drain = Drain::default();
        drain.visit(&evidence);
        thread.join().expect("no panic");
        drain.visit(&evidence);
        assert_eq!(drain.told, (0..POLLS).collect::<Vec<_>>());
        for number in 0..POLLS {
            assert_eq!(drain.waited_ns[&number], waited_ns(number), "{number}");
        }
    });
}
