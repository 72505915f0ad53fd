//! A request inside of its connection's poll: one poll of a thread is one finding, at the route.

use super::{Finding, MILLISECOND, shop};
use crate::entity::stall::Stall;
use crate::entity::task::TaskKind;
use crate::id::TaskId;

const ROUTE: &str = "GET /price/{id}";
const SERVE: &str = "axum-0.8.9/src/serve.rs:500:9";

/// A connection and its request.
fn request(shop: &mut super::Watched) -> (TaskId, TaskId) {
    let (route, serve) = (shop.script.site(ROUTE), shop.script.site(SERVE));
    let scope = shop.script.name(ROUTE);
    let connection = shop.script.spawn(serve);
    let request = shop.script.spawn(route);
    shop.script.edit(request, |task| {
        (task.kind, task.parent, task.scope) = (TaskKind::Request, Some(connection), scope);
    });
    (connection, request)
}

/// Site, scope and fingerprint.
fn told<'f>(findings: &[&'f Finding]) -> Vec<[&'f str; 3]> {
    findings.iter().map(|finding| [&*finding.site, &*finding.scope, &*finding.fingerprint]).collect()
}

#[test]
fn a_slow_poll_inside_of_another_is_the_routes_alone() {
    let mut shop = shop();
    let (connection, request) = request(&mut shop);
    for _ in 0..5 {
        shop.script.slow_poll(request, 30 * MILLISECOND, 0, 0);
        shop.script.slow_poll(connection, 31 * MILLISECOND, 0, 0);
        shop.script.edit_slow_poll(|poll| poll.nested_ns = 30 * MILLISECOND);
        shop.second();
    }
    let expected = [ROUTE, ROUTE, "blocking-poll GET /price/{id}"];
    assert_eq!(told(&shop.findings()), [expected]);
}

#[test]
fn an_open_poll_inside_of_another_is_the_routes_alone() {
    let mut shop = shop();
    let (connection, request) = request(&mut shop);
    shop.second();
    shop.script.open_poll(connection, 0);
    shop.script.pass(MILLISECOND);
    shop.script.open_poll(request, 0);
    // As a watchdog tells it: the innermost task, and since when its thread is in a poll.
    let (site, since_ns) = (Some(shop.script.site(ROUTE)), shop.script.now_ns() - MILLISECOND);
    shop.script.stalls(vec![Stall { task: Some(request), site, since_ns, ..Stall::default() }]);
    shop.script.block_in_place(connection);
    shop.seconds(5);
    assert_eq!(told(&shop.findings()), [[ROUTE, ROUTE, "stuck-poll GET /price/{id}"]]);
}

#[test]
fn a_finding_about_a_line_has_the_scope_of_its_task() {
    let mut shop = shop();
    let (line, scope) = (shop.script.site("src/cart.rs:88:9"), shop.script.name("checkout"));
    let task = shop.script.spawn(line);
    shop.script.edit(task, |task| task.scope = scope);
    for _ in 0..5 {
        shop.script.slow_poll(task, 30 * MILLISECOND, 0, 0);
        shop.second();
    }
    assert_eq!(shop.findings().iter().map(|finding| &*finding.scope).collect::<Vec<_>>(), ["checkout"]);
}
