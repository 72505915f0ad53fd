//! `pollscope doctor`: what is measured and what is not, why, and what to change.

use std::fmt::Write as _;

use pollscope_model::hello::Hello;
use pollscope_model::measured::{Coverage, Metric, Mode};
use pollscope_model::query::detail::Overview;
use pollscope_model::time::Nanos;

use crate::command::{block_on, to_stdout};
use crate::failure::Failure;
use crate::fmt::clean;
use crate::report::overview_of;
use crate::source::endpoint::Endpoint;
use crate::source::lookup::{self, Answered, Watched};
use crate::source::open::{self, Peer};
use crate::source::target::Target;
use crate::source::{discover, fleet};

/// Examines one target, or this machine.
pub(crate) fn run(target: Option<&Target>) -> Result<(), Failure> {
    let text = match target {
        Some(target) => examine(target)?,
        None => machine()?,
    };
    to_stdout(text.as_bytes())
}

fn examine(target: &Target) -> Result<String, Failure> {
    let peer = block_on(open::anyone(Some(target)))??;
    let transport = match &peer {
        Peer::Collector(endpoint) => {
            let endpoint = endpoint.clone();
            return collector(&endpoint, peer);
        }
        Peer::Processes { watched: Watched::Process(found), .. } => {
            format!("unix:{}", found.socket.display())
        }
        Peer::Processes { watched, .. } => watched.label(),
        Peer::Recording(path) => path.display().to_string(),
    };
    let overview = overview_of(peer)?;
    Ok(process(&overview, &transport) + &advice(&overview.hellos))
}

fn collector(endpoint: &Endpoint, peer: Peer) -> Result<String, Failure> {
    let hello =
        block_on(fleet::greet(endpoint))?.map_err(|error| lookup::failure(&endpoint.to_string(), &error))?.0;
    let overview = overview_of(peer)?;
    let mut text = format!(
        "collector {endpoint}\n  version      pollscope {}, protocol {}\n",
        clean(&hello.version),
        hello.protocol
    );
    let [live, stale, gone] = overview.presence;
    let _ = writeln!(text, "  processes    {live} live, {stale} stale, {gone} gone");
    losses_and_notes(&mut text, &overview);
    Ok(text)
}

/// Every process of this machine, and the machine itself.
fn machine() -> Result<String, Failure> {
    let folders = discover::folders();
    let answered = block_on(lookup::greet_all(&folders))?;
    let mut text = format!(
        "pollscope {}, protocol {}\n  looked in    {}\n  processes    {}\n",
        pollscope_proto::version::RELEASE,
        pollscope_proto::PROTOCOL,
        lookup::listed(&folders),
        answered.len()
    );
    let schedstat =
        std::fs::read_to_string("/proc/self/schedstat").is_ok_and(|stat| !stat.starts_with("0 0 "));
    let split =
        if schedstat { "slow polls can be split into busy, blocked and preempted" } else { NO_SCHEDSTAT };
    let _ = writeln!(text, "  system       {split}");
    let mut hellos = Vec::new();
    for Answered { found, hello } in answered {
        let transport = format!("unix:{}", found.socket.display());
        text.push('\n');
        match hello {
            Ok(_) => {
                let watched = Watched::Process(found);
                let overview = overview_of(Peer::Processes { watched, count: 1, unreachable: Vec::new() })?;
                text += &process(&overview, &transport);
                hellos.extend(overview.hellos);
            }
            Err(error) => {
                let _ =
                    writeln!(text, "process {} at {transport} does not answer: {}", found.pid, error.words());
            }
        }
    }
    if hellos.is_empty() {
        text += "\nno instrumented process runs here as this user: add the `pollscope` crate to a service, or try `pollscope demo`\n";
    }
    Ok(text + &advice(&hellos))
}

const NO_SCHEDSTAT: &str = "the kernel keeps no schedule statistics (/proc/self/schedstat): slow polls are not split into busy, blocked and preempted";

/// What is measured in one process.
fn process(overview: &Overview, transport: &str) -> String {
    let mut text = String::new();
    for hello in &overview.hellos {
        let name = clean(&hello.process.name);
        let host = clean(&hello.process.host);
        let _ = writeln!(text, "{name} (pid {} on {host})", hello.process.pid);
        let _ = writeln!(text, "  mode         {}: {}", hello.mode, sees(hello.mode));
        let version = clean(&hello.version);
        let _ = writeln!(text, "  version      pollscope {version}, protocol {}", hello.protocol);
        let _ = writeln!(text, "  transport    {transport}, a report every {}", Nanos(hello.interval_ns));
        let policy = if hello.policy.trim().is_empty() { "the defaults" } else { "its own" };
        let _ = writeln!(text, "  policy       {policy}");
        let of_all = Metric::ALL.into_iter().filter(|metric| hello.coverage(*metric) == Coverage::All);
        let of_all: Vec<&str> = of_all.map(Metric::as_str).collect();
        let _ = writeln!(
            text,
            "  measured     {}",
            if of_all.is_empty() { "nothing".to_owned() } else { of_all.join(", ") }
        );
    }
    losses_and_notes(&mut text, overview);
    text
}

fn sees(mode: Mode) -> &'static str {
    match mode {
        Mode::Sample => "the runtime's totals only, no single task",
        Mode::Wrap => "every task that is spawned through pollscope",
        Mode::Hooks => "every task of the observed runtimes, and more of those spawned through pollscope",
        _ => "something that this version does not know",
    }
}

fn losses_and_notes(text: &mut String, overview: &Overview) {
    let lost = overview.meta.lost;
    let _ =
        writeln!(text, "  lost         {}", if lost == 0 { "nothing".to_owned() } else { lost.to_string() });
    for note in &overview.notes {
        let _ = writeln!(text, "  note         {}", clean(note));
    }
    if !overview.undecided.is_empty() {
        text.push_str("  rules that cannot judge now\n");
        for (detector, reason) in &overview.undecided {
            let _ = writeln!(text, "    {detector:<18}  {}", clean(reason));
        }
    }
}

/// What would let a service see more.
fn advice(hellos: &[Hello]) -> String {
    if !hellos.is_empty() && hellos.iter().all(|hello| hello.mode == Mode::Hooks) {
        return String::new();
    }
    let mut text = String::from(
        "\nTo see every task of a runtime, those of libraries too, build the service with tokio's unstable hooks.\n\
         Put into the service's .cargo/config.toml:\n\n    [build]\n    rustflags = [\"--cfg\", \"tokio_unstable\"]\n\n",
    );
    if hellos.iter().any(|hello| hello.mode == Mode::Sample) {
        text += "In mode sample no single task is seen: spawn through `pollscope::spawn`, which works on every build.\n";
    }
    text
}
