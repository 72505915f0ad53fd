//! Everything at once on all cores: tasks that are spawned, woken from everywhere, aborted, detached
//! and panic, while a reader asks for totals without pause. At the end the recorder's books equal
//! the test's own, to the last poll and wake.
//!
//! Lasts two seconds in each mode; `STRESS_SECONDS=60 cargo test -p pollscope --release --test stress`
//! is the long run. The sanitizers run it too.

mod books;
mod victim;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pollscope_model::entity::site::SiteDelta;
use pollscope_model::measured::Mode;
use pollscope_model::report::Report;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::AbortHandle;

use books::Books;
use victim::{Door, Fate, Victim};

/// Living tasks that one spawner keeps at once.
const CROWD: usize = 256;

#[expect(clippy::disallowed_methods, reason = "asked for by hand, for the long run")]
fn seconds() -> u64 {
    std::env::var("STRESS_SECONDS").map_or(2, |text| text.parse().expect("STRESS_SECONDS is a number"))
}

/// A pseudo-random sequence; the same for the same seed (Marsaglia's xorshift64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// How tasks come to be: the only line of a mode that spawns.
type Spawn = fn(Victim, &Handle) -> (AbortHandle, Joined);

type Joined = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

fn wrapped(victim: Victim, on: &Handle) -> (AbortHandle, Joined) {
    let handle = pollscope::spawn_on(victim, on);
    (handle.abort_handle(), Box::pin(async move { drop(handle.await) }))
}
const WRAPPED: u32 = line!() - 3;

fn hooked(victim: Victim, on: &Handle) -> (AbortHandle, Joined) {
    let handle = on.spawn(victim);
    (handle.abort_handle(), Box::pin(async move { drop(handle.await) }))
}
const HOOKED: u32 = line!() - 3;

fn runtime(hooks: bool) -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(std::thread::available_parallelism().map_or(4, |n| n.get().max(4)));
    if hooks {
        pollscope::attach(&mut builder);
    }
    builder.build().expect("a runtime")
}

/// A task that may be alive.
struct Member {
    door: Arc<Door>,
    abort: AbortHandle,
    joined: Option<Joined>,
}

impl Member {
    fn see_off(self, on: &Handle, books: &Books) {
        self.door.open(books);
        if let Some(joined) = self.joined {
            on.block_on(joined);
        }
    }
}

/// Spawns, wakes, aborts and forgets until time is up; then opens every door and waits for the rest.
fn one_spawner(spawn: Spawn, on: &Handle, books: &Arc<Books>, seed: u64, until: Instant) {
    let mut dice = Dice(seed);
    let mut crowd: Vec<Member> = Vec::new();
    while Instant::now() < until {
        for _ in 0..64 {
            let fate = match dice.roll() % 8 {
                0 => Fate::Panics,
                1..=3 => Fate::Waits,
                _ => Fate::Returns,
            };
            let door = Arc::new(Door::default());
            let victim = Victim::new(fate, (dice.roll() % 6) as u32, &door, books);
            let (abort, joined) = spawn(victim, on);
            // Every fourth handle is dropped at once: the task is detached.
            let joined = (!dice.roll().is_multiple_of(4)).then_some(joined);
            crowd.push(Member { door, abort, joined });
        }
        for _ in 0..96 {
            let at = dice.roll() as usize % crowd.len();
            let Member { door, abort, .. } = &crowd[at];
            match dice.roll() % 8 {
                0 => abort.abort(),
                1 => {
                    // No waker of it is left.
                    drop(door.take());
                    abort.abort();
                }
                2 => door.open(books),
                _ => door.knock(books),
            }
        }
        while crowd.len() > CROWD {
            let at = dice.roll() as usize % crowd.len();
            crowd.swap_remove(at).see_off(on, books);
        }
    }
    // The others are detached or outlive their handles' holder: dropping the runtime cancels them.
    let half = crowd.len() / 2;
    for member in crowd.drain(..half) {
        member.see_off(on, books);
    }
}

/// Runs it all on one runtime, and drops that: what is detached and still waits is cancelled.
fn storm(spawn: Spawn, hooks: bool, books: &Arc<Books>, seconds: u64) {
    let runtime = runtime(hooks);
    let until = Instant::now() + Duration::from_secs(seconds);
    std::thread::scope(|scope| {
        for seed in 1..=3u64 {
            let handle = runtime.handle().clone();
            scope.spawn(move || {
                one_spawner(spawn, &handle, books, seed.wrapping_mul(0x9E37_79B9_7F4A_7C15), until);
            });
        }
    });
    drop(runtime);
}

/// Ends the reader, also when the storm itself fails.
struct Finish<'a>(&'a AtomicBool);

impl Drop for Finish<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn site_of(report: &Report, line: u32) -> SiteDelta {
    use pollscope_model::dict::DictEntry;
    let id = report.dict.iter().find_map(|entry| match entry {
        DictEntry::Site(id, site) if site.line == line && site.file.ends_with("stress/main.rs") => Some(*id),
        _ => None,
    });
    let id = id.unwrap_or_else(|| panic!("no site at line {line}"));
    report.sites.iter().find(|site| site.site == id).expect("the site has totals").clone()
}

#[test]
#[expect(clippy::print_stdout, reason = "how much a run has done, shown with --nocapture")]
fn the_books_are_exact_after_the_storm() {
    books::silence_expected_panics();
    let guard = pollscope::builder().listen(pollscope::Listen::Off).init();
    let finished = AtomicBool::new(false);
    let (in_wrap, in_hooks) = (Arc::new(Books::default()), Arc::new(Books::default()));
    let sees_hooks = std::thread::scope(|scope| {
        // The drain races with everything, all the time.
        scope.spawn(|| {
            while !finished.load(Ordering::Relaxed) {
                let report = guard.report();
                finished.fetch_or(report.is_none(), Ordering::Relaxed);
            }
        });
        let _finishes = Finish(&finished);
        storm(wrapped, false, &in_wrap, seconds());
        storm(hooked, true, &in_hooks, seconds());
        guard.mode() == Mode::Hooks
    });

    let report = guard.report().expect("it records");
    assert_eq!(report.losses.total() - report.losses.slow_polls, 0, "{:?}", report.losses);
    assert!(report.tasks.is_empty(), "no task is alive: {:?}", report.tasks.first());

    let site = site_of(&report, WRAPPED);
    println!("wrap:  {in_wrap}");
    assert_eq!(site.spawned, in_wrap.spawned.get());
    assert_eq!(site.completed, in_wrap.completed.get());
    assert_eq!(site.cancelled, in_wrap.cancelled.get());
    assert_eq!(site.panicked, in_wrap.panicked.get());
    // A future that is dropped before its end is dropped in a last poll of its task.
    assert_eq!(site.poll.count(), in_wrap.polls.get() + in_wrap.cancelled.get());
    assert_eq!(site.wakes, in_wrap.wakes.get());
    assert_eq!(site.self_wakes, in_wrap.self_wakes.get());
    assert_eq!(site.life.count(), site.spawned);

    if sees_hooks {
        let site = site_of(&report, HOOKED);
        println!("hooks: {in_hooks}");
        assert_eq!(site.spawned, in_hooks.spawned.get());
        assert_eq!(site.all_ended(), site.spawned);
        // Tokio reports the drop of an aborted idle task as a poll.
        let polls = in_hooks.polls.get();
        let most = polls + in_hooks.cancelled.get();
        assert!((polls..=most).contains(&site.poll.count()), "{} of {polls}..={most}", site.poll.count());
    }
}
