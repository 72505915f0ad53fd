//! The kernel's word on a thread: whether it runs, or in which call it sleeps. Read from `/proc` by our own
//! thread, some 20 µs each; the thread that is asked about does nothing for it and is not woken.
//!
//! Only for the watchdog. Where `/proc` does not tell, there is no word.

use pollscope_model::entity::activity;

#[cfg(target_os = "linux")]
mod syscall;

/// What the kernel says of a thread at one moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Word {
    /// It is on a CPU, or waits for one: which of both, [`Usage`](crate::watch::usage::Usage) tells over a time.
    Active,
    /// It sleeps in that call, such as `read(fd 7, pipe)`.
    Sleeps(String),
}

impl Word {
    /// Whether a signal with a handler leaves what the thread does as it is. Many calls end with an error
    /// (`EINTR`) then, whatever the handler was set with.
    pub(super) fn survives_signal(&self) -> bool {
        match self {
            Self::Active => true,
            #[cfg(target_os = "linux")]
            Self::Sleeps(call) => syscall::goes_on_after_signal(call),
            #[cfg(not(target_os = "linux"))]
            Self::Sleeps(_) => false,
        }
    }

    /// As it is shown. `starved`: while it was watched it mostly waited for a CPU.
    pub(super) fn text(&self, starved: bool) -> &str {
        match self {
            Self::Active if starved => activity::RUNNABLE,
            Self::Active => activity::RUNNING,
            Self::Sleeps(call) => call,
        }
    }
}

#[cfg(target_os = "linux")]
pub(super) use linux::{ask, is_traced};

#[cfg(target_os = "linux")]
mod linux {
    use std::fs::read_to_string;

    use pollscope_model::entity::activity::IN_KERNEL;

    use super::{Word, syscall};

    /// What the thread of this process does now.
    pub(in super::super) fn ask(tid: u32) -> Option<Word> {
        let state = state(&read_to_string(format!("/proc/self/task/{tid}/stat")).ok()?)?;
        match state {
            'R' => Some(Word::Active),
            'S' | 'D' => Some(sleeps(tid)),
            // Stopped, or gone: that says nothing of the poll.
            _ => None,
        }
    }

    fn sleeps(tid: u32) -> Word {
        let call = read_to_string(format!("/proc/self/task/{tid}/syscall")).unwrap_or_default();
        // It went on between the two looks.
        if call.trim_end() == "running" {
            return Word::Active;
        }
        if let Some(call) = syscall::describe(&call, what_is) {
            return Word::Sleeps(call);
        }
        // A call that is not in the table, or no call: a page fault, for instance.
        let place = read_to_string(format!("/proc/self/task/{tid}/wchan")).unwrap_or_default();
        let place = place.trim();
        let known = !place.is_empty() && place != "0";
        Word::Sleeps(if known { format!("{IN_KERNEL} ({place})") } else { IN_KERNEL.to_owned() })
    }

    /// What kind of thing a file descriptor is. Never a path: it may be secret, and is of no end.
    fn what_is(fd: u32) -> Option<&'static str> {
        let link = std::fs::read_link(format!("/proc/self/fd/{fd}")).ok()?;
        let link = link.to_str()?;
        Some(match link.split_once(':') {
            Some(("pipe", _)) => "pipe",
            Some(("socket", _)) => "socket",
            _ if link.starts_with("/dev/") => "device",
            _ if link.starts_with('/') => "file",
            _ => return None,
        })
    }

    /// The state is what follows the name, which is in brackets and may itself hold brackets.
    pub(super) fn state(stat: &str) -> Option<char> {
        stat.rsplit_once(") ")?.1.chars().next()
    }

    /// Whether a debugger or tracer holds this process.
    pub(in super::super) fn is_traced() -> bool {
        let status = read_to_string("/proc/self/status").unwrap_or_default();
        let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:"));
        tracer.is_some_and(|pid| pid.trim() != "0")
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) use elsewhere::{ask, is_traced};

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    //! Other systems do not tell.

    use super::Word;

    pub(in super::super) fn ask(_: u32) -> Option<Word> {
        None
    }

    pub(in super::super) fn is_traced() -> bool {
        false
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
