//! `pollscope check` as data.

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::duration;

/// What `check` takes.
#[derive(Args, Debug)]
#[command(after_help = CHECK_HELP, after_long_help = CHECK_LONG_HELP)]
pub struct CheckArgs {
    /// Recordings, or folders of them: all are judged together
    #[arg(value_name = "FILE", required_unless_present = "command", conflicts_with = "command")]
    pub files: Vec<PathBuf>,
    /// Run this command with recording switched on, then judge every process that it started
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<OsString>,
    /// What is asked for.
    #[command(flatten)]
    pub limits: LimitArgs,
    /// What the verdict goes by.
    #[command(flatten)]
    pub policy: PolicyArgs,
    /// How to tell the verdict: on standard output; after `-- CMD` on standard error
    #[arg(long, value_enum, default_value_t)]
    pub format: VerdictFormat,
    /// Write the verdict to a file too, repeatedly for several; without FORMAT= the file's ending decides
    #[arg(long = "report", value_name = "[FORMAT=]PATH")]
    pub reports: Vec<Report>,
    /// Compare with this baseline: worse is code 3, findings that it knows do not count
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Keep the recordings of `-- CMD` in this folder [default: a temporary one, kept if the run does not pass]
    #[arg(long, value_name = "DIR", requires = "command")]
    pub keep: Option<PathBuf>,
}

/// What is asked for.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Limits")]
pub struct LimitArgs {
    /// No poll may take longer, time without a CPU taken off
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub max_poll: Option<Duration>,
    /// At no site of 100 polls may more than 1 in 100 take longer
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub p99_poll: Option<Duration>,
    /// No woken task may wait longer for a worker
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub max_sched_delay: Option<Duration>,
    /// No task may be left when a process ends
    #[arg(long)]
    pub no_leaks: bool,
    /// Limits judge time without a CPU too
    #[arg(long)]
    pub count_preempted: bool,
    /// Evidence over a limit that is undecided makes the run incomplete (code 5)
    #[arg(long)]
    pub strict: bool,
}

/// What the verdict goes by, besides.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Policy")]
pub struct PolicyArgs {
    /// The policy [default: pollscope.toml, if it is in the current folder]
    #[arg(long = "policy", value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Lay [profile.NAME] of the policy over the rest of it
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// Findings of this detector are denied
    #[arg(long, value_name = "DETECTOR", value_parser = detector)]
    pub deny: Vec<String>,
    /// Findings of this detector are warnings
    #[arg(long, value_name = "DETECTOR", value_parser = detector)]
    pub warn: Vec<String>,
    /// Findings of this detector do not count
    #[arg(long, value_name = "DETECTOR", value_parser = detector)]
    pub allow: Vec<String>,
    /// The level from which on a finding fails [default: deny]
    #[arg(long, value_enum, value_name = "LEVEL")]
    pub fail_on: Option<FailOn>,
}

/// From which level on a finding fails.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum FailOn {
    /// What is denied fails
    Deny,
    /// Warnings fail too
    Warn,
}

/// How a verdict is told.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum VerdictFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object, schema `pollscope/1`
    Json,
    /// JUnit XML: a suite for each process, a case for each detector
    Junit,
    /// Annotations of GitHub Actions, and the summary of the step
    Github,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// Markdown, for a comment on a pull request
    Md,
}

/// One `--report`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// How.
    pub format: VerdictFormat,
    /// Where to.
    pub path: PathBuf,
}

impl FromStr for Report {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = || {
            let names: Vec<_> =
                VerdictFormat::value_variants().iter().filter_map(ValueEnum::to_possible_value).collect();
            names.iter().map(|name| name.get_name().to_owned()).collect::<Vec<_>>().join(", ")
        };
        let (format, path) = if let Some((name, path)) = text.split_once('=') {
            let format = VerdictFormat::from_str(name, false);
            (format.map_err(|_| format!("`{name}` is no format: expected one of {}", names()))?, path)
        } else {
            let ending = text.rsplit_once('.').map_or("", |(_, ending)| ending);
            let format = VerdictFormat::of_ending(ending).ok_or_else(|| {
                format!("its format is not known by its ending: write FORMAT={text}, with one of {}", names())
            })?;
            (format, text)
        };
        if path.is_empty() {
            return Err("the path is missing: expected FORMAT=PATH".to_owned());
        }
        Ok(Self { format, path: path.into() })
    }
}

impl VerdictFormat {
    /// The format that files with that ending have.
    fn of_ending(ending: &str) -> Option<Self> {
        match ending {
            "txt" | "log" => Some(Self::Text),
            "json" => Some(Self::Json),
            "xml" => Some(Self::Junit),
            "sarif" => Some(Self::Sarif),
            "md" => Some(Self::Md),
            _ => None,
        }
    }
}

fn detector(text: &str) -> Result<String, String> {
    crate::commands::check::detector(text)
}

const CHECK_HELP: &str = "\
Examples:
  pollscope check --max-poll 10ms -- cargo test
  pollscope check --max-poll 10ms --p99-poll 2ms --no-leaks -- cargo nextest run
  pollscope check run.mcap
  pollscope check target/recordings --report json=verdict.json
  pollscope check --format github --report sarif=pollscope.sarif -- cargo test    see `pollscope explain ci`

Exit codes: 0 clean, 1 findings, 2 usage, 3 worse than the baseline, 4 no data, 5 incomplete, 6 version;
else the command's own.";

const CHECK_LONG_HELP: &str = "\
Examples:
  pollscope check --max-poll 10ms -- cargo test
  pollscope check --max-poll 10ms --p99-poll 2ms --no-leaks -- cargo nextest run
  pollscope check run.mcap
  pollscope check target/recordings --report json=verdict.json
  pollscope check --format github --report sarif=pollscope.sarif -- cargo test    see `pollscope explain ci`

With `-- CMD` every process that uses the `pollscope` crate tells what it does at a socket in a folder of this run
(POLLSCOPE_RECORD), where it is recorded; processes that do not use it are left alone. The command keeps its standard
input, output and error; signals are passed on to it. A process should keep the guard of pollscope::init() until it
ends: what a killed one did in its last second may be missing.

Limits go by the time that the code is answerable for: on the CPU and blocked. Where it is not measured
which part of a poll was spent without a CPU, they go by the clock on the wall and the verdict says so. A limit
that cannot be judged is never green. Evidence that is over a limit and proves nothing, since the machine was short of
CPU, is listed as undecided and counted in the first line; with --strict it makes the run incomplete.

The policy holds the same limits, and what is expected, with a reason each: see `pollscope config --default`.
An argument has the last word.

Exit codes:
  0  clean
  1  findings at or above --fail-on
  2  usage, a policy or file that cannot be read
  3  worse than the baseline, and nothing else
  4  no data, or the detectors were not armed
  5  incomplete: more than 0.1 % of what was to be recorded is missing, or something was refused; or, with --strict,
     something is undecided
  6  a recording of a version that this program cannot read
  *  the command's own code, if it failed and no finding decides";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_have_a_format_and_a_path() {
        let report = |format, path: &str| Ok(Report { format, path: path.into() });
        assert_eq!("json=out/verdict".parse(), report(VerdictFormat::Json, "out/verdict"));
        assert_eq!("verdict.json".parse(), report(VerdictFormat::Json, "verdict.json"));
        assert_eq!("text=a=b".parse(), report(VerdictFormat::Text, "a=b"));
        for (bad, why) in [
            ("yaml=x", "`yaml` is no format: expected one of text, json, junit, github, sarif, md"),
            ("verdict", "its format is not known by its ending: write FORMAT=verdict"),
            ("json=", "the path is missing"),
        ] {
            let error = bad.parse::<Report>().expect_err(bad);
            assert!(error.starts_with(why), "{error}");
        }
    }
}
