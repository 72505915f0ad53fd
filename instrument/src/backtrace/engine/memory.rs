//! Reading memory of this process that may not be there: a bad address is a short copy, not a fault.
//!
//! Safe in a signal handler: system calls and plain copies, no lock, no allocation. It sets `errno`, which
//! a handler has to keep.

use std::sync::atomic::{AtomicU8, Ordering};

const NOT_CHOSEN: u8 = 0;
/// The kernel copies (`process_vm_readv` from ourselves): nothing can fault, whatever others unmap.
const BY_KERNEL: u8 = 1;
/// Where a sandbox forbids that: each page is asked for before it is copied.
const BY_PAGE: u8 = 2;

/// The smallest page of any supported machine.
const PAGE: u64 = 4096;

static METHOD: AtomicU8 = AtomicU8::new(NOT_CHOSEN);

/// Finds out which way works here; before anything is copied, outside of any handler.
pub(super) fn choose_method() -> Result<(), &'static str> {
    let method = [BY_KERNEL, BY_PAGE].into_iter().find(|&method| works(method));
    METHOD.store(method.unwrap_or(NOT_CHOSEN), Ordering::Relaxed);
    method.map(drop).ok_or("neither process_vm_readv nor rt_sigprocmask tells readable memory here")
}

fn works(method: u8) -> bool {
    let here: u64 = 0x5ca1_ab1e;
    let mut copied = [0; 8];
    let nothing = copy_by(method, PAGE, &mut copied) == 0;
    nothing && copy_by(method, &raw const here as u64, &mut copied) == 8 && copied == here.to_ne_bytes()
}

/// Copies from `address` on, up to the first byte that cannot be read; returns how many bytes that were.
pub(super) fn copy(address: u64, to: &mut [u8]) -> usize {
    copy_by(METHOD.load(Ordering::Relaxed), address, to)
}

fn copy_by(method: u8, address: u64, to: &mut [u8]) -> usize {
    match method {
        BY_KERNEL => match copy_by_kernel(address, to) {
            // Not every kernel gives the readable part of what is only partly readable.
            0 => copy_pages(address, to, copy_by_kernel),
            copied => copied,
        },
        BY_PAGE => copy_pages(address, to, copy_if_readable),
        _ => 0,
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

/// Within one page.
#[expect(unsafe_code, reason = "the kernel looks at an address")]
fn copy_if_readable(address: u64, to: &mut [u8]) -> usize {
    const SIGNAL_SET: usize = 8;
    let word = address & !(SIGNAL_SET as u64 - 1);
    // SAFETY: the set is read before the impossible `how` is refused, so that the mask stays as it is and
    // the errors tell whether the address could be read.
    let errno = unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            !0usize,
            word as usize,
            std::ptr::null_mut::<libc::c_void>(),
            SIGNAL_SET,
        );
        *libc::__errno_location()
    };
    if errno != libc::EINVAL {
        return 0;
    }
    // SAFETY: the page was readable a moment ago. It is part of the stack that the calling thread runs on,
    // or of a loaded object; nobody unmaps these under a running thread.
    unsafe { std::ptr::copy_nonoverlapping(address as *const u8, to.as_mut_ptr(), to.len()) };
    to.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_mapped_ends_the_copy() {
        let mut pages = memmap2::MmapMut::map_anon(16 * PAGE as usize).expect("memory");
        pages.fill(7);
        let hole = pages.as_ptr() as u64 + 8 * PAGE;
        // An unreadable page in the middle of ours.
        #[expect(unsafe_code, reason = "no safe way to make a page unreadable")]
        // SAFETY: the page is in the mapping, and nothing looks at it until the end of the test.
        let guarded =
            unsafe { libc::mprotect(hole as *mut libc::c_void, PAGE as usize, libc::PROT_NONE) } == 0;
        assert!(guarded);
        // Emulators have only one of them.
        for method in [BY_KERNEL, BY_PAGE].into_iter().filter(|&method| works(method)) {
            let mut to = vec![0; 16 * PAGE as usize];
            let start = pages.as_ptr() as u64 + 100;
            let copied = copy_by(method, start, &mut to);
            assert_eq!(copied as u64, 8 * PAGE - 100, "method {method}");
            assert!(to[..copied].iter().all(|&byte| byte == 7) && to[copied..].iter().all(|&byte| byte == 0));
            assert_eq!(copy_by(method, hole, &mut to), 0, "method {method}");
            assert_eq!(copy_by(method, 0, &mut to), 0, "method {method}");
            assert_eq!(copy_by(method, u64::MAX - 10, &mut to), 0, "method {method}");
        }
        assert_eq!(choose_method(), Ok(()));
    }
}
