//! `pollscope record`: attaches to a process and writes its messages into a file, until the time is
//! over, the process ends, or the user does.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, Instant};

use pollscope_model::monitor::Message;
use pollscope_model::time::Nanos;
use pollscope_proto::recording::Writer;
use pollscope_system::file::{create_private, replace_private};
use tokio::signal::unix::{SignalKind, signal};

use crate::commands::cli::record::RecordArgs;
use crate::output::failure::Failure;
use crate::output::fmt::{clean, thousands};
use crate::output::note;
use crate::sources::feed::Stream;
use crate::sources::lookup;
use crate::sources::open;

/// A chunk is closed at least so often: what is lost when this program is killed.
const CHUNK: Duration = Duration::from_secs(1);

/// Records, and says on standard error what came of it.
pub(crate) fn run(args: &RecordArgs) -> Result<(), Failure> {
    crate::commands::block_on(record(args))?
}

async fn record(args: &RecordArgs) -> Result<(), Failure> {
    let endpoint = open::endpoint(&args.target).await?;
    let path = args.output.display().to_string();
    let failed = |error| Failure::io(format!("write {path}"), error);
    let stream = Stream::open(&endpoint).await;
    let mut stream = stream.map_err(|error| lookup::failure(&endpoint.to_string(), &error))?;
    // Held to the end: without it the stream would stop to ask.
    let wanted = if args.flight { vec![stream.hello.boot] } else { Vec::new() };
    let (_wanted, flights) = tokio::sync::watch::channel(wanted.into());
    stream = stream.with_flights(flights);
    let who = format!("{} (pid {})", clean(&stream.hello.process.name), stream.hello.process.pid);
    let file = create(&args.output, args.force)?;
    let mut writer = Writer::new(file, &stream.hello).map_err(failed)?;
    note(&format!("recording {who} into {path}; Ctrl-C ends it"));

    let begun = Instant::now();
    let mut reports = 0_u64;
    let why = keep(&mut stream, &mut writer, args, begun, &mut reports).await.map_err(failed)?;
    writer.finish().and_then(|file| file.sync_all()).map_err(failed)?;
    let took = Nanos(u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX));
    note(&format!(
        "{why}: {} reports in {took}; look at them with `pollscope open {path}`",
        thousands(reports)
    ));
    if reports == 0 {
        return Err(Failure::NoData(format!("{path} holds no report: {why}")));
    }
    Ok(())
}

/// Writes until something ends it; says what, in words.
async fn keep(
    stream: &mut Stream,
    writer: &mut Writer<File>,
    args: &RecordArgs,
    begun: Instant,
    reports: &mut u64,
) -> std::io::Result<String> {
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    let mut closed = Instant::now();
    loop {
        let left = args.record_for.map_or(Duration::MAX, |time| time.saturating_sub(begun.elapsed()));
        let next = tokio::select! {
            next = stream.next() => next,
            _ = interrupted.recv() => return Ok("stopped".to_owned()),
            _ = terminated.recv() => return Ok("stopped".to_owned()),
            () = tokio::time::sleep(left.min(Duration::from_secs(3_600))), if args.record_for.is_some() => {
                if left.is_zero() || begun.elapsed() >= args.record_for.unwrap_or_default() {
                    return Ok("done".to_owned());
                }
                continue;
            }
        };
        match next {
            Ok(Message::Hello(hello)) => writer.hello(&hello)?,
            Ok(Message::Report(report)) => {
                writer.report(&report)?;
                *reports += 1;
            }
            Ok(Message::Goodbye { reason }) => {
                writer.goodbye(&reason)?;
                return Ok(format!("the process ended ({})", clean(&reason)));
            }
            Err(error) => return Ok(format!("the process went away ({})", error.words())),
        }
        if closed.elapsed() >= CHUNK {
            writer.flush()?;
            closed = Instant::now();
        }
        if writer.bytes() >= args.limit {
            return Ok(format!("the limit of {} bytes is reached", thousands(args.limit)));
        }
    }
}

/// Over a file that is there only if asked to.
fn create(path: &Path, force: bool) -> Result<File, Failure> {
    let created = if force { replace_private(path) } else { create_private(path) };
    created.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Failure::Usage(format!(
            "{} exists already; name another file, or add --force to replace it",
            path.display()
        )),
        _ => Failure::io(format!("create {}", path.display()), error),
    })
}
