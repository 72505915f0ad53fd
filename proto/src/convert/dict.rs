//! Dictionary entries: sites, names and stacks.

use std::sync::Arc;

use pollscope_model::dict::{DictEntry, Frame, MAX_FRAMES, Site, Stack};
use pollscope_model::id::{NameId, SiteId, StackId};

use super::text::{checked, clip, clip_to};
use super::{DecodeError, at_most};
use crate::limits::MAX_FRAME_TEXT_BYTES;
use crate::wire;
use crate::wire::dict_entry::Entry;

pub(crate) fn to_wire(entry: &DictEntry) -> wire::DictEntry {
    let entry = match entry {
        DictEntry::Site(id, site) => Entry::Site(wire::SiteEntry {
            id: id.0,
            file: clip(&site.file),
            line: site.line,
            column: site.column,
        }),
        DictEntry::Name(id, name) => Entry::Name(wire::NameEntry { id: id.0, name: clip(name) }),
        DictEntry::Stack(id, stack) => Entry::Stack(wire::StackEntry {
            id: id.0,
            frames: stack.frames.iter().take(MAX_FRAMES).map(frame_to_wire).collect(),
            truncated: stack.truncated || stack.frames.len() > MAX_FRAMES,
            why: stack.why.as_deref().map_or_else(String::new, clip),
        }),
    };
    wire::DictEntry { entry: Some(entry) }
}

pub(crate) fn from_wire(entry: wire::DictEntry) -> Result<DictEntry, DecodeError> {
    match entry.entry {
        None => Err(DecodeError::missing("report.dict")),
        Some(Entry::Site(site)) => Ok(DictEntry::Site(
            SiteId(site.id),
            Site {
                file: checked("report.dict.file", site.file)?.into(),
                line: site.line,
                column: site.column,
            },
        )),
        Some(Entry::Name(name)) => {
            Ok(DictEntry::Name(NameId(name.id), Arc::from(checked("report.dict.name", name.name)?)))
        }
        Some(Entry::Stack(stack)) => {
            at_most("report.dict.frames", MAX_FRAMES, stack.frames.len())?;
            let frames = stack.frames.into_iter().map(frame_from_wire).collect::<Result<_, _>>()?;
            let why = checked("report.dict.why", stack.why)?;
            let why = (!why.is_empty()).then(|| why.into());
            Ok(DictEntry::Stack(StackId(stack.id), Stack { frames, truncated: stack.truncated, why }))
        }
    }
}

fn frame_to_wire(frame: &Frame) -> wire::Frame {
    let text = |text: &str| clip_to(text, MAX_FRAME_TEXT_BYTES);
    wire::Frame {
        function: text(&frame.function),
        file: frame.file.as_deref().map_or_else(String::new, text),
        line: frame.line,
        users: frame.users,
    }
}

fn frame_from_wire(frame: wire::Frame) -> Result<Frame, DecodeError> {
    at_most("report.dict.function", MAX_FRAME_TEXT_BYTES, frame.function.len())?;
    at_most("report.dict.file", MAX_FRAME_TEXT_BYTES, frame.file.len())?;
    Ok(Frame {
        function: frame.function.into(),
        file: (!frame.file.is_empty()).then(|| frame.file.into()),
        line: frame.line,
        users: frame.users,
    })
}
