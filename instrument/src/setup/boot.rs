//! The number of this run of the process, which no other run has. Made by `init`, and by each session of a test.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pollscope_model::id::BootId;

/// A new number.
#[expect(clippy::disallowed_methods, reason = "the rim: what makes this run unlike all others")]
pub(crate) fn new_id() -> BootId {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    boot_id(&[RandomState::new(), RandomState::new()], std::process::id(), since)
}

/// Random: the standard library draws the hashers' keys from the operating system. Two machines that were started from
/// one image may draw the same and give the process the same number; they do not start pollscope in the same nanosecond.
fn boot_id(keys: &[RandomState; 2], pid: u32, since: Duration) -> BootId {
    let [high, low] = keys.each_ref().map(|key| {
        let mut hasher = key.build_hasher();
        hasher.write_u32(pid);
        hasher.write_u128(since.as_nanos());
        u128::from(hasher.finish())
    });
    BootId(high << 64 | low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_of_one_image_have_boot_ids_of_their_own_from_the_start_on() {
        let keys = [RandomState::new(), RandomState::new()];
        let started = |ns| boot_id(&keys, 1, Duration::from_nanos(ns)).0;
        let (one, other) = (started(1), started(2));
        assert!(one >> 64 != other >> 64 && one as u64 != other as u64, "{one:x} {other:x}");
        // Nothing else tells them apart: a process that is copied while it runs keeps what it has.
        assert_eq!(one, started(1));
    }
}
