//! `pollscope doctor`: what is measured and what is not, why, and what to change.

mod held;

use std::fmt::Write as _;

use pollscope_model::hello::Hello;
use pollscope_model::measured::{Coverage, Metric, Mode};
use pollscope_model::query::detail::Overview;
use pollscope_model::time::Nanos;
use pollscope_system::clock::Clock;

use crate::commands::block_on;
use crate::commands::report::overview_of;
use crate::output::failure::Failure;
use crate::output::fmt::clean;
use crate::output::to_stdout;
use crate::sources::discover::{Found, Places};
use crate::sources::elsewhere::unreadable_note;
use crate::sources::endpoint::Endpoint;
use crate::sources::fleet;
use crate::sources::lookup::{self, Answered, Roll, Watched};
use crate::sources::open::{self, Peer};
use crate::sources::target::Target;

/// Examines one target, or this machine.
pub(crate) fn run(target: Option<&Target>) -> Result<(), Failure> {
    let text = match target {
        Some(target) => examine(target)?,
        None => machine()?,
    };
    to_stdout(text.as_bytes())
}

fn examine(target: &Target) -> Result<String, Failure> {
    let peer = block_on(open::any_peer(Some(target)))??;
    let transport = match &peer {
        Peer::Collector(endpoint) => {
            let endpoint = endpoint.clone();
            return collector(&endpoint, peer);
        }
        Peer::Processes { watched: Watched::Process(found), .. } => found.endpoint.to_string(),
        Peer::Processes { watched, .. } => watched.label(),
        Peer::Recording(path) => path.display().to_string(),
    };
    let here = match &peer {
        Peer::Processes { watched: Watched::Process(found), .. } => Some(found.clone()),
        _ => None,
    };
    let named = matches!(&peer, Peer::Processes { watched: Watched::Name(_), .. });
    let overview = overview_of(peer)?;
    let mut text = process(&overview, &transport);
    if let Some(found) = here.clone().or_else(|| named.then(|| only(&overview.hellos)).flatten()) {
        text += &held::lines(found.pid, found.endpoint.socket());
    }
    // It is a matter of the machine, so that it is printed of a service on this one.
    if let Some(why) = Clock::of_this_machine().complaint().filter(|_| here.is_some()) {
        let _ = writeln!(text, "  clock        {}", clean(&why));
    }
    Ok(text + &advice(&overview.hellos))
}

/// The one process of this machine that greeted.
fn only(hellos: &[Hello]) -> Option<Found> {
    let [hello] = hellos else { return None };
    Places::all().scan().found.into_iter().find(|found| found.pid == hello.process.pid)
}

fn collector(endpoint: &Endpoint, peer: Peer) -> Result<String, Failure> {
    let hello =
        block_on(fleet::greet(endpoint))?.map_err(|error| lookup::failure(&endpoint.to_string(), &error))?.0;
    let overview = overview_of(peer)?;
    let mut text = format!(
        "collector {}\n  version      pollscope {}, protocol {}\n",
        clean(&endpoint.to_string()),
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
    let places = Places::all();
    let Roll { answered, unreadable } = block_on(lookup::greet_all(&places))?;
    let mut text = format!(
        "pollscope {}, protocol {}\n  looked in    {}\n  processes    {}\n",
        pollscope_proto::version::RELEASE,
        pollscope_proto::PROTOCOL,
        clean(&lookup::listed(&places.folders)),
        answered.len()
    );
    if let Some(unseen) = unreadable_note(&unreadable) {
        let _ = writeln!(text, "  not seen     {unseen}");
    }
    let schedstat =
        std::fs::read_to_string("/proc/self/schedstat").is_ok_and(|stat| !stat.starts_with("0 0 "));
    let split =
        if schedstat { "slow polls can be split into busy, blocked and preempted" } else { NO_SCHEDSTAT };
    let _ = writeln!(text, "  system       {split}");
    let _ = writeln!(text, "  clock        {}", clock(&Clock::of_this_machine()));
    let mut hellos = Vec::new();
    for Answered { found, hello } in answered {
        let transport = found.endpoint.to_string();
        text.push('\n');
        match hello {
            Ok(_) => {
                let held = held::lines(found.pid, found.endpoint.socket());
                let watched = Watched::Process(found);
                let overview = overview_of(Peer::Processes { watched, count: 1, unreachable: Vec::new() })?;
                text += &process(&overview, &transport);
                text += &held;
                hellos.extend(overview.hellos);
            }
            Err(error) => {
                let (transport, why) = (clean(&transport), clean(error.words()));
                let _ = writeln!(text, "process {} at {transport} does not answer: {why}", found.pid);
            }
        }
    }
    if hellos.is_empty() {
        text += "\nno instrumented process runs here as this user: add the `pollscope` crate to a service, or try `pollscope demo`\n";
    }
    Ok(text + &advice(&hellos))
}

/// What a read of this machine's clock costs, which services that cannot use the processor's counter pay for each poll.
fn clock(clock: &Clock) -> String {
    let source = clock.source.as_deref().unwrap_or("not named by the system");
    clock.complaint().unwrap_or_else(|| format!("{}, read in {} ns", clean(source), clock.read_ns))
}

const NO_SCHEDSTAT: &str = "the kernel keeps no schedule statistics (/proc/self/schedstat): slow polls are not split into busy, blocked and preempted";

/// What is measured in one process.
fn process(overview: &Overview, transport: &str) -> String {
    let mut text = String::new();
    let transport = clean(transport);
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
        Mode::Hooks => {
            "every task of the observed runtimes but those of a LocalSet, and more of those spawned through pollscope"
        }
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
    if !overview.set_aside.is_empty() {
        text.push_str("  undecided, over the limit\n");
        for (detector, reason) in &overview.set_aside {
            let _ = writeln!(text, "    {:<18}  {}", clean(detector), clean(reason));
        }
    }
    if !overview.undecided.is_empty() {
        text.push_str("  rules that cannot judge now\n");
        for (detector, reason) in &overview.undecided {
            let _ = writeln!(text, "    {:<18}  {}", clean(detector), clean(reason));
        }
    }
}

/// What would let each service see the tasks of libraries, too: what it says is missing for that.
fn advice(hellos: &[Hello]) -> String {
    let missing = |hello: &Hello| {
        let of = hello.capabilities.iter().find(|capability| capability.metric == Metric::LibraryTasks)?;
        (of.coverage != Coverage::All && !of.reason.is_empty()).then(|| of.reason.clone())
    };
    let missing: Vec<(&Hello, String)> =
        hellos.iter().filter_map(|hello| Some((hello, missing(hello)?))).collect();
    if missing.is_empty() {
        return String::new();
    }
    let mut text = String::from("\nTo see the tasks of libraries, too (but for a LocalSet's):\n");
    for (hello, reason) in &missing {
        let (name, reason) = (clean(&hello.process.name), clean(reason));
        let _ = writeln!(text, "  {name} (pid {}): {reason}", hello.process.pid);
    }
    if missing.iter().any(|(_, reason)| reason.contains("tokio_unstable")) {
        text += "\nPut into the service's .cargo/config.toml:\n\n    [build]\n    rustflags = [\"--cfg\", \"tokio_unstable\"]\n";
    }
    if hellos.iter().any(|hello| hello.mode == Mode::Sample) {
        text +=
            "\nA service is limited to mode sample by POLLSCOPE=sample or by its builder: leave that out.\n";
    }
    text
}

/// What is printed of a process with hostile texts, at a hostile path.
#[cfg(test)]
pub(crate) fn hostile() -> String {
    use pollscope_model::query::ask::{Answer, Ask};
    use pollscope_model::query::page::Scope;
    use pollscope_model::testkit::{self, HOSTILE};
    let (script, reports) = testkit::hostile();
    let monitor = crate::screens::rig::fold(&script, reports);
    let Answer::Overview(mut overview) = monitor.answer(&Ask::Overview(Scope::All), script.now_unix_ns())
    else {
        return String::new();
    };
    overview.notes.push(HOSTILE.into());
    overview.undecided.push((HOSTILE.into(), HOSTILE.into()));
    overview.set_aside.push((HOSTILE.into(), HOSTILE.into()));
    process(&overview, HOSTILE)
}

#[cfg(test)]
mod tests {
    use pollscope_model::testkit;

    use super::*;

    fn hello(mode: Mode, reason: &str) -> Hello {
        let mut hello = Hello { mode, ..testkit::hello("checkout", 412) };
        for capability in &mut hello.capabilities {
            if capability.metric == Metric::LibraryTasks {
                capability.coverage = if reason.is_empty() { Coverage::All } else { Coverage::NoTask };
                capability.reason = reason.to_owned();
            }
        }
        hello
    }

    #[test]
    fn the_advice_is_what_the_service_lacks_and_nothing_else() {
        let attach = "no runtime is hooked; build the runtime with #[pollscope::main] or pollscope::attach";
        let told = advice(&[hello(Mode::Wrap, attach)]);
        assert!(told.contains("checkout (pid 412): no runtime is hooked;"), "{told}");
        assert!(!told.contains("cargo/config"), "the build has that flag: {told}");
        let build = "tokio's hooks are not in this build; build with RUSTFLAGS=\"--cfg tokio_unstable\"";
        assert!(advice(&[hello(Mode::Wrap, build)]).contains("rustflags = [\"--cfg\", \"tokio_unstable\"]"));
        let limited = advice(&[hello(Mode::Sample, "limited to sample mode")]);
        assert!(limited.contains("POLLSCOPE=sample") && !limited.contains("cargo/config"), "{limited}");
        assert_eq!(advice(&[hello(Mode::Hooks, "")]), "");
        assert_eq!(advice(&[]), "");
    }
}
