//! A baseline as text. One value a line, so that a change in git is a line; comments give the
//! percentiles, which are computed and never read.

use std::fmt::Write as _;

use super::run::{Load, ProcessRun, SiteRun};
use super::text::buckets;
use super::{Baseline, VERSION};
use crate::hist::{Hist, SCALE};
use crate::text::is_unsafe;
use crate::time::{MILLISECOND, Nanos};

const HEAD: &str = "\
# Baseline of pollscope: what earlier runs were like. Commit it; do not edit it by hand.
#   pollscope check --baseline THIS RECORDING...     fails what got worse
#   pollscope baseline accept RECORDING... -o THIS   adds a run, or accepts what changed
#   pollscope baseline prune RECORDING... -o THIS    forgets what is no more
";

pub(super) fn write(baseline: &Baseline) -> String {
    let mut text = String::from(HEAD);
    let _ = writeln!(text, "version = {VERSION}\nhistogram-scale = {SCALE}");
    if !baseline.known.is_empty() {
        text.push_str("\n# Accepted findings, each up to a level.\n[known]\n");
        for (fingerprint, level) in &baseline.known {
            let _ = writeln!(text, "{} = \"{}\"", quoted(fingerprint), level.as_str());
        }
    }
    for (index, run) in baseline.runs.iter().enumerate() {
        for (name, process) in &run.processes {
            write_process(&mut text, index + 1, name, process);
        }
    }
    text
}

fn write_process(text: &mut String, number: usize, name: &str, process: &ProcessRun) {
    let _ = writeln!(text, "\n[[run]]\nnumber = {number}\nprocess = {}", quoted(name));
    let machine = &process.machine;
    let _ = writeln!(text, "mode = \"{}\"\ncpus = {}", machine.mode, machine.cpus);
    if !machine.build.is_empty() {
        let _ = writeln!(text, "build = {}", quoted(&machine.build));
    }
    if process.left_out > 0 {
        let _ = writeln!(text, "left-out = {}", whole(process.left_out));
    }
    let _ = writeln!(text, "load = {}", load(&process.load));
    for (key, sites) in &process.sites {
        for site in sites {
            let _ = writeln!(text, "\n[[run.site]]\nfile = {}", quoted(&key.file));
            if !key.name.is_empty() {
                let _ = writeln!(text, "name = {}", quoted(&key.name));
            }
            write_site(text, site);
        }
    }
}

fn write_site(text: &mut String, site: &SiteRun) {
    let _ = writeln!(text, "at = \"{}\"", site.place);
    let _ = writeln!(text, "spawned = {}\nleft = {}", whole(site.spawned), whole(site.left));
    if let Some(self_wakes) = site.self_wakes {
        let _ = writeln!(text, "self-wakes = {}", whole(self_wakes));
    }
    let mut times = |key: &str, hist: &Hist| {
        let _ = write!(
            text,
            "{key} = {{ max = {}, sum = {}, counts = \"{}\" }}",
            whole(hist.max()),
            whole(hist.sum()),
            buckets(hist)
        );
        if let (Some(p50), Some(p99)) = (hist.quantile(0.5), hist.quantile(0.99)) {
            let _ = write!(text, " # {} × p50 {} p99 {}", hist.count(), Nanos(p50), Nanos(p99));
        }
        text.push('\n');
    };
    times("poll", &site.poll);
    if let Some(sched) = &site.sched {
        times("sched", sched);
    }
    times("life", &site.life);
}

fn load(load: &Load) -> String {
    let ms = |ns: u64| ns / MILLISECOND;
    let mut text = format!(
        "{{ span-ms = {}, workers = {}, busy-ms = {}, worker-ms = {}",
        ms(load.span_ns),
        load.workers,
        ms(load.busy_ns),
        ms(load.worker_ns)
    );
    for (key, ns) in [("cpu-ms", load.cpu_ns), ("preempted-ms", load.preempted_ns)] {
        if let Some(ns) = ns {
            let _ = write!(text, ", {key} = {}", ms(ns));
        }
    }
    text + " }"
}

/// TOML's whole numbers end at half of ours; no count or time comes near.
fn whole(n: u64) -> u64 {
    n.min(i64::MAX as u64)
}

/// A basic string of TOML: what may not be shown as it is, is escaped, and read back as it was.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if is_unsafe(c) => {
                let _ = match u32::from(c) {
                    code @ ..=0xffff => write!(quoted, "\\u{code:04X}"),
                    code => write!(quoted, "\\U{code:08X}"),
                };
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
