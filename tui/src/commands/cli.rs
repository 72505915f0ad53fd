//! The command line as data: one definition that drives parsing, `--help`, the man page and the
//! completions. Names, exit codes and JSON keys are a contract.

pub mod baseline;
pub mod check;
pub mod diff;
pub mod export;
pub mod page;
pub mod record;

use std::path::PathBuf;

use check::CheckArgs;
use clap::{Args, Parser, Subcommand};
use export::ExportArgs;
use page::PageArgs;
use pollscope_model::query::column::Kind;
use record::RecordArgs;

use crate::demo::fault::Choice;
use crate::screens::glyph::Glyphs;
use crate::screens::theme::Palette;
use crate::sources::target::Target;

/// See why an async service stalls, while it runs.
///
/// Without a command it lists the instrumented processes of this machine and opens the terminal UI
/// on them.
#[derive(Parser, Debug)]
#[command(
    name = "pollscope",
    version,
    max_term_width = 100,
    after_help = EXAMPLES,
    after_long_help = LONG_EXAMPLES
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How the screens look.
    #[command(flatten)]
    pub view: ViewArgs,
}

/// How the screens look: in any position, also of a command that shows none, as a shell's alias may have them.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Screens")]
pub struct ViewArgs {
    /// Colours: dark, light or mono [default: dark; NO_COLOR is respected]
    #[arg(long, global = true, value_name = "NAME", env = "POLLSCOPE_THEME", value_parser = palette)]
    pub theme: Option<Palette>,
    /// Characters of pictures: braille, block or ascii [default: block]
    #[arg(long, global = true, value_name = "NAME", env = "POLLSCOPE_GLYPHS", value_parser = glyphs)]
    pub glyphs: Option<Glyphs>,
    /// Leave the mouse to the terminal
    #[arg(long, global = true)]
    pub no_mouse: bool,
}

/// What a first look at the command line shows.
macro_rules! examples {
    () => {
        "\
Examples:
  pollscope demo                              a live service with known faults
  pollscope                                   every instrumented process of this machine
  pollscope attach checkout                   one of them, by name
  pollscope tasks --filter 'busy>1ms'         one page, no terminal needed
  pollscope findings --from 412 --format json
  pollscope record checkout -o run.mcap       what it says, for `pollscope open run.mcap`"
    };
}

const EXAMPLES: &str = examples!();

const LONG_EXAMPLES: &str = concat!(
    examples!(),
    "

Targets:
  HOST:PORT, http://HOST:PORT, unix:PATH, the PID or the service name of a process on this machine;
  for the pages also a recording, FILE.mcap or file:PATH

Exit codes:
  0  done
  2  usage, a target that does not answer or was killed under `--watch`, input that cannot be read
  4  no data: nothing is there to look at
  6  the peer or the recording is of a version that this program cannot read"
);

/// The commands.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Run a real service with known faults, and open the terminal UI on it
    #[command(after_help = DEMO_HELP)]
    Demo(DemoArgs),
    /// Open the terminal UI on one process
    Attach {
        /// HOST:PORT, http://HOST:PORT, unix:PATH, a PID or a service name
        target: Target,
    },
    /// Open the terminal UI on a collector
    Connect {
        /// HOST:PORT, http://HOST:PORT or unix:PATH of a collector
        url: Target,
    },
    /// Open the terminal UI on a recording: play, pause, step, go back
    #[command(after_help = OPEN_HELP)]
    Open {
        /// A recording, by `pollscope record` or by a service with POLLSCOPE_RECORD
        file: PathBuf,
    },
    /// Record what a process says, for `pollscope open`
    Record(RecordArgs),
    /// Write a recording in another tool's format: Perfetto, Chrome, Firefox, flame graphs, pprof
    Export(ExportArgs),
    /// Judge recordings, or a command and all that it starts: the verdict for CI
    Check(CheckArgs),
    /// Compare a run with others, site by site: exit code 3 if something got worse
    Diff(diff::DiffArgs),
    /// Keep the committed baseline file that `check --baseline` compares with
    #[command(subcommand)]
    Baseline(baseline::BaselineCommand),
    /// Print the instrumented processes
    Ps(PageArgs),
    /// Print the tasks
    Tasks(PageArgs),
    /// Print the spawn sites
    Sites(PageArgs),
    /// Print the workers of the runtimes
    Workers(PageArgs),
    /// Print what the detectors found
    Findings(PageArgs),
    /// Explain a detector: what it sees, why it matters, what to do, when it is wrong; or a page of the manual
    Explain {
        /// Its name, such as `blocking-poll`, or a page; without one they are listed
        detector: Option<String>,
    },
    /// Say what is measured and what is not, why, and what to change
    Doctor {
        /// A process; without one, every process of this machine
        target: Option<Target>,
    },
    /// Print the completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page (roff)
    Man,
    /// Print the policy by which the detectors judge, as `pollscope.toml` text
    Config(ConfigArgs),
}

const OPEN_HELP: &str = "\
It opens at the end, with everything that was found. Space plays, [ and ] step by one report, ( and ) by
10 s, { and } go to the finding before and after, < and > change the speed, `:seek 12:04:31` goes there.
A recording that was not finished is read up to its last whole chunk.

Examples:
  pollscope open run.mcap
  pollscope findings --from run.mcap --format json";

const DEMO_HELP: &str = "\
Examples:
  pollscope demo
  pollscope demo --fault leak --fault starve
  pollscope demo --headless --fault all &
  pollscope findings --from pollscope-demo

With --headless, one line `listening on TARGET` goes to standard output and the service runs until
it gets SIGINT or SIGTERM. Interactively it ends with the terminal UI, however that ends.";

/// What `demo` takes.
#[derive(Args, Debug)]
pub struct DemoArgs {
    /// Switch a fault on, repeatedly for several; also `all` and `none` [interactive: blocking, tail; headless: none]
    #[arg(long = "fault", value_name = "NAME", value_parser = Choice::parser())]
    pub faults: Vec<Choice>,
    /// Run the service without the terminal UI
    #[arg(long)]
    pub headless: bool,
    /// Push to this collector as well
    #[arg(long, value_name = "URL")]
    pub collector: Option<Target>,
    /// End when standard input does: how the interactive demo keeps its service on a leash
    #[arg(long, hide = true, requires = "headless")]
    pub leash: bool,
}

/// What `config` takes.
#[derive(Args, Debug)]
pub struct ConfigArgs {
    /// The defaults, with their comments
    #[arg(long)]
    pub default: bool,
}

fn palette(text: &str) -> Result<Palette, String> {
    let names = Palette::ALL.map(Palette::as_str).join(", ");
    Palette::from_name(text).ok_or_else(|| format!("expected one of {names}"))
}

fn glyphs(text: &str) -> Result<Glyphs, String> {
    let names = Glyphs::ALL.map(Glyphs::as_str).join(", ");
    Glyphs::from_name(text).ok_or_else(|| format!("expected one of {names}"))
}

fn size(text: &str) -> Result<u64, String> {
    pollscope_model::size::parse_size(text).map_err(|error| error.to_string())
}

fn duration(text: &str) -> Result<std::time::Duration, String> {
    pollscope_model::time::parse_duration(text)
        .map(std::time::Duration::from_nanos)
        .map_err(|error| error.to_string())
}

impl Command {
    /// The kind of page that the command prints, and how, if it prints one.
    pub fn page(&self) -> Option<(Kind, &PageArgs)> {
        match self {
            Self::Ps(args) => Some((Kind::Processes, args)),
            Self::Tasks(args) => Some((Kind::Tasks, args)),
            Self::Sites(args) => Some((Kind::Sites, args)),
            Self::Workers(args) => Some((Kind::Workers, args)),
            Self::Findings(args) => Some((Kind::Findings, args)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::output::failure::Failure;

    #[test]
    fn the_definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_is_not_built_is_no_command() {
        for name in ["resources", "tree"] {
            assert!(Cli::try_parse_from(["pollscope", name]).is_err(), "{name} was taken");
        }
    }

    #[test]
    fn the_options_of_screens_work_in_any_position() {
        for line in [
            "--theme light --no-mouse attach x",
            "attach --theme light x --no-mouse",
            "--no-mouse open f --theme light",
        ] {
            let cli = Cli::try_parse_from(["pollscope"].into_iter().chain(line.split(' '))).expect(line);
            assert!(cli.view.theme == Palette::from_name("light") && cli.view.no_mouse, "{line}");
        }
        let cli =
            Cli::try_parse_from(["pollscope", "--theme", "mono", "demo", "--fault", "leak"]).expect("both");
        assert_eq!(cli.view.theme, Palette::from_name("mono"));
    }

    #[test]
    fn a_wrong_command_line_is_one_line_that_names_the_thing() {
        let cases: [(&[&str], &str); 7] = [
            (&["pollscope", "tasks", "--limit", "many"], "'many'"),
            (
                &["pollscope", "findings", "--for", "soon"],
                "invalid duration `soon`: expected a number with a unit",
            ),
            (&["pollscope", "demo", "--fault", "gremlins"], "possible values: blocking"),
            (&["pollscope", "ps", "--wach"], "'--wach' found; tip: a similar argument exists"),
            (&["pollscope", "attach"], "<TARGET>"),
            (&["pollscope", "attach", "https://x:1"], "TLS is not built in yet"),
            (&["pollscope", "record"], "<TARGET>"),
        ];
        for (line, named) in cases {
            let error = Cli::try_parse_from(line).expect_err("it is wrong");
            let failure = Failure::from(error);
            let text = failure.to_string();
            assert!(text.contains(named), "{text}");
            assert!(!text.contains('\n') && text.ends_with("see `pollscope --help`"), "{text}");
            assert_eq!(failure.exit_code(), 2);
        }
    }
}
