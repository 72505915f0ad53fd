//! A real service with very many tasks and a real viewer, each in a process of its own.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pollscope_model::query::ask::{Answer, Ask};
use pollscope_model::query::column::Kind;
use pollscope_model::query::page::{Query, Scope};
use pollscope_tui::sources::endpoint::Endpoint;
use pollscope_tui::sources::inbox::Inbox;
use pollscope_tui::sources::lookup::Watched;
use pollscope_tui::sources::process::ProcessSource;
use pollscope_tui::sources::{QuestionId, Source as _};

use crate::{CHANGED, Row};

/// Reports come so often while a viewer reads.
const TICK: Duration = Duration::from_millis(250);
/// Rows that the screen asks for.
const PAGE: u64 = 128;
/// How long the steady state is looked at.
const STEADY: Duration = Duration::from_secs(6);

/// A service whose tasks sleep so long that [`CHANGED`] of them wake up in each [`TICK`]. With the
/// socket `-` it runs without pollscope.
pub(crate) fn serve(tasks: &str, socket: &str) -> Result<(), String> {
    let tasks: u64 = tasks.parse().map_err(|error| format!("{tasks}: {error}"))?;
    let observed = socket != "-";
    let _guard = observed.then(|| {
        pollscope::builder()
            .name("scale")
            .max_tasks(2_000_000)
            .listen(pollscope::Listen::Unix(PathBuf::from(socket)))
            .init()
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(2).build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let nap = TICK * (tasks / CHANGED as u64).max(1) as u32;
    let sleep = move |n: u64| async move {
        tokio::time::sleep(nap.mul_f64(n as f64 / tasks as f64)).await;
        loop {
            tokio::time::sleep(nap).await;
        }
    };
    runtime.block_on(async move {
        for n in 0..tasks {
            if observed {
                drop(pollscope::task("sleeper").long_lived().spawn(sleep(n)));
            } else {
                drop(tokio::spawn(sleep(n)));
            }
        }
        tokio::time::sleep(nap).await;
        print_line("ready");
        let wanted = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await;
        if wanted.is_ok_and(|read| read.is_ok_and(|bytes| bytes > 0)) {
            for _ in 0..CHANGED {
                drop(pollscope::task("newcomer").long_lived().spawn(std::future::pending::<()>()));
            }
        }
        std::future::pending::<()>().await;
    });
    Ok(())
}

fn print_line(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
    let _ = std::io::stdout().flush();
}

/// A viewer without a screen: it asks what the Tasks screen asks, and tells when the first full page was
/// there with the totals above it, when all tasks were, and when [`CHANGED`] more are.
pub(crate) fn watch(socket: &str) -> Result<(), String> {
    let began = Instant::now();
    let inbox = Inbox::default();
    let watched = Watched::Address(Endpoint::Unix(PathBuf::from(socket)));
    let mut source = ProcessSource::open(watched, inbox.sink()).map_err(|error| error.to_string())?;
    let page = Ask::Page(Query::all(Kind::Tasks, PAGE));
    source.ask(vec![(QuestionId(1), page), (QuestionId(2), Ask::Overview(Scope::All))]);
    let (mut tasks, mut rows, mut first, mut whole) = (0, 0, false, false);
    loop {
        let seen = inbox.count();
        let took = || format!("{}", began.elapsed().as_secs_f64() * 1e3);
        if let Some(Answer::Overview(overview)) = inbox.take(QuestionId(2)) {
            tasks = overview.tasks;
        }
        if let Some(Answer::Page(page)) = inbox.take(QuestionId(1)) {
            rows = page.rows.len() as u64;
            if !whole && page.meta.loading.is_none() && rows > 0 && page.total >= tasks {
                whole = tasks > 0;
            }
        }
        if !first && tasks > 0 && rows >= tasks.min(PAGE) {
            first = true;
            print_line(&took());
        }
        if whole && first {
            print_line(&took());
            break;
        }
        inbox.wait(seen, Instant::now() + Duration::from_secs(60));
    }
    let more = tasks + CHANGED as u64;
    loop {
        let seen = inbox.count();
        if matches!(inbox.take(QuestionId(1)), Some(Answer::Page(page)) if page.total >= more) {
            print_line("more");
            break;
        }
        inbox.wait(seen, Instant::now() + Duration::from_secs(60));
    }
    loop {
        std::thread::park();
    }
}

/// A child that dies with us.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    fn start(words: &[&str]) -> Result<Self, String> {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let child = Command::new(program).args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        child.map(Self).map_err(|error| error.to_string())
    }

    /// Waits for the next line that it prints.
    fn line(&mut self) -> Result<String, String> {
        let mut line = String::new();
        let out = self.0.stdout.as_mut().ok_or("no output")?;
        BufReader::with_capacity(1, out).read_line(&mut line).map_err(|error| error.to_string())?;
        Ok(line.trim().to_owned())
    }

    /// Writes a line to its standard input.
    fn write_line(&mut self, line: &str) -> Result<(), String> {
        let input = self.0.stdin.as_mut().ok_or("no input")?;
        writeln!(input, "{line}").and_then(|()| input.flush()).map_err(|error| error.to_string())
    }

    /// A line of `/proc/PID/status` in MB.
    fn memory(&self, key: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        let kib = line.and_then(|line| line.trim_matches([':', ' ', '\t', 'k', 'B']).parse::<f64>().ok());
        kib.map_or(f64::NAN, |kib| kib / 1e3 * 1.024)
    }

    /// CPU time in milliseconds of the threads whose name begins so; of all with an empty one.
    fn cpu_ms(&self, name: &str) -> f64 {
        let folder = std::fs::read_dir(format!("/proc/{}/task", self.0.id()));
        let threads = folder.into_iter().flatten().flatten();
        let ms = threads.filter_map(|thread| {
            let comm = std::fs::read_to_string(thread.path().join("comm")).ok()?;
            let stat = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
            let ns: f64 = stat.split_whitespace().next()?.parse().ok()?;
            comm.starts_with(name).then_some(ns / 1e6)
        });
        ms.sum()
    }

    /// CPU milliseconds per [`TICK`] of those threads over the steady state.
    fn per_tick<const N: usize>(&self, names: [&str; N]) -> [f64; N] {
        let before = names.map(|name| self.cpu_ms(name));
        std::thread::sleep(STEADY);
        let ticks = STEADY.as_secs_f64() / TICK.as_secs_f64();
        let mut used = names.map(|name| self.cpu_ms(name));
        for (used, before) in used.iter_mut().zip(before) {
            *used = (*used - before) / ticks;
        }
        used
    }
}

/// A service of so many tasks: without us, with us, and with a viewer.
pub(crate) fn measure(tasks: usize) -> Result<Row, String> {
    let number = tasks.to_string();
    let mut plain = Process::start(&["--serve", &number, "-"])?;
    plain.line()?;
    let plain_mb = plain.memory("VmRSS");
    let [plain_cpu] = plain.per_tick([""]);
    drop(plain);

    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let socket = folder.path().join("scale.sock").display().to_string();
    let mut service = Process::start(&["--serve", &number, &socket])?;
    service.line()?;
    let alone_mb = service.memory("VmRSS");
    let [alone_cpu, alone_drain] = service.per_tick(["", "pollscope-drain"]);

    let mut viewer = Process::start(&["--watch", &socket])?;
    let mut told_ms = || Ok::<f64, String>(viewer.line()?.parse().unwrap_or(f64::NAN));
    let (first_ms, whole_ms) = (told_ms()?, told_ms()?);
    std::thread::sleep(Duration::from_secs(2));
    let viewer_before = viewer.cpu_ms("");
    let [drain, io] = service.per_tick(["pollscope-drain", "pollscope-io"]);
    let viewer_cpu = (viewer.cpu_ms("") - viewer_before) / (STEADY.as_secs_f64() / TICK.as_secs_f64());
    let (drained_mb, viewer_mb) = (service.memory("VmHWM"), viewer.memory("VmRSS"));
    let began = Instant::now();
    service.write_line("more")?;
    viewer.line()?;
    let more_ms = began.elapsed().as_secs_f64() * 1e3;
    Ok(vec![
        ("tasks", tasks as f64),
        ("service without us MB", plain_mb),
        ("with us MB", alone_mb),
        ("us B/task", (alone_mb - plain_mb) * 1e6 / tasks as f64),
        ("CPU ms/tick without us", plain_cpu),
        ("with us, unread", alone_cpu),
        ("of it drain", alone_drain),
        ("drain, read", drain),
        ("convert + encode + send", io),
        ("service peak MB", drained_mb),
        ("attach to first full screen ms", first_ms),
        ("to all tasks ms", whole_ms),
        ("10,000 new ones on screen ms", more_ms),
        ("viewer CPU ms/tick", viewer_cpu),
        ("viewer MB", viewer_mb),
        ("viewer peak MB", viewer.memory("VmHWM")),
    ])
}
