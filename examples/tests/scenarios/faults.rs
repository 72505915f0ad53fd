//! Each example with a fault raises its detector, at the line that spawned the culprit.

use std::sync::{Mutex, PoisonError};

use pollscope_model::query::column::Kind;

use crate::service::Service;
use crate::site::{is_audit, line_at, spawns_at};
use crate::viewer::{Cells, Viewer};

/// Rules that wait for a minute or more by default, in a hurry.
const POLICY: &str = r#"
[detectors.forgotten-task]
idle = "2s"

[detectors.task-leak]
window = "10s"

[detectors.unread-outcomes]
window = "6s"
"#;

/// One at a time: some of them take all the processors that there are.
pub(crate) static MACHINE: Mutex<()> = Mutex::new(());

#[track_caller]
fn raises(program: &str, detector: &str, file: &str) {
    raises_of_kind(program, detector, file, &[]);
}

/// Waits for the finding; of that kind, unless the system does not tell or the service was itself kept from
/// the CPU.
#[track_caller]
fn raises_of_kind(program: &str, detector: &str, file: &str, kinds: &[&str]) {
    let _machine = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let service = Service::start_with(program, |command, folder| {
        let policy = folder.join("pollscope.toml");
        std::fs::write(&policy, POLICY).expect("a temporary folder can be written");
        command.env("POLLSCOPE_POLICY", policy);
    });
    let mut viewer = Viewer::of_process(&service.target());
    let is_expected = |kind: &str| kinds.is_empty() || kind.is_empty() || kinds.contains(&kind);
    let what = format!("finding `{detector}` in {file}, of a kind among {kinds:?}");
    let site = viewer.wait_for(&what, Kind::Findings, |findings| {
        findings
            .iter()
            .filter(|finding| finding.text("detector") == detector && finding.text("site").contains(file))
            .find(|finding| is_expected(finding.text("kind")))
            .map(|finding| finding.text("site").to_owned())
    });
    assert!(spawns_at(&site), "nothing is spawned at {site}");
}

#[test]
fn blocking() {
    raises_of_kind(env!("CARGO_BIN_EXE_blocking"), "blocking-poll", "bin/blocking.rs", &["blocked"]);
}

#[test]
fn cpu() {
    raises_of_kind(env!("CARGO_BIN_EXE_cpu"), "blocking-poll", "bin/cpu.rs", &["busy"]);
}

#[test]
fn what_is_in_place_is_in_nobodys_way() {
    let _machine = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let service = Service::start(env!("CARGO_BIN_EXE_in_place"));
    let mut viewer = Viewer::of_process(&service.target());
    viewer.wait_for("four slow polls of each", Kind::Tasks, |tasks| {
        let is_slow = |name| {
            let is_it = |task: &Cells<'_>| task.text("name") == name;
            tasks.iter().any(|task| is_it(&task) && task.number("polls").is_some_and(|polls| polls > 8))
        };
        (is_slow("thumbnails") && is_slow("invoices")).then_some(())
    });
    viewer.wait_for("findings at `invoices` alone", Kind::Findings, |findings| {
        let judged: Vec<_> = findings
            .iter()
            .filter(|finding| ["stuck-poll", "blocking-poll"].contains(&finding.text("detector")))
            .map(|finding| line_at(finding.text("site")))
            .collect();
        assert!(!judged.iter().any(|line| line.contains("thumbnails")), "{findings}");
        judged.iter().any(|line| line.contains("invoices")).then_some(())
    });
}

#[test]
fn a_pool_that_stands_still_is_told_and_one_that_is_just_as_full_is_not() {
    let _machine = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let service = Service::start(env!("CARGO_BIN_EXE_exhausted"));
    let mut viewer = Viewer::of_process(&service.target());
    let line_of = |finding: &Cells<'_>| line_at(finding.text("site"));
    viewer.wait_for("findings at `render` and `load`", Kind::Findings, |findings| {
        let of = |detector: &str, level: &str, name: &str| {
            findings.iter().any(|finding| {
                finding.text("detector") == detector
                    && finding.text("level") == level
                    && line_of(&finding).contains(name)
            })
        };
        let told =
            of("blocking-pool-exhausted", "deny", "\"render\"") && of("never-polled", "warn", "\"load\"");
        told.then_some(())
    });
    viewer.wait_for("jobs of the other pool", Kind::Sites, |sites| {
        let rows = sites
            .iter()
            .find(|site| site.text("site").contains("exhausted.rs") && line_of(site).contains("\"row\""))?;
        (rows.number("polls")? > 500).then_some(())
    });
    viewer.wait_for("the findings", Kind::Findings, |findings| {
        let of_jobs = ["blocking-pool-exhausted", "never-polled", "stuck-poll"];
        for finding in findings.iter().filter(|finding| of_jobs.contains(&finding.text("detector"))) {
            assert!(!line_of(&finding).contains("\"row\""), "{findings}");
        }
        Some(())
    });
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

/// The same with tasks that are spawned past pollscope, which only tokio's hooks see.
#[test]
#[cfg(all(tokio_unstable, target_pointer_width = "64", target_has_atomic = "64"))]
fn starve_of_hooked_tasks_is_seen_where_delays_are_tracked_and_unmeasured_where_not() {
    let _machine = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let start = |switch: &str| {
        let switch = switch.to_owned();
        Service::start_with(env!("CARGO_BIN_EXE_starve"), |command, _| {
            command.args(["600", "plain"]).env("POLLSCOPE_SCHEDULE_DELAY", switch);
        })
    };
    let service = start("on");
    let mut viewer = Viewer::of_process(&service.target());
    viewer.wait_for("finding `sched-delay` in starve.rs", Kind::Findings, |findings| {
        let of_delay = |finding: &Cells<'_>| finding.text("detector") == "sched-delay";
        findings
            .iter()
            .filter(of_delay)
            .any(|finding| finding.text("site").contains("bin/starve.rs"))
            .then_some(())
    });
    drop((viewer, service));
    let service = start("off");
    let mut viewer = Viewer::of_process(&service.target());
    viewer.wait_for("200 polls of starve.rs without a delay", Kind::Sites, |sites| {
        let is_spawned = |site: &Cells<'_>| line_at(site.text("site")).contains("tasks.push(spawn(");
        let mut spawned = sites.iter().filter(|site| site.text("site").contains("bin/starve.rs"));
        let starved = spawned.find(is_spawned)?;
        assert_eq!((starved.number("p99_sched_ns"), starved.number("max_sched_ns")), (None, None), "{sites}");
        (starved.number("polls")? >= 200).then_some(())
    });
    viewer.wait_for_note("POLLSCOPE_SCHEDULE_DELAY=on");
}

#[test]
fn tail() {
    raises(env!("CARGO_BIN_EXE_tail"), "tail-latency", "bin/tail.rs");
}

#[test]
fn unread_and_those_who_take_what_comes() {
    let _machine = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let service = Service::start_with(env!("CARGO_BIN_EXE_unread"), |command, folder| {
        let policy = folder.join("pollscope.toml");
        std::fs::write(&policy, POLICY).expect("a temporary folder can be written");
        command.env("POLLSCOPE_POLICY", policy);
    });
    let mut viewer = Viewer::of_process(&service.target());
    // At its line only: ten thousand outcomes of the others have come and were taken by then.
    viewer.wait_for("ten thousand ends at each line", Kind::Sites, |sites| {
        let busy = sites.iter().filter(|site| site.number("completed").is_some_and(|ended| ended > 10_000));
        (busy.count() >= 4).then_some(())
    });
    viewer.wait_for("`unread-outcomes` at `ingest` alone", Kind::Findings, |findings| {
        let unread = findings.iter().filter(|finding| finding.text("detector") == "unread-outcomes");
        let lines: Vec<_> = unread.map(|finding| line_at(finding.text("site"))).collect();
        assert!(lines.iter().all(|line| line.contains("ingest.spawn")), "{findings}");
        (!lines.is_empty()).then_some(())
    });
}

#[test]
fn panic() {
    raises(env!("CARGO_BIN_EXE_panic"), "swallowed-panic", "bin/panic.rs");
}

#[test]
fn an_axum_service_shows_the_tasks_that_it_spawns() {
    let service = Service::start(env!("CARGO_BIN_EXE_axum_service"));
    let address = service.wait_for_line("serving on http://");
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

/// Tokio's hooks tell of the connections, a stack of the line.
#[test]
#[cfg(all(tokio_unstable, target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
fn an_axum_service_that_blocks_in_two_handlers_is_told_both_lines() {
    let _machine = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let service = Service::start(env!("CARGO_BIN_EXE_axum_blocking"));
    let mut viewer = Viewer::of_process(&service.target());
    let source = |line: &str| line_at(&format!("{line}:1"));
    viewer.wait_for("`blocking-poll` at both handlers' lines", Kind::Findings, |findings| {
        let of = |part: &str, function: &str| {
            let is_it = |finding: &Cells<'_>| {
                finding.text("detector") == "blocking-poll"
                    && finding.text("site").contains("axum-")
                    && finding.text("line").contains("bin/axum_blocking.rs:")
                    && source(finding.text("line")).contains(part)
                    && finding.text("fingerprint").contains(function)
            };
            findings.iter().any(|finding| is_it(&finding))
        };
        let both = of("thread::sleep", "axum_blocking::login")
            && (of("hasher.write", "axum_blocking::catalog")
                || of("begin.elapsed", "axum_blocking::catalog"));
        both.then_some(())
    });
}

#[test]
fn an_existing_runtime_shows_its_workers() {
    let service = Service::start(env!("CARGO_BIN_EXE_existing_runtime"));
    let mut viewer = Viewer::of_process(&service.target());
    viewer.wait_for("2 workers", Kind::Workers, |workers| (workers.iter().count() == 2).then_some(()));
    // At an ordinary level its subscriber hears of the service alone, not of what pollscope's own connections do.
    drop(viewer);
    let said = service.wait_for("word of its own", || Some(service.lines()).filter(|said| !said.is_empty()));
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
