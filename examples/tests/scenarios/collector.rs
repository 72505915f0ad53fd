//! A collector as a child process, so that it can be killed: this test program, started once more.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use pollscope_collector::Collector;
use pollscope_collector::config::Config;

use crate::service::Service;

/// Tells a copy of this program to be a collector, and where.
const BE_A_COLLECTOR: &str = "SCENARIO_COLLECTOR";

/// An address on this machine without a listener now.
pub(crate) fn free_address() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("a bound listener has an address").to_string()
}

/// Starts a collector there.
pub(crate) fn start(address: &str) -> Service {
    let program = std::env::current_exe().expect("this program has a path");
    let service = Service::start_with(program, |command, _| {
        command.env(BE_A_COLLECTOR, address);
        command.args(["collector::child", "--exact", "--nocapture"]);
    });
    service.wait_for_line("collecting on");
    service
}

/// The child's side: not a test of anything, and over at once when it was not started as a child.
#[test]
#[expect(clippy::disallowed_methods, reason = "how the child knows what it is")]
#[expect(clippy::print_stdout, reason = "how the parent learns that it listens")]
fn child() {
    let Ok(address) = std::env::var(BE_A_COLLECTOR) else { return };
    let config = Config::parse(Path::new("test"), &format!("listen = \"{address}\"")).expect("an address");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let collector = Collector::bind(&config).await.expect("the address is free");
        println!("\ncollecting on {}", collector.address());
        collector.serve(std::future::pending()).await.expect("it serves until it is killed");
    });
}
