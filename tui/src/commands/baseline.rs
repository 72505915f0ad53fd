//! `pollscope baseline`: writes, extends and prunes the committed file. A file is replaced as a whole
//! or not at all; what changed is printed on standard output.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use pollscope_model::baseline::{Accepted, Baseline, BaselineError, MAX_BYTES, MAX_RUNS, Run, SiteName};
use pollscope_model::finding::Finding;
use pollscope_model::level::Level;

use crate::commands::cli::baseline::{AcceptArgs, BaselineCommand, SaveArgs, UpkeepArgs};
use crate::commands::recordings::{self, Folded};
use crate::output::failure::Failure;
use crate::output::fmt::{clean, thousands};
use crate::output::note;

/// Does what is asked, and says what changed.
pub(crate) fn run(command: &BaselineCommand) -> Result<(), Failure> {
    let text = match command {
        BaselineCommand::Save(args) => save(args)?,
        BaselineCommand::Accept(args) => accept(args)?,
        BaselineCommand::Prune(args) => prune(args)?,
    };
    crate::output::to_stdout(text.as_bytes())
}

/// Reads a baseline file.
pub(crate) fn load(path: &Path) -> Result<Baseline, Failure> {
    let shown = path.display();
    let file = pollscope_system::file::open(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => Failure::Usage(format!(
            "there is no baseline {shown}; write one with `pollscope baseline save RECORDING... -o {shown}`"
        )),
        _ => Failure::io(format!("read {shown}"), error),
    })?;
    let mut text = String::new();
    // One more than is read, so that a larger one is text from one that just fits.
    let read = file.take(MAX_BYTES as u64 + 1).read_to_string(&mut text);
    read.map_err(|error| match error.kind() {
        ErrorKind::InvalidData => Failure::Usage(format!("{shown}: it is no text; expected a baseline file")),
        _ => Failure::io(format!("read {shown}"), error),
    })?;
    Baseline::parse(&text).map_err(|error| match error {
        BaselineError::Version { .. } => Failure::Version(format!("{shown}: {error}")),
        error => Failure::Usage(format!("{shown}: {}", clean(&error.to_string()))),
    })
}

fn save(args: &SaveArgs) -> Result<String, Failure> {
    let path = &args.files.output;
    if path.exists() && !args.force {
        return Err(Failure::Usage(format!(
            "{} exists already; `pollscope baseline accept` adds to it, --force replaces it",
            path.display()
        )));
    }
    let folded = judged(&args.files)?;
    let mut baseline = Baseline::default();
    let run = run_of(&folded)?;
    let sites = run.sites();
    baseline.add(run);
    let mut text = format!("{}: 1 run of {} sites\n", shown(path), thousands(sites as u64));
    write_findings(&mut text, &accept_findings(&mut baseline, &folded, |_| true));
    let _ = writeln!(text, "two more runs tell how much runs differ: `pollscope baseline accept RECORDING`");
    write(path, &baseline)?;
    Ok(text)
}

fn accept(args: &AcceptArgs) -> Result<String, Failure> {
    let path = &args.files.output;
    let mut baseline = load(path)?;
    let folded = judged(&args.files)?;
    let run = run_of(&folded)?;
    let mut text = String::new();
    let has = |texts: &[String], text: &str| texts.iter().any(|part| text.contains(part.as_str()));
    let by_site = |site: &SiteName| has(&args.sites, &site.to_string()) || has(&args.sites, &site.key);
    let accepted = match (args.sites.is_empty(), args.findings.is_empty()) {
        (true, true) => Some(baseline.accept(run, None)),
        (false, _) => Some(baseline.accept(run, Some(&by_site))),
        (true, false) => None,
    };
    if let Some(accepted) = &accepted {
        write_accepted(&mut text, accepted);
    }
    let findings = accept_findings(&mut baseline, &folded, |finding| {
        if args.findings.is_empty() {
            args.sites.is_empty()
                || has(&args.sites, &finding.site)
                || has(&args.sites, &finding.line)
                || has(&args.sites, &finding.fingerprint)
        } else {
            has(&args.findings, &finding.fingerprint)
        }
    });
    write_findings(&mut text, &findings);
    if text.is_empty() {
        let asked: Vec<&str> = args.sites.iter().chain(&args.findings).map(String::as_str).collect();
        return Err(Failure::Usage(format!(
            "nothing to accept: the recordings have no site and no new finding that contains `{}`; \
             `pollscope sites --from RECORDING` and `findings --from` list them",
            clean(&asked.join("`, `"))
        )));
    }
    let _ = writeln!(text, "{}: {} of at most {MAX_RUNS} runs", shown(path), baseline.runs.len());
    write(path, &baseline)?;
    Ok(text)
}

fn prune(args: &UpkeepArgs) -> Result<String, Failure> {
    let path = &args.output;
    let mut baseline = load(path)?;
    let folded = judged(args)?;
    let pruned = baseline.prune(&run_of(&folded)?);
    let findings: Vec<Finding> = folded.iter().flat_map(Folded::findings).collect();
    let known = baseline.prune_findings(&findings);
    let mut text = String::new();
    for process in &pruned.processes {
        let _ = writeln!(text, "process gone   {}", clean(process));
    }
    for site in &pruned.sites {
        let _ = writeln!(text, "site gone      {}", clean(&site.to_string()));
    }
    for fingerprint in &known {
        let _ = writeln!(text, "finding gone   {}", clean(fingerprint));
    }
    if text.is_empty() {
        return Ok(format!("{}: nothing to prune\n", shown(path)));
    }
    write(path, &baseline)?;
    Ok(text)
}

/// The recordings; those that are not whole are text of.
fn judged(args: &UpkeepArgs) -> Result<Vec<Folded>, Failure> {
    let folded = recordings::read(&args.recordings)?;
    for one in &folded {
        let short = one.whole.shortcomings();
        if !short.is_empty() {
            note(&format!("{}: {short}", one.path.display()));
        }
    }
    match recordings::incomplete(&folded) {
        Some(missing) => Err(Failure::Incomplete(format!(
            "the recordings are incomplete, and no base to compare with: {missing}; record again, for less long \
             or with less else to do"
        ))),
        None => Ok(folded),
    }
}

fn shown(path: &Path) -> String {
    clean(&path.display().to_string()).into_owned()
}

fn run_of(folded: &[Folded]) -> Result<Run, Failure> {
    let run = Run::of(recordings::worlds(folded));
    if run.sites() == 0 {
        return Err(Failure::NoData(
            "the recordings have no site: nothing was spawned through pollscope, or no poll was measured; \
             `pollscope doctor` tells what is"
                .to_owned(),
        ));
    }
    Ok(run)
}

/// Accepts what is new among what is picked; returns it, once for each fingerprint.
fn accept_findings(
    baseline: &mut Baseline,
    folded: &[Folded],
    picked: impl Fn(&Finding) -> bool,
) -> Vec<Finding> {
    let mut findings: Vec<Finding> = folded.iter().flat_map(Folded::findings).filter(picked).collect();
    findings.sort_by(|a, b| b.level.cmp(&a.level).then_with(|| a.fingerprint.cmp(&b.fingerprint)));
    findings.retain(|finding| baseline.accept_finding(finding));
    findings
}

fn write_accepted(text: &mut String, accepted: &Accepted) {
    for figure in &accepted.changed {
        let (site, (before, now)) = (figure.site.to_string(), figure.shown());
        let words = figure.figure.words();
        let _ = writeln!(text, "accepted       {}: {words} {before} → {now}", clean(&site));
    }
    for site in &accepted.new {
        let _ = writeln!(text, "new            {}", clean(&site.to_string()));
    }
    if accepted.gained > 0 {
        let _ = writeln!(text, "{} known sites gained a run", accepted.gained);
    }
}

/// The findings that are accepted, and a word for those that would fail a check.
fn write_findings(text: &mut String, findings: &[Finding]) {
    let denied = findings.iter().filter(|finding| finding.level == Level::Deny).count();
    if denied > 0 {
        let (count, they) = if denied == 1 {
            ("1 finding is".to_owned(), "it")
        } else {
            (format!("{} findings are", thousands(denied as u64)), "them")
        };
        let _ = writeln!(
            text,
            "saved although {count} denied: a check against this file does not fail for {they} any more; mend {they}, \
             and `pollscope baseline prune RECORDING` forgets {they}"
        );
    }
    for finding in findings {
        let _ = writeln!(
            text,
            "known finding  {} {}: {}",
            finding.level.as_str(),
            clean(&finding.fingerprint),
            clean(&finding.headline)
        );
    }
}

/// Writes beside the file and renames over it: a reader sees the old one or the new one.
fn write(path: &Path, baseline: &Baseline) -> Result<(), Failure> {
    let failed = |error| Failure::io(format!("write {}", path.display()), error);
    // A link stays one, and what it points to is replaced.
    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let beside: PathBuf = {
        let mut name = target.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.tmp", std::process::id()));
        target.with_file_name(name)
    };
    let written = File::create(&beside)
        .and_then(|mut file| {
            file.write_all(baseline.to_toml().as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| std::fs::rename(&beside, &target));
    written.map_err(|error| {
        // What is left of the attempt is worth nothing.
        let _ = std::fs::remove_file(&beside);
        failed(error)
    })
}

/// What is printed of a run with hostile texts, in a file of a hostile name.
#[cfg(test)]
pub(crate) fn hostile() -> String {
    use pollscope_model::testkit::{HOSTILE, verdict_saying};
    let verdict = verdict_saying(HOSTILE);
    let mut text = shown(Path::new(HOSTILE)) + "\n";
    write_findings(&mut text, &verdict.findings);
    if let Some(comparison) = verdict.comparison {
        write_accepted(&mut text, &Accepted { changed: comparison.figures, new: comparison.new, gained: 1 });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_denied_is_not_saved_without_a_word() {
        let findings = pollscope_model::testkit::verdict().findings;
        let mut text = String::new();
        write_findings(&mut text, &findings);
        assert!(text.starts_with("saved although 1 finding is denied: "), "{text}");
        assert_eq!(text.lines().count(), 1 + findings.len(), "{text}");
        let mut text = String::new();
        write_findings(&mut text, &findings[1..]);
        assert!(text.starts_with("known finding  warn"), "{text}");
    }
}
