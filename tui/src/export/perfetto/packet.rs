//! Perfetto's packets: their field numbers, and the interning that keeps a trace small.
//!
//! All packets are of one sequence, which begins with cleared state, so that names are sent once.

use std::collections::HashMap;
use std::io::{self, Write};

use pollscope_model::time::ClockAnchor;

use crate::export::args::Arg;
use crate::export::meter::{Meter, Unit};
use crate::export::wire::Message;

/// `Trace.packet`.
const PACKET: u32 = 1;
/// Fields of `TracePacket`.
const CLOCK_SNAPSHOT: u32 = 6;
const TIMESTAMP: u32 = 8;
const SEQUENCE: u32 = 10;
const TRACK_EVENT: u32 = 11;
const INTERNED: u32 = 12;
const SEQUENCE_FLAGS: u32 = 13;
const TRACK_DESCRIPTOR: u32 = 60;
/// `SEQ_INCREMENTAL_STATE_CLEARED`, `SEQ_NEEDS_INCREMENTAL_STATE`.
const CLEARED: u64 = 1;
const NEEDED: u64 = 2;
/// Fields of `TrackEvent`.
const ANNOTATION: u32 = 4;
const TYPE: u32 = 9;
const NAME_IID: u32 = 10;
const TRACK_UUID: u32 = 11;
pub(super) const INT_VALUE: u32 = 30;
pub(super) const DOUBLE_VALUE: u32 = 44;
pub(super) const FLOW_IDS: u32 = 47;
/// Fields of `TrackDescriptor`.
const UUID: u32 = 1;
const NAME: u32 = 2;
const PROCESS: u32 = 3;
const PARENT: u32 = 5;
const COUNTER: u32 = 8;
const ORDERING: u32 = 11;
const RANK: u32 = 12;
const DESCRIPTION: u32 = 14;
const BY_TIME: u64 = 2;
const EXPLICIT: u64 = 3;
/// `BUILTIN_CLOCK_REALTIME`, `BUILTIN_CLOCK_BOOTTIME`: the latter is what timestamps are read as.
const REALTIME: u64 = 1;
const BOOTTIME: u64 = 6;
/// Our only sequence.
const ONE: u64 = 1;
/// Texts that are remembered; further ones are sent anew.
const MAX_TEXTS: usize = 1 << 16;

/// Kinds of interned text: their field in `InternedData`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    EventName = 2,
    AnnotationName = 3,
    AnnotationText = 29,
}

/// A track of slices or instants.
pub(super) struct Track<'a> {
    pub(super) id: u64,
    pub(super) parent: u64,
    pub(super) name: &'a str,
    /// What it shows, in a sentence.
    pub(super) about: &'a str,
    /// Its place among its siblings, where those are ordered.
    pub(super) rank: u64,
    /// Its children have ranks.
    pub(super) ordered: bool,
    /// Its children come by their first event.
    pub(super) by_time: bool,
}

impl<'a> Track<'a> {
    pub(super) fn new(id: u64, parent: u64, name: &'a str) -> Self {
        Self { id, parent, name, about: "", rank: 0, ordered: false, by_time: false }
    }
}

/// Writes packets.
pub(super) struct Packets<W> {
    out: W,
    texts: HashMap<(Kind, Box<str>), u64>,
    next: u64,
    /// Texts that the next packet has to define.
    fresh: Message,
    /// Cleared with the first packet.
    begun: bool,
}

impl<W: Write> Packets<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, texts: HashMap::new(), next: 0, fresh: Message::default(), begun: false }
    }

    fn put(&mut self, packet: Message) -> io::Result<()> {
        let flags = if std::mem::replace(&mut self.begun, true) { NEEDED } else { CLEARED | NEEDED };
        let packet = packet.uint(SEQUENCE, ONE).uint(SEQUENCE_FLAGS, flags);
        let mut framed = Message::default();
        framed.put(PACKET, packet.bytes());
        self.out.write_all(framed.bytes())
    }

    /// The process's clock and the wall's at the same moment.
    pub(super) fn clock(&mut self, anchor: ClockAnchor) -> io::Result<()> {
        let clock = |id, ns: u64| Message::default().uint(1, id).uint(2, ns.min(i64::MAX as u64));
        let snapshot = Message::default()
            .message(1, &clock(BOOTTIME, anchor.mono_ns))
            .message(1, &clock(REALTIME, anchor.unix_ns))
            .uint(2, BOOTTIME);
        self.put(Message::default().message(CLOCK_SNAPSHOT, &snapshot))
    }

    /// The track of the process; its children have ranks.
    pub(super) fn process(&mut self, id: u64, pid: u32, name: &str) -> io::Result<()> {
        let process = Message::default().uint(1, u64::from(pid & (u32::MAX >> 1))).text(6, name);
        let track = Message::default().uint(UUID, id).message(PROCESS, &process).uint(ORDERING, EXPLICIT);
        self.put(Message::default().message(TRACK_DESCRIPTOR, &track))
    }

    pub(super) fn track(&mut self, track: &Track<'_>) -> io::Result<()> {
        let mut message = Message::default()
            .uint(UUID, track.id)
            .uint(PARENT, track.parent)
            .text(NAME, track.name)
            .uint(RANK, track.rank);
        if !track.about.is_empty() {
            message = message.text(DESCRIPTION, track.about);
        }
        if track.ordered || track.by_time {
            message = message.uint(ORDERING, if track.ordered { EXPLICIT } else { BY_TIME });
        }
        self.put(Message::default().message(TRACK_DESCRIPTOR, &message))
    }

    pub(super) fn counter(&mut self, id: u64, parent: u64, name: &str, meter: Meter) -> io::Result<()> {
        // `UNIT_TIME_NS`, `UNIT_COUNT`, or a unit's name.
        let counter = match meter.unit() {
            Unit::Nanos => Message::default().uint(3, 1),
            Unit::Count => Message::default().uint(3, 2),
            Unit::PerSecond => Message::default().text(6, "1/s"),
            Unit::Percent => Message::default().text(6, "%"),
        };
        // Behind the tracks with ranks of their own.
        let track = Message::default()
            .uint(UUID, id)
            .uint(PARENT, parent)
            .text(NAME, name)
            .uint(RANK, 10)
            .text(DESCRIPTION, meter.description())
            .message(COUNTER, &counter);
        self.put(Message::default().message(TRACK_DESCRIPTOR, &track))
    }

    fn text(&mut self, kind: Kind, text: &str) -> u64 {
        if let Some(known) = self.texts.get(&(kind, Box::from(text))) {
            return *known;
        }
        self.next += 1;
        let entry = Message::default().uint(1, self.next).text(2, text);
        self.fresh.put(kind as u32, entry.bytes());
        if self.texts.len() < MAX_TEXTS {
            self.texts.insert((kind, text.into()), self.next);
        }
        self.next
    }

    /// An event with a name.
    pub(super) fn event(&mut self, kind: u64, track: u64, name: &str) -> Message {
        let name = self.text(Kind::EventName, name);
        bare(kind, track).uint(NAME_IID, name)
    }

    /// The event with arguments.
    pub(super) fn args(&mut self, mut event: Message, args: &[(&str, Arg)]) -> Message {
        for (name, arg) in args {
            let annotation = Message::default().uint(1, self.text(Kind::AnnotationName, name));
            let annotation = match arg {
                Arg::Uint(value) => annotation.uint(3, *value),
                // One level of an array, outermost field `array_values`.
                Arg::List(lines) => lines
                    .iter()
                    .fold(annotation, |list, line| list.message(12, &Message::default().text(6, line))),
                Arg::Text(text) if text.len() <= 128 => {
                    annotation.uint(17, self.text(Kind::AnnotationText, text))
                }
                Arg::Text(text) => annotation.text(6, text),
            };
            event = event.message(ANNOTATION, &annotation);
        }
        event
    }

    /// Writes an event.
    pub(super) fn write(&mut self, at_ns: u64, event: &Message) -> io::Result<()> {
        let fresh = std::mem::take(&mut self.fresh);
        let mut packet = Message::default().uint(TIMESTAMP, at_ns);
        if !fresh.is_empty() {
            packet = packet.message(INTERNED, &fresh);
        }
        self.put(packet.message(TRACK_EVENT, event))
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// An event without a name.
pub(super) fn bare(kind: u64, track: u64) -> Message {
    Message::default().uint(TYPE, kind).uint(TRACK_UUID, track)
}
