//! A time in which the whole process was stopped: by `SIGSTOP` or Ctrl-Z, by a debugger, by the cgroup freezer.

/// No thread of the process ran between the two times, on the process's clock. What waited meanwhile waited for no
/// fault of the code.
///
/// `from_ns` is the last moment at which the process is known to have run before it, so that the stop may have begun
/// up to a tenth of a second later.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stop {
    /// The last moment before it.
    pub from_ns: u64,
    /// The first moment after it.
    pub to_ns: u64,
}

/// The most stops that a report holds, and a process keeps: the newest.
pub const MAX_STOPS: usize = 64;

impl Stop {
    /// How much of the stop lies between two times, nanoseconds.
    pub fn within(&self, from_ns: u64, to_ns: u64) -> u64 {
        self.to_ns.min(to_ns).saturating_sub(self.from_ns.max(from_ns))
    }
}

/// How much of the time between two times these stops took, nanoseconds.
pub fn stopped_ns<'a>(stops: impl IntoIterator<Item = &'a Stop>, from_ns: u64, to_ns: u64) -> u64 {
    stops.into_iter().map(|stop| stop.within(from_ns, to_ns)).fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_counts_as_far_as_it_lies_in_the_time() {
        let stops = [Stop { from_ns: 10, to_ns: 20 }, Stop { from_ns: 40, to_ns: 45 }];
        assert_eq!(stopped_ns(&stops, 0, 100), 15);
        assert_eq!(stopped_ns(&stops, 15, 42), 7);
        assert_eq!(stopped_ns(&stops, 20, 40), 0);
        assert_eq!(stopped_ns(&[Stop { from_ns: 9, to_ns: 3 }], 0, 100), 0, "what cannot be counts nothing");
    }
}
