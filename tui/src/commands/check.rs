//! `pollscope check`: the verdict on recordings, or on a command and everything that it starts.
//!
//! It reads, has the model judge, writes the verdict and gives its exit code. It judges nothing
//! itself.

mod collect;
mod command;
pub(crate) mod format;
mod recorded;
mod terms;
#[cfg(test)]
mod tests;

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;

use pollscope_model::verdict::{Armed, Judge, Outcome, Verdict};
use pollscope_system::run_notes::RunNotes;

use crate::commands::cli::check::{CheckArgs, Report, VerdictFormat};
use crate::commands::recordings::{named, notes_in_folder};
use crate::output::failure::Failure;
use crate::output::note;
use format::{Runner, Sheet, Style};
use terms::Rules;

pub(crate) use terms::detector;

/// Judges and writes the verdict; [`Failure::Judged`] is a verdict that is not green.
pub(crate) fn run(args: &CheckArgs) -> Result<(), Failure> {
    match judge(args)? {
        0 => Ok(()),
        code => Err(Failure::Judged(code)),
    }
}

/// Judges, writes the verdict, and gives the exit code.
fn judge(args: &CheckArgs) -> Result<u8, Failure> {
    let rules = Rules::of(&args.limits, &args.policy)?;
    if args.command.is_empty() {
        let files = named(&args.files)?;
        let mut judge = judge_by(args, &rules)?;
        recorded::files(&mut judge, &files, &rules)?;
        let mut notes = Vec::new();
        for folder in args.files.iter().filter(|path| path.is_dir()) {
            notes.extend(notes_in_folder(folder)?);
        }
        recorded::notes(&mut judge, &RunNotes::read(&notes));
        let of = args.files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(" ");
        let verdict = judge.verdict();
        write_verdict(args, &verdict, &of)?;
        return Ok(exit_code(&verdict, None));
    }
    judge_command(args, &rules)
}

fn judge_by(args: &CheckArgs, rules: &Rules) -> Result<Judge, Failure> {
    let judge = Judge::new(rules.terms.clone());
    match &args.baseline {
        Some(path) => Ok(judge.against(crate::commands::baseline::load(path)?)),
        None => Ok(judge),
    }
}

fn judge_command(args: &CheckArgs, rules: &Rules) -> Result<u8, Failure> {
    // What cannot be read fails before the command takes its time.
    let mut judge = judge_by(args, rules)?;
    let folder = command::Folder::new(args.keep.as_ref())?;
    let ended = match command::run(&args.command, &folder, &rules.terms) {
        Ok(ended) => ended,
        Err(failure) => {
            folder.discard();
            return Err(failure);
        }
    };
    let files = folder.recordings()?;
    recorded::command(&mut judge, &files, rules)?;
    recorded::notes(&mut judge, &folder.notes()?);
    let mut verdict = judge.verdict();
    if files.is_empty() && verdict.outcome == Outcome::NoData {
        verdict.armed = Armed { yes: false, why: Some(nothing_recorded(&ended.words).into()) };
    }
    let passed = matches!(verdict.outcome, Outcome::Clean);
    let kept = if files.is_empty() { folder.discard() } else { folder.settle(passed) };
    match kept {
        Some(_) if files.is_empty() => {}
        Some(path) => verdict.notes.push(format!("The recordings are in {}.", path.display()).into()),
        // They are gone: they cannot be opened.
        None => verdict.subjects.iter_mut().for_each(|subject| subject.recording = None),
    }
    if let Some(why) = &ended.failed {
        verdict.notes.push(Arc::from(why.as_str()));
    }
    write_verdict(args, &verdict, &ended.words)?;
    Ok(exit_code(&verdict, ended.code))
}

fn nothing_recorded(command: &str) -> String {
    format!(
        "no process of `{command}` recorded anything: it uses the `pollscope` crate nowhere, or without the feature \
         `export` (a default), or not yet with `let _guard = pollscope::init();` (kept until the process ends), or \
         POLLSCOPE=off is set"
    )
}

/// The contract's code. A finding decides before everything; the command's own failure before what is merely
/// not known.
fn exit_code(verdict: &Verdict, command: Option<u8>) -> u8 {
    let own = match verdict.outcome {
        Outcome::Findings => return 1,
        Outcome::Regressed => 3,
        Outcome::NoData => 4,
        Outcome::Incomplete => 5,
        _ => 0,
    };
    command.unwrap_or(own)
}

/// Writes it where it was asked for.
fn write_verdict(args: &CheckArgs, verdict: &Verdict, of: &str) -> Result<(), Failure> {
    let runner = Runner::here();
    let repository = &runner.repository();
    let plain = Sheet { verdict, of, style: Style::PLAIN, repository };
    for Report { format, path } in &args.reports {
        let mut text = Vec::new();
        let failed = |error| Failure::io(format!("write {}", path.display()), error);
        format::write(*format, &mut text, &plain).map_err(failed)?;
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        std::fs::write(path, text).map_err(failed)?;
    }
    let mut text = Vec::new();
    // Standard output is the command's.
    let beside = !args.command.is_empty();
    let terminal = if beside { io::stderr().is_terminal() } else { io::stdout().is_terminal() };
    let sheet = Sheet { style: style(terminal), ..plain };
    format::write(args.format, &mut text, &sheet).map_err(Failure::output)?;
    if args.format == VerdictFormat::Github
        && let Err(reason) = format::summarise(&runner, &plain)
    {
        note(&reason);
    }
    if beside {
        // The files are written and the code is returned, even if standard error is closed.
        let _ = io::stderr().lock().write_all(&text);
        return Ok(());
    }
    crate::output::to_stdout(&text)
}

#[expect(clippy::disallowed_methods, reason = "the rim: what the user says of colours")]
fn style(terminal: bool) -> Style {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let columns =
        terminal.then(|| crossterm::terminal::size().map_or(100, |(columns, _)| usize::from(columns)));
    Style { colors: terminal && !no_color, columns: columns.unwrap_or(Style::PLAIN.columns).clamp(60, 140) }
}
