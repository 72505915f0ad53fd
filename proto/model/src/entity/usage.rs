//! What a whole process has of its system, beside what its tasks do: CPU time, memory, threads, descriptors.

/// At the end of a report's interval; the newest replaces. `None` is not measured: on other systems than Linux, where
/// `/proc` is not there, and, of descriptors, where counting them would take too long.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ProcessUsage {
    /// CPU time of all threads since the process began, nanoseconds.
    pub cpu_ns: Option<u64>,
    /// Resident memory, bytes.
    pub memory_bytes: Option<u64>,
    /// Threads, those of pollscope included.
    pub threads: Option<u64>,
    /// Open descriptors, those of pollscope included.
    pub open_files: Option<u64>,
    /// Descriptors that the process may have open (the soft limit `RLIMIT_NOFILE`); `u64::MAX` is no limit.
    pub open_files_max: Option<u64>,
}
