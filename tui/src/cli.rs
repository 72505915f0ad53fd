//! The command line as data: one definition that drives parsing, `--help`, the man page and the
//! completions. Names, exit codes and JSON keys are a contract.

pub mod baseline;
pub mod check;
pub mod diff;

use std::path::PathBuf;

use check::CheckArgs;
use clap::{Args, Parser, Subcommand, ValueEnum};
use pollscope_model::query::column::Kind;

use crate::demo::fault::Choice;
use crate::glyph::Glyphs;
use crate::source::target::Target;
use crate::theme::Palette;

/// See why an async service stalls, while it runs.
///
/// Without a command it lists the instrumented processes of this machine and opens the terminal UI
/// on them.
#[derive(Parser, Debug)]
#[command(
    name = "pollscope",
    version,
    max_term_width = 100,
    args_conflicts_with_subcommands = true,
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

/// How the screens look.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Screens")]
pub struct ViewArgs {
    /// Colours: dark, light or mono [default: dark; NO_COLOR is respected]
    #[arg(long, value_name = "NAME", env = "POLLSCOPE_THEME", value_parser = palette)]
    pub theme: Option<Palette>,
    /// Characters of pictures: braille, block or ascii [default: block]
    #[arg(long, value_name = "NAME", env = "POLLSCOPE_GLYPHS", value_parser = glyphs)]
    pub glyphs: Option<Glyphs>,
    /// Leave the mouse to the terminal
    #[arg(long)]
    pub no_mouse: bool,
}

const EXAMPLES: &str = "\
Examples:
  pollscope demo                              a live service with known faults
  pollscope                                   every instrumented process of this machine
  pollscope attach checkout                   one of them, by name
  pollscope tasks --filter 'busy>1ms'         one page, no terminal needed
  pollscope findings --from 412 --format json
  pollscope record checkout -o run.mcap       what it says, for `pollscope open run.mcap`";

const LONG_EXAMPLES: &str = "\
Examples:
  pollscope demo                              a live service with known faults
  pollscope                                   every instrumented process of this machine
  pollscope attach checkout                   one of them, by name
  pollscope tasks --filter 'busy>1ms'         one page, no terminal needed
  pollscope findings --from 412 --format json
  pollscope record checkout -o run.mcap       what it says, for `pollscope open run.mcap`

Targets:
  HOST:PORT, http://HOST:PORT, unix:PATH, the PID or the service name of a process on this machine;
  for the pages also a recording, FILE.mcap or file:PATH

Exit codes:
  0  done
  2  usage, a target that does not answer, input that cannot be read
  4  no data: nothing is there to look at
  6  the peer or the recording is of a version that this program cannot read";

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
        /// How the screens look.
        #[command(flatten)]
        view: ViewArgs,
    },
    /// Open the terminal UI on a collector
    Connect {
        /// HOST:PORT, http://HOST:PORT or unix:PATH of a collector
        url: Target,
        /// How the screens look.
        #[command(flatten)]
        view: ViewArgs,
    },
    /// Open the terminal UI on a recording: play, pause, step, go back
    #[command(after_help = OPEN_HELP)]
    Open {
        /// A recording, by `pollscope record` or by a service with POLLSCOPE_RECORD
        file: PathBuf,
        /// How the screens look.
        #[command(flatten)]
        view: ViewArgs,
    },
    /// Record what a process says, for `pollscope open`
    #[command(after_help = RECORD_HELP)]
    Record(RecordArgs),
    /// Write a recording in another tool's format: Perfetto, Chrome, Firefox, flame graphs, pprof
    #[command(after_help = EXPORT_HELP)]
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

const RECORD_HELP: &str = "\
Examples:
  pollscope record checkout -o run.mcap --for 30s
  pollscope open run.mcap

A service can record by itself, from its start on: POLLSCOPE_RECORD=run.mcap.";

/// What `record` takes.
#[derive(Args, Debug)]
pub struct RecordArgs {
    /// HOST:PORT, http://HOST:PORT, unix:PATH, a PID or a service name
    pub target: Target,
    /// The file to write
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Stop after so long [default: when the process ends, or on Ctrl-C]
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub record_for: Option<std::time::Duration>,
    /// Record single polls and wakes too, for `pollscope export` and the screens' poll lanes
    #[arg(long)]
    pub flight: bool,
    /// Stop when the file is so large
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "1GiB")]
    pub limit: u64,
    /// Replace a file that is there already
    #[arg(long)]
    pub force: bool,
}

const EXPORT_HELP: &str = "\
Single polls, the states of tasks and who woke whom are there if the recording holds them: with
POLLSCOPE_FLIGHT=always beside POLLSCOPE_RECORD, or by `pollscope record --flight`. Without, there are
slow polls with their stacks, findings, lives of tasks and counters.

Examples:
  POLLSCOPE_RECORD=run.mcap POLLSCOPE_FLIGHT=always ./service
  pollscope export run.mcap --to perfetto -o run.pftrace      open it on https://ui.perfetto.dev
  pollscope export run.mcap --to firefox -o run.json          open it on https://profiler.firefox.com
  pollscope export run.mcap --to folded -o - | inferno-flamegraph > blocked.svg
  pollscope export run.mcap --to pprof -o run.pb.gz && go tool pprof -top run.pb.gz";

/// What `export` takes.
#[derive(Args, Debug)]
pub struct ExportArgs {
    /// A recording, by `pollscope record` or by a service with POLLSCOPE_RECORD
    pub file: PathBuf,
    /// The format
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub to: ExportFormat,
    /// The file to write, `-` for standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// For folded stacks: what a stack weighs [default: blocked, or wall where that was not measured]
    #[arg(long, value_enum, value_name = "KIND")]
    pub weight: Option<Weight>,
    /// Replace a file that is there already
    #[arg(long)]
    pub force: bool,
}

/// Other tools' formats.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExportFormat {
    /// Perfetto trace: workers, tasks, wakes, counters, findings
    Perfetto,
    /// Chrome trace events, JSON: the same for chrome://tracing and speedscope
    Chrome,
    /// Firefox profile, JSON: a thread for each worker, polls as markers, slow polls as samples
    Firefox,
    /// Folded stacks of the slow polls, for flame graphs
    Folded,
    /// pprof profile of the slow polls (gzip)
    Pprof,
}

impl ExportFormat {
    /// Its name on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Perfetto => "perfetto",
            Self::Chrome => "chrome",
            Self::Firefox => "firefox",
            Self::Folded => "folded",
            Self::Pprof => "pprof",
        }
    }
}

/// What a folded stack weighs.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Weight {
    /// Microseconds off the CPU by the code's own doing
    Blocked,
    /// Microseconds on the CPU
    Busy,
    /// Microseconds that it could run, but had no CPU
    Preempted,
    /// Microseconds in all
    Wall,
    /// Slow polls
    Count,
}

impl Weight {
    /// Its name on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Busy => "busy",
            Self::Preempted => "preempted",
            Self::Wall => "wall",
            Self::Count => "count",
        }
    }
}

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
    /// How the screens look.
    #[command(flatten)]
    pub view: ViewArgs,
}

/// What the commands that print one page take.
#[derive(Args, Debug)]
#[command(after_help = PAGE_HELP)]
pub struct PageArgs {
    /// A process, a collector or a recording (the state at its end) [default: every process of this machine]
    #[arg(long, value_name = "TARGET")]
    pub from: Option<Target>,
    /// Only the rows that match, as on the screens: words, `busy>1ms`, `state=idle`, `!word`
    #[arg(long, value_name = "EXPR")]
    pub filter: Option<String>,
    /// Sort by a column, `:asc` or `:desc`; repeat for further keys [default: trouble first]
    #[arg(long, value_name = "COL[:asc|desc]")]
    pub sort: Vec<SortArg>,
    /// Print at most so many rows [default: 50 in a table, else all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    /// Print again every second, until stopped
    #[arg(long)]
    pub watch: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Watch so long before the first page; the rules need some history to judge [default: as long as the rules need for `findings`, else until two reports are in]
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub watch_for: Option<std::time::Duration>,
}

const PAGE_HELP: &str = "\
Examples:
  pollscope tasks --sort busy --limit 10
  pollscope sites --from 127.0.0.1:7700 --format csv
  pollscope findings --from checkout --format json | jq '.rows[].headline'";

/// What `config` takes.
#[derive(Args, Debug)]
pub struct ConfigArgs {
    /// The defaults, with their comments
    #[arg(long)]
    pub default: bool,
}

/// How a page is printed.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Format {
    /// Aligned columns for people
    #[default]
    Table,
    /// One JSON object, schema `pollscope/1`
    Json,
    /// A header line, then a line for each row
    Csv,
}

/// One `--sort` key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SortArg {
    /// The column as the user wrote it.
    pub column: String,
    /// The direction, if given.
    pub descending: Option<bool>,
}

impl std::str::FromStr for SortArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (column, descending) = match text.split_once(':') {
            None => (text, None),
            Some((column, "asc")) => (column, Some(false)),
            Some((column, "desc")) => (column, Some(true)),
            Some((_, other)) => return Err(format!("`{other}` is no direction: expected asc or desc")),
        };
        if column.is_empty() {
            return Err("the column is missing: expected COL, COL:asc or COL:desc".to_owned());
        }
        Ok(Self { column: column.to_owned(), descending })
    }
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

    #[test]
    fn the_definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn sort_keys_have_a_direction_or_none() {
        let key = |column: &str, descending| Ok(SortArg { column: column.to_owned(), descending });
        assert_eq!("busy".parse(), key("busy", None));
        assert_eq!("busy:asc".parse(), key("busy", Some(false)));
        assert_eq!("busy:desc".parse(), key("busy", Some(true)));
        assert!("busy:down".parse::<SortArg>().is_err());
        assert!(":asc".parse::<SortArg>().is_err());
    }

    #[test]
    fn what_is_not_built_is_no_command() {
        for name in ["resources", "tree"] {
            assert!(Cli::try_parse_from(["pollscope", name]).is_err(), "{name} was taken");
        }
    }
}
