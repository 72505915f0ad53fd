//! A moment on a track, and how it moves.

use std::sync::Arc;
use std::time::Duration;

use pollscope_model::time::SECOND;

use super::track::{State, Tape, Track};
use super::{Control, Playback, REAL_TIME, Run, SPEEDS};

/// Nanoseconds of a day.
const DAY: u64 = 86_400 * SECOND;

/// See the [module](self).
pub(in crate::sources) struct Player {
    pub(in crate::sources) state: State,
    moment: u64,
    /// The time that playing has come to, which lies at or after the moment's.
    now_unix_ns: u64,
    playing: bool,
    speed: usize,
    moved: bool,
}

/// What became of a request to move.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::sources) enum Moved {
    /// Something else is shown.
    Yes,
    /// Only how time moves has changed.
    No,
    /// The newest moment is wanted, and what comes after it.
    Newest,
    /// There is no such place.
    Nowhere(&'static str),
}

impl Player {
    /// Stands still at the newest moment, whose state is given.
    pub(in crate::sources) fn at_newest<T: Tape>(track: &Track<T>, state: State) -> Self {
        let moment = track.newest().unwrap_or(0);
        Self {
            state,
            moment,
            now_unix_ns: track.time_of(moment),
            playing: false,
            speed: REAL_TIME,
            moved: false,
        }
    }

    /// The time of the moment that is shown.
    pub(in crate::sources) fn unix_ns<T: Tape>(&self, track: &Track<T>) -> u64 {
        track.time_of(self.moment)
    }

    pub(in crate::sources) fn is_playing(&self) -> bool {
        self.playing
    }

    /// Does what the user wants.
    pub(in crate::sources) fn control<T: Tape>(&mut self, control: Control, track: &mut Track<T>) -> Moved {
        let newest = track.newest().unwrap_or(0);
        let (oldest, here) = (track.oldest(), track.time_of(self.moment));
        let target = match control {
            Control::Toggle => return self.toggle(track),
            Control::Faster => {
                self.speed = (self.speed + 1).min(SPEEDS.len() - 1);
                return Moved::No;
            }
            Control::Slower => {
                self.speed = self.speed.saturating_sub(1);
                return Moved::No;
            }
            Control::Newest => return Moved::Newest,
            Control::Oldest => oldest,
            Control::Step(by) => {
                let target = self.moment.saturating_add_signed(by.into()).clamp(oldest, newest);
                if target == self.moment {
                    return Moved::Nowhere(if by < 0 {
                        "nothing older is kept"
                    } else {
                        "this is the newest moment"
                    });
                }
                target
            }
            Control::Finding(by) => match track.finding_from(self.moment, by > 0) {
                Some(moment) => moment,
                None if by > 0 => return Moved::Nowhere("no finding opened after this moment"),
                None => return Moved::Nowhere("no finding opened before this moment"),
            },
            Control::Jump(by) => track.moment_at(here.saturating_add_signed(by)),
            Control::Clock(of_day) => track.moment_at(here - here % DAY + of_day),
        };
        if matches!(control, Control::Step(_) | Control::Finding(_)) {
            self.playing = false;
        }
        self.go(target, track);
        Moved::Yes
    }

    /// Holds, or goes on.
    fn toggle<T: Tape>(&mut self, track: &Track<T>) -> Moved {
        if !self.playing && self.is_at_newest(track) {
            return Moved::Newest;
        }
        self.playing = !self.playing;
        Moved::No
    }

    /// Plays from the oldest moment.
    pub(in crate::sources) fn restart<T: Tape>(&mut self, track: &mut Track<T>) {
        self.go(track.oldest(), track);
        self.playing = true;
    }

    pub(in crate::sources) fn is_at_newest<T: Tape>(&self, track: &Track<T>) -> bool {
        Some(self.moment) == track.newest()
    }

    /// Whether it was moved away from the moment at which it was made.
    pub(in crate::sources) fn was_moved(&self) -> bool {
        self.moved
    }

    /// Lets so much real time pass; what is shown then, and whether that is the newest there is.
    pub(in crate::sources) fn pass<T: Tape>(&mut self, time: Duration, track: &mut Track<T>) -> Moved {
        if !self.playing {
            return Moved::No;
        }
        let time = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.now_unix_ns = self.now_unix_ns.saturating_add(time.saturating_mul(SPEEDS[self.speed].1) / 4);
        let target = track.moment_at(self.now_unix_ns).max(self.moment);
        if target == self.moment {
            return if self.is_at_newest(track) { Moved::Newest } else { Moved::No };
        }
        let now = self.now_unix_ns;
        self.go(target, track);
        self.now_unix_ns = now;
        Moved::Yes
    }

    /// Stops where it is.
    pub(in crate::sources) fn pause(&mut self) {
        self.playing = false;
    }

    /// To the newest moment.
    pub(in crate::sources) fn go_to_newest<T: Tape>(&mut self, track: &mut Track<T>) {
        self.playing = false;
        if let Some(newest) = track.newest() {
            self.go(newest, track);
        }
        self.moved = false;
    }

    /// What was before the oldest moment that is kept is shown no longer.
    pub(in crate::sources) fn stay_within<T: Tape>(&mut self, track: &mut Track<T>) {
        if self.moment < track.oldest() {
            self.go(track.oldest(), track);
        }
    }

    fn go<T: Tape>(&mut self, moment: u64, track: &mut Track<T>) {
        let from = std::mem::take(&mut self.state);
        self.state = track.state_at(moment, Some(from));
        self.moment = moment;
        self.now_unix_ns = track.time_of(moment);
        self.moved = true;
    }

    /// For the screens.
    pub(in crate::sources) fn playback<T: Tape>(&self, track: &Track<T>, note: &Arc<str>) -> Playback {
        Playback {
            run: if self.playing { Run::Playing } else { Run::Paused },
            speed: self.speed,
            at_unix_ns: self.unix_ns(track),
            ..live(track, note)
        }
    }
}

/// What the screens show of a track while its newest moment is shown as it comes.
pub(in crate::sources) fn live<T: Tape>(track: &Track<T>, note: &Arc<str>) -> Playback {
    let newest = track.time_of(track.newest().unwrap_or(0));
    Playback {
        run: Run::Live,
        speed: REAL_TIME,
        at_unix_ns: newest,
        from_unix_ns: track.time_of(track.oldest()),
        to_unix_ns: newest,
        findings: track.finding_times().collect(),
        follows: track.tape.follows(),
        kept: track.newest().is_some(),
        note: note.clone(),
    }
}
