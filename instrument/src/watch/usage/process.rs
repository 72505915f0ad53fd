//! What the whole process has of its system. Read once for each report, by the thread that drains: some 30 µs; no
//! thread of the service does anything for it. Linux only.

use pollscope_model::entity::usage::ProcessUsage;

#[cfg(target_os = "linux")]
pub(crate) fn of_process() -> ProcessUsage {
    use rustix::process::{Resource, getrlimit};
    use rustix::time::{ClockId, clock_gettime};

    let now = clock_gettime(ClockId::ProcessCPUTime);
    let cpu_ns = (now.tv_sec as u64).saturating_mul(1_000_000_000).saturating_add(now.tv_nsec as u64);
    let stat = std::fs::read_to_string("/proc/self/stat").ok();
    let (threads, pages) = stat.as_deref().and_then(threads_and_pages).unzip();
    ProcessUsage {
        cpu_ns: Some(cpu_ns),
        memory_bytes: pages.map(|pages| pages.saturating_mul(rustix::param::page_size() as u64)),
        threads,
        open_files: open_files(),
        open_files_max: Some(getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)),
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn of_process() -> ProcessUsage {
    ProcessUsage::default()
}

/// The 20th and the 24th field of `stat` (proc_pid_stat(5)). The second, the program's name, may hold anything.
#[cfg(target_os = "linux")]
fn threads_and_pages(stat: &str) -> Option<(u64, u64)> {
    let (_, from_third) = stat.rsplit_once(')')?;
    let mut fields = from_third.split_ascii_whitespace();
    let threads = fields.nth(20 - 3)?.parse().ok()?;
    Some((threads, fields.nth(24 - 20 - 1)?.parse().ok()?))
}

/// From Linux 6.2 on the folder's size says it. Before, its entries are counted: not if they are so many that it takes
/// milliseconds.
#[cfg(target_os = "linux")]
fn open_files() -> Option<u64> {
    const MOST_COUNTED: usize = 8_192;
    const FOLDER: &str = "/proc/self/fd";
    let told = std::fs::metadata(FOLDER).ok()?.len();
    if told > 0 {
        return Some(told);
    }
    // One of them reads the folder.
    let counted = std::fs::read_dir(FOLDER).ok()?.take(MOST_COUNTED + 1).count().saturating_sub(1);
    (counted < MOST_COUNTED).then_some(counted as u64)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn threads_and_pages_are_found_behind_any_name() {
        let stat = "7 (a) b 1 2) S 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25\n";
        assert_eq!(threads_and_pages(stat), Some((20, 24)));
        assert_eq!(threads_and_pages("7 (short) S 4 5"), None);
    }

    #[test]
    fn this_process_is_told_with_what_it_opens_and_starts() {
        let before = of_process();
        assert!(before.cpu_ns > Some(0) && before.memory_bytes > Some(1 << 20));
        assert!(before.threads > Some(0) && before.open_files > Some(2));
        assert!(before.open_files_max >= before.open_files);
        // Other tests open and close some meanwhile.
        let opened: Vec<_> = (0..300).map(|_| std::fs::File::open("/proc/self/stat")).collect();
        assert!(opened.iter().all(Result::is_ok));
        assert!(of_process().open_files > Some(300));
    }
}
