//! What is counted of slow polls never is more than what is counted of polls, however a process's reports come.

use super::*;

/// What a made-up process does, and what becomes of the report that is due.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// So many polls at once, of which the last is slow by so many milliseconds.
    Polls { site: usize, quick: u64, slow_ms: u64 },
    /// The slow poll so many before the newest is told again, with more waiters.
    Again { before: usize },
    /// A second passes, and its report comes.
    Comes,
    /// It comes twice.
    ComesTwice,
    /// It is lost. The next gap asks for a snapshot, which comes then.
    IsLost,
}

fn step() -> BoxedStrategy<Step> {
    prop_oneof![
        6 => (0..2_usize, 0..3_u64, 0..60_u64).prop_map(|(site, quick, slow_ms)| Step::Polls { site, quick, slow_ms }),
        3 => (0..40_usize).prop_map(|before| Step::Again { before }),
        4 => Just(Step::Comes),
        1 => Just(Step::ComesTwice),
        1 => Just(Step::IsLost),
    ]
    .boxed()
}

/// Every count of the process's sites, by those of its polls.
fn is_whole(world: &World) -> Result<(), TestCaseError> {
    for site in only(world).sites() {
        let (totals, polls) = (site.totals(), site.totals().poll.count());
        prop_assert!(totals.slow_polls <= polls, "{} slow of {polls}", totals.slow_polls);
        prop_assert!(site.slow_polls().count() as u64 <= totals.slow_polls);
        // Each poll is in it once: with what is known of it, or by the clock.
        prop_assert_eq!(site.own_poll_times().count(), polls);
        prop_assert_eq!(site.held_poll_times().count(), polls);
    }
    Ok(())
}

proptest! {
    #[test]
    fn slow_polls_are_polls_whatever_comes_twice_late_or_never(steps in prop::collection::vec(step(), 0..120)) {
        let mut script = Script::new("checkout");
        let mut world = world_of(&script);
        let sites = ["src/cart.rs:88:9", "src/login.rs:3:5"].map(|site| script.site(site));
        let tasks = sites.map(|site| script.spawn(site));
        let mut told: Vec<SlowPoll> = Vec::new();
        let (mut fresh, mut again): (usize, Vec<SlowPoll>) = (0, Vec::new());
        for step in steps {
            match step {
                Step::Polls { site, quick, slow_ms } => {
                    script.poll(tasks[site], quick, 1_000);
                    script.pass(slow_ms * 1_000_000 + 1);
                    script.slow_poll(tasks[site], slow_ms * 1_000_000, 0, 0);
                    fresh += 1;
                }
                Step::Again { before } => {
                    if let Some(poll) = told.iter().rev().nth(before) {
                        again.push(SlowPoll { waiters: Some(3), ..poll.clone() });
                    }
                }
                Step::Comes | Step::ComesTwice | Step::IsLost => {
                    let mut report = script.second();
                    prop_assert_eq!(report.slow_polls.len(), std::mem::take(&mut fresh));
                    told.extend(report.slow_polls.iter().cloned());
                    report.slow_polls.append(&mut again);
                    if matches!(step, Step::IsLost) {
                        continue;
                    }
                    let applied = world.apply(report.clone(), 0);
                    if matches!(step, Step::ComesTwice) {
                        world.apply(report, 0);
                    }
                    if matches!(applied, Applied::Gap { .. } | Applied::NeedsSnapshot) {
                        for part in script.snapshot(3) {
                            world.apply(part, 0);
                        }
                    }
                    is_whole(&world)?;
                }
            }
        }
    }
}
