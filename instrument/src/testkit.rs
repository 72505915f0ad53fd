//! The one drain of the test process: every test looks at its own names and sites in what all tests
//! together left in the recorder.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pollscope_model::dict::Dictionary;
use pollscope_model::entity::edge::Waker;
use pollscope_model::entity::runtime::{RuntimeRecord, WorkerDelta};
use pollscope_model::entity::site::SiteDelta;
use pollscope_model::entity::slow_poll::SlowPoll;
use pollscope_model::entity::task::TaskRecord;
use pollscope_model::id::{BootId, SiteId, TaskId, WorkerId};
use pollscope_model::report::{Losses, Report};
use pollscope_recorder::{Recorder, Settings};

use crate::report::drain::Drain;
use crate::runtime::TOKIO;

/// All reports so far, folded.
pub(crate) struct Fold {
    pub(crate) drain: Drain,
    pub(crate) dict: Dictionary,
    pub(crate) sites: HashMap<SiteId, SiteDelta>,
    pub(crate) tasks: HashMap<TaskId, TaskRecord>,
    /// Each as it was told last.
    pub(crate) slow_polls: Vec<SlowPoll>,
    pub(crate) edges: HashMap<(SiteId, Waker), u64>,
    pub(crate) losses: Losses,
    pub(crate) runtimes: Vec<RuntimeRecord>,
    /// The last interval only.
    pub(crate) workers: Vec<WorkerDelta>,
    pub(crate) worker_totals: HashMap<WorkerId, WorkerDelta>,
}

static FOLD: LazyLock<Mutex<Fold>> = LazyLock::new(|| {
    Mutex::new(Fold {
        drain: Drain::new(Recorder::global(), BootId(1)),
        dict: Dictionary::default(),
        sites: HashMap::new(),
        tasks: HashMap::new(),
        slow_polls: Vec::new(),
        edges: HashMap::new(),
        losses: Losses::default(),
        runtimes: Vec::new(),
        workers: Vec::new(),
        worker_totals: HashMap::new(),
    })
});

/// Switches recording on, as `init` would.
pub(crate) fn record() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| Recorder::global().start(Settings::default(), TOKIO));
    // From the first on: a session that reads takes for all that have begun to read.
    LazyLock::force(&FOLD);
}

/// Everything recorded up to now. Two ticks, since a task that is touched while it is drained shows at
/// the next.
pub(crate) fn fold() -> MutexGuard<'static, Fold> {
    let mut fold = FOLD.lock().unwrap_or_else(PoisonError::into_inner);
    for _ in 0..2 {
        let report = fold.drain.tick();
        fold.take(report);
    }
    fold
}

/// Runs one test of this binary in a process of its own, with a mark in its environment.
#[expect(clippy::disallowed_methods, reason = "how the child knows what it is")]
pub(crate) fn alone(test: &str) -> bool {
    if std::env::var_os("POLLSCOPE_TEST_ALONE").is_some() {
        return true;
    }
    let output = std::process::Command::new(std::env::current_exe().expect("the test binary"))
        .args([test, "--exact", "--nocapture"])
        .env("POLLSCOPE_TEST_ALONE", "1")
        .output()
        .expect("the test binary starts");
    let [said, complained] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(output.status.success(), "{test} failed in its own process:\n{said}\n{complained}");
    assert!(said.contains("running 1 test\n"), "{test} is no test of this binary:\n{said}");
    false
}

/// Folds until the predicate gives something, for a minute at most.
pub(crate) fn fold_until<T>(what: &str, mut predicate: impl FnMut(&Fold) -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = predicate(&fold()) {
            return found;
        }
        assert!(Instant::now() < deadline, "never saw {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

impl Fold {
    /// Folds one more report.
    pub(crate) fn take(&mut self, report: Report) {
        for entry in report.dict {
            self.dict.insert(entry);
        }
        for site in report.sites {
            self.sites
                .entry(site.site)
                .or_insert_with(|| SiteDelta { site: site.site, ..SiteDelta::default() })
                .merge(&site);
        }
        self.tasks.extend(report.tasks.into_iter().map(|task| (task.id, task)));
        for poll in report.slow_polls {
            let same = |known: &SlowPoll| known.task == poll.task && known.start_ns == poll.start_ns;
            self.slow_polls.retain(|known| !same(known));
            self.slow_polls.push(poll);
        }
        for edge in report.edges {
            *self.edges.entry(edge.key()).or_default() += edge.count;
        }
        self.losses = report.losses;
        self.runtimes = report.runtimes;
        for worker in &report.workers {
            self.worker_totals
                .entry(worker.id)
                .or_insert_with(|| WorkerDelta { id: worker.id, ..WorkerDelta::default() })
                .merge(worker);
        }
        self.workers = report.workers;
    }

    /// Rows of the tasks with a name.
    pub(crate) fn named(&self, name: &str) -> Vec<&TaskRecord> {
        self.tasks.values().filter(|task| &*self.dict.name(task.name) == name).collect()
    }

    /// The one task with a name.
    pub(crate) fn one(&self, name: &str) -> Option<&TaskRecord> {
        let mut named = self.named(name);
        assert!(named.len() <= 1, "{named:?}");
        named.pop()
    }

    /// The totals of the site at a line.
    pub(crate) fn site_at(&self, file: &str, line: u32) -> Option<&SiteDelta> {
        self.sites.values().find(|site| {
            let place = self.dict.site(site.site);
            place.line == line && &*place.file == file
        })
    }
}
