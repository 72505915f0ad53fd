//! Reads a baseline's text, strictly: what is not understood is refused with its place and a remedy.

use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::identity::{Place, SiteKey};
use super::run::{Load, ProcessRun, SiteRun};
use super::{Baseline, MAX_KNOWN, MAX_RUNS, MAX_SITES, VERSION, text};
use crate::hist::{Hist, SCALE};
use crate::level::Level;
use crate::measured::Mode;
use crate::nearest::nearest;
use crate::time::MILLISECOND;

/// The largest text that is read: five runs with as many sites as are kept, and more.
pub const MAX_BYTES: usize = 64 << 20;
/// Processes of one run.
const MAX_PROCESSES: usize = 1_024;

/// Why a baseline was refused. Lines count from 1.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BaselineError {
    /// Something in the text.
    #[error("line {line}: {what}; {REMEDY}")]
    Invalid {
        /// Line of the offence.
        line: usize,
        /// What is wrong, with the key.
        what: String,
    },
    /// A file of another version.
    #[error(
        "it has baseline format {found}, this version reads {VERSION}: write it anew with `pollscope baseline \
         save`, or use the version of pollscope that wrote it"
    )]
    Version {
        /// The version that it says.
        found: String,
    },
    /// More than any baseline has.
    #[error("it has {bytes} bytes, more than the {MAX_BYTES} that a baseline may have: write it anew")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
}

const REMEDY: &str = "take the committed file back, or write it anew with `pollscope baseline save`";

type Read<T> = Result<T, BaselineError>;
type TomlKey<'i> = Spanned<DeString<'i>>;
type TomlValue<'i> = Spanned<DeValue<'i>>;

pub(super) fn parse(text: &str) -> Read<Baseline> {
    if text.len() > MAX_BYTES {
        return Err(BaselineError::TooLarge { bytes: text.len() });
    }
    let reader = BaselineReader { text };
    let root = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(text.len(), |span| span.start);
        reader.invalid(at, error.message().trim().replace('\n', ", "))
    })?;
    let root = root.get_ref();
    let version = root.get("version").ok_or_else(|| reader.invalid(0, "`version` is missing".to_owned()))?;
    if whole(version) != Some(VERSION as u64) {
        return Err(BaselineError::Version { found: reader.shown(version) });
    }
    let mut baseline = Baseline::default();
    for (key, value) in root {
        match key.get_ref().as_ref() {
            "version" => {}
            "histogram-scale" if whole(value) == Some(u64::from(SCALE)) => {}
            "histogram-scale" => {
                let found = reader.shown(value);
                let what = format!("histograms of scale {found}, this version has scale {SCALE}");
                return Err(reader.invalid(value.span().start, what));
            }
            "known" => reader.known(&mut baseline, value)?,
            "run" => {
                for (index, run) in reader.array("run", value)?.iter().enumerate() {
                    reader.run(&mut baseline, index, run)?;
                }
            }
            _ => return Err(reader.unknown("", key, &["version", "histogram-scale", "known", "run"])),
        }
    }
    Ok(baseline)
}

fn whole(value: &TomlValue<'_>) -> Option<u64> {
    let number = value.get_ref().as_integer()?;
    u64::from_str_radix(number.as_str(), number.radix()).ok()
}

struct BaselineReader<'t> {
    text: &'t str,
}

impl BaselineReader<'_> {
    fn known(&self, baseline: &mut Baseline, value: &TomlValue<'_>) -> Read<()> {
        for (fingerprint, level) in self.table("known", value)? {
            let known = level.get_ref().as_str().and_then(Level::from_name);
            let known = known.ok_or_else(|| self.wrong("known", level, "\"warn\" or \"deny\""))?;
            baseline.known.insert(fingerprint.get_ref().as_ref().into(), known);
        }
        self.at_most(value, "accepted findings", baseline.known.len(), MAX_KNOWN)
    }

    fn run(&self, baseline: &mut Baseline, index: usize, value: &TomlValue<'_>) -> Read<()> {
        const KEYS: [&str; 8] = ["number", "process", "mode", "cpus", "build", "left-out", "load", "site"];
        let path = format!("run[{index}]");
        let table = self.table(&path, value)?;
        let mut process = ProcessRun::default();
        let (mut number, mut name) = (None, None);
        for (key, value) in table {
            let at = format!("{path}.{}", key.get_ref());
            match key.get_ref().as_ref() {
                "number" => number = Some(self.count(&at, value)? as usize),
                "process" => name = Some(self.string(&at, value)?),
                "mode" => {
                    let mode = Mode::from_name(&self.string(&at, value)?);
                    process.machine.mode =
                        mode.ok_or_else(|| self.wrong(&at, value, "\"sample\", \"wrap\" or \"hooks\""))?;
                }
                "cpus" => process.machine.cpus = self.small(&at, value)?,
                "build" => process.machine.build = self.string(&at, value)?,
                "left-out" => process.left_out = self.count(&at, value)?,
                "load" => process.load = self.load(&at, value)?,
                "site" => {
                    for (index, site) in self.array(&at, value)?.iter().enumerate() {
                        self.site(&mut process, &format!("{at}[{index}]"), site)?;
                    }
                }
                _ => return Err(self.unknown(&path, key, &KEYS)),
            }
        }
        let missing = |key: &str| self.invalid(value.span().start, format!("`{path}.{key}` is missing"));
        let name = name.ok_or_else(|| missing("process"))?;
        let number = number.ok_or_else(|| missing("number"))?;
        self.place_run(baseline, value, number, &name.into(), process)
    }

    /// Runs are numbered from 1 without a gap; a number may have several processes.
    fn place_run(
        &self,
        baseline: &mut Baseline,
        value: &TomlValue<'_>,
        number: usize,
        name: &Arc<str>,
        process: ProcessRun,
    ) -> Read<()> {
        let known = baseline.runs.len();
        if number != known && number != known + 1 || number == 0 {
            let what = format!("run {number} comes after run {known}: runs are numbered in order, from 1");
            return Err(self.invalid(value.span().start, what));
        }
        self.at_most(value, "runs", number, MAX_RUNS)?;
        if number > known {
            baseline.runs.push(super::Run::default());
        }
        let processes = &mut baseline.runs[number - 1].processes;
        self.at_most(value, "processes", processes.len() + 1, MAX_PROCESSES)?;
        if processes.insert(name.clone(), process).is_some() {
            let what = format!("run {number} has the process `{name}` twice");
            return Err(self.invalid(value.span().start, what));
        }
        Ok(())
    }

    fn load(&self, path: &str, value: &TomlValue<'_>) -> Read<Load> {
        const KEYS: [&str; 6] = ["span-ms", "workers", "busy-ms", "worker-ms", "cpu-ms", "preempted-ms"];
        let mut load = Load::default();
        for (key, value) in self.table(path, value)? {
            let at = format!("{path}.{}", key.get_ref());
            let ns = || Ok(self.count(&at, value)?.saturating_mul(MILLISECOND));
            match key.get_ref().as_ref() {
                "span-ms" => load.span_ns = ns()?,
                "workers" => load.workers = self.small(&at, value)?,
                "busy-ms" => load.busy_ns = ns()?,
                "worker-ms" => load.worker_ns = ns()?,
                "cpu-ms" => load.cpu_ns = Some(ns()?),
                "preempted-ms" => load.preempted_ns = Some(ns()?),
                _ => return Err(self.unknown(path, key, &KEYS)),
            }
        }
        Ok(load)
    }

    fn site(&self, process: &mut ProcessRun, path: &str, value: &TomlValue<'_>) -> Read<()> {
        const KEYS: [&str; 9] =
            ["file", "name", "at", "spawned", "left", "self-wakes", "poll", "sched", "life"];
        let mut site = SiteRun::default();
        let (mut file, mut name, mut place) = (None, String::new(), None);
        for (key, value) in self.table(path, value)? {
            let at = format!("{path}.{}", key.get_ref());
            match key.get_ref().as_ref() {
                "file" => file = Some(self.string(&at, value)?),
                "name" => name = self.string(&at, value)?,
                "at" => {
                    let read = Place::parse(&self.string(&at, value)?);
                    place = Some(read.ok_or_else(|| self.wrong(&at, value, "a line and column, \"88:9\""))?);
                }
                "spawned" => site.spawned = self.count(&at, value)?,
                "left" => site.left = self.count(&at, value)?,
                "self-wakes" => site.self_wakes = Some(self.count(&at, value)?),
                "poll" => site.poll = self.times(&at, value)?,
                "sched" => site.sched = Some(self.times(&at, value)?),
                "life" => site.life = self.times(&at, value)?,
                _ => return Err(self.unknown(path, key, &KEYS)),
            }
        }
        let missing = |key: &str| self.invalid(value.span().start, format!("`{path}.{key}` is missing"));
        let file = file.ok_or_else(|| missing("file"))?;
        site.place = place.ok_or_else(|| missing("at"))?;
        let key = SiteKey { file: file.into(), name: name.into() };
        let known: usize = process.sites.values().map(Vec::len).sum();
        self.at_most(value, "sites", known + 1, MAX_SITES)?;
        let same = process.sites.entry(key).or_default();
        match same.binary_search_by_key(&site.place, |site| site.place) {
            Ok(_) => Err(self.invalid(value.span().start, format!("`{path}` is there twice"))),
            Err(index) => {
                same.insert(index, site);
                Ok(())
            }
        }
    }

    fn times(&self, path: &str, value: &TomlValue<'_>) -> Read<Hist> {
        let (mut max, mut sum, mut counts) = (0, 0, String::new());
        for (key, value) in self.table(path, value)? {
            let at = format!("{path}.{}", key.get_ref());
            match key.get_ref().as_ref() {
                "max" => max = self.count(&at, value)?,
                "sum" => sum = self.count(&at, value)?,
                "counts" => counts = self.string(&at, value)?,
                _ => return Err(self.unknown(path, key, &["max", "sum", "counts"])),
            }
        }
        text::hist(&counts, sum, max)
            .map_err(|what| self.invalid(value.span().start, format!("`{path}.counts`: {what}")))
    }

    fn count(&self, path: &str, value: &TomlValue<'_>) -> Read<u64> {
        whole(value).ok_or_else(|| self.wrong(path, value, "a whole number, 0 or more"))
    }

    fn small(&self, path: &str, value: &TomlValue<'_>) -> Read<u32> {
        let small = whole(value).and_then(|number| u32::try_from(number).ok());
        small.ok_or_else(|| self.wrong(path, value, "a whole number below 2^32"))
    }

    fn string(&self, path: &str, value: &TomlValue<'_>) -> Read<String> {
        let text = value.get_ref().as_str().map(str::to_owned);
        text.ok_or_else(|| self.wrong(path, value, "a string"))
    }

    fn table<'v, 'i>(&self, path: &str, value: &'v TomlValue<'i>) -> Read<&'v DeTable<'i>> {
        value.get_ref().as_table().ok_or_else(|| self.wrong(path, value, "a table"))
    }

    fn array<'v, 'i>(&self, path: &str, value: &'v TomlValue<'i>) -> Read<&'v [TomlValue<'i>]> {
        let array = value.get_ref().as_array().ok_or_else(|| self.wrong(path, value, "a list of tables"))?;
        Ok(array)
    }

    fn at_most(&self, value: &TomlValue<'_>, what: &str, count: usize, most: usize) -> Read<()> {
        if count <= most {
            return Ok(());
        }
        Err(self.invalid(value.span().start, format!("more than {most} {what}")))
    }

    fn unknown(&self, path: &str, key: &TomlKey<'_>, known: &[&str]) -> BaselineError {
        let name = key.get_ref().as_ref();
        let hint = match nearest(name, known.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("there is {}", known.join(", ")),
        };
        let place = if path.is_empty() { String::new() } else { format!(" in `{path}`") };
        self.invalid(key.span().start, format!("unknown key `{name}`{place} ({hint})"))
    }

    fn wrong(&self, path: &str, value: &TomlValue<'_>, expected: &str) -> BaselineError {
        let found = self.shown(value);
        self.invalid(value.span().start, format!("`{path}` is {found}, expected {expected}"))
    }

    /// A value as written, up to a line and some letters.
    fn shown(&self, value: &TomlValue<'_>) -> String {
        let text = self.text.get(value.span()).unwrap_or_default().lines().next().unwrap_or_default();
        text.chars().take(40).collect()
    }

    fn invalid(&self, at: usize, what: String) -> BaselineError {
        let line = self.text.get(..at).unwrap_or(self.text).matches('\n').count() + 1;
        BaselineError::Invalid { line, what }
    }
}
