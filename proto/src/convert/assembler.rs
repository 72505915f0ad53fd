//! Puts a report's frames together again.

use pollscope_model::report::Report;

use super::report::from_frame;
use super::{DecodeError, Reason, at_most};
use crate::limits::MAX_FRAMES;
use crate::wire;

/// Takes the frames of one stream in order and gives back whole reports.
///
/// Bounded: it holds at most one unfinished report of a limited number of frames. After an error the
/// stream is of no more use.
#[derive(Debug, Default)]
pub(crate) struct Assembler {
    /// The unfinished report, and the index of the frame that is due.
    unfinished: Option<(Report, u32, u32)>,
}

impl Assembler {
    /// Takes the next frame; gives the report when this was its last.
    pub(crate) fn push(&mut self, frame: wire::Report) -> Result<Option<Report>, DecodeError> {
        let (index, frames) = (frame.frame, frame.frames.max(1));
        at_most("report.frames", MAX_FRAMES, frames as usize)?;
        let expected = self.unfinished.as_ref().map_or(0, |(_, due, _)| *due);
        if index != expected || index >= frames {
            let reason = Reason::Frame { expected, got: index, frames };
            return Err(DecodeError::new("report.frame", reason));
        }
        let share = from_frame(frame)?;
        let whole = match self.unfinished.take() {
            None => share,
            Some((whole, _, of)) => append(whole, share, of == frames)?,
        };
        if index + 1 == frames {
            return Ok(Some(whole));
        }
        self.unfinished = Some((whole, index + 1, frames));
        Ok(None)
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
    whole.edges.extend(share.edges);
    whole.events.extend(share.events);
    Ok(whole)
}
