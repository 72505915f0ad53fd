//! Single events, from the threads' rings to a report's blocks, while a reader asks for them.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use pollscope_model::entity::event::{Event, EventBlock, MAX_BLOCK_EVENTS};
use pollscope_recorder::flight;
use pollscope_recorder::flight::Flight;
use pollscope_recorder::thread::{Reading, Thread};

/// Events of one report; of more than that the newest are told, and the rest is told as missing.
const MAX_EVENTS: u64 = 131_072;
/// The longest that a request holds without being renewed.
const MAX_TTL: Duration = Duration::from_secs(60);

/// So long after the last reader the rings keep their memory: one that comes back soon costs no page faults.
const KEPT: Duration = Duration::from_secs(180);

/// How far it has been read, by thread.
#[derive(Clone, Copy)]
struct Mark {
    next: u64,
    until_ns: u64,
}

/// What is told of one thread's numbers. What was not asked for is not missing: it has none.
#[derive(Clone, Copy, Default)]
struct Numbers {
    /// The next in the ring after all that was told.
    next: u64,
    /// So many in the ring were not asked for.
    skipped: u64,
}

/// See the module.
#[derive(Default)]
pub(super) struct Flights {
    /// Since when it records.
    on_ns: Option<u64>,
    /// Since when it does not, while the rings still have memory of then.
    off: Option<Instant>,
    wanted_until: Option<Instant>,
    /// A reader that begins wants what happened since then.
    begin_ns: Option<u64>,
    marks: HashMap<u32, Mark>,
    numbers: HashMap<u32, Numbers>,
}

impl Flights {
    /// Records from now on if the settings want it always.
    pub(super) fn new(now: Instant, now_ns: u64) -> Self {
        let mut flights = Self::default();
        flights.turn(now, now_ns);
        flights
    }

    /// A reader asks for what comes, and for what happened in the last nanoseconds.
    pub(super) fn ask(&mut self, last_ns: u64, ttl: Duration, now: Instant, now_ns: u64) {
        if flight::mode() == Flight::Off {
            return;
        }
        let until = now + ttl.min(MAX_TTL);
        self.wanted_until = Some(self.wanted_until.map_or(until, |wanted| wanted.max(until)));
        if last_ns > 0 {
            let begin_ns = now_ns.saturating_sub(last_ns);
            self.begin_ns = Some(self.begin_ns.map_or(begin_ns, |begin| begin.min(begin_ns)));
        }
        self.turn(now, now_ns);
    }

    /// Whether it records.
    pub(super) fn is_on(&self) -> bool {
        self.on_ns.is_some()
    }

    /// Brings the switch up to date; `true` while a reader asks.
    fn turn(&mut self, now: Instant, now_ns: u64) -> bool {
        let mode = flight::mode();
        let read = mode != Flight::Off && self.wanted_until.is_some_and(|until| now < until);
        let on = read || mode == Flight::Always;
        if on != self.on_ns.is_some() {
            flight::switch(on);
            self.on_ns = on.then_some(now_ns);
            self.off = (!on).then_some(now);
            self.marks.clear();
        }
        if self.off.is_some_and(|off| now.saturating_duration_since(off) >= KEPT) {
            self.off = None;
            flight::give_back();
        }
        if !read {
            self.wanted_until = None;
            self.begin_ns = None;
            // The next reader begins where it wants, not where the last one stopped.
            self.marks.clear();
        }
        read
    }

    /// What was recorded since the last time, if a reader asks.
    pub(super) fn collect(&mut self, threads: &Reading, now: Instant, now_ns: u64) -> Vec<EventBlock> {
        if !self.turn(now, now_ns) {
            return Vec::new();
        }
        let on_ns = self.on_ns.unwrap_or(now_ns);
        let begin_ns = self.begin_ns.take();
        let recording = threads.states().filter(|thread| !thread.flight.is_closed());
        let waiting = |thread: &Thread| {
            let next = self.marks.get(&thread.index).map_or(0, |mark| mark.next);
            thread.flight.own().map_or(0, |ring| ring.head().saturating_sub(next).min(ring.room()))
        };
        let (all, busy) = recording
            .clone()
            .map(waiting)
            .fold((0, 0), |(all, busy), one| (all + one, busy + u64::from(one > 0)));
        let most = if all > MAX_EVENTS { MAX_EVENTS / busy } else { u64::MAX };
        let mut blocks = Vec::new();
        for thread in recording {
            let Some(ring) = thread.flight.own() else {
                // There was no room for a ring: nothing is known of what it does.
                blocks.push(EventBlock { thread: thread.index, ..EventBlock::default() });
                continue;
            };
            let mark = match (self.marks.get(&thread.index), begin_ns) {
                (Some(mark), None) => *mark,
                (known, begin) => {
                    // Who reads already gets what comes next in any case.
                    let since_ns = known.map(|mark| mark.until_ns).into_iter().chain(begin).min();
                    Mark { next: thread.flight.base(), until_ns: since_ns.unwrap_or(now_ns).max(on_ns) }
                }
            };
            let (first, words) = ring.read(mark.next, most);
            let lost = first > mark.next;
            let mut block =
                EventBlock { thread: thread.index, first, from_ns: mark.until_ns, ..EventBlock::default() };
            let next = first + words.len() as u64;
            let mut events = words.into_iter().map(flight::event).peekable();
            if lost && let Some(oldest) = events.peek() {
                block.from_ns = block.from_ns.max(oldest.end_ns());
            }
            while events.next_if(|event| event.end_ns() < mark.until_ns && begin_ns.is_some()).is_some() {
                block.first += 1;
            }
            let numbers = self.numbers.entry(thread.index).or_default();
            if !self.marks.contains_key(&thread.index) {
                numbers.skipped += block.first.saturating_sub(numbers.next);
            }
            numbers.next = numbers.next.max(next);
            block.first = block.first.saturating_sub(numbers.skipped);
            for event in events {
                if block.events.len() == MAX_BLOCK_EVENTS {
                    let to_ns = block.events.last().map_or(now_ns, Event::end_ns).max(block.from_ns);
                    let rest = EventBlock {
                        thread: block.thread,
                        first: block.first + MAX_BLOCK_EVENTS as u64,
                        from_ns: to_ns,
                        ..EventBlock::default()
                    };
                    blocks.push(EventBlock { to_ns, ..std::mem::replace(&mut block, rest) });
                }
                block.events.push(event);
            }
            // A poll that has just ended and is not written yet comes with the next report.
            blocks.push(EventBlock { to_ns: now_ns.max(block.from_ns), ..block });
            self.marks.insert(thread.index, Mark { next, until_ns: now_ns });
        }
        blocks
    }
}

impl Drop for Flights {
    fn drop(&mut self) {
        if self.on_ns.is_some() {
            flight::switch(false);
        }
        // Nothing comes by later to do it.
        if self.on_ns.is_some() || self.off.is_some() {
            flight::give_back();
        }
    }
}

#[cfg(test)]
mod tests;
