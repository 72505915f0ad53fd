//! The scenario format, and how one is played.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use pollscope_model::dict::{Frame, Stack};
use pollscope_model::entity::runtime::WorkerDelta;
use pollscope_model::entity::slow_poll::PollKind;
use pollscope_model::entity::stall::Stall;
use pollscope_model::entity::task::{TaskKind, TaskRecord, TaskState, WokenBy};
use pollscope_model::hist::Hist;
use pollscope_model::id::{RuntimeId, SiteId, StackId, TaskId, WorkerId};
use pollscope_model::measured::{Coverage, Metric, Mode};
use pollscope_model::monitor::Monitor;
use pollscope_model::query::detail::Finding;
use pollscope_model::query::flag::Judge as _;
use pollscope_model::query::page::Level;
use pollscope_model::testkit::{Script, capabilities, hello};
use pollscope_model::time::{SECOND, parse_duration};
use pollscope_model::world::Limits;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    pub(crate) what: String,
    seconds: u64,
    #[serde(default = "wrap")]
    mode: String,
    #[serde(default)]
    unmeasured: Vec<String>,
    #[serde(default)]
    wrapped: Vec<String>,
    #[serde(default)]
    policy: String,
    #[serde(default = "four")]
    cpus: u32,
    #[serde(default = "two")]
    workers: u32,
    #[serde(default, rename = "do")]
    acts: Vec<Act>,
    #[serde(default)]
    pub(crate) expect: Vec<Expect>,
    #[serde(default)]
    cannot_tell: Vec<CannotTell>,
}

fn wrap() -> String {
    "wrap".to_owned()
}

fn two() -> u32 {
    2
}

fn four() -> u32 {
    4
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Act {
    from: Option<u64>,
    to: Option<u64>,
    every: Option<u64>,
    site: Option<String>,
    spawned: u64,
    ended: u64,
    polls: Times,
    waits: Times,
    lives: Times,
    self_wakes: u64,
    forced_yields: u64,
    swallowed_panics: u64,
    detached_failures: u64,
    future: u64,
    task: Option<String>,
    tasks: Option<u64>,
    poll: Times,
    wake: Times,
    slow: Option<Slow>,
    stall: Option<Standing>,
    open: bool,
    in_place: bool,
    set: Option<Set>,
    worker: Option<Worker>,
}

/// `"100 x 1ms"`, or a list of such.
#[derive(Deserialize, Default)]
#[serde(untagged)]
enum Times {
    #[default]
    None,
    One(String),
    Many(Vec<String>),
}

impl Times {
    fn each(&self) -> Vec<(u64, u64)> {
        let texts = match self {
            Self::None => &[][..],
            Self::One(text) => std::slice::from_ref(text),
            Self::Many(texts) => texts,
        };
        let one = |text: &String| {
            let (n, duration) = text.split_once(" x ").expect("written as `100 x 1ms`");
            (n.parse().expect("a count"), ns(duration))
        };
        texts.iter().map(one).collect()
    }

    fn put(&self, hist: &mut Hist) {
        self.each().into_iter().for_each(|(n, ns)| hist.record_n(ns, n));
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Slow {
    wall: String,
    busy: String,
    preempted: String,
    #[serde(default = "one")]
    times: u64,
    waiters: Option<u32>,
    waited: Option<String>,
    longest: Option<String>,
    word: Option<String>,
    #[serde(default)]
    stack: Vec<String>,
}

/// A worker stands still: since that time of the script, or only `now`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Standing {
    worker: u32,
    since: String,
    #[serde(default)]
    now: bool,
    word: Option<String>,
    #[serde(default)]
    stack: Vec<String>,
}

fn one() -> u64 {
    1
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Set {
    state: Option<String>,
    wakers: Option<u32>,
    clones: Option<u64>,
    long_lived: Option<bool>,
    kind: Option<String>,
    woken_by: Option<String>,
    parent: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Worker {
    busy: f64,
    ran: Option<f64>,
    waited: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expect {
    pub(crate) detector: String,
    #[serde(default)]
    site: String,
    level: String,
    by: u64,
    #[serde(default)]
    not_before: u64,
    open: Option<bool>,
    kind: Option<String>,
    count: Option<u64>,
    headline: Option<String>,
    why: Option<String>,
    stack: Option<String>,
    waiters: Option<u32>,
    fingerprint: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CannotTell {
    detector: String,
    because: String,
}

fn ns(text: &str) -> u64 {
    parse_duration(text).expect("a duration")
}

impl Scenario {
    /// Whether the detector must report at warn or above.
    pub(crate) fn expects_trouble(&self, detector: &str) -> bool {
        self.expect.iter().any(|expect| expect.detector == detector && expect.level != Level::Allow.as_str())
    }
}

/// Plays the scenario; what was not as it says comes back in words.
pub(crate) fn run(scenario: &Scenario) -> Vec<String> {
    let mut stage = Stage::new(scenario);
    let mut monitor = Monitor::new(Limits::default());
    monitor.greet(stage.script.hello(), stage.script.now_unix_ns()).expect("there is room");
    // When each finding was first seen open.
    let mut seen: BTreeMap<(String, String), u64> = BTreeMap::new();
    let mut failures = Vec::new();
    let mut alarms = BTreeSet::new();
    for second in 1..=scenario.seconds {
        stage.stalls.clear();
        for act in &scenario.acts {
            let every = act.every.unwrap_or(1);
            let from = act.from.unwrap_or(1);
            if (from..=act.to.unwrap_or(u64::MAX)).contains(&second) && (second - from).is_multiple_of(every)
            {
                stage.act(act);
            }
        }
        stage.script.stalls(stage.stalls.clone());
        let mut report = stage.script.second();
        if scenario.unmeasured.iter().any(|name| name == "poll-split") {
            for poll in &mut report.slow_polls {
                (poll.busy_ns, poll.preempted_ns) = (None, None);
            }
        }
        monitor.apply(report, stage.script.now_unix_ns());
        monitor.tick(stage.script.now_unix_ns());
        for finding in monitor.engine().findings(stage.script.boot()) {
            let key = (finding.detector.to_string(), finding.site.to_string());
            seen.entry(key.clone()).or_insert(second);
            let expected = scenario.expect.iter().any(|expect| expect.is(finding));
            if finding.level > Level::Allow && !expected && alarms.insert(key) {
                failures.push(format!("false alarm in second {second}: {finding:#?}"));
            }
        }
    }
    let findings = monitor.engine().findings(stage.script.boot());
    for expect in &scenario.expect {
        failures.extend(expect.check(&findings, &seen).err());
    }
    let undecided = monitor.engine().undecided(stage.script.boot());
    for cannot in &scenario.cannot_tell {
        let found = undecided.iter().find(|(id, _)| *id == cannot.detector);
        if !found.is_some_and(|(_, reason)| reason.contains(&cannot.because)) {
            failures.push(format!("{} should not be able to tell, but says {found:?}", cannot.detector));
        }
    }
    failures
}

impl Expect {
    fn is(&self, finding: &Finding) -> bool {
        *self.detector == *finding.detector && *self.site == *finding.site
    }

    fn check(&self, findings: &[&Finding], seen: &BTreeMap<(String, String), u64>) -> Result<(), String> {
        let Some(found) = findings.iter().find(|finding| self.is(finding)) else {
            return Err(format!("no {} at `{}`", self.detector, self.site));
        };
        let first = seen[&(self.detector.clone(), self.site.clone())];
        let wrong = |what: &str| Err(format!("{what} is wrong, first seen in second {first}: {found:#?}"));
        if first > self.by || first < self.not_before {
            return wrong("the time");
        }
        if found.level.as_str() != self.level {
            return wrong("the level");
        }
        if self.open.is_some_and(|open| open != found.open) {
            return wrong("open or closed");
        }
        if self.kind.as_deref().is_some_and(|kind| found.kind.map(PollKind::as_str) != Some(kind)) {
            return wrong("the kind");
        }
        if self.count.is_some_and(|count| count != found.count) {
            return wrong("the count");
        }
        if self.headline.as_deref().is_some_and(|part| !found.headline.contains(part)) {
            return wrong("the headline");
        }
        if self.why.as_deref().is_some_and(|part| !found.why.contains(part)) {
            return wrong("the reason");
        }
        if self.stack.as_deref().is_some_and(|first| found.stack.first().map(|frame| &**frame) != Some(first))
        {
            return wrong("the stack");
        }
        if self.waiters.is_some_and(|waiters| found.waiters != Some(waiters)) {
            return wrong("the number of waiters");
        }
        if self.fingerprint.as_deref().is_some_and(|text| *found.fingerprint != *text) {
            return wrong("the fingerprint");
        }
        if found.why.is_empty() || found.fix.is_empty() || found.headline.is_empty() {
            return wrong("a text");
        }
        Ok(())
    }
}

struct Stage {
    script: Script,
    workers: u32,
    stalls: Vec<Stall>,
    stacks: HashMap<Vec<String>, StackId>,
    cast: HashMap<String, Vec<TaskId>>,
}

impl Stage {
    fn new(scenario: &Scenario) -> Self {
        let mut hello = hello("shop", 7);
        hello.mode = Mode::from_name(&scenario.mode).expect("a mode");
        hello.capabilities = capabilities(hello.mode);
        hello.policy.clone_from(&scenario.policy);
        hello.process.cpus = scenario.cpus;
        for name in &scenario.unmeasured {
            let metric = Metric::from_name(name).expect("a metric");
            let capability = hello.capabilities.iter_mut().find(|c| c.metric == metric).unwrap();
            capability.coverage = Coverage::Nobody;
            "this process cannot".clone_into(&mut capability.reason);
        }
        for name in &scenario.wrapped {
            let metric = Metric::from_name(name).expect("a metric");
            let capability = hello.capabilities.iter_mut().find(|c| c.metric == metric).unwrap();
            capability.coverage = Coverage::Wrapped;
        }
        Self {
            script: Script::of(hello),
            workers: scenario.workers,
            stalls: Vec::new(),
            stacks: HashMap::new(),
            cast: HashMap::new(),
        }
    }

    fn act(&mut self, act: &Act) {
        if let Some(worker) = &act.worker {
            self.work(worker);
        }
        if let Some(standing) = &act.stall {
            self.stand(standing, act.task.as_deref());
        }
        let Some(site) = act.site.as_deref().map(|site| self.script.site(site)) else { return };
        if let Some(name) = &act.task {
            for task in self.tasks(site, name, act.tasks.unwrap_or(1)) {
                self.play(task, act);
            }
        }
        self.script.count(site, |delta| {
            delta.spawned += act.spawned;
            delta.completed += act.ended;
            delta.self_wakes += act.self_wakes;
            delta.wakes += act.self_wakes;
            delta.forced_yields += act.forced_yields;
            delta.panicked += act.swallowed_panics;
            delta.swallowed_panics += act.swallowed_panics;
            delta.detached_failures += act.detached_failures;
            delta.max_future_bytes = delta.max_future_bytes.max(act.future);
            act.polls.put(&mut delta.poll);
            act.waits.put(&mut delta.sched);
            act.lives.put(&mut delta.life);
        });
    }

    fn work(&mut self, worker: &Worker) {
        let part = |share: f64| (share * SECOND as f64) as u64;
        for index in 0..self.workers {
            self.script.worker(&WorkerDelta {
                id: WorkerId { runtime: RuntimeId(0), index },
                busy_ns: part(worker.busy),
                interval_ns: SECOND,
                cpu_ns: worker.ran.map(part),
                preempted_ns: worker.waited.map(part),
                ..WorkerDelta::default()
            });
        }
    }

    fn stand(&mut self, standing: &Standing, task: Option<&str>) {
        let worker = WorkerId { runtime: RuntimeId(0), index: standing.worker };
        let task = task.map(|name| self.cast[name][0]);
        let stall = Stall {
            worker: Some(worker),
            task,
            site: task.and_then(|task| self.script.task(task)).map(|task| task.site),
            since_ns: if standing.now { self.script.now_ns() } else { ns(&standing.since) },
            stack: self.stack(&standing.stack),
            waiting_in: standing.word.as_deref().map(|word| self.script.name(word)),
            ..Stall::default()
        };
        self.stalls.push(stall);
    }

    /// Frames as `function file:line`, or a function alone; the user's begin with `* `.
    fn stack(&mut self, lines: &[String]) -> Option<StackId> {
        if lines.is_empty() {
            return None;
        }
        if let Some(known) = self.stacks.get(lines) {
            return Some(*known);
        }
        let frame = |text: &String| {
            let (users, text) = text.strip_prefix("* ").map_or((false, text.as_str()), |text| (true, text));
            let (function, place) = text.split_once(' ').unwrap_or((text, ""));
            let place = place.rsplit_once(':');
            Frame {
                function: function.into(),
                file: place.map(|(file, _)| file.into()),
                line: place.map_or(0, |(_, line)| line.parse().expect("a line")),
                users,
            }
        };
        let frames = lines.iter().map(frame).collect();
        let id = self.script.stack(Stack { frames, truncated: false });
        self.stacks.insert(lines.to_vec(), id);
        Some(id)
    }

    fn tasks(&mut self, site: SiteId, name: &str, count: u64) -> Vec<TaskId> {
        if !self.cast.contains_key(name) {
            let tasks = (0..count).map(|_| self.script.spawn_named(site, name, "")).collect();
            self.cast.insert(name.to_owned(), tasks);
        }
        self.cast[name].clone()
    }

    fn play(&mut self, task: TaskId, act: &Act) {
        act.poll.each().into_iter().for_each(|(n, ns)| self.script.poll(task, n, ns));
        act.wake.each().into_iter().for_each(|(n, ns)| self.script.wake(task, n, ns));
        if let Some(slow) = &act.slow {
            for _ in 0..slow.times {
                self.script.slow_poll(task, ns(&slow.wall), ns(&slow.busy), ns(&slow.preempted));
                let stack = self.stack(&slow.stack);
                let waiting_in = slow.word.as_deref().map(|word| self.script.name(word));
                self.script.edit_slow_poll(|poll| {
                    (poll.stack, poll.waiting_in, poll.waiters) = (stack, waiting_in, slow.waiters);
                    poll.waited_ns = slow.waited.as_deref().map(ns);
                    poll.max_waited_ns = slow.longest.as_deref().map(ns);
                });
            }
        }
        if act.open {
            self.script.open_poll(task, 0);
        }
        if act.in_place {
            self.script.block_in_place(task);
        }
        if let Some(set) = &act.set {
            let parent = set.parent.as_ref().map(|name| self.cast[name][0]);
            self.script.edit(task, |record| set.put(record, parent));
        }
    }
}

impl Set {
    fn put(&self, record: &mut TaskRecord, parent: Option<TaskId>) {
        let state = |name: &String| TaskState::ALL.into_iter().find(|s| s.as_str() == name).expect("a state");
        record.state = self.state.as_ref().map_or(record.state, state);
        record.wakers = self.wakers.unwrap_or(record.wakers);
        record.waker_clones = self.clones.unwrap_or(record.waker_clones);
        record.long_lived = self.long_lived.unwrap_or(record.long_lived);
        record.parent = parent.or(record.parent);
        record.kind = match self.kind.as_deref() {
            None => record.kind,
            Some("async") => TaskKind::Async,
            Some("blocking") => TaskKind::Blocking,
            Some("block-on") => TaskKind::BlockOn,
            Some("future") => TaskKind::Future,
            Some(other) => panic!("no kind `{other}`"),
        };
        record.woken_by = match self.woken_by.as_deref() {
            None => record.woken_by,
            Some("nobody") => WokenBy::Nobody,
            Some("runtime") => WokenBy::Runtime,
            Some("thread") => WokenBy::OtherThread,
            Some(other) => panic!("no waker `{other}`"),
        };
    }
}
