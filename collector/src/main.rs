//! The collector's binary: arguments, log, signals, exit code. Everything else is in the library.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use pollscope_collector::Collector;
use pollscope_collector::cli::Cli;
use pollscope_collector::log::CleanLog;
use pollscope_model::text::clean;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Usage, configuration, or a socket that cannot be had.
const EXIT_USAGE: u8 = 2;

/// It ran and failed.
const EXIT_FAILED: u8 = 1;

fn main() -> ExitCode {
    let cli = Cli::parse();
    start_log();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, error)) => {
            // It may quote a path, which then ends no line.
            let _ = writeln!(std::io::stderr(), "pollscope-collector: {}", clean(&error));
            ExitCode::from(code)
        }
    }
}

fn run(cli: Cli) -> Result<(), (u8, String)> {
    let usage = |error: &dyn std::fmt::Display| (EXIT_USAGE, error.to_string());
    let config = cli.into_config().map_err(|error| usage(&error))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_name("collector")
        .enable_all()
        .build()
        .map_err(|error| usage(&format_args!("cannot start: {error}")))?;
    let served = runtime.block_on(async {
        // Before the socket, so that no signal finds the default handler once we are reachable.
        let mut terminate = signal(SignalKind::terminate()).map_err(|error| usage(&error))?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| usage(&error))?;
        let collector = Collector::bind(&config).await.map_err(|error| usage(&error))?;
        let mut stdout = std::io::stdout();
        let _ = writeln!(stdout, "listening on {}", collector.address()).and_then(|()| stdout.flush());
        let stopped = async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::info!("stopping");
        };
        collector.serve(stopped).await.map_err(|error| (EXIT_FAILED, error.to_string()))
    });
    // Connections that did not end in time are cut here.
    runtime.shutdown_background();
    served
}

/// Logs to stderr what `POLLSCOPE_LOG` asks for; a filter that cannot be read is one line and `info`.
#[expect(clippy::disallowed_methods, reason = "the rim: the one variable of the collector")]
fn start_log() {
    let (filter, complaint) = match std::env::var("POLLSCOPE_LOG") {
        Err(_) => (EnvFilter::new("info"), None),
        Ok(text) => match EnvFilter::try_new(&text) {
            Ok(filter) => (filter, None),
            Err(error) => (EnvFilter::new("info"), Some((text, error))),
        },
    };
    // Colours are escape sequences too, and a writer cannot tell ours from those of a text.
    tracing_subscriber::fmt()
        .with_ansi(false)
        .with_env_filter(filter)
        .with_writer(|| CleanLog(std::io::stderr()))
        .init();
    if let Some((text, error)) = complaint {
        tracing::warn!("POLLSCOPE_LOG={text}: {error}; using info (try debug, or pollscope_collector=debug)");
    }
}
