//! Asking a thread for its stack, and the signal handler that answers.
//!
//! The handler runs on the asked thread, wherever that happens to be: in the allocator, the dynamic loader,
//! an unwind, at its end. So it makes system calls and plain copies only: no allocation, no lock, no
//! thread-local storage but `errno`, which it keeps. It runs on the alternate signal stack where there is
//! one (all threads of Rust's std have one) and takes less than a millisecond: 256 KiB are copied at most.
//!
//! The signal is `SIGURG`, whose default is to be ignored, so that one that comes at the wrong time, also after the
//! handler was taken away again, harms no process. If the process has a handler of its own for it, there are no stacks.
//!
//! # What a service can observe
//!
//! A blocking system call of the asked thread is interrupted. Most of them (`read` of a pipe, `futex`, `flock`,
//! `wait`, …) are restarted by the kernel (`SA_RESTART`) and notice nothing. Those that the kernel never
//! restarts (`nanosleep`, `poll`, `select`, `epoll_wait`, and socket calls with a timeout) return `EINTR`.
//! Rust's std and the common runtimes try again; code that calls these directly and takes `EINTR` for an
//! error sees one. It is sent to no thread but one that is inside a poll above the limit.

use std::fmt;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use libc::{c_int, c_void, siginfo_t};
use pollscope_recorder::clock;
use pollscope_recorder::slot::Slot;

use super::registers::Registers;
use super::{ENGINE, memory};
use crate::watch::backtrace::{AskedThread, Refused, TakenStack};

/// Bytes of a stack that are copied at most; what is deeper is missing from the trace, which says so.
const MAX_BYTES: usize = 256 << 10;
/// How long an answer that has begun is waited for, beyond the caller's patience.
const GRACE: Duration = Duration::from_millis(100);

const SIGNAL: c_int = libc::SIGURG;

/// A stack as it was found; [`Resolver::resolve`](super::Resolver::resolve) names its frames, on any thread,
/// while what was loaded then still is.
#[derive(Debug)]
pub struct RawStack {
    pub(super) registers: Registers,
    /// From the stack pointer on.
    pub(super) bytes: Vec<u8>,
    taken_ns: u64,
}

impl TakenStack for RawStack {
    fn taken_ns(&self) -> u64 {
        self.taken_ns
    }
}

/// What the handler writes.
struct Answer {
    taken_ns: u64,
    registers: Registers,
    len: usize,
    bytes: Box<[u8]>,
}

/// What the handler and those that ask share.
pub(super) struct State {
    slot: OnceLock<Slot<Answer>>,
    /// What the signal's action was before: to be ignored by the program's wish, and not by default.
    was_ignored: AtomicBool,
    installed: OnceLock<Result<(), &'static str>>,
    /// How many [`Kept`] there are.
    keepers: Mutex<usize>,
    asking: Mutex<()>,
}

impl State {
    /// Not installed.
    pub(super) const fn new() -> Self {
        Self {
            slot: OnceLock::new(),
            was_ignored: AtomicBool::new(false),
            installed: OnceLock::new(),
            keepers: Mutex::new(0),
            asking: Mutex::new(()),
        }
    }
}

/// Makes [`ask`] possible, or says why it is not.
///
/// Sets the handler of `SIGURG` if it has none. It stays until the last [`Kept`] is gone.
pub(super) fn install() -> Result<(), &'static str> {
    if Standing::of_process().ok_or("/proc cannot be read")?.is_traced {
        return Err("a debugger is attached");
    }
    *ENGINE.signal.installed.get_or_init(|| {
        memory::choose_method()?;
        // Its first reading writes what later ones only read, as a signal handler may.
        clock::now_ns();
        ENGINE.signal.slot.get_or_init(|| {
            let bytes = vec![0; MAX_BYTES].into_boxed_slice();
            Slot::new(Answer { taken_ns: 0, registers: Registers::default(), len: 0, bytes })
        });
        set_handler()
    })
}

fn keepers() -> MutexGuard<'static, usize> {
    // A number is never half changed.
    ENGINE.signal.keepers.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps the handler that `install` sets. The last one that is dropped gives the process its own action back, which
/// was to ignore the signal.
#[derive(Debug)]
pub struct Kept(());

impl Kept {
    /// Keeps it, and sets it again where it was set before and given back.
    pub fn begin() -> Self {
        let mut keepers = keepers();
        *keepers += 1;
        if ENGINE.signal.installed.get().is_some_and(Result::is_ok) && !handler_is_ours() {
            // If the process has one of its own by now, `ask` says so.
            let _ = set_handler();
        }
        Self(())
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let mut keepers = keepers();
        *keepers -= 1;
        if *keepers == 0 && handler_is_ours() {
            give_handler_back();
        }
    }
}

/// Asks a thread of this process for its stack, or says why not.
///
/// It answers before it next runs code of its own: within some tens of microseconds if it has a CPU, or sleeps. Blocks
/// for `patience` at most while the thread blocks the signal. One thread can be asked at a time: until what this
/// returns is gone, other callers are refused.
///
/// Thread ids are used again: a caller that asks for a thread which may have ended has to check afterwards that
/// its reason to ask still holds.
pub fn ask(tid: u32, patience: Duration) -> Result<Asked, Refused> {
    ENGINE.signal.installed.get().copied().unwrap_or(Err("not installed")).map_err(Refused::Unavailable)?;
    let Some(slot) = ENGINE.signal.slot.get() else { return Err(Refused::Replaced) };
    let alone = match ENGINE.signal.asking.try_lock() {
        Ok(alone) => alone,
        // It guards nothing that a panic could leave half done.
        Err(TryLockError::Poisoned(alone)) => alone.into_inner(),
        Err(TryLockError::WouldBlock) => return Err(Refused::Busy),
    };
    if !handler_is_ours() {
        return Err(Refused::Replaced);
    }
    // Libc blocks all signals for moments, as while a thread or a process is started.
    let standing = wait(patience, || match Standing::of_thread(tid) {
        Some(Standing { is_deaf: true, is_traced: false }) => None,
        other => Some(other),
    });
    match standing.ok_or(Refused::Deaf)? {
        Some(Standing { is_traced: true, .. }) => return Err(Refused::Traced),
        Some(_) => {}
        // Not there, or there is no `/proc` any more: the signal will tell.
        None if send(tid, 0) => {}
        None => return Err(Refused::Gone),
    }
    if !slot.ask(tid) {
        return Err(Refused::Busy);
    }
    let asked = Asked { tid, slot, _alone: alone };
    if send(tid, SIGNAL) { Ok(asked) } else { Err(Refused::Gone) }
}

/// A thread that was asked. Dropped, it need not answer any more.
pub struct Asked {
    tid: u32,
    slot: &'static Slot<Answer>,
    _alone: MutexGuard<'static, ()>,
}

impl Asked {
    /// The answer if it comes within `patience`, once. A thread without a CPU answers when it has one.
    pub fn answer(&self, patience: Duration) -> Option<RawStack> {
        let read = |answer: &Answer| RawStack {
            registers: answer.registers,
            bytes: answer.bytes[..answer.len].to_vec(),
            taken_ns: answer.taken_ns,
        };
        wait(patience, || self.slot.collect(self.tid, read))
    }

    /// The answer if it is there or has begun, which is waited for up to a tenth of a second; else why there is
    /// none.
    pub fn give_up(self) -> Result<RawStack, Refused> {
        if self.slot.withdraw(self.tid) {
            return Err(if send(self.tid, 0) { Refused::Silent } else { Refused::Gone });
        }
        self.answer(GRACE).ok_or(Refused::Silent)
    }
}

impl AskedThread for Asked {
    fn answer(&self, patience: Duration) -> Option<Box<dyn TakenStack>> {
        Some(Box::new(Self::answer(self, patience)?))
    }

    fn give_up(self: Box<Self>) -> Result<Box<dyn TakenStack>, Refused> {
        Ok(Box::new(Self::give_up(*self)?))
    }
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asked").field("tid", &self.tid).finish_non_exhaustive()
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.slot.withdraw(self.tid);
    }
}

fn wait<T>(patience: Duration, mut ready: impl FnMut() -> Option<T>) -> Option<T> {
    let begin = Instant::now();
    let mut pause = Duration::from_micros(10);
    loop {
        // Before the look, so that the last look comes after the whole patience.
        let late = begin.elapsed() >= patience;
        if let Some(value) = ready() {
            return Some(value);
        }
        if late {
            return None;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(1));
    }
}

/// What would become of a signal.
#[derive(Debug, Default, PartialEq, Eq)]
struct Standing {
    /// A debugger would stop at it.
    is_traced: bool,
    /// The thread blocks it.
    is_deaf: bool,
}

impl Standing {
    fn of_process() -> Option<Self> {
        Self::read("/proc/self/status")
    }

    fn of_thread(tid: u32) -> Option<Self> {
        Self::read(&format!("/proc/self/task/{tid}/status"))
    }

    fn read(path: &str) -> Option<Self> {
        Some(Self::parse(&std::fs::read_to_string(path).ok()?))
    }

    fn parse(status: &str) -> Self {
        let field = |name| status.lines().find_map(|line| Some(line.strip_prefix(name)?.trim()));
        let blocked = field("SigBlk:").and_then(|mask| u64::from_str_radix(mask, 16).ok());
        Self {
            is_traced: field("TracerPid:").is_some_and(|pid| pid != "0"),
            is_deaf: blocked.is_some_and(|mask| mask >> (SIGNAL - 1) & 1 == 1),
        }
    }
}

#[expect(unsafe_code, reason = "std sends no signals")]
fn send(tid: u32, signal: c_int) -> bool {
    // SAFETY: a signal, or with 0 only the question whether it could be sent; it goes to a thread of this
    // process, because the kernel compares the process id.
    unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), tid, signal) == 0 }
}

#[expect(unsafe_code, reason = "std sets no signal handlers")]
fn set_handler() -> Result<(), &'static str> {
    match handler().ok_or("the handler of SIGURG cannot be read")? {
        before @ (libc::SIG_DFL | libc::SIG_IGN) => {
            ENGINE.signal.was_ignored.store(before == libc::SIG_IGN, Ordering::Relaxed);
        }
        _ => return Err("the process has a handler of its own for SIGURG"),
    }
    // SAFETY: all zeros is a valid `sigaction`, and both calls write into what they are given. The handler
    // keeps to what is allowed in one: see `on_signal`.
    let done = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_signal as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK;
        // No other handler gets in between.
        libc::sigfillset(&raw mut action.sa_mask);
        libc::sigaction(SIGNAL, &raw const action, std::ptr::null_mut())
    };
    if done == 0 { Ok(()) } else { Err("the handler of SIGURG cannot be set") }
}

/// What is pending is dropped by the kernel, and what comes later is ignored.
#[expect(unsafe_code, reason = "std sets no signal handlers")]
fn give_handler_back() {
    let before =
        if ENGINE.signal.was_ignored.load(Ordering::Relaxed) { libc::SIG_IGN } else { libc::SIG_DFL };
    // SAFETY: both actions ignore the signal, and the handler that a thread may still be in stays code of ours.
    unsafe { libc::signal(SIGNAL, before) };
}

fn handler_is_ours() -> bool {
    handler() == Some(on_signal as *const () as usize)
}

#[expect(unsafe_code, reason = "std reads no signal handlers")]
fn handler() -> Option<libc::sighandler_t> {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: the call writes `action`, which all zeros made valid already.
    unsafe {
        let done = libc::sigaction(SIGNAL, std::ptr::null(), action.as_mut_ptr());
        (done == 0).then(|| action.assume_init().sa_sigaction)
    }
}

#[expect(unsafe_code, reason = "a signal handler")]
extern "C" fn on_signal(_: c_int, _: *mut siginfo_t, context: *mut c_void) {
    let Some(slot) = ENGINE.signal.slot.get() else { return };
    // SAFETY: `errno` is the thread's own and there from its first instruction to its last; the system calls
    // have no arguments or those that `memory` answers for; and with SA_SIGINFO the kernel passes the
    // context, which lives until the handler returns.
    unsafe {
        let errno = libc::__errno_location();
        let before = *errno;
        let tid = libc::syscall(libc::SYS_gettid) as u32;
        slot.answer(tid, |answer| {
            answer.taken_ns = clock::now_ns();
            answer.registers = Registers::interrupted(&*context.cast::<libc::ucontext_t>());
            answer.len = memory::copy_in_handler(answer.registers.sp, &mut answer.bytes);
        });
        *errno = before;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_says_of_a_thread() {
        let status = |tracer, blocked| format!("Name:\tx\nTracerPid:\t{tracer}\nSigBlk:\t{blocked}\n");
        assert_eq!(Standing::parse(&status("0", "0000000000000000")), Standing::default());
        assert_eq!(
            Standing::parse(&status("71", "0000000000400000")),
            Standing { is_traced: true, is_deaf: true }
        );
        assert!(!Standing::parse(&status("0", "ffffffffffbfffff")).is_deaf, "all but SIGURG");
        assert_eq!(Standing::parse(""), Standing::default());
        assert_eq!(Standing::of_thread(u32::MAX), None);
    }
}
