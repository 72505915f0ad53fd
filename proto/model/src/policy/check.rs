//! `[check]`: the limits by which `pollscope check` and tests judge, and which findings fail them.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::level::Level;
use crate::policy::{CheckLimits, ScopeLimits};
use crate::time::MILLISECOND;

use crate::rule::limit::Amount;

/// What `[check]` says; by default nothing is asked for, and what is denied fails.
#[derive(Clone, PartialEq, Debug)]
pub struct Check {
    /// The limits.
    pub limits: CheckLimits,
    /// The limits of single routes, in the order of their names.
    pub scopes: Vec<ScopeLimits>,
    /// The level from which on a finding fails.
    pub fail_on: Level,
    /// Detectors whose findings get another level, in the order in which they count.
    pub levels: Vec<(Arc<str>, Level)>,
}

impl Default for Check {
    fn default() -> Self {
        Self { limits: CheckLimits::default(), scopes: Vec::new(), fail_on: Level::Deny, levels: Vec::new() }
    }
}

/// What a key of `[check]` sets.
#[derive(Clone, Copy)]
pub(super) enum CheckSetting {
    /// A limit in nanoseconds; off while absent. The amount is an example.
    Time(fn(&mut CheckLimits) -> &mut Option<u64>, u64),
    /// On or off.
    Switch(fn(&mut CheckLimits) -> &mut bool),
    /// The level that fails.
    FailOn,
    /// Detectors of that level.
    Detectors(Level),
}

/// One key of `[check]`.
pub(super) struct CheckKey {
    pub(super) name: &'static str,
    pub(super) set: CheckSetting,
    help: &'static str,
}

const fn key(name: &'static str, set: CheckSetting, help: &'static str) -> CheckKey {
    CheckKey { name, set, help }
}

/// Every key of `[check]`: drives parsing, the errors and the printed default.
pub(super) static KEYS: [CheckKey; 10] = [
    key(
        "max_poll",
        CheckSetting::Time(|limits| &mut limits.max_poll_ns, 10 * MILLISECOND),
        "longest poll, without preemption",
    ),
    key(
        "p99_poll",
        CheckSetting::Time(|limits| &mut limits.p99_poll_ns, 2 * MILLISECOND),
        "longest p99 of a site's polls, from 100 polls on",
    ),
    key(
        "max_sched_delay",
        CheckSetting::Time(|limits| &mut limits.max_sched_delay_ns, 50 * MILLISECOND),
        "longest wait of a woken task for a worker",
    ),
    key("no_leaks", CheckSetting::Switch(|limits| &mut limits.no_leaks), "no task may be left at the end"),
    key(
        "count_preempted",
        CheckSetting::Switch(|limits| &mut limits.count_preempted),
        "limits judge time without a CPU too",
    ),
    key(
        "strict",
        CheckSetting::Switch(|limits| &mut limits.strict),
        "evidence over a limit that is undecided makes the run incomplete",
    ),
    key("fail_on", CheckSetting::FailOn, "the level from which on a finding fails the check: warn or deny"),
    key("deny", CheckSetting::Detectors(Level::Deny), "detectors whose findings are denied"),
    key("warn", CheckSetting::Detectors(Level::Warn), "detectors whose findings are warnings"),
    key("allow", CheckSetting::Detectors(Level::Allow), "detectors whose findings do not count"),
];

/// The table of `[check]` whose tables are named by routes.
#[cfg(feature = "toml")]
pub(super) const SCOPE: &str = "scope";

/// What a key of `[check.scope.ROUTE]` sets: the limit of that name, for one route.
#[cfg(feature = "toml")]
type ScopeSetting = fn(&mut ScopeLimits) -> &mut Option<u64>;

/// Every key of `[check.scope.ROUTE]`.
#[cfg(feature = "toml")]
pub(super) static SCOPE_KEYS: [(&str, ScopeSetting); 2] =
    [("max_poll", |limits| &mut limits.max_poll_ns), ("p99_poll", |limits| &mut limits.p99_poll_ns)];

/// `[check]` with its defaults, and how to expect and to overlay, as comments where there is no default.
pub(super) fn default_toml() -> String {
    let mut text = String::from("\n# What `pollscope check` and tests ask for.\n[check]\n");
    for key in &KEYS {
        let line = match key.set {
            CheckSetting::Time(_, example) => format!("# {} = {}", key.name, Amount::Nanos(example)),
            CheckSetting::Switch(_) => format!("{} = false", key.name),
            CheckSetting::FailOn => format!("{} = \"{}\"", key.name, Check::default().fail_on.as_str()),
            CheckSetting::Detectors(_) => format!("{} = []", key.name),
        };
        let _ = writeln!(text, "{line}  # {}", key.help);
    }
    text.push_str(
        "\n# Limits of the requests of one route, in place of those above: max_poll and p99_poll. The route is as it is shown,\n\
         # or a pattern with `*`; it takes the layer of pollscope's feature `tower` in the service.\n\
         # [check.scope.\"GET /price/{id}\"]\n\
         # max_poll = \"5ms\"\n\
         \n# A finding that is known and accepted, as often as needed. `site` is a part of the spawn site, of your\n\
         # line, of the task's name or of a function on the stack, or a pattern with `*`. One that does not happen is a\n\
         # warning.\n\
         # [[expect]]\n\
         # detector = \"blocking-poll\"\n\
         # site = \"src/config.rs\"\n\
         # reason = \"reads its configuration once, before traffic\"\n\
         \n\
         # What is different under `--profile ci`: any of these tables again.\n\
         # [profile.ci.check]\n\
         # max_poll = \"25ms\"\n",
    );
    text
}
