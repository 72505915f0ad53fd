//! The service itself, as it runs in a process of its own.

use std::io::Write;
use std::time::Duration;

use super::fault::{self, Choice, Fault};
use super::shop::Plan;
use super::{http, jobs, load, policy};
use crate::output::failure::Failure;
use crate::sources::target::Target;

/// The service's name: `--from pollscope-demo`.
pub(super) const NAME: &str = "pollscope-demo";
/// More than a small machine has processors: a worker that stands still in a fault takes none.
const WORKERS: usize = 4;
/// How long the runtime may take to end its tasks.
const GRACE: Duration = Duration::from_millis(500);

/// How the service runs.
pub(crate) struct Order<'a> {
    /// The faults that are on.
    pub(crate) faults: &'a [Choice],
    /// The collector to push to as well.
    pub(crate) collector: Option<&'a Target>,
    /// It ends when standard input does.
    pub(crate) leash: bool,
}

/// Serves until it is asked to stop: by SIGINT or SIGTERM, or with `leash` by the end of standard input.
pub(crate) fn run(args: &Order<'_>) -> Result<(), Failure> {
    let faults = fault::chosen(args.faults);
    let mut plan = Plan::healthy();
    for fault in &faults {
        fault.install(&mut plan);
    }

    let mut builder = pollscope::Builder::new().name(NAME).policy(policy::TEXT);
    if let Some(collector) = args.collector {
        builder = builder.endpoint(&endpoint_of(collector)?);
    }
    let guard = builder
        .try_init()
        .map_err(|error| Failure::Usage(format!("the demo cannot be observed: {error}")))?;
    let Some(target) = guard.local_addr() else {
        return Err(Failure::Usage(
            "the demo listens nowhere; unset POLLSCOPE and POLLSCOPE_LISTEN and start it again".to_owned(),
        ));
    };
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(WORKERS).thread_name("demo-worker").enable_all();
    pollscope::attach(&mut runtime);
    let runtime = runtime.build().map_err(|error| Failure::io("start the demo's runtime", error))?;

    let served = runtime.block_on(async {
        let address = http::start(&plan.routes, jobs::start_queue())
            .await
            .map_err(|error| Failure::io("listen on loopback for the demo", error))?;
        jobs::start_timers();
        plan.background.iter().for_each(|start| start());
        load::start(address, &plan.routes)
            .map_err(|error| Failure::io("start the demo's customers", error))?;
        announce(target, &faults)?;
        stopped(args.leash).await
    });
    runtime.shutdown_timeout(GRACE);
    drop(guard);
    served
}

/// The collector's address as the instrument takes it.
fn endpoint_of(collector: &Target) -> Result<String, Failure> {
    match collector {
        Target::Tcp(authority) => Ok(format!("http://{authority}")),
        Target::Unix(path) => Ok(format!("unix:{}", path.display())),
        Target::Pid(_) | Target::Name(_) | Target::File(_) => Err(Failure::Usage(format!(
            "`{collector}` is no collector to push to; expected HOST:PORT, http://HOST:PORT or unix:PATH"
        ))),
    }
}

/// One line for people on standard error, one for programs on standard output.
fn announce(target: &pollscope::Listen, faults: &[Fault]) -> Result<(), Failure> {
    // Standard error may be closed; the service serves all the same.
    let _ = writeln!(std::io::stderr(), "{}", policy::notice(faults));
    let mut out = std::io::stdout();
    writeln!(out, "listening on {target}").and_then(|()| out.flush()).map_err(Failure::output)
}

/// Waits until the service is asked to stop.
async fn stopped(leash: bool) -> Result<(), Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let on = |kind| signal(kind).map_err(|error| Failure::io("listen for signals", error));
    let mut terminate = on(SignalKind::terminate())?;
    // With `leash` these are received only to be ignored: a terminal sends them to every process in
    // it, and the parent process decides what they mean.
    let (mut interrupt, mut hangup) = (on(SignalKind::interrupt())?, on(SignalKind::hangup())?);
    let asked = async {
        tokio::select! {
            _ = interrupt.recv(), if !leash => {}
            _ = hangup.recv(), if !leash => {}
            _ = terminate.recv() => {}
        }
    };
    if !leash {
        asked.await;
        return Ok(());
    }
    let (slipped, mut end) = tokio::sync::mpsc::channel::<()>(1);
    let wait = move || {
        // Nothing is ever written: it ends when the process at the other end does, in whatever way.
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        drop(slipped);
    };
    std::thread::Builder::new()
        .name("demo-leash".to_owned())
        .spawn(wait)
        .map_err(|error| Failure::io("watch standard input", error))?;
    tokio::select! {
        _ = end.recv() => {}
        () = asked => {}
    }
    Ok(())
}
