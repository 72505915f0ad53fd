//! What this build, on this system, with these settings, can measure, and why not the rest.

use pollscope_model::measured::{Capability, Coverage, Metric, Mode};
use pollscope_recorder::Recorder;
use pollscope_recorder::flight::{self, Flight};

use crate::setup::{fork, tracking};
use crate::watch::watchdog;

/// Whether tokio shows its unstable hooks and metrics in this build.
pub(crate) const TOKIO_UNSTABLE: bool = cfg!(tokio_unstable);

/// What is looked at in whose books.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope {
    /// The deepest mode that is on.
    pub(crate) mode: Mode,
    /// A runtime is observed.
    pub(crate) observed: bool,
    /// Stalls are seen.
    pub(crate) stalls: bool,
}

/// The deepest mode that is on.
pub(crate) fn mode() -> Mode {
    let recorder = Recorder::global();
    match recorder.limit() {
        Mode::Hooks if TOKIO_UNSTABLE && recorder.hooked() => Mode::Hooks,
        Mode::Hooks | Mode::Wrap => Mode::Wrap,
        _ => Mode::Sample,
    }
}

const BUILD: &str = "build with RUSTFLAGS=\"--cfg tokio_unstable\"";
const ATTACH: &str = "build the runtime with #[pollscope::main] or pollscope::attach";
const SPAWN: &str = "spawn through pollscope";
const DELAYS: &str = "set POLLSCOPE_SCHEDULE_DELAY=on";

/// One entry for each of [`Metric::ALL`], true for the settings and runtimes of this moment.
pub(crate) fn capabilities() -> Vec<Capability> {
    let observed = !fork::is_child() && crate::report::sample::observes_a_runtime();
    capabilities_in(Scope { mode: mode(), observed, stalls: watchdog::runs() })
}

/// The same for one who keeps books of a part.
pub(crate) fn capabilities_in(Scope { mode, observed, stalls }: Scope) -> Vec<Capability> {
    Metric::ALL
        .into_iter()
        .map(|metric| {
            let (coverage, reason) = match metric {
                Metric::WorkerQueues | Metric::BlockingPool if !TOKIO_UNSTABLE => {
                    (Coverage::NoTask, format!("stable tokio does not show it; {BUILD}"))
                }
                Metric::WorkerBusy | Metric::GlobalQueue | Metric::WorkerQueues | Metric::BlockingPool => {
                    of_runtimes(observed)
                }
                Metric::Stacks | Metric::Stalls if !stalls => {
                    (Coverage::NoTask, "switched off; unset POLLSCOPE_STALL".to_owned())
                }
                Metric::Stacks | Metric::Stalls => of_stalls(metric, mode, observed),
                _ => of_tasks(metric, mode),
            };
            Capability { metric, coverage, reason }
        })
        .collect()
}

fn of_runtimes(observed: bool) -> (Coverage, String) {
    if observed {
        (Coverage::All, String::new())
    } else {
        let reason = "no runtime is observed; call pollscope::observe with its handle";
        (Coverage::NoTask, reason.to_owned())
    }
}

/// What the watchdog sees: recorded polls from its limit on, and the workers of observed runtimes.
fn of_stalls(metric: Metric, mode: Mode, observed: bool) -> (Coverage, String) {
    if metric == Metric::Stacks
        && let Some(why) = watchdog::no_stacks()
    {
        return (Coverage::NoTask, why.to_owned());
    }
    let workers = "as workers that stand still: asleep in one call, or for 61 times the limit";
    match (mode, observed) {
        (Mode::Hooks, _) => (Coverage::All, String::new()),
        (Mode::Sample, false) => of_runtimes(observed),
        (Mode::Sample, true) => (Coverage::Wrapped, format!("{workers}; for each task: {SPAWN}")),
        (_, false) => (Coverage::Wrapped, "of tasks spawned through pollscope".to_owned()),
        (_, true) => (Coverage::Wrapped, format!("of tasks spawned through pollscope; of others {workers}")),
    }
}

fn of_tasks(metric: Metric, mode: Mode) -> (Coverage, String) {
    if mode == Mode::Sample {
        let reason = "limited to sample mode, which sees runtimes and no single task";
        return (Coverage::NoTask, reason.to_owned());
    }
    let hooks = mode == Mode::Hooks;
    let why_no_hooks = || {
        if TOKIO_UNSTABLE {
            format!("no runtime is hooked; {ATTACH}")
        } else {
            format!("tokio's hooks are not in this build; {BUILD} and {ATTACH}")
        }
    };
    match metric {
        Metric::FlightEvents if flight::mode() == Flight::Off => {
            (Coverage::NoTask, "switched off; set POLLSCOPE_FLIGHT=demand".to_owned())
        }
        Metric::FlightEvents if hooks => {
            (Coverage::Wrapped, format!("polls of all tasks, wakes only of those wrapped; {SPAWN}::spawn"))
        }
        Metric::FlightEvents => {
            (Coverage::Wrapped, format!("of tasks spawned through pollscope; {}", why_no_hooks()))
        }
        Metric::Polls | Metric::SpawnSites | Metric::LibraryTasks if hooks => (Coverage::All, String::new()),
        Metric::Polls | Metric::SpawnSites => (
            Coverage::Wrapped,
            format!("of tasks spawned through pollscope; for all tasks: {}", why_no_hooks()),
        ),
        Metric::LibraryTasks => (Coverage::NoTask, why_no_hooks()),
        Metric::ScheduleDelay | Metric::Harm if hooks => of_delays(),
        Metric::ScheduleDelay | Metric::Harm => (
            Coverage::Wrapped,
            format!("of tasks spawned through pollscope; for all tasks: {}, and {DELAYS}", why_no_hooks()),
        ),
        Metric::PollSplit => match pollscope_recorder::split::unreadable() {
            Some(why) => (Coverage::NoTask, why.to_owned()),
            None if hooks => (Coverage::All, String::new()),
            None => (Coverage::Wrapped, format!("of tasks spawned through pollscope; {}", why_no_hooks())),
        },
        Metric::BlockOnBody => (
            Coverage::Wrapped,
            "of #[pollscope::main] only; name other bodies with .traced(\"name\")".to_owned(),
        ),
        Metric::LocalTasks => {
            (Coverage::Wrapped, format!("tokio's hooks do not see LocalSet tasks; {SPAWN}::spawn_local"))
        }
        Metric::Outcome => (Coverage::Wrapped, of_outcomes(cfg!(panic = "abort"))),
        Metric::BlockingJobs => {
            (Coverage::Wrapped, format!("tokio's hooks do not see the job run; {SPAWN}::spawn_blocking"))
        }
        _ => (Coverage::Wrapped, format!("tokio's hooks do not tell it; {SPAWN}::spawn")),
    }
}

/// The delays of hooked tasks, and with them who waited behind a poll.
fn of_delays() -> (Coverage, String) {
    if Recorder::global().tells_delays() {
        return (Coverage::All, String::new());
    }
    let why = if !cfg!(all(target_pointer_width = "64", target_has_atomic = "64")) {
        format!("tokio tracks it on 64-bit systems only; {SPAWN}::spawn")
    } else if tracking::is_wanted() {
        format!("a runtime does not track it for all tasks; {ATTACH}, after pollscope::init")
    } else {
        format!("for all tasks it is switched off; {DELAYS}")
    };
    (Coverage::Wrapped, why)
}

/// With `panic = "abort"` no task ever ends in a panic: the process does.
fn of_outcomes(aborts: bool) -> String {
    let panics =
        if aborts { ", and in this build a panic aborts the process and is no task's outcome" } else { "" };
    format!("tokio's hooks do not tell it; {SPAWN}::spawn{panics}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_in_which_panics_abort_says_that_no_task_ends_in_one() {
        assert!(of_outcomes(true).contains("aborts the process"));
        assert!(!of_outcomes(false).contains("panic"));
        assert_eq!(of_tasks(Metric::Outcome, Mode::Wrap).1, of_outcomes(cfg!(panic = "abort")));
    }

    #[test]
    fn every_metric_is_answered_and_a_partial_one_says_why() {
        let capabilities = capabilities();
        assert_eq!(capabilities.iter().map(|c| c.metric).collect::<Vec<_>>(), Metric::ALL);
        for capability in capabilities {
            assert_eq!(capability.reason.is_empty(), capability.coverage == Coverage::All, "{capability:?}");
        }
    }

    #[test]
    fn sample_mode_claims_no_task_metric() {
        for metric in [Metric::Polls, Metric::Wakes, Metric::PollSplit, Metric::LibraryTasks] {
            assert_eq!(of_tasks(metric, Mode::Sample).0, Coverage::NoTask);
        }
        assert_eq!(of_tasks(Metric::Wakes, Mode::Hooks).0, Coverage::Wrapped);
        assert_eq!(of_tasks(Metric::LibraryTasks, Mode::Hooks).0, Coverage::All);
        assert_eq!(of_tasks(Metric::LibraryTasks, Mode::Wrap).0, Coverage::NoTask);
    }
}
