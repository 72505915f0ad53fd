//! A recording in another tool's format.
//!
//! A recording is read twice. The first reading gives the [`index`]: the tasks, what was slow, what was found, under
//! which names. The second gives the [`trace`], one event after the other, and each format writes what it can hold of
//! it. Formats of profilers need the index alone. What the recording does not hold is never drawn: standard error
//! says so, with the remedy.
//!
//! Called by the command `export` only. Nothing here judges, folds or measures: detectors and counts are the
//! model's.

mod args;
mod chrome;
mod firefox;
mod folded;
pub(crate) mod format;
mod index;
mod lane;
mod meter;
mod out;
mod perfetto;
mod pprof;
mod stacks;
mod states;
#[cfg(test)]
pub(crate) mod tests;
mod trace;
mod wire;

use std::io::{self, Write};
use std::path::Path;

use pollscope_model::measured::Metric;
use pollscope_proto::recording::{Ending, Recording};

use crate::output::failure::Failure;
use crate::output::fmt::thousands;
use crate::output::note;
use crate::sources::open;
use format::{ExportFormat, Weight};
use index::ExportIndex;
use out::Out;

/// What was written, for the notes.
#[derive(Default)]
struct Written {
    missed: u64,
    holes: u64,
    left_out: u64,
}

/// What to export, and where to.
pub(crate) struct ExportRequest<'a> {
    /// A recording.
    pub(crate) file: &'a Path,
    /// The format.
    pub(crate) to: ExportFormat,
    /// The file to write, `-` for standard output.
    pub(crate) output: &'a Path,
    /// What a folded stack weighs; `None` for blocked time, or wall time where that was not measured.
    pub(crate) weight: Option<Weight>,
    /// Replace a file that is there.
    pub(crate) force: bool,
}

/// Exports, and says on standard error what could not be.
pub(crate) fn run(args: &ExportRequest<'_>) -> Result<(), Failure> {
    let mut recording = Recording::open(args.file).map_err(|error| open::unreadable(args.file, error))?;
    // Before the work, which may take a while.
    let mut out = Out::open(args.output, args.force)?;
    let index = ExportIndex::read(&mut recording);
    let file = args.file.display();
    if index.holds.reports == 0 {
        return Err(Failure::NoData(format!("{file} holds no report: there is nothing to export")));
    }
    let weight = weight(args, &index)?;
    if is_of_slow_polls(args.to) && index.slow.is_empty() {
        let words = format!("{file} holds no slow poll, and {} shows nothing else", args.to.as_str());
        return Err(Failure::NoData(format!("{words}; `--to perfetto` shows what else is in it")));
    }
    let written = match write(args.to, weight, &mut recording, &index, &mut out) {
        Ok(written) => written,
        Err(error) => return Err(out.failure(error)),
    };
    out.keep()?;
    for line in notes(args.to, &recording, &index, &written) {
        note(&line);
    }
    Ok(())
}

fn is_of_slow_polls(format: ExportFormat) -> bool {
    matches!(format, ExportFormat::Folded | ExportFormat::Pprof)
}

/// The time that a folded stack weighs.
fn weight(args: &ExportRequest<'_>, index: &ExportIndex) -> Result<Weight, Failure> {
    if args.weight.is_some() && args.to != ExportFormat::Folded {
        let format = args.to.as_str();
        return Err(Failure::Usage(format!(
            "--weight is for `--to folded`; {format} holds every kind of time"
        )));
    }
    let split = index.slow.iter().any(|poll| poll.kind().is_some());
    match args.weight {
        Some(weight @ (Weight::Blocked | Weight::Busy | Weight::Preempted))
            if !split && !index.slow.is_empty() =>
        {
            let why = index.measures(Metric::PollSplit).err().unwrap_or("no slow poll was split");
            let weight = weight.as_str();
            Err(Failure::NoData(format!("the {weight} time was not measured ({why}); use --weight wall")))
        }
        Some(weight) => Ok(weight),
        None if split => Ok(Weight::Blocked),
        None => Ok(Weight::Wall),
    }
}

/// Writes the export.
fn write(
    format: ExportFormat,
    weight: Weight,
    recording: &mut Recording,
    index: &ExportIndex,
    mut out: impl Write,
) -> io::Result<Written> {
    let missing = match format {
        ExportFormat::Perfetto => {
            let mut writer = perfetto::Perfetto::begin(index, out)?;
            let missing = trace::emit(recording, index, |event| writer.add(&event))?;
            writer.end()?;
            missing
        }
        ExportFormat::Chrome => {
            let mut writer = chrome::Chrome::begin(index, out)?;
            let missing = trace::emit(recording, index, |event| writer.add(&event))?;
            writer.end()?;
            missing
        }
        ExportFormat::Firefox => {
            let mut writer = firefox::Firefox::begin(index);
            let missing = trace::emit(recording, index, |event| {
                writer.add(&event);
                Ok(())
            })?;
            let left_out = writer.end(out)?;
            return Ok(Written { missed: missing.missed, holes: missing.holes, left_out });
        }
        ExportFormat::Folded => {
            let lines = folded::write(index, weight, out)?;
            return Ok(Written { left_out: u64::from(lines == 0), ..Written::default() });
        }
        ExportFormat::Pprof => {
            pprof::write(index, &mut out)?.flush()?;
            return Ok(Written::default());
        }
    };
    Ok(Written { missed: missing.missed, holes: missing.holes, left_out: 0 })
}

/// What the export cannot hold, and why: for people.
fn notes(format: ExportFormat, recording: &Recording, index: &ExportIndex, written: &Written) -> Vec<String> {
    let holds = &index.holds;
    let mut notes = Vec::new();
    if let Ending::Cut { .. } = recording.ending() {
        notes.push(
            "the recording was not finished: what was in its last, incomplete chunk is missing".to_owned(),
        );
    }
    let mut count = |n: u64, words: &str| {
        if n > 0 {
            notes.push(format!("{} {words}", thousands(n)));
        }
    };
    count(holds.damaged as u64, "damaged chunks of the recording are left out");
    count(holds.strangers, "messages of another process in the recording are left out");
    count(holds.slow_left_out, "slow polls are left out: the longest are there");
    if is_of_slow_polls(format) {
        if written.left_out > 0 {
            notes.push(
                "no slow poll weighs anything of that kind: the file is empty; try --weight wall".to_owned(),
            );
        }
        return notes;
    }
    count(holds.findings_left_out, "findings are left out: there were too many");
    if format != ExportFormat::Firefox {
        let tasks = index.tasks.len() as u64 + holds.tasks_left_out;
        let tracks = index.tracks.len() as u64;
        if tracks >= index::MAX_TRACKS as u64 && tasks > tracks {
            notes.push(format!(
                "{} of {} tasks have a track of their own: those with findings or slow polls, then the busiest; \
                 the polls of all are on their workers",
                thousands(tracks),
                thousands(tasks)
            ));
        }
    }
    if holds.polls == 0 {
        let why = match index.measures(Metric::FlightEvents) {
            Ok(()) => {
                "record them with POLLSCOPE_RECORD and POLLSCOPE_FLIGHT=always in the service's environment, \
                       or with `pollscope record --flight`"
                    .to_owned()
            }
            Err(reason) => reason.to_owned(),
        };
        let slow = thousands(index.slow.len() as u64);
        notes.push(format!(
            "the recording holds no single polls and wakes, only totals and {slow} slow polls; {why}"
        ));
        return notes;
    }
    if holds.wakes == 0 && format != ExportFormat::Firefox {
        notes.push(
            "no wakes were recorded, so that no arrows are drawn and it is not known when a task was idle: \
             wakes are seen of tasks spawned through pollscope"
                .to_owned(),
        );
    }
    let mut count = |n: u64, words: &str| {
        if n > 0 {
            notes.push(format!("{} {words}", thousands(n)));
        }
    };
    count(
        written.left_out,
        "polls are left out: the format is read into memory as a whole, `--to perfetto` is not",
    );
    count(written.missed, "single polls and wakes are missing; a larger POLLSCOPE_FLIGHT_EVENTS loses fewer");
    if format != ExportFormat::Firefox {
        match written.holes {
            0 => {}
            1 => notes.push(
                "of a stretch of time no single polls are known; it is marked `not recorded`".to_owned(),
            ),
            n => notes.push(format!(
                "of {} stretches of time no single polls are known; they are marked `not recorded`",
                thousands(n)
            )),
        }
    }
    notes
}
