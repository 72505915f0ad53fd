//! What a run is judged by: the policy, then the command line over it.

use std::path::Path;

use pollscope_model::detect;
use pollscope_model::level::Level;
use pollscope_model::nearest::nearest;
use pollscope_model::policy::Terms;
use pollscope_model::policy::{FILE, Policy};
use pollscope_system::file::{MAX_TEXT_BYTES, read_text};

use crate::commands::cli::check::{FailOn, LimitArgs, PolicyArgs};
use crate::output::failure::Failure;
use crate::output::fmt::clean;

/// The policy, if there is one, and what to judge by.
#[derive(Debug)]
pub(super) struct Rules {
    /// For every process; `None` leaves each its own.
    pub(super) policy: Option<Policy>,
    pub(super) terms: Terms,
}

impl Rules {
    pub(super) fn of(limits: &LimitArgs, args: &PolicyArgs) -> Result<Self, Failure> {
        let policy = match &args.file {
            Some(file) => Some(read(file)?),
            None if Path::new(FILE).exists() => Some(read(Path::new(FILE))?),
            None => None,
        };
        let policy = match (policy, &args.profile) {
            (policy, None) => policy,
            (Some(policy), Some(name)) => {
                let file = args.file.as_deref().unwrap_or(Path::new(FILE));
                let profile = policy.profile(name).cloned();
                Some(profile.map_err(|error| Failure::Usage(format!("{}: {error}", file.display())))?)
            }
            (None, Some(name)) => {
                return Err(Failure::Usage(format!(
                    "there is no profile `{}`: no {FILE} is in this folder; name a policy with --policy",
                    clean(name)
                )));
            }
        };
        let mut terms = policy.as_ref().map(Policy::terms).unwrap_or_default();
        let ns = |time: std::time::Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let asked = &mut terms.limits;
        asked.max_poll_ns = limits.max_poll.map(ns).or(asked.max_poll_ns);
        asked.p99_poll_ns = limits.p99_poll.map(ns).or(asked.p99_poll_ns);
        asked.max_sched_delay_ns = limits.max_sched_delay.map(ns).or(asked.max_sched_delay_ns);
        asked.no_leaks |= limits.no_leaks;
        asked.count_preempted |= limits.count_preempted;
        asked.strict |= limits.strict;
        for (detectors, level) in
            [(&args.allow, Level::Allow), (&args.warn, Level::Warn), (&args.deny, Level::Deny)]
        {
            terms.levels.extend(detectors.iter().map(|detector| (detector.as_str().into(), level)));
        }
        terms.fail_on = match args.fail_on {
            Some(FailOn::Deny) => Level::Deny,
            Some(FailOn::Warn) => Level::Warn,
            None => terms.fail_on,
        };
        Ok(Self { policy, terms })
    }
}

fn read(path: &Path) -> Result<Policy, Failure> {
    let name = path.display().to_string();
    let text = read_text(path, MAX_TEXT_BYTES).map_err(|error| Failure::io(format!("read {name}"), error))?;
    Policy::parse_file(&text, &name).map_err(|error| Failure::Usage(format!("{name}: {error}")))
}

/// A detector's name as an argument.
pub(crate) fn detector(text: &str) -> Result<String, String> {
    if detect::index_of(text).is_some() {
        return Ok(text.to_owned());
    }
    let text = clean(text);
    Err(match nearest(&text, detect::ALL.iter().map(|detector| detector.id)) {
        Some(meant) => format!("there is no detector `{text}`; did you mean `{meant}`?"),
        None => format!("there is no detector `{text}`; `pollscope explain` lists all"),
    })
}
