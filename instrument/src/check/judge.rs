//! From the books of a session to its verdict: the model's judge, and what only the end of a test tells.

use pollscope_model::entity::task::{TaskKind, TaskState};
use pollscope_model::level::Level;
use pollscope_model::measured::Mode;
use pollscope_model::verdict::ending::{self, EndingLevels};
use pollscope_model::verdict::{Allowance, Armed, Verdict};
use pollscope_model::verdict::{Judge, RunEvidence};
use tokio::runtime::Handle;

use super::config::Config;
use super::observer::Observer;

/// The verdict. Of a body that did not return it is unknown what it would have cleaned up.
pub(super) fn verdict(
    observer: &Observer,
    config: &Config,
    name: &str,
    armed: Armed,
    runtime: &Handle,
    returned: bool,
) -> Verdict {
    let levels = if returned {
        config.levels
    } else {
        EndingLevels {
            leaks: Level::Allow,
            lost_wakers: Level::Allow,
            forgotten: Level::Allow,
            ..config.levels
        }
    };
    let mut found = Vec::new();
    let mut notes = Vec::new();
    if let Some(process) = observer.process() {
        found = ending::judge(process, &config.policy, &levels, observer.span_ns());
        let unseen = unseen(observer, runtime);
        if unseen > 0 && levels.leaks > Level::Allow {
            found.push(ending::unseen(process, levels.leaks, unseen));
        }
        if process.hello().mode == Mode::Wrap {
            notes.push(
                "Tasks that were not spawned through pollscope are not seen in this build: no limit was applied to \
                 them. Build the tests with RUSTFLAGS=\"--cfg tokio_unstable\" to see them."
                    .into(),
            );
        }
    }
    let allowances = observer.book.allowances().into_iter().map(|ran| Allowance {
        reason: ran.reason.into(),
        place: format!("{}:{}", ran.at.file(), ran.at.line()).into(),
        runs: ran.runs,
        longest_ns: ran.longest_ns,
    });
    let run = RunEvidence {
        label: Some(name.into()),
        armed: Some(armed),
        without_cpu_ns: observer.pressure.of_runtime(),
        machine_short_ns: observer.pressure.machine(),
        found,
        allowances: allowances.collect(),
        notes,
        ..RunEvidence::of(&observer.monitor)
    };
    let mut judge = Judge::new(config.terms.clone());
    judge.add_run(&run);
    judge.verdict()
}

/// Tasks that the runtime counts and that were not recorded.
pub(super) fn unseen(observer: &Observer, runtime: &Handle) -> u64 {
    let Some(process) = observer.process() else { return 0 };
    let seen =
        process.tasks().filter(|task| task.kind() == TaskKind::Async && !task.state().is_ended()).count();
    (runtime.metrics().num_alive_tasks() as u64).saturating_sub(seen as u64)
}

/// Whether a job of the blocking pool is still running.
pub(super) fn has_jobs(observer: &Observer) -> bool {
    let job = |state: TaskState, kind: TaskKind| kind == TaskKind::Blocking && !state.is_ended();
    observer.process().is_some_and(|process| process.tasks().any(|task| job(task.state(), task.kind())))
}
