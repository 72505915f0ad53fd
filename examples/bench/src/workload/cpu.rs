//! A processor for the load alone, or it would meet the service on one once in a while, and that would be most of what
//! is measured. Linux only; elsewhere, and where there is one processor or no right to choose, they may meet.

use std::sync::OnceLock;

/// Of the load, if the service leaves it one.
static LOADS: OnceLock<Option<usize>> = OnceLock::new();

/// Keeps the service off the last processor that it may use. To be called before it has threads.
pub fn leave_one() {
    LOADS.get_or_init(imp::leave_one);
}

/// As an argument of the load's.
pub fn of_the_load() -> String {
    LOADS.get().copied().flatten().map_or_else(|| "any".to_owned(), |cpu| cpu.to_string())
}

/// Moves the load to the processor of that argument.
pub fn move_to(argument: &str) {
    if let Ok(cpu) = argument.parse() {
        imp::keep_to([cpu]);
    }
}

#[cfg(target_os = "linux")]
mod imp {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    pub fn leave_one() -> Option<usize> {
        let may = sched_getaffinity(None).ok()?;
        let cpus: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|cpu| may.is_set(*cpu)).collect();
        let (last, rest) = cpus.split_last()?;
        (!rest.is_empty() && keep_to(rest.iter().copied())).then_some(*last)
    }

    /// `false` if it may not.
    pub fn keep_to(cpus: impl IntoIterator<Item = usize>) -> bool {
        let mut kept = CpuSet::new();
        cpus.into_iter().for_each(|cpu| kept.set(cpu));
        sched_setaffinity(None, &kept).is_ok()
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    pub fn leave_one() -> Option<usize> {
        None
    }

    pub fn keep_to(_: impl IntoIterator<Item = usize>) -> bool {
        false
    }
}
