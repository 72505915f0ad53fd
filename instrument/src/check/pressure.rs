//! How long the threads of a session's runtime could run and had no CPU, over the whole session: what a delay is
//! not to blame the code for. Linux counts it for each thread; elsewhere nobody tells.

use pollscope_model::world::Process;

/// What the thread that runs the session had waited for before it began: its runtime's one thread, if that has no
/// others. The others are as old as the session.
pub(super) struct Pressure {
    own: Option<(u32, u64)>,
}

impl Pressure {
    /// Of a session that begins on the calling thread.
    pub(super) fn begin() -> Self {
        let tid = crate::record::thread::here().tid();
        Self { own: tid.and_then(|tid| Some((tid, waited_ns(tid)?))) }
    }

    /// The longest that any of the runtime's threads has waited since, up to now; `None` where it is not counted.
    /// The threads still run.
    pub(super) fn longest(&self, process: &Process) -> Option<u64> {
        let workers = process.workers().filter_map(|worker| worker.record().tid);
        let all: Option<Vec<u64>> =
            workers.chain(self.own.map(|(tid, _)| tid)).map(|tid| self.of(tid)).collect();
        all?.into_iter().max()
    }

    fn of(&self, tid: u32) -> Option<u64> {
        let before = self.own.filter(|(own, _)| *own == tid).map_or(0, |(_, before)| before);
        Some(waited_ns(tid)?.saturating_sub(before))
    }
}

/// Time that a thread of this process could run and had no CPU, since it began.
#[cfg(target_os = "linux")]
fn waited_ns(tid: u32) -> Option<u64> {
    let told = std::fs::read_to_string(format!("/proc/self/task/{tid}/schedstat")).ok()?;
    told.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(not(target_os = "linux"))]
fn waited_ns(_: u32) -> Option<u64> {
    None
}
