//! `pollscope demo`: runs the demo's service, here or in a child under the terminal UI.
//!
//! The service is the room [`demo`](crate::demo)'s; this file only decides where it runs and what looks at it.

use std::io::Write;

use super::cli::{DemoArgs, ViewArgs};
use crate::demo::child_process::ChildProcess;
use crate::demo::fault::{self, Choice, Fault};
use crate::demo::service::Order;
use crate::demo::{policy, service};
use crate::output::failure::Failure;

/// The faults that show most, for a demo without a choice.
const SHOWN: [&str; 2] = ["blocking", "tail"];

/// Runs the service, here or in a child under the terminal UI.
pub(crate) fn run(args: &DemoArgs, view: &ViewArgs) -> Result<(), Failure> {
    if args.headless {
        return service::run(&Order {
            faults: &args.faults,
            collector: args.collector.as_ref(),
            leash: args.leash,
        });
    }
    let shown =
        || fault::ALL.into_iter().filter(|fault: &Fault| SHOWN.contains(&fault.name)).map(Choice::One);
    let faults = if args.faults.is_empty() { shown().collect() } else { args.faults.clone() };
    let service = ChildProcess::start(&faults, args.collector.as_ref())?;
    // Stays readable above the screens when they are left; a closed standard error harms nothing.
    let _ = writeln!(std::io::stderr(), "{}", policy::notice(&fault::chosen(&faults)));
    super::attach(&service.target, view)
}
