//! An ordinary service with the faults that people make: each is named with the user's line, and the repaired one is
//! silent.

use std::sync::PoisonError;

use pollscope_model::query::column::Kind;

use crate::faults::MACHINE;
use crate::service::Service;
use crate::viewer::{Cells, Rows, Viewer};

/// `task-leak` by default needs a minute in which no listener's task ended.
const POLICY: &str = "[detectors.task-leak]\nwindow = \"10s\"\n";

/// The shop, and its customers.
fn open(word: Option<&str>) -> (Service, Service) {
    let shop = Service::start_with(env!("CARGO_BIN_EXE_shop"), |command, folder| {
        let policy = folder.join("pollscope.toml");
        std::fs::write(&policy, POLICY).expect("a temporary folder can be written");
        command.args(word).env("POLLSCOPE_POLICY", policy);
    });
    let address = shop.wait_for_line("serving on ");
    let customers = Service::start_with(env!("CARGO_BIN_EXE_shop_load"), |command, _| {
        command.arg(address);
    });
    (shop, customers)
}

/// Whether a finding blames a poll of that route, of one of the kinds, and names a line of that file.
fn blames_poll(findings: &Rows, route: &str, file: &str, kinds: &[&str]) -> bool {
    findings.iter().any(|finding| {
        let is_there = finding.text("scope") == route && finding.text("headline").contains(file);
        finding.text("detector") == "blocking-poll" && is_there && kinds.contains(&finding.text("kind"))
    })
}

fn blames_listeners(findings: &Rows) -> bool {
    let is_leak = |finding: Cells<'_>| finding.text("detector") == "task-leak";
    findings.iter().any(|finding| finding.text("site").contains("shop/events.rs:") && is_leak(finding))
}

#[test]
fn the_faults_of_a_shop_are_named_with_their_lines() {
    let _machine = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let (shop, _customers) = open(None);
    let mut viewer = Viewer::of_process(&shop.target());
    viewer.wait_for("finding for each fault", Kind::Findings, |findings| {
        // Which poll waits for the lock and which computes with it is chance.
        let all = blames_poll(findings, "POST /login", "shop/login.rs:", &["busy"])
            && blames_poll(findings, "GET /price/{id}", "shop/price.rs:", &["busy", "blocked"])
            && blames_listeners(findings);
        all.then_some(())
    });
}

#[test]
fn a_repaired_shop_is_silent() {
    let _machine = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let (shop, _customers) = open(Some("repaired"));
    let mut viewer = Viewer::of_process(&shop.target());
    viewer.wait_for("300 listeners that have gone", Kind::Sites, |sites| {
        let of_listeners = sites.iter().find(|site| site.text("site").contains("shop/events.rs"))?;
        (of_listeners.number("completed")? >= 300).then_some(())
    });
    viewer.wait_for("page of findings without one that counts", Kind::Findings, |findings| {
        let counts = |level: &str| level == "warn" || level == "deny";
        let told: Vec<_> = findings.iter().filter(|finding| counts(finding.text("level"))).collect();
        assert!(told.is_empty(), "{findings}");
        Some(())
    });
}
