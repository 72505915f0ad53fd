//! Whether what this process maps from now on is locked into memory (`mlockall`): debug information, a hundred
//! megabytes of a large program, would be read at once and never be given back.

use super::mapped::MappedMut;

/// What is mapped to find out: more than another thread is likely to lock at the same moment.
const PROBE: usize = 448 << 10;

/// Maps a little and looks whether that is locked. Where the kernel does not tell, it is not.
pub(super) fn is_what_comes_locked() -> bool {
    let Some(before) = locked_kib() else { return false };
    // Refused where the limit on locked memory is reached.
    let Ok(_probe) = MappedMut::zeroes(PROBE) else { return true };
    locked_kib().is_some_and(|after| after >= before + (PROBE as u64 >> 10))
}

fn locked_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmLck:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_what_is_locked() {
        assert!(locked_kib().is_some());
        assert!(!is_what_comes_locked());
    }
}
