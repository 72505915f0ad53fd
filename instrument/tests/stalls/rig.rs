//! One guard at a time, and what its reports say.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pollscope::{Guard, Listen};
use pollscope_model::dict::{Dictionary, Frame};
use pollscope_model::entity::stall::Stall;
use pollscope_model::measured::{Coverage, Metric, Mode};
use pollscope_model::report::Report;
use tokio::runtime::Runtime;

static ONE: Mutex<()> = Mutex::new(());

/// A guard, alone in this process.
pub(crate) struct Rig {
    guard: Guard,
    _alone: MutexGuard<'static, ()>,
}

/// A report, and the words for it.
pub(crate) struct Seen {
    pub(crate) report: Report,
    pub(crate) dict: Dictionary,
    stacks: bool,
}

impl Seen {
    pub(crate) fn stalls(&self) -> impl Iterator<Item = &Stall> {
        self.report.stalls.iter()
    }

    /// Whether all is told of a stall that can be told here.
    pub(crate) fn is_complete(&self, stall: &Stall) -> bool {
        let word = cfg!(not(target_os = "linux")) || stall.waiting_in.is_some();
        word && (!self.stacks || stall.stack.is_some())
    }
}

impl Rig {
    pub(crate) fn start(mode: Mode) -> Self {
        Self::start_with(pollscope::builder().mode(mode))
    }

    pub(crate) fn start_with(builder: pollscope::Builder) -> Self {
        let alone = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let guard = builder.listen(Listen::Off).try_init().unwrap();
        Self { guard, _alone: alone }
    }

    /// Whether stacks are taken here.
    pub(crate) fn stacks(&self) -> bool {
        self.measures(Metric::Stacks)
    }

    /// Whether that is measured here.
    pub(crate) fn measures(&self, metric: Metric) -> bool {
        let capabilities = self.guard.capabilities();
        capabilities.iter().any(|it| it.metric == metric && it.coverage != Coverage::NoTask)
    }

    pub(crate) fn seen(&self) -> Seen {
        let report = self.guard.report().unwrap();
        let mut dict = Dictionary::default();
        for entry in &report.dict {
            dict.insert(entry.clone());
        }
        Seen { report, dict, stacks: self.stacks() }
    }

    /// Looks until the predicate gives something, for a minute at most.
    pub(crate) fn until<T>(&self, what: &str, mut predicate: impl FnMut(&Seen) -> Option<T>) -> T {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let seen = self.seen();
            if let Some(found) = predicate(&seen) {
                return found;
            }
            assert!(Instant::now() < deadline, "never saw {what}; last: {:?}", seen.report.stalls);
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// A stall, as soon as all is told of it.
    pub(crate) fn stall(&self) -> Stall {
        self.until("the stall", |seen| seen.stalls().find(|stall| seen.is_complete(stall)).cloned())
    }

    /// The kernel's word is that of a thread that waits for a channel, and the stack has that function with
    /// that line.
    pub(crate) fn assert_line(&self, stall: &Stall, function: &str, line: u32) {
        self.assert_waits(stall, function, line, "main.rs", &["futex_wait"]);
    }

    /// The same in a file of these tests, for a thread that does one of these.
    pub(crate) fn assert_waits(
        &self,
        stall: &Stall,
        function: &str,
        line: u32,
        source: &str,
        words: &[&str],
    ) {
        let seen = self.seen();
        if let Some(word) = stall.waiting_in {
            let word = seen.dict.name(word);
            assert!(words.contains(&&*word), "{word}");
        }
        let Some(stack) = stall.stack else {
            assert!(!self.stacks());
            return;
        };
        let stack = seen.dict.stack(stack).expect("it is in the dictionary");
        let at = |frame: &&Frame| frame.function.contains(function);
        let frame = stack.frames.iter().find(at).unwrap_or_else(|| panic!("{stack:#?}"));
        assert_eq!((frame.line, frame.users), (line, true), "{stack:#?}");
        assert!(
            frame.file.as_deref().is_some_and(|file| file.ends_with(&format!("stalls/{source}"))),
            "{frame:?}"
        );
    }

    /// The line of that function in the stack.
    pub(crate) fn line_of(&self, stall: &Stall, function: &str) -> u32 {
        let seen = self.seen();
        let stack = stall.stack.and_then(|stack| seen.dict.stack(stack)).expect("a stack");
        let frame = stack.frames.iter().find(|frame| frame.function.contains(function));
        frame.unwrap_or_else(|| panic!("{stack:#?}")).line
    }

    /// Ends the guard: no thread of ours is left.
    pub(crate) fn end(self) {
        drop(self.guard);
        let deadline = Instant::now() + Duration::from_secs(60);
        while threads().iter().any(|name| name.starts_with("pollscope-")) {
            assert!(Instant::now() < deadline, "{:?}", threads());
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// A runtime as `#[pollscope::main]` builds it.
pub(crate) fn runtime(workers: usize) -> Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    pollscope::attach(builder.enable_all().worker_threads(workers));
    let runtime = builder.build().unwrap();
    pollscope::observe(runtime.handle(), "stalls");
    runtime
}

/// The names of this process's threads, as far as the system tells: their first 15 bytes.
pub(crate) fn threads() -> Vec<String> {
    tasks().map(|(_, name)| name).collect()
}

fn tasks() -> impl Iterator<Item = (std::path::PathBuf, String)> {
    let entries = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let name = std::fs::read_to_string(entry.path().join("comm")).ok()?;
        Some((entry.path(), name.trim_end().to_owned()))
    })
}
