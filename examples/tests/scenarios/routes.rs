//! An axum service whose requests are tasks: what one route does is told of that route, and of nothing else.

use std::sync::PoisonError;

use pollscope_model::query::column::Kind;
use pollscope_model::value::Value;

use crate::faults::MACHINE;
use crate::guilty::TOLD;
use crate::service::Service;
use crate::viewer::{Cells, Viewer};

const SLOW: &str = "GET /slow/{id}";
const FAST: &str = "GET /fast/{id}";

/// Where the example blocks, as a frame of a stack ends.
fn blocking_line() -> String {
    let source = std::fs::read_to_string(format!("{}/src/bin/routes.rs", env!("CARGO_MANIFEST_DIR")))
        .expect("the example is there");
    let line = source.lines().position(|line| line.contains("std::thread::sleep")).expect("it blocks") + 1;
    format!("bin/routes.rs:{line})")
}

#[test]
fn a_route_that_blocks_is_told_by_its_name_and_its_line_and_the_other_is_not() {
    let _machine = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let service = Service::start(env!("CARGO_BIN_EXE_routes"));
    let mut viewer = Viewer::of_process(&service.target());
    viewer.wait_for("finding at the slow route", Kind::Findings, |findings| {
        let is_told = |finding: &Cells<'_>| {
            let Value::List(stack) = finding.get("stack") else { return false };
            let has_line =
                |frame: &str| frame.starts_with("routes::slow") && frame.ends_with(&blocking_line());
            finding.text("detector") == "blocking-poll"
                && finding.text("site") == SLOW
                && (!TOLD || stack.first().is_some_and(|frame| has_line(frame)))
        };
        findings.iter().find(is_told).map(|finding| assert_eq!(finding.text("scope"), SLOW))
    });
    viewer.wait_for("as many slow polls again", Kind::Sites, |sites| {
        let of = |route| sites.iter().find(|site| site.text("site") == route);
        let enough = of(SLOW)?.number("slow_polls")? >= 8 && of(FAST)?.number("completed")? >= 20;
        enough.then_some(())
    });
    viewer.wait_for("no second finding", Kind::Findings, |findings| {
        let judged = ["blocking-poll", "stuck-poll"];
        for finding in findings.iter().filter(|finding| judged.contains(&finding.text("detector"))) {
            assert_eq!(finding.text("site"), SLOW, "{findings}");
        }
        Some(())
    });
    viewer.wait_for("requests as tasks", Kind::Tasks, |tasks| {
        let request = tasks.iter().find(|task| task.text("site") == FAST)?;
        assert_eq!((request.text("kind"), request.text("scope")), ("request", FAST));
        Some(())
    });
}
