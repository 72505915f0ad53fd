//! Each example with a fault raises its detector, at the line that spawned the culprit.

use std::sync::{Mutex, PoisonError};

use pollscope_model::query::column::Kind;

use crate::service::Service;
use crate::site::{is_audit, spawns_at};
use crate::viewer::Viewer;

/// Rules that wait for a minute or more by default, in a hurry.
const POLICY: &str = r#"
[detectors.forgotten-task]
idle = "2s"

[detectors.task-leak]
window = "10s"
"#;

/// One at a time: some of them take all the processors that there are.
pub(crate) static MACHINE: Mutex<()> = Mutex::new(());

/// Waits for the finding and returns its kind; empty where the system does not tell.
#[track_caller]
fn raises(program: &str, detector: &str, file: &str) -> String {
    let _machine = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let service = Service::start_with(program, |command, folder| {
        let policy = folder.join("pollscope.toml");
        std::fs::write(&policy, POLICY).expect("a temporary folder can be written");
        command.env("POLLSCOPE_POLICY", policy);
    });
    let mut viewer = Viewer::of_process(&service.target());
    let (site, kind) =
        viewer.wait_for(&format!("finding `{detector}` in {file}"), Kind::Findings, |findings| {
            findings
                .iter()
                .find(|finding| finding.text("detector") == detector && finding.text("site").contains(file))
                .map(|finding| (finding.text("site").to_owned(), finding.text("kind").to_owned()))
        });
    assert!(spawns_at(&site), "nothing is spawned at {site}");
    kind
}

#[test]
fn blocking() {
    let kind = raises(env!("CARGO_BIN_EXE_blocking"), "blocking-poll", "bin/blocking.rs");
    assert!(["blocked", ""].contains(&kind.as_str()), "{kind}");
}

#[test]
fn cpu() {
    let kind = raises(env!("CARGO_BIN_EXE_cpu"), "blocking-poll", "bin/cpu.rs");
    assert!(["busy", ""].contains(&kind.as_str()), "{kind}");
}

#[test]
fn forgotten() {
    raises(env!("CARGO_BIN_EXE_forgotten"), "forgotten-task", "bin/forgotten.rs");
}

#[test]
fn lost_waker() {
    raises(env!("CARGO_BIN_EXE_lost_waker"), "lost-waker", "bin/lost_waker.rs");
}

#[test]
fn self_wake() {
    raises(env!("CARGO_BIN_EXE_self_wake"), "self-wake-storm", "bin/self_wake.rs");
}

#[test]
fn leak() {
    raises(env!("CARGO_BIN_EXE_leak"), "task-leak", "bin/leak.rs");
}

#[test]
fn starve() {
    raises(env!("CARGO_BIN_EXE_starve"), "sched-delay", "bin/starve.rs");
}

#[test]
fn tail() {
    raises(env!("CARGO_BIN_EXE_tail"), "tail-latency", "bin/tail.rs");
}

#[test]
fn panic() {
    raises(env!("CARGO_BIN_EXE_panic"), "swallowed-panic", "bin/panic.rs");
}

#[test]
fn an_axum_service_shows_the_tasks_that_it_spawns() {
    let service = Service::start(env!("CARGO_BIN_EXE_axum_service"));
    let address = service.says("serving on http://");
    let authority = address.split('/').next().expect("an address");
    for cart in 0..25 {
        assert_eq!(crate::http::get(authority, &format!("/cart/{cart}")), format!("cart {cart}\n"));
    }
    let mut viewer = Viewer::of_process(&service.target());
    viewer.wait_for("25 audits", Kind::Sites, |sites| {
        let audit = sites.iter().find(|site| is_audit(site.text("site")))?;
        (audit.number("spawned")? == 25 && audit.number("completed")? == 25).then_some(())
    });
}

#[test]
fn an_existing_runtime_shows_its_workers() {
    let service = Service::start(env!("CARGO_BIN_EXE_existing_runtime"));
    let mut viewer = Viewer::of_process(&service.target());
    viewer.wait_for("2 workers", Kind::Workers, |workers| (workers.iter().count() == 2).then_some(()));
    // Its subscriber hears of the service alone, not of what pollscope's own connections do.
    drop(viewer);
    let said = service.wait_for("word of its own", || Some(service.said()).filter(|said| !said.is_empty()));
    let ours = |line: &String| ["tonic", "h2::", "hyper"].iter().any(|transport| line.contains(transport));
    assert!(!said.iter().any(ours), "{said:#?}");
}

#[test]
fn smol_shows_traced_futures() {
    let service = Service::start(env!("CARGO_BIN_EXE_smol_traced"));
    let mut viewer = Viewer::of_process(&service.target());
    viewer.wait_for("3 polled fetches", Kind::Tasks, |tasks| {
        let polled = |polls: Option<u64>| polls.is_some_and(|polls| polls > 1);
        let fetches =
            tasks.iter().filter(|task| task.text("name") == "fetch" && polled(task.number("polls")));
        (fetches.count() == 3).then_some(())
    });
}
