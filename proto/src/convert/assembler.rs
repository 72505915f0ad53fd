//! Puts a report's frames together again.

use pollscope_model::report::Report;

use super::report::from_frame;
use super::{DecodeError, Reason, at_most};
use crate::limits::{MAX_FRAMES, MAX_REPORT_BYTES};
use crate::wire;

/// Takes the frames of one stream in order and gives back whole reports.
///
/// Bounded: it holds at most one unfinished report of a limited number of frames and of
/// [`MAX_REPORT_BYTES`]. After an error the stream is of no more use.
#[derive(Debug, Default)]
pub(crate) struct Assembler {
    unfinished: Option<Unfinished>,
}

#[derive(Debug)]
struct Unfinished {
    whole: Report,
    /// Bytes that it holds.
    bytes: usize,
    /// Index of the frame that is due, and how many there are.
    due: u32,
    frames: u32,
}

impl Assembler {
    /// Takes the next frame; gives the report when this was its last.
    pub(crate) fn push(&mut self, frame: wire::Report) -> Result<Option<Report>, DecodeError> {
        let (index, frames) = (frame.frame, frame.frames.max(1));
        at_most("report.frames", MAX_FRAMES, frames as usize)?;
        let expected = self.unfinished.as_ref().map_or(0, |report| report.due);
        if index != expected || index >= frames {
            let reason = Reason::Frame { expected, got: index, frames };
            return Err(DecodeError::new("report.frame", reason));
        }
        let share = from_frame(frame)?;
        let bytes = self.held_bytes().saturating_add(share.held_bytes());
        at_most("report.bytes", MAX_REPORT_BYTES, bytes)?;
        let whole = match self.unfinished.take() {
            None => share,
            Some(Unfinished { whole, frames: of, .. }) => append(whole, share, of == frames)?,
        };
        if index + 1 == frames {
            return Ok(Some(whole));
        }
        self.unfinished = Some(Unfinished { whole, bytes, due: index + 1, frames });
        Ok(None)
    }

    /// Bytes that the unfinished report holds.
    pub(crate) fn held_bytes(&self) -> usize {
        self.unfinished.as_ref().map_or(0, |report| report.bytes)
    }
}

fn append(mut whole: Report, share: Report, same_frames: bool) -> Result<Report, DecodeError> {
    let key = |report: &Report| (report.boot, report.kind, report.first_seq, report.seq, report.end_ns);
    if key(&whole) != key(&share) || !same_frames {
        return Err(DecodeError::new("report.frame", Reason::OtherReport));
    }
    whole.dict.extend(share.dict);
    whole.runtimes.extend(share.runtimes);
    whole.workers.extend(share.workers);
    whole.sites.extend(share.sites);
    whole.tasks.extend(share.tasks);
    whole.slow_polls.extend(share.slow_polls);
    whole.stalls.extend(share.stalls);
    whole.stops.extend(share.stops);
    whole.edges.extend(share.edges);
    whole.events.extend(share.events);
    Ok(whole)
}
