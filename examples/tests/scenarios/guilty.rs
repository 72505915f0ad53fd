//! A finding names the guilty line: the function that was running or blocked while the poll was open, what
//! the kernel said of its thread, and the right kind. And a machine that has other work is no fault of a task.

use std::sync::PoisonError;

use pollscope_model::query::column::Kind;
use pollscope_model::value::Value;

use crate::faults::MACHINE;
use crate::service::Service;
use crate::viewer::{Cells, Viewer};

/// Where stacks are taken and the kernel says what a thread does.
pub(crate) const TOLD: bool =
    cfg!(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")));

/// What a finding is to say.
struct Guilty {
    program: &'static str,
    /// The example's name, which is that of its file and of its crate.
    name: &'static str,
    function: &'static str,
    /// What stands on one of the lines that may be named.
    lines: &'static [&'static str],
    kind: &'static str,
    /// How the kernel's word begins.
    words: &'static [&'static str],
}

impl Guilty {
    /// Waits for a `blocking-poll` that says all of it.
    #[track_caller]
    fn is_named(&self) {
        if !TOLD {
            return;
        }
        let _machine = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
        let service = Service::start(self.program);
        let mut viewer = Viewer::of_process(&service.target());
        let what = format!("finding that names {} in {}.rs", self.function, self.name);
        viewer.wait_for(&what, Kind::Findings, |findings| {
            findings.iter().find_map(|row| self.is_told_by(&row))
        });
    }

    fn is_told_by(&self, finding: &Cells<'_>) -> Option<()> {
        let Value::List(stack) = finding.get("stack") else { return None };
        let frame = stack.first()?.to_string();
        let file = format!("bin/{}.rs", self.name);
        let source = std::fs::read_to_string(format!("{}/src/{file}", env!("CARGO_MANIFEST_DIR"))).ok()?;
        let is_line = |(at, text): (usize, &str)| {
            self.lines.iter().any(|line| text.contains(line))
                && frame.ends_with(&format!("{file}:{})", at + 1))
        };
        let told = finding.text("detector") == "blocking-poll"
            && frame.starts_with(&format!("{}::{}", self.name, self.function))
            && source.lines().enumerate().any(is_line)
            && finding.text("kind") == self.kind
            && self.words.iter().any(|word| finding.text("waiting_in").starts_with(word));
        told.then_some(())
    }
}

#[test]
fn a_sleep() {
    Guilty {
        program: env!("CARGO_BIN_EXE_blocking"),
        name: "blocking",
        function: "render_cart",
        lines: &["std::thread::sleep(Duration::from_millis(150))"],
        kind: "blocked",
        words: &["clock_nanosleep", "nanosleep"],
    }
    .is_named();
}

#[test]
fn a_lock_that_is_held_elsewhere() {
    Guilty {
        program: env!("CARGO_BIN_EXE_mutex_held"),
        name: "mutex_held",
        function: "reserve",
        lines: &["let mut stock = STOCK.lock()"],
        kind: "blocked",
        words: &["futex_wait"],
    }
    .is_named();
}

#[test]
fn a_slow_pipe() {
    Guilty {
        program: env!("CARGO_BIN_EXE_slow_pipe"),
        name: "slow_pipe",
        function: "thumbnail",
        lines: &["answer.read_to_end(&mut image)"],
        kind: "blocked",
        words: &["read(fd "],
    }
    .is_named();
}

#[test]
fn a_computation() {
    Guilty {
        program: env!("CARGO_BIN_EXE_cpu"),
        name: "cpu",
        function: "checksum",
        lines: &["while begin.elapsed()", "block.hash(&mut hasher)"],
        kind: "busy",
        words: &["running", "runnable"],
    }
    .is_named();
}

#[test]
fn a_machine_with_other_work_is_nobodys_guilt() {
    let _machine = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let service = Service::start(env!("CARGO_BIN_EXE_preempted"));
    let mut viewer = Viewer::of_process(&service.target());
    viewer.wait_for("slow polls of preempted.rs", Kind::Sites, |sites| {
        let price = sites.iter().find(|site| site.text("site").contains("bin/preempted.rs"))?;
        (price.number("slow_polls")? >= 50).then_some(())
    });
    viewer.wait_for("findings", Kind::Findings, |findings| {
        for finding in findings.iter().filter(|finding| finding.text("detector") == "blocking-poll") {
            assert_ne!(finding.text("level"), "deny", "{findings}");
        }
        Some(())
    });
}
