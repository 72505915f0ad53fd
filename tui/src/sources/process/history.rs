//! The messages of one source's processes: the live state, and in memory the last minutes, so that a live view can go
//! back. Fed by the source's loop ([`watch`](super::watch)); reads no clock.
//!
//! Bounded: [`MAX_BYTES`] in wire form and [`MAX_AGE_NS`]; the oldest leaves. Above [`MAX_ROWS`] task
//! rows nothing is kept, because a copy of the state to go back from would cost as much again as the
//! state itself.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use pollscope_model::id::BootId;
use pollscope_model::monitor::{Message, Monitor, Receipt, Received};
use pollscope_model::report::{Report, ReportKind};
use pollscope_model::time::SECOND;
use pollscope_model::world::{TooManyProcesses, WorldLimits};
use pollscope_proto::DecodeError;
use pollscope_proto::recording::PackedMessage;

use crate::sources::replay::player::{self, Moved, Player};
use crate::sources::replay::track::{self, State, Tape, Track};
use crate::sources::replay::{Control, Playback};

/// Bytes of messages.
const MAX_BYTES: usize = 64 << 20;
/// How far back it goes.
const MAX_AGE_NS: u64 = 900 * SECOND;
/// Task rows up to which there is a history.
const MAX_ROWS: usize = 100_000;
/// The same in words.
const NOTE: &str = "kept: 15m, 64 MiB";
/// Instead, above the limit.
const TOO_MANY: &str = "over 100,000 tasks no history is kept";

/// The live state of one source, its history, and where its user is in it.
pub(super) struct History {
    live: Monitor,
    track: Track<MemoryTape>,
    player: Option<Player>,
    note: Arc<str>,
    off: bool,
    /// Task rows of a snapshot that is coming in.
    expected: usize,
}

impl Default for History {
    fn default() -> Self {
        Self {
            live: Monitor::new(WorldLimits::default()),
            track: Track::new(MemoryTape::default()),
            player: None,
            note: NOTE.into(),
            off: false,
            expected: 0,
        }
    }
}

impl History {
    /// Folds a message and keeps it. Fails for the greeting of a process that finds no room.
    pub(super) fn receive(
        &mut self,
        received: impl Into<Received>,
        unix_ns: u64,
    ) -> Result<Receipt, TooManyProcesses> {
        let received = received.into();
        if let Received::Message(Message::Report(report)) = &received {
            self.expect(report);
        }
        let greets = matches!(received, Received::Message(Message::Hello(_)));
        let follows = self.off && !greets || received.completes_state();
        if !self.off {
            self.track.tape.push(unix_ns, &received);
        }
        let receipt = self.live.receive(received, unix_ns);
        if follows {
            self.follow(unix_ns);
        }
        receipt
    }

    /// The stream of a process ended.
    pub(super) fn lose(&mut self, boot: BootId, reason: &str, unix_ns: u64) {
        // Only a greeting can fail.
        let _ = self.receive(Received::Lost { boot, reason: reason.to_owned() }, unix_ns);
    }

    /// How a process that has greeted is called.
    pub(super) fn label(&self, boot: BootId) -> String {
        self.live.world().process(boot).map_or_else(String::new, |process| process.label().to_string())
    }

    /// The newest moment is that of the live state.
    fn follow(&mut self, unix_ns: u64) {
        let position = self.track.tape.next();
        self.keep(track::rows(&self.live).max(self.expected) <= MAX_ROWS);
        if self.off {
            return;
        }
        self.track.follow(unix_ns, position, &self.live);
        while self.track.tape.bytes > MAX_BYTES || self.age() > MAX_AGE_NS {
            if self.track.shorten() {
                continue;
            }
            if self.track.tape.bytes > MAX_BYTES {
                self.track.clear(position);
                self.player = None;
            }
            break;
        }
        if let Some(player) = &mut self.player {
            player.stay_within(&mut self.track);
        }
    }

    /// A snapshot of several parts may be of too many rows: then the first of them are not kept either.
    fn expect(&mut self, report: &Report) {
        match report.kind {
            ReportKind::Snapshot { part: 0, parts } => {
                self.expected = report.tasks.len().saturating_mul(parts as usize);
            }
            kind if kind.is_last_part() => self.expected = 0,
            ReportKind::Snapshot { .. } | ReportKind::Delta => {}
        }
        if self.expected > MAX_ROWS {
            self.keep(false);
        }
    }

    /// Begins to keep messages, or forgets all of them.
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

    /// Lets the live state age, and the detectors look at it.
    pub(super) fn tick(&mut self, unix_ns: u64) {
        self.live.tick(unix_ns);
        self.track.look_for_findings(&self.live);
    }

    /// The live state.
    pub(super) fn live(&self) -> &Monitor {
        &self.live
    }

    /// Processes in which something was newly found at deny.
    pub(super) fn take_alarms(&mut self) -> BTreeSet<BootId> {
        self.live.take_alarms()
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
    pub(super) fn control(&mut self, control: Control) -> Result<(), &'static str> {
        if self.off {
            return Err(TOO_MANY);
        }
        if self.track.newest().is_none() {
            return Err("nothing is kept yet");
        }
        let player = match &mut self.player {
            Some(player) => player,
            None if matches!(control, Control::Newest | Control::Faster | Control::Slower) => return Ok(()),
            None => {
                let state = State::of(self.live.clone(), self.track.tape.next());
                let player = self.player.insert(Player::at_newest(&self.track, state));
                if control == Control::Toggle {
                    return Ok(());
                }
                player
            }
        };
        // A held view that was not moved is let go.
        let moved = match control {
            Control::Toggle if !player.is_playing() && !player.was_moved() => Moved::Newest,
            control => player.control(control, &mut self.track),
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

/// Messages, packed.
#[derive(Default)]
struct MemoryTape {
    first: u64,
    messages: VecDeque<(u64, Kept)>,
    bytes: usize,
}

enum Kept {
    Message(PackedMessage),
    Lost(Received),
}

impl Kept {
    fn bytes(&self) -> usize {
        match self {
            Self::Message(packed) => packed.bytes(),
            Self::Lost(_) => size_of::<Self>(),
        }
    }
}

impl MemoryTape {
    fn push(&mut self, unix_ns: u64, received: &Received) {
        let kept = match received {
            Received::Message(message) => Kept::Message(PackedMessage::new(message)),
            lost @ Received::Lost { .. } => Kept::Lost(lost.clone()),
        };
        self.bytes += kept.bytes();
        self.messages.push_back((unix_ns, kept));
    }

    /// The number that comes next.
    fn next(&self) -> u64 {
        self.first + self.messages.len() as u64
    }
}

impl Tape for MemoryTape {
    fn read(&mut self, number: u64) -> Option<(u64, Received)> {
        let at = usize::try_from(number.checked_sub(self.first)?).ok()?;
        let (unix_ns, kept) = self.messages.get(at)?;
        let received = match kept {
            Kept::Message(packed) => {
                // It was packed here and cannot be unreadable; if it were, it would be a gap.
                let unreadable = |error: DecodeError| Message::Goodbye { reason: error.to_string() };
                packed.unpack().unwrap_or_else(unreadable).into()
            }
            Kept::Lost(lost) => lost.clone(),
        };
        Some((*unix_ns, received))
    }

    fn follows(&self) -> bool {
        true
    }

    fn forget_before(&mut self, number: u64) {
        while self.first < number {
            let Some((_, kept)) = self.messages.pop_front() else { break };
            self.bytes -= kept.bytes();
            self.first += 1;
        }
    }
}
