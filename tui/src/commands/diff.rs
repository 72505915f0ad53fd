//! `pollscope diff`: compares a run with others, site by site.

mod json;
mod md;
mod text;

use std::ffi::OsStr;
use std::path::Path;

use pollscope_model::baseline::{Baseline, Comparison, Run};

use crate::commands::cli::diff::{DiffArgs, DiffFormat};
use crate::commands::recordings::{self, Folded};
use crate::output::failure::Failure;
use crate::output::note;

pub(crate) use json::Figures;
pub(crate) use text::render;

/// Prints the comparison; a failure with its code if it is not green.
pub(crate) fn run(args: &DiffArgs) -> Result<(), Failure> {
    let mut all = Vec::new();
    let baseline = match &args.base[..] {
        [file] if is_baseline(file) => crate::commands::baseline::load(file)?,
        runs => of_recordings(runs, &mut all)?,
    };
    let head = read(&args.head)?;
    let comparison = baseline.compare(&Run::of(recordings::worlds(&head)));
    all.extend(head);
    let missing = recordings::incomplete(&all);
    let printed = printed(args, &comparison, outcome(&comparison, missing.as_deref()))?;
    crate::output::to_stdout(printed.as_bytes())?;
    if comparison.is_worse() {
        return Err(Failure::Judged(3));
    }
    if let Some(missing) = missing {
        return Err(Failure::Incomplete(format!(
            "the recordings are incomplete: {missing}; record again, for less long or with less else to do"
        )));
    }
    if !comparison.is_judged() {
        return Err(Failure::NoData(
            "no poll time could be compared: see the reasons above, this is no pass".to_owned(),
        ));
    }
    Ok(())
}

fn printed(args: &DiffArgs, comparison: &Comparison, verdict: &str) -> Result<String, Failure> {
    Ok(match args.format {
        DiffFormat::Text => render(comparison, args.all),
        DiffFormat::Json => json::document(args, comparison, verdict)?,
        DiffFormat::Md => md::render(comparison, args.all),
    })
}

/// A comparison of processes with hostile texts, in that format.
#[cfg(test)]
pub(crate) fn hostile(format: DiffFormat) -> String {
    use pollscope_model::testkit::HOSTILE;
    let comparison =
        crate::commands::check::format::hostile::verdict(HOSTILE).comparison.expect("it has one");
    let args = DiffArgs { base: vec![HOSTILE.into()], head: HOSTILE.into(), all: true, format };
    printed(&args, &comparison, "regressed").expect("memory takes it")
}

/// The word of the JSON key `verdict`.
fn outcome(comparison: &Comparison, missing: Option<&str>) -> &'static str {
    match (comparison.is_worse(), missing, comparison.is_judged()) {
        (true, ..) => "regressed",
        (_, Some(_), _) => "incomplete",
        (.., false) => "no-data",
        _ => "clean",
    }
}

fn is_baseline(path: &Path) -> bool {
    path.extension() == Some(OsStr::new("toml"))
}

/// Each path is a run.
fn of_recordings(runs: &[std::path::PathBuf], all: &mut Vec<Folded>) -> Result<Baseline, Failure> {
    let mut baseline = Baseline::default();
    if let Some(file) = runs.iter().find(|path| is_baseline(path)) {
        return Err(Failure::Usage(format!(
            "{} is a baseline and has all of its runs: give it alone, or recordings",
            file.display()
        )));
    }
    for run in runs {
        let folded = read(run)?;
        // As many as are given, however many a file would keep.
        baseline.runs.push(Run::of(recordings::worlds(&folded)));
        all.extend(folded);
    }
    baseline.runs.retain(|run| !run.is_empty());
    Ok(baseline)
}

fn read(path: &Path) -> Result<Vec<Folded>, Failure> {
    let folded = recordings::read(&[path.to_owned()])?;
    for one in &folded {
        let short = one.whole.shortcomings();
        if !short.is_empty() {
            note(&format!("{}: {short}", one.path.display()));
        }
    }
    Ok(folded)
}
