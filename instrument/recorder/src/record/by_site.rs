//! Which line and which session each spawn site's number stands for, one load away.
//!
//! A table of its own and not a part of the [`Recorder`](super::Recorder), which does not begin as zeroes: 384 KiB of
//! zeroes take no room in a program, and no memory before they are used. Written by the table of sites ([`intern`]) before
//! it publishes a number, read by every thread.
//!
//! [`intern`]: super::intern

use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};

use super::intern::NO_SITE;
use super::session::Session;

const SITES: usize = NO_SITE as usize + 1;

struct BySite {
    /// Of each site of a session, the process's own number for the line, plus one; 0: it is that itself.
    own: [AtomicU32; SITES],
    /// The session's number.
    session: [AtomicU16; SITES],
}

/// Process-wide since a site's number is: the compiler's locations outlive every recorder.
static BY_SITE: BySite =
    BySite { own: [const { AtomicU32::new(0) }; SITES], session: [const { AtomicU16::new(0) }; SITES] };

/// The session of a site.
#[inline]
pub(super) fn session(site: u32) -> Session {
    Session::of_number(BY_SITE.session[site.min(NO_SITE) as usize].load(Ordering::Relaxed))
}

/// The process's own number for the line of a site.
#[inline]
pub(super) fn own(site: u32) -> u32 {
    let own = BY_SITE.own.get(site as usize).map_or(0, |own| own.load(Ordering::Relaxed));
    if own == 0 { site } else { own - 1 }
}

/// A new site is that session's, and stands for the line that has the number `own` in the process itself.
pub(super) fn add(site: u32, session: Session, own: u32) {
    let at = site.min(NO_SITE) as usize;
    BY_SITE.own[at].store(own + 1, Ordering::Relaxed);
    BY_SITE.session[at].store(session.number(), Ordering::Relaxed);
}
