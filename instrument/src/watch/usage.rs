//! What a thread has had of the CPUs, by its kernel's account: some 20 µs for each question, asked by threads of our
//! own; the thread that is asked about does nothing for it. Linux only.
//!
//! A thread asks for itself in [`split`](pollscope_recorder::split), which keeps the file open.

pub(crate) mod process;

/// Since the thread began.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Usage {
    /// On a CPU, nanoseconds.
    pub(crate) ran: u64,
    /// Ready to run, without a CPU, nanoseconds.
    pub(crate) waited: u64,
    /// Turns on a CPU.
    pub(crate) turns: u64,
}

/// Of a thread of this process. `None` if it is gone, and on other systems than Linux.
#[cfg(target_os = "linux")]
pub(crate) fn of(tid: u32) -> Option<Usage> {
    parse(&std::fs::read_to_string(format!("/proc/self/task/{tid}/schedstat")).ok()?)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn of(_: u32) -> Option<Usage> {
    None
}

/// What `schedstat` says.
#[cfg(target_os = "linux")]
fn parse(text: &str) -> Option<Usage> {
    let mut numbers = text.split_ascii_whitespace().map(str::parse);
    let mut next = || numbers.next()?.ok();
    Some(Usage { ran: next()?, waited: next()?, turns: next()? })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_whole_says_nothing() {
        assert_eq!(parse("1 2 3\n"), Some(Usage { ran: 1, waited: 2, turns: 3 }));
        assert!(parse("12").is_none() && parse("a b c").is_none());
        assert!(of(u32::MAX).is_none(), "it is gone");
    }
}
