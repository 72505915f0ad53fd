//! `pollscope demo`: a small web shop that really serves, with faults that can be switched on.
//!
//! The service is an ordinary tokio program that spawns through pollscope: HTTP/1.1 over TCP on
//! loopback, a job queue, timers, and clients of its own that keep it moderately busy. It runs in a
//! process of its own; the terminal UI attaches to it as to any other service.

pub mod fault;
mod http;
mod jobs;
mod leash;
mod load;
mod policy;
mod service;
mod shop;

use std::io::Write;

use crate::cli::DemoArgs;
use crate::command;
use crate::failure::Failure;
use fault::{Choice, Fault};

/// The faults that show most when nobody chose any.
const SHOWN: [&str; 2] = ["blocking", "tail"];

/// Runs the service, here or in a child under the terminal UI.
pub(crate) fn run(args: &DemoArgs) -> Result<(), Failure> {
    if args.headless {
        return service::run(args);
    }
    let shown =
        || fault::ALL.into_iter().filter(|fault: &Fault| SHOWN.contains(&fault.name)).map(Choice::One);
    let faults = if args.faults.is_empty() { shown().collect() } else { args.faults.clone() };
    let service = leash::Leash::start(&faults, args.collector.as_ref())?;
    // Stays readable above the screens when they are left; a closed standard error harms nobody.
    let _ = writeln!(std::io::stderr(), "{}", policy::notice(&fault::chosen(&faults)));
    command::attach(&service.target, &args.view)
}
