//! The process's clock: nanoseconds since the recorder first looked, from the processor's own
//! counter where the machine keeps it steady, else from the operating system.
//!
//! One read costs about 10 ns with the counter and 25–90 ns without, some microseconds where the kernel cannot use the
//! counter either ([`slow`]); all count real time even when tokio's clock is paused. Any thread may read it at any
//! time. It never goes back on one thread; between threads it may by a few nanoseconds, so that differences saturate
//! everywhere.
//!
//! When the machine was suspended, the counter has run on (a jump of that time, which the watchdog tells as a
//! stop of the process) or begins anew from 0; the system's clock stands still. A counter
//! that began anew is found by the first read that is before its zero, or by the next look of a thread of ours
//! ([`follow`]): the clock then goes on from where it was, since all that waits and all that is open has its times.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError, TryLockError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pollscope_model::time::ClockAnchor;
use pollscope_system::clock::Clock as Cost;

/// How long the counter is compared with the system's clock: at ±25 ns a pair this is good for 5 ppm,
/// far inside what time synchronisation does to the system's clock anyway.
const CALIBRATION: Duration = Duration::from_millis(10);
/// Farther back than any two CPUs are apart.
const BACK_NS: u64 = 1_000_000;

/// From ticks of the counter to nanoseconds: side by side, since every reading takes both.
struct Scale {
    /// Nanoseconds per tick, as a fraction with [`counter::FRACTION_BITS`] bits; 0 while the operating system is
    /// asked instead.
    ns_per_tick: AtomicU64,
    /// The counter's value at nanosecond 0; before 0 once the counter began anew. Written before `ns_per_tick` leaves 0.
    first_tick: AtomicU64,
    /// What this clock and the system's said together last. Written by threads of ours.
    latest: Mutex<Latest>,
    /// What this clock said then, for readers that cannot have the lock.
    latest_ns: AtomicU64,
}

#[derive(Clone, Copy)]
struct Latest {
    ns: u64,
    system_ns: u64,
}

/// The process's clock. Process-wide since the processor's counter is, and since the signal handler reads it.
static CLOCK: Clock = Clock { scale: Scale::new(), origin: OnceLock::new(), calibrated: OnceLock::new() };

struct Clock {
    scale: Scale,
    /// When the system's clock was read first.
    origin: OnceLock<Instant>,
    calibrated: OnceLock<()>,
}

impl Scale {
    const fn new() -> Self {
        Self {
            ns_per_tick: AtomicU64::new(0),
            first_tick: AtomicU64::new(0),
            latest: Mutex::new(Latest { ns: 0, system_ns: 0 }),
            latest_ns: AtomicU64::new(0),
        }
    }

    /// The time at a tick; `None` if that is before the clock's zero: the counter began anew.
    #[inline]
    fn at(&self, tick: u64, ns_per_tick: u64) -> Option<u64> {
        let ticks = tick.wrapping_sub(self.first_tick.load(Ordering::Relaxed)).cast_signed();
        let ticks = u64::try_from(ticks).ok()?;
        Some(((u128::from(ticks) * u128::from(ns_per_tick)) >> counter::FRACTION_BITS) as u64)
    }

    /// It is `ns` now, by this clock.
    fn set(&self, tick: u64, ns_per_tick: u64, ns: u64) {
        let ticks = (u128::from(ns) << counter::FRACTION_BITS) / u128::from(ns_per_tick.max(1));
        self.first_tick.store(tick.wrapping_sub(ticks as u64), Ordering::Relaxed);
    }

    /// The counter began anew: the clock goes on from what it said last, by the time that the system's clock counted
    /// since. Any thread comes here and none waits: of those that come together one sets the clock, for the others it
    /// stands still until then.
    fn goes_on(&self, tick: u64, ns_per_tick: u64, system_ns: u64) -> u64 {
        let latest = match self.latest.try_lock() {
            Ok(latest) => latest,
            Err(TryLockError::Poisoned(latest)) => latest.into_inner(),
            Err(TryLockError::WouldBlock) => {
                let latest_ns = self.latest_ns.load(Ordering::Relaxed);
                return self.at(tick, ns_per_tick).unwrap_or(latest_ns);
            }
        };
        if let Some(ns) = self.at(tick, ns_per_tick) {
            return ns;
        }
        let ns = latest.ns.saturating_add(system_ns.saturating_sub(latest.system_ns));
        self.set(tick, ns_per_tick, ns);
        ns
    }

    /// Notes what both clocks say. If this one went back since the last time, it goes on from there, and the result is
    /// what it said and what it says from now on. The counter and the system's clock are read under the lock: a thread
    /// that lost its CPU between its reading and the lock would take what another noted meanwhile for a later time.
    fn follow(&self, ns_per_tick: u64, read: impl FnOnce() -> (u64, u64)) -> Option<(u64, u64)> {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let (tick, system_ns) = read();
        let said = self.at(tick, ns_per_tick).unwrap_or(0);
        let went_back = said.saturating_add(BACK_NS) < latest.ns;
        let ns = if went_back {
            latest.ns.saturating_add(system_ns.saturating_sub(latest.system_ns))
        } else {
            said
        };
        if went_back {
            self.set(tick, ns_per_tick, ns);
        }
        *latest = Latest { ns: ns.max(latest.ns), system_ns };
        self.latest_ns.store(latest.ns, Ordering::Relaxed);
        went_back.then_some((said, ns))
    }
}

/// Nanoseconds since the first reading, never 0.
#[inline]
pub fn now_ns() -> u64 {
    let ns_per_tick = CLOCK.scale.ns_per_tick.load(Ordering::Acquire);
    if ns_per_tick == 0 {
        return system_ns();
    }
    let tick = counter::read();
    match CLOCK.scale.at(tick, ns_per_tick) {
        Some(ns) => ns,
        None => goes_on(tick, ns_per_tick),
    }
}

#[cold]
#[inline(never)]
fn goes_on(tick: u64, ns_per_tick: u64) -> u64 {
    CLOCK.scale.goes_on(tick, ns_per_tick, system_ns())
}

/// To be called about once a second, by threads of ours: finds a counter that was set back, as by a suspended machine.
/// The result is then from when to when the clock jumped: polls that began and ended round it took less than they say.
pub fn follow() -> Option<(u64, u64)> {
    let ns_per_tick = CLOCK.scale.ns_per_tick.load(Ordering::Acquire);
    if ns_per_tick == 0 { None } else { CLOCK.scale.follow(ns_per_tick, || (counter::read(), system_ns())) }
}

/// Why each read is expensive here, in one line with the remedy; `None` if it is not.
pub fn slow() -> Option<String> {
    if CLOCK.scale.ns_per_tick.load(Ordering::Relaxed) == 0 {
        Cost::of_this_machine().complaint()
    } else {
        None
    }
}

/// Nanosecond 1 is the first call of all.
#[cold]
#[inline(never)]
fn system_ns() -> u64 {
    CLOCK.origin.get_or_init(Instant::now).elapsed().as_nanos() as u64 + 1
}

/// Changes to the processor's counter if it can be trusted. The first call sleeps for 10 ms to
/// measure its rate; call it before anything is recorded.
pub fn calibrate() {
    CLOCK.calibrated.get_or_init(|| {
        if !counter::is_steady() {
            return;
        }
        let (first_tick, first_ns) = read_both();
        std::thread::sleep(CALIBRATION);
        let (last_tick, last_ns) = read_both();
        let (ticks, ns) = (last_tick.saturating_sub(first_tick), last_ns.saturating_sub(first_ns));
        // Between 10 MHz and 10 GHz it is a clock; anything else is a machine that lies.
        if ns == 0 || ticks < ns / 100 || ticks > ns.saturating_mul(10) {
            return;
        }
        let bits = counter::FRACTION_BITS;
        // One that is too slow for the fraction is no better than the system's.
        let Ok(ns_per_tick) = u64::try_from((u128::from(ns) << bits) / u128::from(ticks)) else { return };
        CLOCK.scale.set(last_tick, ns_per_tick, last_ns);
        CLOCK.scale.ns_per_tick.store(ns_per_tick, Ordering::Release);
    });
}

/// The closest pair of several readings: an interrupt between the two clocks would spoil the rate.
fn read_both() -> (u64, u64) {
    let mut best = (u64::MAX, 0, 0);
    for _ in 0..8 {
        let before = counter::read();
        let ns = system_ns();
        let gap = counter::read().saturating_sub(before);
        if gap < best.0 {
            best = (gap, before + gap / 2, ns);
        }
    }
    (best.1, best.2)
}

/// Ties the clock to the wall, now.
#[expect(
    clippy::disallowed_methods,
    reason = "the rim: the one place of the crate that reads the wall clock"
)]
pub fn anchor() -> ClockAnchor {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    ClockAnchor { unix_ns: unix.as_nanos() as u64, mono_ns: now_ns() }
}

#[cfg(all(target_arch = "x86_64", not(loom), not(miri)))]
mod counter {
    //! The time-stamp counter.

    /// It runs at more than a gigahertz, so that the upper half of a product is the nanoseconds.
    pub(super) const FRACTION_BITS: u32 = u64::BITS;

    #[inline]
    pub(super) fn read() -> u64 {
        #[expect(unsafe_code, reason = "the counter has no safe reader in std")]
        // SAFETY: `rdtsc` is part of the x86_64 baseline and touches no memory.
        unsafe {
            core::arch::x86_64::_rdtsc()
        }
    }

    /// Steady when the processor promises an invariant rate and, on Linux, when the kernel itself
    /// keeps time with it: it watches for counters that drift apart between sockets.
    pub(super) fn is_steady() -> bool {
        if !cfg!(target_os = "linux") {
            return invariant();
        }
        match pollscope_system::clock::source().as_deref() {
            Some("tsc") => true,
            None | Some("kvm-clock" | "hyperv_clocksource_tsc_page" | "xen") => invariant(),
            Some(_) => false,
        }
    }

    fn invariant() -> bool {
        use core::arch::x86_64::__cpuid;
        __cpuid(0x8000_0000).eax >= 0x8000_0007 && __cpuid(0x8000_0007).edx & (1 << 8) != 0
    }
}

#[cfg(all(target_arch = "aarch64", not(loom), not(miri)))]
mod counter {
    //! The generic timer's virtual count, steady by the architecture.

    /// It runs at a gigahertz at most.
    pub(super) const FRACTION_BITS: u32 = 32;

    #[inline]
    pub fn read() -> u64 {
        let count: u64;
        #[expect(unsafe_code, reason = "the counter has no safe reader in std")]
        // SAFETY: reading `cntvct_el0` is allowed in user mode on every supported system.
        unsafe {
            core::arch::asm!("mrs {}, cntvct_el0", out(reg) count, options(nomem, nostack));
        }
        count
    }

    pub(super) fn is_steady() -> bool {
        true
    }
}

#[cfg(any(loom, miri, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
mod counter {
    //! No counter that we know how to read.

    pub(super) const FRACTION_BITS: u32 = 32;

    pub fn read() -> u64 {
        0
    }

    pub(super) fn is_steady() -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND_NS: u64 = 1_000_000_000;
    /// A counter of two ticks a nanosecond, or of one where the scale has whole numbers too.
    const NS_PER_TICK: u64 = 1 << (counter::FRACTION_BITS - 1);

    /// A clock whose counter stood at `first` when it began, and both clocks an hour later.
    fn after_an_hour(first: u64) -> (Scale, u64) {
        let scale = Scale::new();
        scale.set(first, NS_PER_TICK, 0);
        let hour_ns = 3_600 * SECOND_NS;
        assert_eq!(scale.follow(NS_PER_TICK, || (first + 2 * hour_ns, hour_ns)), None);
        (scale, hour_ns)
    }

    #[test]
    fn a_counter_that_begins_anew_is_found_by_the_first_read() {
        let (scale, hour_ns) = after_an_hour(60 * SECOND_NS);
        // Half a second on: the last look is that long ago. The machine was suspended for the rest.
        let (tick, system_ns) = (2 * SECOND_NS, hour_ns + SECOND_NS / 2);
        assert_eq!(scale.at(tick, NS_PER_TICK), None, "before the clock's zero");
        assert_eq!(scale.goes_on(tick, NS_PER_TICK, system_ns), hour_ns + SECOND_NS / 2);
        assert_eq!(scale.at(tick, NS_PER_TICK), Some(hour_ns + SECOND_NS / 2), "for all others");
        assert_eq!(scale.at(tick + 200, NS_PER_TICK), Some(hour_ns + SECOND_NS / 2 + 100));
        assert_eq!(scale.follow(NS_PER_TICK, || (tick + 200, system_ns + 100)), None, "nothing jumps");
    }

    #[test]
    fn one_that_is_past_the_clocks_zero_again_is_found_by_a_look() {
        let (scale, hour_ns) = after_an_hour(100);
        let (tick, system_ns) = (100 + 2 * SECOND_NS, hour_ns + 10);
        assert_eq!(scale.at(tick, NS_PER_TICK), Some(SECOND_NS));
        assert_eq!(scale.follow(NS_PER_TICK, || (tick, system_ns)), Some((SECOND_NS, hour_ns + 10)));
        assert_eq!(scale.at(tick, NS_PER_TICK), Some(hour_ns + 10));
        assert_eq!(scale.follow(NS_PER_TICK, || (tick + 20, system_ns + 10)), None);
        // A second time, with the zero before the counter's own.
        assert_eq!(
            scale.follow(NS_PER_TICK, || (0, system_ns + 20)),
            Some((hour_ns + 10 - SECOND_NS - 50, hour_ns + 30))
        );
    }

    #[test]
    fn both_clocks_are_read_under_the_lock() {
        let (scale, hour_ns) = after_an_hour(100);
        let later = || {
            assert!(scale.latest.try_lock().is_err(), "another look could come between");
            (100 + 2 * (hour_ns + 10), hour_ns + 10)
        };
        assert_eq!(scale.follow(NS_PER_TICK, later), None);
    }

    #[test]
    fn a_counter_that_ran_on_is_believed() {
        let (scale, hour_ns) = after_an_hour(100);
        let night_ns = 8 * hour_ns;
        let tick = 100 + 2 * (hour_ns + night_ns);
        assert_eq!(scale.follow(NS_PER_TICK, || (tick, hour_ns + 10)), None);
        assert_eq!(scale.at(tick, NS_PER_TICK), Some(hour_ns + night_ns));
        assert_eq!(
            scale.follow(NS_PER_TICK, || (tick - 2_000, hour_ns + 20)),
            None,
            "as another CPU sees it"
        );
    }

    #[test]
    fn it_advances_and_agrees_with_the_system() {
        let before_calibration = now_ns();
        calibrate();
        assert!(now_ns() >= before_calibration);
        let (start_system, start) = (Instant::now(), now_ns());
        std::thread::sleep(Duration::from_millis(20));
        // Our span lies inside the system's, give or take the rate's error.
        let ours = now_ns() - start;
        let outer = start_system.elapsed().as_nanos() as u64;
        assert!(ours >= 19_900_000, "{ours}");
        assert!(ours <= outer + outer / 1_000, "{ours} against {outer}");
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a second opinion")]
    fn the_anchor_is_near_the_wall_clock() {
        let anchor = anchor();
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos() as u64;
        assert!(anchor.to_unix_ns(now_ns()).abs_diff(wall) < 60_000_000_000);
    }
}
