//! Chrome's trace event format, as JSON: one event a line, readable by `chrome://tracing`, Perfetto and
//! speedscope.
//!
//! Polls are complete events (`X`) on one thread for each lane; tasks are nestable asynchronous events
//! (`b`, `e`), which readers of flame graphs pass over; wakes are flows (`s`, `f`), counters `C`, findings
//! instants (`i`). Times are microseconds on the process's clock, with three decimals.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};

use pollscope_model::entity::task::WokenBy;
use pollscope_model::id::TaskId;
use pollscope_model::time::MICROSECOND;

use super::args::{self, Arg};
use super::index::ExportIndex;
use super::lane::Lane;
use super::meter::Unit;
use super::trace::TraceEvent;

/// The threads before the lanes: findings, and what is not recorded.
const FINDINGS: u32 = 1;
const HOLES: u32 = 2;
const LANES: u32 = 10;

/// See the module.
pub(super) struct Chrome<'a, W> {
    index: &'a ExportIndex,
    out: W,
    lanes: BTreeMap<Lane, u32>,
    names: BTreeMap<super::meter::Meter, String>,
    line: String,
    holes: bool,
    /// When each task left its last state.
    lasts: BTreeMap<TaskId, u64>,
}

impl<'a, W: Write> Chrome<'a, W> {
    /// Writes the names of the process and of its lanes.
    pub(super) fn begin(index: &'a ExportIndex, mut out: W) -> io::Result<Self> {
        let anchor = index.hello.anchor;
        let about = format!(
            "{{\"displayTimeUnit\":\"ms\",\"otherData\":{{\"written by\":\"pollscope\",\"process\":{},\"host\":{},\
             \"clock\":\"microseconds since the recorder started\",\"clock zero, ns since the Unix epoch\":\"{}\"}},\
             \"traceEvents\":[\n",
            json(index.name()),
            json(&index.hello.process.host),
            anchor.to_unix_ns(0),
        );
        out.write_all(about.as_bytes())?;
        let lanes = index.lanes.numbers().into_iter().map(|(lane, n)| (lane, LANES + n)).collect();
        let mut writer = Self {
            index,
            out,
            lanes,
            names: BTreeMap::new(),
            line: String::new(),
            holes: false,
            lasts: BTreeMap::new(),
        };
        // The first event stands without a comma before it.
        writer.line = format!(
            "{{\"ph\":\"M\",\"name\":\"process_name\",\"pid\":{},\"args\":{{\"name\":{}}}}}",
            index.hello.process.pid,
            json(index.name())
        );
        writer.flush()?;
        if !index.findings.is_empty() {
            writer.thread(FINDINGS, 0, "findings")?;
        }
        for (lane, shown) in index.lanes.iter() {
            let tid = writer.lanes[&lane];
            let name = match shown.tid {
                Some(os) => format!("{} (tid {os})", shown.name),
                None => shown.name.clone(),
            };
            writer.thread(tid, tid, &name)?;
        }
        writer.tasks(true)?;
        writer.findings()?;
        Ok(writer)
    }

    /// Begins an event: its phase, and where it is.
    fn event(&mut self, phase: &str, tid: u32, name: &str) {
        self.line.push_str(",\n");
        self.put(format_args!(
            "{{\"ph\":\"{phase}\",\"pid\":{},\"tid\":{tid},\"name\":{}",
            self.index.hello.process.pid,
            json(name)
        ));
    }

    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = self.line.write_fmt(text);
    }

    fn at(&mut self, key: &str, ns: u64) {
        self.put(format_args!(",\"{key}\":{}.{:03}", ns / MICROSECOND, ns % MICROSECOND));
    }

    /// Ends an event.
    fn args(&mut self, args: &[(&str, Arg)]) -> io::Result<()> {
        if !args.is_empty() {
            self.line.push_str(",\"args\":{");
            for (at, (name, arg)) in args.iter().enumerate() {
                let comma = if at > 0 { "," } else { "" };
                self.put(format_args!("{comma}{}:", json(name)));
                match arg {
                    Arg::Text(text) => self.line.push_str(&json(text)),
                    // As texts, numbers keep all their digits in readers that know floats only.
                    Arg::Uint(value) if *value > 1 << 53 => self.put(format_args!("\"{value}\"")),
                    Arg::Uint(value) => self.put(format_args!("{value}")),
                    Arg::List(lines) => {
                        let lines: Vec<String> = lines.iter().map(|line| json(line)).collect();
                        self.put(format_args!("[{}]", lines.join(",")));
                    }
                }
            }
            self.line.push('}');
        }
        self.line.push('}');
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.write_all(self.line.as_bytes())?;
        self.line.clear();
        Ok(())
    }

    fn thread(&mut self, tid: u32, place: u32, name: &str) -> io::Result<()> {
        self.event("M", tid, "thread_name");
        self.put(format_args!(",\"args\":{{\"name\":{}}}}}", json(name)));
        self.event("M", tid, "thread_sort_index");
        self.put(format_args!(",\"args\":{{\"sort_index\":{place}}}}}"));
        self.flush()
    }

    /// Where the events of one task's history belong together.
    fn task(&mut self, phase: &str, task: TaskId, name: &str, ns: u64) {
        self.event(phase, 0, name);
        self.put(format_args!(",\"cat\":\"task\",\"id2\":{{\"local\":\"{:#x}\"}}", task.0));
        self.at("ts", ns);
    }

    /// The beginnings of the tasks' states, or their ends.
    fn tasks(&mut self, begin: bool) -> io::Result<()> {
        let index = self.index;
        for record in index.tracks.iter().filter_map(|task| index.tasks.get(task)) {
            let name = index.task_label(record.id);
            if begin {
                self.task("b", record.id, &name, record.spawned_ns);
                self.args(&args::of_task(index, record))?;
            } else {
                // One that is alive at the end is so to the end of the recording.
                let ended_ns = if record.ended_ns > 0 { record.ended_ns } else { index.span.1 };
                let last_ns = self.lasts.get(&record.id).copied().unwrap_or(0);
                let end_ns = ended_ns.max(last_ns).max(record.spawned_ns);
                self.task("e", record.id, &name, end_ns);
                self.args(&[])?;
            }
        }
        Ok(())
    }

    fn findings(&mut self) -> io::Result<()> {
        for finding in &self.index.findings {
            self.event("i", FINDINGS, &finding.headline);
            self.put(format_args!(",\"cat\":\"finding\",\"s\":\"t\""));
            self.at("ts", self.index.mono_ns(finding.first_ns));
            self.args(&args::of_finding(finding))?;
        }
        Ok(())
    }

    /// Writes what happened.
    pub(super) fn add(&mut self, event: &TraceEvent<'_>) -> io::Result<()> {
        match event {
            TraceEvent::Poll(poll) => {
                let Some(tid) = self.lanes.get(&poll.lane).copied() else { return Ok(()) };
                self.event("X", tid, &self.index.task_name(poll.task, poll.site));
                self.put(format_args!(",\"cat\":\"poll\""));
                self.at("ts", poll.start_ns);
                self.at("dur", poll.end_ns - poll.start_ns);
                self.args(&args::of_poll(self.index, poll))?;
                for (flow, at_ns) in &poll.wakes {
                    self.flow("s", tid, *flow, *at_ns)?;
                }
                for flow in &poll.woken {
                    self.flow("f", tid, *flow, poll.start_ns)?;
                }
                Ok(())
            }
            TraceEvent::State(span) => {
                let last = self.lasts.entry(span.task).or_default();
                *last = span.end_ns.max(*last);
                self.task("b", span.task, span.doing.as_str(), span.start_ns);
                match span.woken_by {
                    WokenBy::Unknown => self.args(&[])?,
                    by => self.args(&[("woken by", Arg::Text(args::woken_by(self.index, by)))])?,
                }
                self.task("e", span.task, span.doing.as_str(), span.end_ns);
                self.args(&[])
            }
            TraceEvent::Reading(reading) => {
                let index = self.index;
                let meter = reading.meter;
                let name = self.names.entry(meter).or_insert_with(|| {
                    let unit = match meter.unit() {
                        Unit::Nanos => " (ms)",
                        Unit::Percent => " (%)",
                        Unit::Count | Unit::PerSecond => "",
                    };
                    format!("{}{unit}", args::meter_name(index, meter))
                });
                let name = name.clone();
                let value = match meter.unit() {
                    Unit::Nanos => reading.value / 1e6,
                    _ => reading.value,
                };
                self.event("C", 0, &name);
                self.at("ts", reading.at_ns);
                self.put(format_args!(",\"args\":{{\"value\":{value}}}}}"));
                self.flush()
            }
            TraceEvent::Gap(from, to) => {
                if !std::mem::replace(&mut self.holes, true) {
                    self.thread(HOLES, u32::MAX >> 1, "not recorded")?;
                }
                self.event("X", HOLES, "single polls not recorded");
                self.at("ts", *from);
                self.at("dur", to - from);
                self.args(&[])
            }
        }
    }

    /// One end of an arrow; it holds to the slice around it.
    fn flow(&mut self, phase: &str, tid: u32, id: u64, ns: u64) -> io::Result<()> {
        self.event(phase, tid, "wake");
        self.put(format_args!(",\"cat\":\"wake\",\"id\":{id}"));
        if phase == "f" {
            self.line.push_str(",\"bp\":\"e\"");
        }
        self.at("ts", ns);
        self.args(&[])
    }

    /// Ends the states of the tasks, and the file.
    pub(super) fn end(mut self) -> io::Result<()> {
        self.tasks(false)?;
        self.out.write_all(b"\n]}\n")?;
        self.out.flush()
    }
}

/// A text as JSON has it.
fn json(text: &str) -> String {
    crate::output::json::line(&text).unwrap_or_default()
}
