//! The child that does the work, and the parent that sees it die or hang.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode};
use std::time::{Duration, Instant};

/// The argument that makes a child.
pub(crate) const CHILD: &str = "--child";
/// What the child may have of memory, its stacks and files included, in bytes: for each thread a chunk of
/// 32 MiB in several copies.
const MEMORY: u64 = 1 << 30;
/// The longest that one input may take, on a machine that has other work and writes to its disk.
const PATIENCE: Duration = Duration::from_secs(60);
/// No input has that number.
const IDLE: u64 = u64::MAX;

/// Which input each thread is at, in a file that outlives it.
pub(crate) struct Slots {
    file: File,
}

impl Slots {
    pub(crate) fn begin(&self, index: usize, number: u64) {
        self.put(index, number);
    }

    pub(crate) fn done(&self, index: usize) {
        self.put(index, IDLE);
    }

    #[cfg(unix)]
    fn put(&self, index: usize, number: u64) {
        let at = index as u64 * 8;
        // Without it the parent is blind, and the run as good as without a parent.
        let _ = std::os::unix::fs::FileExt::write_all_at(&self.file, &number.to_le_bytes(), at);
    }

    #[cfg(not(unix))]
    fn put(&self, _: usize, _: u64) {}
}

/// What a child is told.
pub(crate) struct Orders {
    pub(crate) from: u64,
    pub(crate) count: u64,
    pub(crate) threads: usize,
    pub(crate) slots: Slots,
}

pub(crate) fn orders(mut arguments: impl Iterator<Item = String>) -> Option<Orders> {
    let mut number = || arguments.next()?.parse::<u64>().ok();
    let (from, count, threads) = (number()?, number()?, usize::try_from(number()?).ok()?);
    let file = File::options().write(true).open(arguments.next()?).ok()?;
    Some(Orders { from, count, threads, slots: Slots { file } })
}

/// From here on an allocation too many ends the process.
pub(crate) fn limit_memory() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let limit = Rlimit { current: Some(MEMORY), maximum: Some(MEMORY) };
        if let Err(error) = setrlimit(Resource::Data, limit) {
            eprintln!("no limit on memory: {error}");
        }
    }
}

/// The most memory that this process had at once, as the kernel says it.
pub(crate) fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.map_or_else(|| "unknown".to_owned(), |peak| peak.trim().to_owned())
}

/// The parent's part.
pub(crate) fn watch(from: u64, count: u64) -> ExitCode {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let slots = std::env::temp_dir().join(format!("fuzz_recordings-{}", std::process::id()));
    let watched = start(from, count, threads, &slots).and_then(|child| see(child, &slots));
    let _ = std::fs::remove_file(&slots);
    match watched {
        Ok(Fate::Good) => ExitCode::SUCCESS,
        Ok(Fate::Bad(what)) => {
            eprintln!("FAILED: {what}");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("cannot run: {error}");
            ExitCode::from(2)
        }
    }
}

enum Fate {
    Good,
    Bad(String),
}

fn start(from: u64, count: u64, threads: usize, slots: &PathBuf) -> io::Result<Child> {
    std::fs::write(slots, IDLE.to_le_bytes().repeat(threads))?;
    let numbers = [from, count, threads as u64].map(|number| number.to_string());
    Command::new(std::env::current_exe()?).arg(CHILD).args(numbers).arg(slots).spawn()
}

/// Waits for the child, and looks what it is at.
fn see(mut child: Child, slots: &PathBuf) -> io::Result<Fate> {
    let mut since: Vec<(u64, Instant)> = Vec::new();
    loop {
        if let Some(status) = child.try_wait()? {
            let at = inputs(slots);
            return Ok(match status.code() {
                Some(0) => Fate::Good,
                Some(_) => Fate::Bad("see above".to_owned()),
                None => {
                    Fate::Bad(format!("it died ({status}) at one of the inputs {at:?}: run `-- 1 NUMBER`"))
                }
            });
        }
        let now = Instant::now();
        let at = inputs(slots);
        since.resize(at.len(), (IDLE, now));
        for (known, number) in since.iter_mut().zip(at) {
            if known.0 != number {
                *known = (number, now);
            }
            if number != IDLE && now.duration_since(known.1) > PATIENCE {
                child.kill()?;
                child.wait()?;
                return Ok(Fate::Bad(format!(
                    "input {number} takes longer than {PATIENCE:?}: run `-- 1 {number}`"
                )));
            }
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The numbers that the threads are at.
fn inputs(slots: &PathBuf) -> Vec<u64> {
    let bytes = std::fs::read(slots).unwrap_or_default();
    let number = |bytes: &[u8]| bytes.try_into().map_or(IDLE, u64::from_le_bytes);
    bytes.chunks_exact(8).map(number).collect()
}
