//! The signal that asks for a dump. Its handler sets a flag and does nothing else; our own thread looks
//! at the flag. Set only if the service asks for it, and never over a handler that is there. It stays
//! for the process's life: taken away, a late signal would end the process.

use std::sync::atomic::{AtomicBool, Ordering};

use libc::c_int;

use super::Signal;
use crate::setup::config::DumpSignal;
use crate::setup::own_thread;

static CAME: AtomicBool = AtomicBool::new(false);

/// Sets the handler, or says what is in the way.
pub(super) fn install(signal: DumpSignal) -> Result<Box<dyn Signal>, &'static str> {
    let number = number(signal);
    match handler(number) {
        Some(libc::SIG_DFL) => set_handler(number)?,
        Some(known) if known == on_signal as *const () as usize => {}
        Some(_) => return Err("the process has a handler of its own for it; choose the other one"),
        None => return Err("its handler cannot be read"),
    }
    Ok(Box::new(Handled { number }))
}

/// A signal whose handler is ours.
struct Handled {
    number: c_int,
}

impl Signal for Handled {
    fn receive(&self) {
        own_thread::unblock(self.number);
    }

    fn came(&self) -> bool {
        CAME.swap(false, Ordering::Relaxed)
    }
}

fn number(signal: DumpSignal) -> c_int {
    match signal {
        DumpSignal::Usr1 => libc::SIGUSR1,
        DumpSignal::Usr2 => libc::SIGUSR2,
    }
}

#[expect(unsafe_code, reason = "std reads no signal handlers")]
fn handler(number: c_int) -> Option<libc::sighandler_t> {
    // SAFETY: all zeros is a valid `sigaction`, and the call writes into it.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        let done = libc::sigaction(number, std::ptr::null(), &raw mut action);
        (done == 0).then_some(action.sa_sigaction)
    }
}

#[expect(unsafe_code, reason = "std sets no signal handlers")]
fn set_handler(number: c_int) -> Result<(), &'static str> {
    // SAFETY: as above; the handler does one atomic store, which is allowed in one.
    let done = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_signal as *const () as usize;
        action.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK;
        libc::sigemptyset(&raw mut action.sa_mask);
        libc::sigaction(number, &raw const action, std::ptr::null_mut())
    };
    if done == 0 { Ok(()) } else { Err("its handler cannot be set") }
}

extern "C" fn on_signal(_: c_int) {
    CAME.store(true, Ordering::Relaxed);
}
