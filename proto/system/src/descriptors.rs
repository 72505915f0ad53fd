//! How many descriptors this process may have, so that what is let in from outside takes its share only.

/// `most`, or a smaller number where that is more than one part in `parts` of the descriptors that this
/// process may have; at least 4.
pub fn share(most: usize, parts: u64) -> usize {
    let Some(limit) = limit() else { return most };
    usize::try_from(limit / parts.max(1)).unwrap_or(usize::MAX).clamp(4.min(most), most)
}

/// `None` where there is no limit.
#[cfg(unix)]
fn limit() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

#[cfg(not(unix))]
fn limit() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_within_its_bounds() {
        assert_eq!(share(10, u64::MAX), 4);
        assert_eq!(share(2, u64::MAX), 2);
        assert!(share(usize::MAX, 1) >= 4);
    }
}
