//! What pollscope and its rivals add to a poll, a spawn, a message, a request and a live task.
//!
//! Interleaved rounds of child processes, CPU time of the whole process, medians, ratios to plain
//! tokio right before. tokio-console runs in a build of its own, since it needs tokio's
//! `tracing` feature, and is compared with plain tokio (`plain`) like all the others.
//!
//! `cargo run --release --manifest-path examples/bench/Cargo.toml -- [--quick] [--json FILE]`
//!
//! Without the feature `rivals` (on by default) dial9 and tokio-metrics are neither built nor measured.

#![expect(clippy::disallowed_methods, reason = "a program: arguments and environment are its own")]

mod child;
mod drain;
mod floors;
mod table;
mod workload;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use clap::Parser;
use drain::Drained;
use serde::de::DeserializeOwned;
use workload::{Measurement, Workload};

const CONFIGS: [&str; 13] = [
    "plain",
    "empty-hooks",
    "two-instants",
    "pollscope-sample",
    "pollscope-wrap",
    "pollscope-flight",
    "pollscope-hooks",
    "pollscope-hooks-delay",
    "tokio-metrics",
    "dial9",
    "tower-http-trace",
    "layer-off",
    "tokio-console",
];

/// Those of them that the feature `rivals` brings.
const RIVALS: [&str; 3] = ["tokio-metrics", "dial9", "tower-http-trace"];

/// What has a layer for requests: the workload `request` is for them alone.
const LAYERS: [&str; 5] = ["plain", "pollscope-wrap", "pollscope-hooks", "tower-http-trace", "layer-off"];

/// Those of them that are for that workload alone.
const ONLY_LAYERS: [&str; 2] = ["tower-http-trace", "layer-off"];

/// Workload, operations of a full run, operations of a quick one.
const WORKLOADS: [(&str, u64, u64); 10] = [
    ("poll", 2_000_000, 400_000),
    ("poll-two", 2_000_000, 400_000),
    ("spawn", 300_000, 40_000),
    ("spawn-two", 300_000, 40_000),
    ("pingpong", 1_000_000, 100_000),
    ("mutex", 2_000_000, 400_000),
    ("http", 25_000, 6_400),
    ("tcp", 50_000, 16_000),
    ("request", 500_000, 100_000),
    ("live", 100_000, 10_000),
];

/// So often in each round: what is added to a request is little beside what the machine does to it.
const HTTP_TIMES: usize = 5;

/// tokio-console takes 100 µs a spawn: the same workload with fewer operations.
const CONSOLE_SHARE: u64 = 20;

#[derive(Parser)]
#[command(about)]
struct Arguments {
    /// Small operation counts and three rounds: catches accidents, proves nothing.
    #[arg(long)]
    quick: bool,
    /// Rounds; 10 by default, 3 with --quick.
    #[arg(long)]
    rounds: Option<usize>,
    /// Only this workload (repeatable).
    #[arg(long)]
    workload: Vec<String>,
    /// Only these configurations (repeatable); `plain` always runs.
    #[arg(long)]
    config: Vec<String>,
    /// Fail if pollscope costs several times what it should: catches accidents, judges nothing finer.
    #[arg(long)]
    check: bool,
    /// Also write the rows as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Runs one measurement in this process: CONFIG WORKLOAD OPERATIONS.
    #[arg(long, num_args = 3, hide = true)]
    child: Option<Vec<String>>,
}

fn main() -> ExitCode {
    if let Some(code) = workload::http::load_if_asked() {
        return code;
    }
    let arguments = Arguments::parse();
    let done = match &arguments.child {
        Some(words) => run_child(words),
        None => run_rounds(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("pollscope-bench: {problem}");
            ExitCode::from(2)
        }
    }
}

fn run_child(words: &[String]) -> Result<(), String> {
    let [config, workload, ops] = words else {
        return Err("--child takes CONFIG WORKLOAD OPERATIONS".into());
    };
    let ops = ops.parse().map_err(|_| format!("{ops} is no number of operations"))?;
    if workload == "drain" {
        let drained = drain::measure(ops, config == "pollscope-recorded");
        println!("{}", serde_json::to_string(&drained).map_err(|error| error.to_string())?);
        std::process::exit(0);
    }
    let workload =
        Workload::from_name(workload).ok_or_else(|| format!("no workload is called {workload}"))?;
    let measurement = child::measure(config, workload, ops)
        .ok_or_else(|| format!("no configuration is called {config}"))?;
    println!("{}", serde_json::to_string(&measurement).map_err(|error| error.to_string())?);
    // What the workload left alive (tasks, tools' threads) is not what was measured.
    std::process::exit(0);
}

fn run_rounds(arguments: &Arguments) -> Result<(), String> {
    let rounds = arguments.rounds.unwrap_or(if arguments.quick { 3 } else { 10 });
    let ops_of = |name: &str| {
        WORKLOADS
            .iter()
            .find(|(known, ..)| *known == name)
            .map_or(0, |(_, full, quick)| if arguments.quick { *quick } else { *full })
    };
    for name in &arguments.workload {
        if ops_of(name) == 0 {
            return Err(format!(
                "no workload is called {name}; there are {}",
                WORKLOADS.map(|(known, ..)| known).join(", ")
            ));
        }
    }
    for name in &arguments.config {
        if !CONFIGS.contains(&name.as_str()) {
            return Err(format!("no configuration is called {name}; there are {}", CONFIGS.join(", ")));
        }
        if !is_built(name) {
            return Err(format!("{name} is not in this build: build with the feature `rivals`"));
        }
    }
    let configs: Vec<&str> = CONFIGS
        .into_iter()
        .filter(|name| {
            *name == "plain"
                || arguments.config.is_empty() && is_built(name)
                || arguments.config.iter().any(|c| c == name)
        })
        .collect();
    let console = if configs.contains(&"tokio-console") { Some(build_console()?) } else { None };
    let this = std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;

    let mut rows = Vec::new();
    for (workload, ..) in WORKLOADS {
        if !arguments.workload.is_empty() && !arguments.workload.iter().any(|name| name == workload) {
            continue;
        }
        let is_for = |config: &&str| {
            if workload == "request" { LAYERS.contains(config) } else { !ONLY_LAYERS.contains(config) }
        };
        let configs: Vec<&str> = configs.iter().copied().filter(is_for).collect();
        let run = |config: &str| {
            let (program, ops) = match (&console, config) {
                (Some(program), "tokio-console") => {
                    (program.as_path(), ops_of(workload) / share_of(workload))
                }
                _ => (this.as_path(), ops_of(workload)),
            };
            run_one(program, config, workload, ops)
        };
        let mut measured: Vec<Vec<Measurement>> = vec![Vec::new(); configs.len()];
        let mut beside = measured.clone();
        for round in 1..=rounds {
            eprintln!("{workload}: round {round} of {rounds}");
            // Each begins a round in turn, so that none always follows the same one.
            for at in (0..configs.len()).map(|nth| (nth + round) % configs.len()) {
                for _ in 0..times_of(workload) {
                    // The machine changes its speed within a round: each is compared with what ran right before it.
                    beside[at].push(run("plain")?);
                    measured[at].push(run(configs[at])?);
                }
            }
        }
        for ((config, measurements), beside) in configs.iter().zip(&measured).zip(&beside) {
            let mut row = table::condense(workload, config, measurements, beside);
            if *config == "tokio-console" && workload == "live" {
                row.rss_bytes *= CONSOLE_SHARE;
            }
            rows.push(row);
        }
    }
    let mut drained: Vec<Drained> = Vec::new();
    if arguments.workload.is_empty() && configs.contains(&"pollscope-wrap") {
        let alive = if arguments.quick { &drain::ALIVE_QUICK[..] } else { &drain::ALIVE };
        for alive in alive {
            eprintln!("drain: {alive} tasks");
            let row: Drained = run_one(&this, "pollscope-wrap", "drain", *alive)?;
            drained.push(row.with(&run_one(&this, "pollscope-recorded", "drain", *alive)?));
        }
    }
    println!("{}", floors::markdown());
    println!("{}", table::markdown(&rows, ops_of));
    if !drained.is_empty() {
        println!("{}", drain::markdown(&drained));
    }
    if arguments.check {
        table::check(&rows)?;
        if let Some(row) = drained.iter().find(|row| !row.exact) {
            return Err(format!("beside {} tasks wakes were miscounted", row.alive));
        }
    }
    if let Some(path) = &arguments.json {
        let text = serde_json::to_string_pretty(&serde_json::json!({ "rows": rows, "drain": drained }))
            .map_err(|error| error.to_string())?;
        std::fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    Ok(())
}

fn is_built(config: &str) -> bool {
    cfg!(feature = "rivals") || !RIVALS.contains(&config)
}

/// How often a workload runs in each round.
fn times_of(workload: &str) -> usize {
    if workload == "http" { HTTP_TIMES } else { 1 }
}

/// By how much tokio-console has fewer operations.
fn share_of(workload: &str) -> u64 {
    if workload == "http" { 1 } else { CONSOLE_SHARE }
}

fn run_one<T: DeserializeOwned>(program: &Path, config: &str, workload: &str, ops: u64) -> Result<T, String> {
    let output = Command::new(program)
        .args(["--child", config, workload, &ops.to_string()])
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot run {}: {error}", program.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(text.trim())
        .map_err(|error| format!("{config} on {workload} printed no measurement ({error}): {text:?}"))
}

/// Builds the child with tokio's `tracing` feature next to this program.
fn build_console() -> Result<PathBuf, String> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("console/Cargo.toml");
    let this = std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
    let target = this.ancestors().nth(2).ok_or("this program is not in a target folder")?.join("console");
    let built = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--release", "--quiet", "--manifest-path"])
        .arg(&manifest)
        .args(["--package", "pollscope-bench-console", "--target-dir"])
        .arg(&target)
        .status()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    if !built.success() {
        return Err(format!("{} does not build", manifest.display()));
    }
    Ok(target.join("release/pollscope-bench-console"))
}
