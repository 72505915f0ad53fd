//! The command line: [`cli`] is its definition, and each command has a file or a folder of its own here. A parsed
//! command line becomes a result or a [`Failure`], which is rendered once, in `main`.
//!
//! It is the uppermost room: it may use every other one, and only `main` calls it.

mod baseline;
mod check;
pub mod cli;
mod config;
mod demo;
mod diff;
mod doctor;
mod explain;
mod export;
mod manual;
mod record;
mod recordings;
mod report;
#[cfg(test)]
mod writers;

use std::io;

use clap::CommandFactory;
use cli::{Cli, Command, ViewArgs};
use pollscope_model::query::ask::Ask;
use pollscope_model::query::page::Scope;

use crate::output::failure::Failure;
use crate::output::to_stdout;
use crate::screens::app;
use crate::screens::state::{Look, Tab};
use crate::screens::theme::{Depth, Theme};
use crate::sources::open::{self, Peer};
use crate::sources::target::Target;
use crate::sources::{QuestionId, Source};

/// Does what the command line asks for.
pub fn run(cli: Cli) -> Result<(), Failure> {
    let Some(command) = cli.command else { return look_at(block_on(open::machine())??, &cli.view) };
    if let Some((kind, args)) = command.page() {
        return report::run(kind, args);
    }
    match command {
        Command::Demo(args) => demo::run(&args, &cli.view),
        Command::Attach { target } => attach(&target, &cli.view),
        Command::Connect { url } => look_at(block_on(open::collector(&url))??, &cli.view),
        Command::Open { file } => look_at(open::recording(&file)?, &cli.view),
        Command::Diff(args) => diff::run(&args),
        Command::Baseline(command) => baseline::run(&command),
        Command::Record(args) => record::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Explain { detector } => explain::run(detector.as_deref()),
        Command::Doctor { target } => doctor::run(target.as_ref()),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "pollscope", &mut script);
            to_stdout(&script)
        }
        Command::Man => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut page).map_err(Failure::output)?;
            to_stdout(&page)
        }
        Command::Config(args) => config::run(&args),
        Command::Ps(_)
        | Command::Tasks(_)
        | Command::Sites(_)
        | Command::Workers(_)
        | Command::Findings(_) => Ok(()),
    }
}

/// The terminal UI on one process.
fn attach(target: &Target, view: &ViewArgs) -> Result<(), Failure> {
    look_at(block_on(open::process(target))??, view)
}

/// The terminal UI on the peer that was found.
fn look_at(peer: Peer, view: &ViewArgs) -> Result<(), Failure> {
    let one = matches!(peer, Peer::Processes { count: 1, .. } | Peer::Recording(_));
    let options = app::Options {
        title: peer.label(),
        scope: Scope::All,
        tab: if one { Tab::Tasks } else { Tab::Fleet },
        look: look(view),
        mouse: !view.no_mouse,
        explain: explain::text,
    };
    let mut failed = None;
    let shown = app::run(
        |tell| match peer.watch(Box::new(move |event| tell.send(event).is_ok())) {
            Ok(source) => source,
            Err(failure) => {
                failed = Some(failure);
                Box::new(NoSource)
            }
        },
        options,
    );
    match (failed, shown) {
        (Some(failure), _) => Err(failure),
        (None, Ok(())) => Ok(()),
        (None, Err(error)) if error.kind() == io::ErrorKind::Unsupported => {
            Err(Failure::Usage(error.to_string()))
        }
        (None, Err(error)) => Err(Failure::io("draw on the terminal", error)),
    }
}

#[expect(clippy::disallowed_methods, reason = "the rim: what the terminal says of its colours")]
fn look(view: &ViewArgs) -> Look {
    let depth = Depth::detect(|name| std::env::var(name).ok());
    Look {
        theme: Theme { palette: view.theme.unwrap_or_default(), depth },
        glyphs: view.glyphs.unwrap_or_default(),
    }
}

/// Stands in for a source that could not be started; the failure is printed once the screens are left.
struct NoSource;

impl Source for NoSource {
    fn ask(&mut self, _: Vec<(QuestionId, Ask)>) {}
}

/// Runs a future on a small runtime that lives no longer than it.
fn block_on<T>(future: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    Ok(runtime.map_err(|error| Failure::io("start a runtime", error))?.block_on(future))
}
