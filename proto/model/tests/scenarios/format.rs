//! The scenario format, as README.md beside the scenarios tells it.

use pollscope_model::hist::Hist;
use pollscope_model::level::Level;
use pollscope_model::time::parse_duration;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    pub(crate) what: String,
    pub(super) seconds: u64,
    #[serde(default = "wrap")]
    pub(super) mode: String,
    #[serde(default)]
    pub(super) unmeasured: Vec<String>,
    #[serde(default)]
    pub(super) measured: Vec<String>,
    #[serde(default)]
    pub(super) wrapped: Vec<String>,
    #[serde(default)]
    pub(super) flavor: Option<String>,
    #[serde(default)]
    pub(super) policy: String,
    #[serde(default)]
    pub(super) check: Option<String>,
    #[serde(default = "four")]
    pub(super) cpus: u32,
    #[serde(default = "two")]
    pub(super) workers: u32,
    #[serde(default, rename = "do")]
    pub(super) acts: Vec<Act>,
    #[serde(default)]
    pub(crate) expect: Vec<Expect>,
    #[serde(default)]
    pub(super) cannot_tell: Vec<CannotTell>,
    #[serde(default)]
    pub(super) set_aside: Vec<CannotTell>,
    #[serde(default)]
    pub(crate) remedy: Vec<Remedy>,
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
pub(super) struct Act {
    pub(super) from: Option<u64>,
    pub(super) to: Option<u64>,
    pub(super) every: Option<u64>,
    pub(super) site: Option<String>,
    pub(super) spawned: u64,
    pub(super) ended: u64,
    pub(super) polls: Times,
    pub(super) waits: Times,
    pub(super) lives: Times,
    pub(super) self_wakes: u64,
    pub(super) forced_yields: u64,
    pub(super) swallowed_panics: u64,
    pub(super) detached_failures: u64,
    pub(super) left: u64,
    pub(super) taken: u64,
    pub(super) future: u64,
    pub(super) task: Option<String>,
    pub(super) tasks: Option<u64>,
    pub(super) poll: Times,
    pub(super) wake: Times,
    pub(super) by: Option<String>,
    pub(super) woken: Woken,
    pub(super) slow: Option<Slow>,
    pub(super) stall: Option<Standing>,
    pub(super) open: bool,
    pub(super) in_place: bool,
    pub(super) set: Option<Set>,
    pub(super) worker: Option<Worker>,
    pub(super) pool: Option<Pool>,
}

/// `"100 x 1ms"`, or a list of such.
#[derive(Deserialize, Default)]
#[serde(untagged)]
pub(super) enum Times {
    #[default]
    None,
    One(String),
    Many(Vec<String>),
}

impl Times {
    pub(super) fn each(&self) -> Vec<(u64, u64)> {
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

    pub(super) fn put(&self, hist: &mut Hist) {
        self.each().into_iter().for_each(|(n, ns)| hist.record_n(ns, n));
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Slow {
    pub(super) wall: String,
    pub(super) busy: String,
    pub(super) preempted: String,
    #[serde(default = "one")]
    pub(super) times: u64,
    pub(super) waiters: Option<u32>,
    pub(super) waited: Option<String>,
    pub(super) longest: Option<String>,
    pub(super) word: Option<String>,
    #[serde(default)]
    pub(super) stack: Vec<String>,
}

/// A worker stands still: since that time of the script, or only `now`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Standing {
    pub(super) worker: u32,
    pub(super) since: String,
    #[serde(default)]
    pub(super) now: bool,
    pub(super) word: Option<String>,
    #[serde(default)]
    pub(super) stack: Vec<String>,
}

fn one() -> u64 {
    1
}

/// Wakes of a site's tasks that have no rows, by what woke them.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Woken {
    pub(super) threads: u64,
    pub(super) runtime: u64,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Set {
    pub(super) state: Option<String>,
    pub(super) wakers: Option<u32>,
    pub(super) clones: Option<u64>,
    pub(super) long_lived: Option<bool>,
    pub(super) kind: Option<String>,
    pub(super) woken_by: Option<String>,
    pub(super) parent: Option<String>,
    pub(super) parent_nth: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Worker {
    pub(super) busy: f64,
    pub(super) ran: Option<f64>,
    pub(super) waited: Option<f64>,
}

/// The blocking pool of the runtime as tokio tells of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pool {
    pub(super) threads: u64,
    pub(super) idle: u64,
    pub(super) queue: u64,
    /// Jobs that ended in that second, where that is told.
    pub(super) ended: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expect {
    pub(crate) detector: String,
    #[serde(default)]
    pub(super) site: String,
    pub(super) level: String,
    pub(super) by: u64,
    #[serde(default)]
    pub(super) checked: bool,
    #[serde(default)]
    pub(super) not_before: u64,
    pub(super) open: Option<bool>,
    pub(super) kind: Option<String>,
    pub(super) count: Option<u64>,
    pub(super) headline: Option<String>,
    pub(super) why: Option<String>,
    pub(super) stack: Option<String>,
    pub(super) waiters: Option<u32>,
    pub(super) fingerprint: Option<String>,
    pub(crate) fix: Option<String>,
}

/// A twin of faults: what was done about them, so that nothing is to be found any more.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Remedy {
    pub(crate) of: String,
    pub(crate) does: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CannotTell {
    pub(super) detector: String,
    pub(super) because: String,
}

pub(super) fn ns(text: &str) -> u64 {
    parse_duration(text).expect("a duration")
}

impl Scenario {
    /// Whether the detector must report at warn or above.
    pub(crate) fn expects_trouble(&self, detector: &str) -> bool {
        self.expect.iter().any(|expect| expect.detector == detector && expect.level != Level::Allow.as_str())
    }
}
