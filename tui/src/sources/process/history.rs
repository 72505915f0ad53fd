//! What the processes said in the last minutes, in memory, so that a live view can go back.
//!
//! Bounded: [`MAX_BYTES`] in wire form and [`MAX_AGE_NS`]; the oldest leaves. Above [`MAX_ROWS`] task
//! rows nothing is kept, because a copy of the state to go back from would cost as much again as the
//! state itself.

use std::collections::VecDeque;
use std::sync::Arc;

use pollscope_model::monitor::Monitor;
use pollscope_model::time::SECOND;
use pollscope_proto::feed::Message;
use pollscope_proto::recording::Packed;

use crate::sources::replay::player::{self, Moved, Player};
use crate::sources::replay::track::{self, Heard, State, Tape, Track};
use crate::sources::replay::{Control, Playback};

/// Bytes of what was said.
const MAX_BYTES: usize = 64 << 20;
/// How far back it goes.
const MAX_AGE_NS: u64 = 900 * SECOND;
/// Task rows up to which there is a history.
const MAX_ROWS: usize = 100_000;
/// The same in words.
const NOTE: &str = "kept: 15m, 64 MiB";
/// Instead, above the limit.
const TOO_MANY: &str = "over 100,000 tasks no history is kept";

/// The history of one source, and where its user is in it.
pub(super) struct History {
    track: Track<MemoryTape>,
    player: Option<Player>,
    note: Arc<str>,
    off: bool,
    /// Task rows of a snapshot that is coming in.
    expected: usize,
    /// When what was heard last ended a moment.
    heard: Option<u64>,
}

impl Default for History {
    fn default() -> Self {
        Self {
            track: Track::new(MemoryTape::default()),
            player: None,
            note: NOTE.into(),
            off: false,
            expected: 0,
            heard: None,
        }
    }
}

impl History {
    /// Something is said, and will be folded next.
    pub(super) fn hear(&mut self, unix_ns: u64, heard: impl FnOnce() -> Heard) {
        let mut ends_a_moment = self.off;
        if !self.off {
            let heard = heard();
            ends_a_moment = heard.ends_a_moment();
            self.track.tape.push(unix_ns, &heard);
        }
        self.heard = ends_a_moment.then_some(unix_ns);
    }

    /// What was said last is folded into the monitor.
    pub(super) fn folded(&mut self, monitor: &Monitor) {
        let Some(unix_ns) = self.heard.take() else { return };
        let said = self.track.tape.next();
        self.keep(track::rows(monitor).max(self.expected) <= MAX_ROWS);
        if self.off {
            return;
        }
        self.track.follow(unix_ns, said, monitor, None);
        while self.track.tape.bytes > MAX_BYTES || self.age() > MAX_AGE_NS {
            if self.track.shorten() {
                continue;
            }
            if self.track.tape.bytes > MAX_BYTES {
                self.track.clear(said);
                self.player = None;
            }
            break;
        }
        if let Some(player) = &mut self.player {
            player.stay_within(&mut self.track);
        }
    }

    /// A snapshot of about so many rows begins (0: it is over). Where that is too many, the first of them
    /// are not kept either.
    pub(super) fn expect(&mut self, rows: usize) {
        self.expected = rows;
        if rows > MAX_ROWS {
            self.keep(false);
        }
    }

    /// Begins to keep what is said, or forgets all of it.
    fn keep(&mut self, keep: bool) {
        if keep == std::mem::replace(&mut self.off, !keep) {
            self.note = if keep { NOTE } else { TOO_MANY }.into();
            self.track.clear(self.track.tape.next());
            self.player = None;
        }
    }

    fn age(&self) -> u64 {
        let newest = self.track.time_of(self.track.newest().unwrap_or(0));
        newest.saturating_sub(self.track.time_of(self.track.oldest()))
    }

    /// The monitor looked at what was folded.
    pub(super) fn looked(&mut self, monitor: &Monitor) {
        self.track.look_for_findings(monitor);
    }

    /// The state that is shown and its time, if that is not the live one.
    pub(super) fn shown(&self) -> Option<(&Monitor, u64)> {
        let player = self.player.as_ref()?;
        Some((&player.state.monitor, player.unix_ns(&self.track)))
    }

    /// Lets time pass; whether something else is shown.
    pub(super) fn pass(&mut self, time: std::time::Duration) -> bool {
        let Some(player) = &mut self.player else { return false };
        match player.pass(time, &mut self.track) {
            Moved::Yes => true,
            Moved::Newest => {
                self.player = None;
                true
            }
            Moved::No | Moved::Nowhere(_) => false,
        }
    }

    /// Does what the user wants; the words for when that cannot be.
    pub(super) fn control(&mut self, wish: Control, monitor: &Monitor) -> Result<(), &'static str> {
        if self.off {
            return Err(TOO_MANY);
        }
        if self.track.newest().is_none() {
            return Err("nothing is kept yet");
        }
        let player = match &mut self.player {
            Some(player) => player,
            None if matches!(wish, Control::Newest | Control::Faster | Control::Slower) => return Ok(()),
            None => {
                let state = State::of(monitor.clone(), self.track.tape.next());
                let player = self.player.insert(Player::at_newest(&self.track, state));
                if wish == Control::Toggle {
                    return Ok(());
                }
                player
            }
        };
        // A held view that was not moved is let go.
        let moved = match wish {
            Control::Toggle if !player.is_playing() && !player.was_moved() => Moved::Newest,
            wish => player.control(wish, &mut self.track),
        };
        match moved {
            Moved::Newest => self.player = None,
            Moved::Nowhere(why) => return Err(why),
            Moved::Yes | Moved::No => {}
        }
        Ok(())
    }

    /// For the screens.
    pub(super) fn playback(&self) -> Playback {
        match &self.player {
            Some(player) => player.playback(&self.track, &self.note),
            None => player::live(&self.track, &self.note),
        }
    }
}

/// What was said, packed.
#[derive(Default)]
struct MemoryTape {
    first: u64,
    said: VecDeque<(u64, Kept)>,
    bytes: usize,
}

enum Kept {
    Said(Packed),
    Parted(Heard),
}

impl Kept {
    fn bytes(&self) -> usize {
        match self {
            Self::Said(packed) => packed.bytes(),
            Self::Parted(_) => size_of::<Self>(),
        }
    }
}

impl MemoryTape {
    fn push(&mut self, unix_ns: u64, heard: &Heard) {
        let kept = match heard {
            Heard::Said(message) => Kept::Said(Packed::new(message)),
            parted @ Heard::Parted(..) => Kept::Parted(parted.clone()),
        };
        self.bytes += kept.bytes();
        self.said.push_back((unix_ns, kept));
    }

    /// The number that comes next.
    fn next(&self) -> u64 {
        self.first + self.said.len() as u64
    }
}

impl Tape for MemoryTape {
    fn read(&mut self, number: u64) -> Option<(u64, Heard)> {
        let at = usize::try_from(number.checked_sub(self.first)?).ok()?;
        let (unix_ns, kept) = self.said.get(at)?;
        let heard = match kept {
            Kept::Said(packed) => match packed.unpack() {
                Ok(message) => Heard::Said(message),
                // It was packed here and cannot be unreadable; if it were, it would be a gap.
                Err(error) => Heard::Said(Message::Goodbye { reason: error.to_string() }),
            },
            Kept::Parted(heard) => heard.clone(),
        };
        Some((*unix_ns, heard))
    }

    fn follows(&self) -> bool {
        true
    }

    fn forget_before(&mut self, number: u64) {
        while self.first < number {
            let Some((_, kept)) = self.said.pop_front() else { break };
            self.bytes -= kept.bytes();
            self.first += 1;
        }
    }
}
