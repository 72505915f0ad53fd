//! Reading memory of this process that may not be there: a bad address is a short copy, not a fault.
//!
//! It is the kernel that reads, in every way: what another thread unmaps meanwhile, beside a stack or instead of
//! one, ends the copy and not the process.
//!
//! [`copy_in_handler`] is safe in a signal handler: system calls, no lock, no allocation. It sets `errno`, which a
//! handler has to keep.

use std::sync::atomic::{AtomicI32, AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};

use super::ENGINE;

const NOT_CHOSEN: u8 = 0;
/// The kernel copies from this process to this process: `process_vm_readv`.
const BY_KERNEL: u8 = 1;
/// Where a sandbox forbids that: through a file in memory, which takes one descriptor.
const BY_FILE: u8 = 2;

/// Where in the file the bytes pass: the handler and other callers may copy at the same time.
#[derive(Clone, Copy)]
#[repr(u64)]
enum Place {
    Handler = 0,
    Others = 1 << 30,
}

/// The smallest page of any supported machine.
const PAGE: u64 = 4096;

/// How memory is copied here.
pub(super) struct Copier {
    method: AtomicU8,
    /// The descriptor, if it is through a file.
    file: AtomicI32,
    /// Held outside of the handler: all copies share one part of the file.
    alone: Mutex<()>,
}

impl Copier {
    /// Not chosen.
    pub(super) const fn new() -> Self {
        Self { method: AtomicU8::new(NOT_CHOSEN), file: AtomicI32::new(-1), alone: Mutex::new(()) }
    }
}

/// Finds out which way works here; before anything is copied, outside of any handler.
pub(super) fn choose_method() -> Result<(), &'static str> {
    let by_file = || make_file().filter(|()| works(BY_FILE)).map(|()| BY_FILE);
    let method = Some(BY_KERNEL).filter(|&method| works(method)).or_else(by_file);
    ENGINE.copier.method.store(method.unwrap_or(NOT_CHOSEN), Ordering::Relaxed);
    method.map(drop).ok_or("neither process_vm_readv nor a file in memory reads stacks here")
}

fn works(method: u8) -> bool {
    let here: u64 = 0x5ca1_ab1e;
    let mut copied = [0; 8];
    let nothing = copy_by(method, PAGE, &mut copied, Place::Others) == 0;
    let copies = copy_by(method, &raw const here as u64, &mut copied, Place::Others) == 8;
    nothing && copies && copied == here.to_ne_bytes()
}

/// Copies from `address` on, up to the first byte that cannot be read; returns how many bytes that were. For the
/// handler of the one thread that is asked.
pub(super) fn copy_in_handler(address: u64, to: &mut [u8]) -> usize {
    copy_by(ENGINE.copier.method.load(Ordering::Relaxed), address, to, Place::Handler)
}

/// The same outside of the handler.
pub(super) fn copy(address: u64, to: &mut [u8]) -> usize {
    let _alone = ENGINE.copier.alone.lock().unwrap_or_else(PoisonError::into_inner);
    copy_by(ENGINE.copier.method.load(Ordering::Relaxed), address, to, Place::Others)
}

fn copy_by(method: u8, address: u64, to: &mut [u8], place: Place) -> usize {
    let copy = |address: u64, to: &mut [u8]| match method {
        BY_KERNEL => copy_by_kernel(address, to),
        BY_FILE => copy_by_file(address, to, place),
        _ => 0,
    };
    match copy(address, to) {
        // Not every kernel gives the readable part of what is only partly readable.
        0 => copy_pages(address, to, copy),
        copied => copied,
    }
}

/// Page by page, until one gives less than was asked for.
fn copy_pages(address: u64, to: &mut [u8], copy: impl Fn(u64, &mut [u8]) -> usize) -> usize {
    let mut done = 0;
    while done < to.len() {
        let Some(from) = address.checked_add(done as u64) else { break };
        let wanted = ((PAGE - from % PAGE) as usize).min(to.len() - done);
        let copied = copy(from, &mut to[done..done + wanted]);
        done += copied;
        if copied < wanted {
            break;
        }
    }
    done
}

#[expect(unsafe_code, reason = "the kernel copies by address")]
fn copy_by_kernel(address: u64, to: &mut [u8]) -> usize {
    let local = libc::iovec { iov_base: to.as_mut_ptr().cast(), iov_len: to.len() };
    let remote = libc::iovec { iov_base: address as *mut _, iov_len: to.len() };
    // SAFETY: the kernel writes to `local` alone, which is `to`, and checks every page of `remote`. The raw
    // system call, because sanitizers have an opinion of their own on what the function may read.
    let copied = unsafe {
        libc::syscall(
            libc::SYS_process_vm_readv,
            libc::getpid(),
            &raw const local,
            1usize,
            &raw const remote,
            1usize,
            0usize,
        )
    };
    usize::try_from(copied).unwrap_or(0)
}

/// Through a file in memory: the kernel writes what it can read, and gives it back.
#[expect(unsafe_code, reason = "the kernel copies by address")]
fn copy_by_file(address: u64, to: &mut [u8], place: Place) -> usize {
    let file = ENGINE.copier.file.load(Ordering::Relaxed);
    let Ok(offset) = libc::off_t::try_from(place as u64) else { return 0 };
    // SAFETY: the kernel checks every page at `address`, and writes to `to` alone, no more than its length. The raw
    // system calls, because sanitizers have an opinion of their own on what the functions may read.
    let copied = unsafe {
        match libc::syscall(libc::SYS_pwrite64, file, address as usize, to.len(), offset) {
            ..=0 => 0,
            written => libc::syscall(libc::SYS_pread64, file, to.as_mut_ptr(), written as usize, offset),
        }
    };
    usize::try_from(copied).unwrap_or(0)
}

/// The file, open as long as the process.
#[expect(unsafe_code, reason = "std makes no files in memory")]
fn make_file() -> Option<()> {
    // SAFETY: the name is a string that ends with a zero.
    let file =
        unsafe { libc::syscall(libc::SYS_memfd_create, c"pollscope-stack".as_ptr(), libc::MFD_CLOEXEC) };
    ENGINE.copier.file.store(i32::try_from(file).ok().filter(|file| *file >= 0)?, Ordering::Relaxed);
    Some(())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::watch::backtrace::engine::mapped::MappedMut;

    fn methods() -> impl Iterator<Item = u8> {
        static MADE: std::sync::Once = std::sync::Once::new();
        MADE.call_once(|| assert_eq!(make_file(), Some(())));
        [BY_KERNEL, BY_FILE].into_iter().filter(|&method| works(method))
    }

    /// What lies beside a stack may be another thread's, and gone at any moment.
    #[test]
    fn what_another_thread_unmaps_meanwhile_ends_the_copy() {
        for method in methods() {
            let mut pages = MappedMut::zeroes(2 * PAGE as usize).expect("memory");
            pages.fill(7);
            let (start, stop) = (pages.as_ptr() as u64, AtomicBool::new(false));
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        for protection in [libc::PROT_NONE, libc::PROT_READ] {
                            #[expect(unsafe_code, reason = "no safe way to make a page unreadable")]
                            // SAFETY: the page is in the mapping, and only the kernel looks at it meanwhile.
                            let done = unsafe {
                                let second = (start + PAGE) as *mut libc::c_void;
                                libc::mprotect(second, PAGE as usize, protection)
                            };
                            assert_eq!(done, 0);
                        }
                    }
                });
                let mut to = vec![0; 2 * PAGE as usize];
                // Up to the page that comes and goes, or to where it went while the kernel copied it.
                let lengths = |_| copy_by(method, start, &mut to, Place::Handler) as u64;
                let odd: Vec<u64> =
                    (0..50_000).map(lengths).filter(|length| !(PAGE..=2 * PAGE).contains(length)).collect();
                stop.store(true, Ordering::Relaxed);
                assert!(odd.is_empty(), "method {method}: {odd:?}");
            });
        }
    }

    #[test]
    fn what_is_not_mapped_ends_the_copy() {
        let mut pages = MappedMut::zeroes(16 * PAGE as usize).expect("memory");
        pages.fill(7);
        let hole = pages.as_ptr() as u64 + 8 * PAGE;
        // An unreadable page in the middle of ours.
        #[expect(unsafe_code, reason = "no safe way to make a page unreadable")]
        // SAFETY: the page is in the mapping, and nothing looks at it until the end of the test.
        let guarded =
            unsafe { libc::mprotect(hole as *mut libc::c_void, PAGE as usize, libc::PROT_NONE) } == 0;
        assert!(guarded);
        // Emulators have only one of them.
        for method in methods() {
            let mut to = vec![0; 16 * PAGE as usize];
            let start = pages.as_ptr() as u64 + 100;
            let copied = copy_by(method, start, &mut to, Place::Handler);
            assert_eq!(copied as u64, 8 * PAGE - 100, "method {method}");
            assert!(to[..copied].iter().all(|&byte| byte == 7) && to[copied..].iter().all(|&byte| byte == 0));
            assert_eq!(copy_by(method, hole, &mut to, Place::Handler), 0, "method {method}");
            assert_eq!(copy_by(method, 0, &mut to, Place::Handler), 0, "method {method}");
            assert_eq!(copy_by(method, u64::MAX - 10, &mut to, Place::Handler), 0, "method {method}");
        }
        assert_eq!(choose_method(), Ok(()));
    }
}
