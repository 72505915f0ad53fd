//! One task, one site, one finding, and everything at a glance.

use std::sync::Arc;

use pollscope_model::entity::heat::HeatColumn;
use pollscope_model::finding::Finding;
use pollscope_model::hello::{Hello, ProcessInfo, ProtocolVersion};
use pollscope_model::hist::Hist;
use pollscope_model::id::TaskId;
use pollscope_model::measured::{Capability, Coverage, Metric, Mode};
use pollscope_model::query::column::Kind;
use pollscope_model::query::detail::{
    ObservedPoll, Overview, RuntimeOverview, SiteDetail, TaskDetail, TaskLink, WorkerHeat,
};
use pollscope_model::query::page::{Row, RowId};
use pollscope_model::time::{ClockAnchor, MILLISECOND, SECOND};
use pollscope_model::value::Value;

use super::rows::{DETECTORS, LEVELS, NAMES, SITES, row};
use super::{Amount, BOOT, NOW, meta};

pub(super) fn wave(points: u32, largest: f32) -> Vec<Option<f32>> {
    (0..points)
        .map(|at| (at % 29 != 28).then(|| largest * (0.2 + 0.8 * ((at * 7 % 13) as f32 / 13.0))))
        .collect()
}

fn bimodal() -> Hist {
    let mut hist = Hist::new();
    (0..9_000).for_each(|i| hist.record(700_000 + i * 50));
    (0..40).for_each(|i| hist.record(380_000_000 + i * 1_000_000));
    hist
}

fn delays() -> Hist {
    let mut hist = Hist::new();
    (0..5_000).for_each(|i| hist.record(20_000 + i * i % 900_000));
    hist
}

pub(super) fn finding(number: u64) -> Finding {
    let at = (number.max(1) - 1) as usize % 3;
    Finding {
        number,
        detector: Arc::from(DETECTORS[at]),
        level: LEVELS[at],
        fingerprint: Arc::from("blocking-poll|cart::render"),
        site: Arc::from(SITES[at]),
        line: Arc::default(),
        scope: Arc::from(""),
        task: Some(TaskId(100 + at as u64)),
        task_name: Arc::from(NAMES[at]),
        process: Arc::from("checkout#1"),
        value: Value::Nanos(412 * MILLISECOND),
        limit: Value::Nanos(10 * MILLISECOND),
        count: 311,
        first_ns: NOW - 141 * SECOND,
        last_ns: NOW - SECOND,
        open: true,
        kind: Some(pollscope_model::entity::slow_poll::PollKind::Blocked),
        waiting_in: Arc::from("futex_wait"),
        waiters: Some(37),
        waited_ns: Some(81 * MILLISECOND),
        max_waited_ns: Some(12 * MILLISECOND),
        stack: vec![Arc::from("cart::load (src/cart.rs:70)"), Arc::from("cart::render (src/cart.rs:91)")],
        headline: Arc::from(
            "412ms in one poll, blocked (limit 10ms): it slept in futex_wait at cart::load src/cart.rs:70",
        ),
        why: Arc::from("37 tasks waited 81ms behind it, the longest 12ms."),
        fix: Arc::from("spawn_blocking for the parse, or split it and yield every 256 items."),
    }
}

pub(super) fn task_detail(task: TaskId, amount: Amount) -> TaskDetail {
    let slow = |nth: u64| ObservedPoll {
        poll: pollscope_model::entity::slow_poll::SlowPoll {
            task,
            nth,
            worker: Some(1),
            wall_ns: 412 * MILLISECOND,
            busy_ns: Some(4 * MILLISECOND),
            preempted_ns: Some(MILLISECOND),
            waiters: (nth > 5).then_some(37),
            waited_ns: (nth > 5).then_some(81 * MILLISECOND),
            ..Default::default()
        },
        waiting_in: Arc::from(if nth == 7 { "futex_wait" } else { "" }),
        stack: if nth == 7 { finding(1).stack } else { Vec::new() },
        allowed: Arc::default(),
    };
    let fact = |label: &str, text: &str| (Arc::from(label), Arc::from(text));
    TaskDetail {
        meta: meta(amount),
        row: row(Kind::Tasks, task.0.saturating_sub(100)),
        facts: vec![
            fact("runtime", "main"),
            fact("woken by", "the runtime 0.4s ago"),
            fact("wakes", "12 by tasks, 30 by the runtime, 0 by threads, 2 by itself"),
            fact("handle", "held"),
        ],
        ancestors: vec![
            TaskLink { id: TaskId(207), label: Arc::from("conn{:51028}") },
            TaskLink { id: TaskId(12), label: Arc::from("accept_loop") },
        ],
        children: vec![TaskLink { id: TaskId(400), label: Arc::from("load_items") }],
        children_total: 3,
        slow_polls: (1..=8).map(slow).collect(),
        poll: bimodal(),
        sched: delays(),
        life: Hist::new(),
        poll_limit_ns: 10 * MILLISECOND,
        findings: vec![finding(1)],
    }
}

pub(super) fn site_detail(site: &Arc<str>, amount: Amount) -> SiteDetail {
    let at = SITES.iter().position(|known| **known == **site).unwrap_or(0) as u64;
    let heat = (0..90).map(|x| HeatColumn { decades: [0, 0, 3 * x, 200, 90, 2, x / 40 * 9, 0] }).collect();
    SiteDetail {
        meta: meta(amount),
        row: Row { id: RowId::Site(site.clone()), ..row(Kind::Sites, at) },
        poll: bimodal(),
        sched: delays(),
        life: delays(),
        heat,
        tasks: vec![TaskLink { id: TaskId(311), label: Arc::from("render_cart") }],
        names: vec![(Arc::from("render_cart"), 41)],
        woken_by: Some(vec![(Arc::from("the runtime"), 9_000), (Arc::from("src/serve.rs:40:13"), 120)]),
        findings: vec![finding(1)],
    }
}

fn hello(mode: Mode) -> Hello {
    let coverage = if mode == Mode::Sample { Coverage::NoTask } else { Coverage::All };
    let reason = if mode == Mode::Sample {
        "built without tokio_unstable, and nothing is spawned through pollscope"
    } else {
        ""
    };
    Hello {
        protocol: ProtocolVersion { major: 1, minor: 0 },
        version: "0.1.0".into(),
        boot: BOOT,
        process: ProcessInfo {
            name: "checkout".into(),
            pid: 412,
            host: "web-03".into(),
            exe: String::new(),
            cpus: 2,
            build: String::new(),
        },
        mode,
        capabilities: Metric::ALL
            .into_iter()
            .map(|metric| Capability { metric, coverage, reason: reason.into() })
            .collect(),
        anchor: ClockAnchor::default(),
        interval_ns: SECOND,
        hist_scale: 4,
        policy: String::new(),
        slow_poll_ns: Some(MILLISECOND),
    }
}

pub(super) fn overview(amount: Amount) -> Overview {
    let runtime = RuntimeOverview {
        process: Arc::from("checkout#1"),
        name: Arc::from("main"),
        flavor: Arc::from("multi_thread"),
        workers: 4,
        alive_tasks: Some(1_204),
        seen_tasks: Some(1_204),
        global_queue: Some(812),
        blocking_threads: None,
        blocking_queue: None,
        global_queue_series: wave(90, 812.0),
        blocking_series: Vec::new(),
    };
    let worker = |at| WorkerHeat {
        label: Arc::from(format!("checkout#1 w{at}")),
        busy: wave(60, 1.0 / (at + 1) as f32),
    };
    Overview {
        meta: meta(amount),
        lag_ns: 400 * MILLISECOND,
        presence: [amount.processes, 0, 0],
        tasks: amount.tasks,
        findings: [amount.findings.min(2), amount.findings.saturating_sub(2)],
        ribbon: if amount.tasks > 0 { wave(90, 412e6) } else { Vec::new() },
        marks: if amount.findings > 0 { vec![17, 84] } else { Vec::new() },
        workers: (0..amount.workers).map(worker).collect(),
        runtimes: if amount.workers > 0 { vec![runtime] } else { Vec::new() },
        hellos: if amount.processes == 0 && amount.tasks == 0 {
            vec![hello(amount.mode)]
        } else {
            vec![hello(amount.mode); 2]
        },
        notes: vec![Arc::from("Blocking pool: not measured, built without tokio_unstable.")],
        undecided: vec![(Arc::from("task-leak"), Arc::from("needs 5m of history, has 12s"))],
        set_aside: Vec::new(),
    }
}
