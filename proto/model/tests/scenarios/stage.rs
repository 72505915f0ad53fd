//! What a scenario does, second by second: a made-up process that does it.

use std::collections::HashMap;

use pollscope_model::dict::{Frame, Stack};
use pollscope_model::entity::edge::{WakeEdge, Waker};
use pollscope_model::entity::runtime::{Flavor, RuntimeRecord, WorkerDelta};
use pollscope_model::entity::stall::Stall;
use pollscope_model::entity::task::{TaskKind, TaskRecord, TaskState, WokenBy};
use pollscope_model::id::{RuntimeId, SiteId, StackId, TaskId, WorkerId};
use pollscope_model::measured::{Coverage, Metric, Mode};
use pollscope_model::testkit::{Script, capabilities, hello};
use pollscope_model::time::SECOND;

use super::format::{Act, Pool, Scenario, Set, Standing, Worker, ns};

pub(super) struct Stage {
    pub(super) script: Script,
    workers: u32,
    /// What all tasks run on, if that is known.
    runtime: Option<RuntimeId>,
    /// Its state in the latest second.
    record: RuntimeRecord,
    pub(super) stalls: Vec<Stall>,
    stacks: HashMap<Vec<String>, StackId>,
    cast: HashMap<String, Vec<TaskId>>,
}

impl Stage {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let mut hello = hello("shop", 7);
        hello.mode = Mode::from_name(&scenario.mode).expect("a mode");
        hello.capabilities = capabilities(hello.mode);
        hello.policy.clone_from(&scenario.policy);
        hello.process.cpus = scenario.cpus;
        for name in &scenario.unmeasured {
            let metric = Metric::from_name(name).expect("a metric");
            let capability = hello.capabilities.iter_mut().find(|c| c.metric == metric).unwrap();
            capability.coverage = Coverage::NoTask;
            "this process cannot".clone_into(&mut capability.reason);
        }
        for name in &scenario.measured {
            let metric = Metric::from_name(name).expect("a metric");
            let capability = hello.capabilities.iter_mut().find(|c| c.metric == metric).unwrap();
            capability.coverage = Coverage::All;
            capability.reason.clear();
        }
        for name in &scenario.wrapped {
            let metric = Metric::from_name(name).expect("a metric");
            let capability = hello.capabilities.iter_mut().find(|c| c.metric == metric).unwrap();
            capability.coverage = Coverage::Wrapped;
        }
        let mut script = Script::of(hello);
        let flavor = scenario.flavor.as_deref().map(|name| Flavor::from_name(name).expect("a flavor"));
        let mut record = RuntimeRecord { workers: scenario.workers, ..RuntimeRecord::default() };
        let runtime = flavor.map(|flavor| {
            record.flavor = flavor;
            script.runtime(record.clone());
            RuntimeId(0)
        });
        Self {
            script,
            workers: scenario.workers,
            runtime,
            record,
            stalls: Vec::new(),
            stacks: HashMap::new(),
            cast: HashMap::new(),
        }
    }

    pub(super) fn act(&mut self, act: &Act) {
        if let Some(worker) = &act.worker {
            self.work(worker);
        }
        if let Some(pool) = &act.pool {
            self.fill(pool);
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
            delta.wakes += act.self_wakes + act.woken.threads + act.woken.runtime;
            delta.forced_yields += act.forced_yields;
            delta.panicked += act.swallowed_panics;
            delta.swallowed_panics += act.swallowed_panics;
            delta.detached_failures += act.detached_failures;
            delta.outcomes_left += act.left;
            delta.outcomes_taken += act.taken;
            delta.max_future_bytes = delta.max_future_bytes.max(act.future);
            act.polls.put(&mut delta.poll);
            act.waits.put(&mut delta.sched);
            act.lives.put(&mut delta.life);
        });
        for (from, count) in [(Waker::OtherThread, act.woken.threads), (Waker::Runtime, act.woken.runtime)] {
            if count > 0 {
                self.script.edge(WakeEdge { from, to: site, count });
            }
        }
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

    fn fill(&mut self, pool: &Pool) {
        let record = &mut self.record;
        record.blocking_threads = Some(pool.threads);
        record.blocking_idle = Some(pool.idle);
        record.blocking_queue = Some(pool.queue);
        record.blocking_ended = pool.ended.map(|ended| record.blocking_ended.unwrap_or(0) + ended);
        self.script.runtime(record.clone());
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
        let id = self.script.stack(Stack { frames, ..Stack::default() });
        self.stacks.insert(lines.to_vec(), id);
        Some(id)
    }

    /// What woke the task just now.
    fn wake_by(&mut self, task: TaskId, wakes: u64, by: Option<&str>) {
        let (from, woken_by) = match by {
            None | Some("thread") => (Waker::OtherThread, WokenBy::OtherThread),
            Some("runtime") => (Waker::Runtime, WokenBy::Runtime),
            Some(other) => panic!("no waker `{other}`"),
        };
        self.script.edit(task, |record| {
            record.woken_by = woken_by;
            match from {
                Waker::Runtime => record.wakes_by.runtime += wakes,
                _ => record.wakes_by.threads += wakes,
            }
        });
        let to = self.script.task(task).expect("the script spawned it").site;
        self.script.edge(WakeEdge { from, to, count: wakes });
    }

    fn tasks(&mut self, site: SiteId, name: &str, count: u64) -> Vec<TaskId> {
        if !self.cast.contains_key(name) {
            let tasks: Vec<_> = (0..count).map(|_| self.script.spawn_named(site, name, "")).collect();
            let runtime = self.runtime;
            for task in &tasks {
                self.script.edit(*task, |record| record.runtime = runtime);
            }
            self.cast.insert(name.to_owned(), tasks);
        }
        self.cast[name].clone()
    }

    fn play(&mut self, task: TaskId, act: &Act) {
        act.poll.each().into_iter().for_each(|(n, ns)| self.script.poll(task, n, ns));
        for (n, ns) in act.wake.each() {
            self.script.wake(task, n, ns);
            self.wake_by(task, n, act.by.as_deref());
        }
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
            let parent = set.parent.as_ref().map(|name| self.cast[name][set.parent_nth]);
            self.script.edit(task, |record| set.put(record, parent));
        }
    }
}

impl Set {
    fn put(&self, record: &mut TaskRecord, parent: Option<TaskId>) {
        let state = |name: &String| TaskState::from_name(name).expect("a state");
        record.state = self.state.as_ref().map_or(record.state, state);
        record.wakers = self.wakers.unwrap_or(record.wakers);
        record.waker_clones = self.clones.unwrap_or(record.waker_clones);
        record.long_lived = self.long_lived.unwrap_or(record.long_lived);
        record.parent = parent.or(record.parent);
        let kind = |name: &String| TaskKind::from_name(name).expect("a kind");
        record.kind = self.kind.as_ref().map_or(record.kind, kind);
        record.woken_by = match self.woken_by.as_deref() {
            None => record.woken_by,
            Some("nobody") => WokenBy::Unknown,
            Some("runtime") => WokenBy::Runtime,
            Some("thread") => WokenBy::OtherThread,
            Some(other) => panic!("no waker `{other}`"),
        };
    }
}
