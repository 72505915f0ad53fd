//! A fault in a place, the text that its finding gives, and what becomes of it when a part of the text is applied.

use std::future::Future;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::hint::spin_loop;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use pollscope::check::{Flavor, Judged, Level, Session};
use pollscope_model::detect::advice::Advice;
use pollscope_model::finding::Finding;
use pollscope_model::level::Level as Bad;
use tokio::task::LocalSet;

pub(crate) const MS: Duration = Duration::from_millis(1);
/// No remedy: the fault.
pub(crate) const FAULT: &str = "";
/// On a machine that is short of CPU a fault may be hidden, and a mended program late. A wrong text fails each time.
pub(crate) const RUNS: usize = 5;
/// How long a try waits for a CPU at most.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the task runs whose finding gives the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// A task on two workers.
    Workers,
    /// A task of a current-thread runtime.
    OneThread,
    /// A `!Send` task of a `LocalSet`.
    LocalSet,
    /// The future that a current-thread runtime blocks on.
    Body,
}

pub(crate) const EVERYWHERE: &[Place] = &[Place::Workers, Place::OneThread, Place::LocalSet, Place::Body];
pub(crate) const ANYWHERE: &[Place] = &[Place::Workers];

/// One fault.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// The id of the text.
    pub(crate) advice: &'static str,
    /// Those of its remedies that apply to this fault.
    pub(crate) remedies: &'static [&'static str],
    pub(crate) places: &'static [Place],
    /// Runs it with that remedy, or without any.
    pub(crate) run: fn(Place, &'static str) -> Judged<()>,
}

impl Case {
    /// The finding gives the text, and with each of its remedies alone nothing is found.
    pub(crate) fn check(&self) {
        let advice = Advice::of(self.advice).unwrap_or_else(|| panic!("no text {}", self.advice));
        for place in self.places {
            let told = |remedy| {
                let judged = (self.run)(*place, remedy);
                let allowed = judged.verdict().allowed.iter().map(|allowed| &allowed.finding);
                let gives = |finding: &Finding| *finding.fix == *advice.text();
                let is_given = judged.verdict().findings.iter().chain(allowed).any(gives);
                let is_clean = judged.verdict().findings.iter().all(|finding| finding.level == Bad::Allow);
                (is_given, is_clean, judged.text())
            };
            let found: Vec<_> = tries(|| told(FAULT)).take_while(|(given, ..)| !given).collect();
            assert!(found.len() < RUNS, "{} {place:?} does not give {}: {found:#?}", self.name, self.advice);
            for remedy in self.remedies {
                let is_wrong = |(given, clean, _): &(bool, bool, String)| *given || !clean;
                let left: Vec<_> = tries(|| told(remedy)).take_while(is_wrong).collect();
                assert!(left.len() < RUNS, "{} {place:?} in spite of {remedy}: {left:#?}", self.name);
            }
        }
    }
}

/// Runs something up to so many times; each time but the first when there is a CPU.
pub(crate) fn tries<T>(run: impl Fn() -> T) -> impl Iterator<Item = T> {
    (0..RUNS).map(move |nth| {
        if nth > 0 {
            await_cpu();
        }
        run()
    })
}

/// Waits until a thread that computes has a CPU for nearly all of the time; for a minute at most.
fn await_cpu() {
    let deadline = Instant::now() + PATIENCE;
    let has_cpu = || {
        let (begin, before) = (Instant::now(), on_cpu());
        while begin.elapsed() < 50 * MS {
            spin_loop();
        }
        10 * on_cpu().saturating_sub(before) >= 9 * begin.elapsed()
    };
    while !has_cpu() && Instant::now() < deadline {
        sleep(200 * MS);
    }
}

/// A session under rules that wait for less than they do for a service.
pub(crate) fn session(name: &str) -> Session {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/advice");
    Session::new(name).project(Some(folder)).leaks(Level::Deny).timeout(Duration::from_secs(120))
}

impl Place {
    /// Runs a session with one task in this place.
    pub(crate) fn run(self, session: Session, task: impl Future<Output = ()> + Send + 'static) -> Judged<()> {
        let advised = pollscope::task("advised");
        match self {
            Self::Workers | Self::OneThread => {
                let session = if self == Self::OneThread {
                    session.flavor(Flavor::CurrentThread)
                } else {
                    session.flavor(Flavor::MultiThread).worker_threads(2)
                };
                session.run(async move { advised.spawn(task).await.expect("returns") })
            }
            Self::LocalSet => session.run_local(
                LocalSet::new().run_until(async move { advised.spawn_local(task).await.expect("returns") }),
            ),
            Self::Body => session.run(task),
        }
    }
}

/// A remedy of the text that the program does not know.
pub(crate) fn unknown(remedy: &str) -> ! {
    panic!("no program for {remedy:?}")
}

/// Time that this thread has had a CPU; on other systems than Linux, time as such.
fn on_cpu() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let ran = told.and_then(|text| text.split(' ').next()?.parse().ok());
    ran.map_or_else(|| std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default(), Duration::from_nanos)
}

/// Computes for so long.
pub(crate) fn compute(time: Duration) -> u64 {
    let until = on_cpu() + time;
    let mut hasher = DefaultHasher::new();
    while on_cpu() < until {
        (0..500_u32).for_each(|block| block.hash(&mut hasher));
    }
    hasher.finish()
}
