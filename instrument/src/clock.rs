//! The process's clock: nanoseconds since the recorder first looked, from the processor's own
//! counter where the machine keeps it steady, else from the operating system.
//!
//! One read costs about 10 ns with the counter and 25–90 ns without; both count real time even when
//! tokio's clock is paused. Any thread may read it at any time. It never goes back on one thread;
//! between threads it may by a few nanoseconds, so that differences saturate everywhere.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pollscope_model::time::ClockAnchor;

/// How long the counter is compared with the system's clock: at ±25 ns a pair this is good for 5 ppm,
/// far inside what time synchronisation does to the system's clock anyway.
const CALIBRATION: Duration = Duration::from_millis(10);

/// From ticks of the counter to nanoseconds: side by side, since every reading takes both.
struct Scale {
    /// Nanoseconds per tick, as a fraction with [`counter::FRACTION_BITS`] bits; 0 while the operating system is
    /// asked instead.
    ns_per_tick: AtomicU64,
    /// The counter's value at nanosecond 0. Written before `ns_per_tick` leaves 0.
    first_tick: AtomicU64,
}

static SCALE: Scale = Scale { ns_per_tick: AtomicU64::new(0), first_tick: AtomicU64::new(0) };
static ORIGIN: OnceLock<Instant> = OnceLock::new();
static CALIBRATED: OnceLock<()> = OnceLock::new();

/// Nanoseconds since the first reading, never 0.
#[inline]
pub(crate) fn now_ns() -> u64 {
    let ns_per_tick = SCALE.ns_per_tick.load(Ordering::Acquire);
    if ns_per_tick == 0 {
        return system_ns();
    }
    let ticks = counter::read().saturating_sub(SCALE.first_tick.load(Ordering::Relaxed));
    ((u128::from(ticks) * u128::from(ns_per_tick)) >> counter::FRACTION_BITS) as u64
}

/// Nanosecond 1 is the first call of anybody.
#[cold]
#[inline(never)]
fn system_ns() -> u64 {
    ORIGIN.get_or_init(Instant::now).elapsed().as_nanos() as u64 + 1
}

/// Changes to the processor's counter if it can be trusted. The first call sleeps for 10 ms to
/// measure its rate; call it before anything is recorded.
pub(crate) fn calibrate() {
    CALIBRATED.get_or_init(|| {
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
        let since_origin = (u128::from(last_ns) << bits) / u128::from(ns_per_tick.max(1));
        SCALE.first_tick.store(last_tick.saturating_sub(since_origin as u64), Ordering::Relaxed);
        SCALE.ns_per_tick.store(ns_per_tick, Ordering::Release);
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
pub(crate) fn anchor() -> ClockAnchor {
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
        let source = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
        std::fs::read_to_string(source).map_or_else(
            |_| invariant(),
            |name| match name.trim() {
                "tsc" => true,
                "kvm-clock" | "hyperv_clocksource_tsc_page" | "xen" => invariant(),
                _ => false,
            },
        )
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
    pub(super) fn read() -> u64 {
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

    pub(super) fn read() -> u64 {
        0
    }

    pub(super) fn is_steady() -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
