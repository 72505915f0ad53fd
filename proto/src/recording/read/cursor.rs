//! A place in a recording: reads one message after the other, chunk by chunk.

use std::io::{self, Read, Seek, SeekFrom};

use mcap::records::op;

use super::{Entry, Recording, Source};
use crate::convert::field::Field;
use crate::convert::{Assembler, DecodeError, at_most, checked};
use crate::feed::Message;
use crate::limits::MAX_MESSAGE_BYTES;
use crate::recording::Channel;
use crate::recording::bytes::ByteReader;
use crate::recording::layout::MAX_CHUNK_BYTES;
use crate::wire;

/// The channels that a file declares, by their number there.
#[derive(Clone, Debug, Default)]
pub(super) struct Channels(Vec<(u16, Channel)>);

impl Channels {
    fn declare(&mut self, record: &[u8]) -> Option<()> {
        let mut fields = ByteReader(record);
        let (id, _schema, topic) = (fields.u16()?, fields.u16()?, fields.text()?);
        let channel = Channel::ALL.into_iter().find(|channel| channel.topic() == topic)?;
        if self.get(id).is_none() && self.0.len() < Channel::ALL.len() {
            self.0.push((id, channel));
        }
        Some(())
    }

    fn get(&self, id: u16) -> Option<Channel> {
        self.0.iter().find(|(known, _)| *known == id).map(|(_, channel)| *channel)
    }
}

/// Where the next message is read. Begins at the start; [`Cursor::at_chunk`] begins elsewhere.
#[derive(Debug, Default)]
pub struct Cursor {
    /// The chunk that `data` is of, or the next to read while there is none.
    chunk: usize,
    data: Option<Vec<u8>>,
    at: usize,
    frames: Assembler,
    /// A report is begun and not whole.
    midway: bool,
}

impl Cursor {
    /// At the start of a chunk. A report that began in the chunk before it is left out.
    pub fn at_chunk(chunk: usize) -> Self {
        Self { chunk, ..Self::default() }
    }

    /// The chunk that the next message opens, if no report is split over its edge: a place to come back
    /// to with [`Cursor::at_chunk`].
    pub fn chunk_edge(&self) -> Option<usize> {
        match &self.data {
            _ if self.midway => None,
            None => Some(self.chunk),
            Some(data) if self.at >= data.len() => Some(self.chunk + 1),
            Some(_) => None,
        }
    }

    /// The next message; `None` at the end. What is damaged is left out and counted in
    /// [`Recording::damaged`].
    pub fn next(&mut self, recording: &mut Recording) -> Option<Entry> {
        self.step_on(&mut recording.source)
    }

    pub(super) fn step_on(&mut self, source: &mut Source) -> Option<Entry> {
        while self.chunk < source.chunks.len() {
            if self.data.is_none() {
                match load(source, self.chunk) {
                    Some(data) => (self.data, self.at) = (Some(data), 0),
                    None => self.give_up(source),
                }
                continue;
            }
            match self.step(source) {
                Ok(Step::Entry(entry)) => return Some(entry),
                Ok(Step::Nothing) => {}
                Ok(Step::End) => self.go_on(),
                Err(_) => self.give_up(source),
            }
        }
        None
    }

    fn go_on(&mut self) {
        self.chunk += 1;
        self.data = None;
    }

    /// The rest of the chunk is of no use, nor is what began in it.
    fn give_up(&mut self, source: &mut Source) {
        source.damaged.insert(self.chunk);
        (self.frames, self.midway) = (Assembler::default(), false);
        self.go_on();
    }

    fn step(&mut self, source: &mut Source) -> Result<Step, DecodeError> {
        let data = self.data.as_deref().unwrap_or_default();
        let mut rest = ByteReader(data.get(self.at..).unwrap_or_default());
        if rest.0.is_empty() {
            return Ok(Step::End);
        }
        let (opcode, body) = rest.record().ok_or(DecodeError::missing("recording.record"))?;
        self.at = data.len() - rest.0.len();
        match opcode {
            op::CHANNEL => {
                source.channels.declare(body);
                return Ok(Step::Nothing);
            }
            op::MESSAGE => {}
            _ => return Ok(Step::Nothing),
        }
        let mut fields = ByteReader(body);
        let head = (fields.u16(), fields.u32(), fields.u64(), fields.u64());
        let (Some(channel), _, Some(unix_ns), Some(_)) = head else {
            return Err(DecodeError::missing("recording.message"));
        };
        let Some(channel) = source.channels.get(channel) else { return Ok(Step::Nothing) };
        let message = match channel {
            Channel::Hello => {
                let hello = Field::from_wire("hello", decode::<wire::Hello>(fields.0)?)?;
                Message::Hello(Box::new(hello))
            }
            Channel::Report => {
                let frame = decode::<wire::Report>(fields.0)?;
                // The end of a report that began before the place where reading began.
                if !self.midway && frame.frame > 0 {
                    return Ok(Step::Nothing);
                }
                let whole = self.frames.push(frame)?;
                self.midway = whole.is_none();
                match whole {
                    Some(report) => Message::Report(Box::new(report)),
                    None => return Ok(Step::Nothing),
                }
            }
            Channel::Goodbye => {
                let bye = decode::<wire::Goodbye>(fields.0)?;
                Message::Goodbye { reason: checked("goodbye.reason", bye.reason)? }
            }
        };
        Ok(Step::Entry(Entry { unix_ns, message }))
    }
}

enum Step {
    Entry(Entry),
    Nothing,
    End,
}

fn decode<M: prost::Message + Default>(bytes: &[u8]) -> Result<M, DecodeError> {
    // A chunk has room for more, and a decoder makes much of little: no writer writes a longer one.
    at_most("recording.message", MAX_MESSAGE_BYTES, bytes.len())?;
    M::decode(bytes).map_err(|error| DecodeError::undecodable(&error))
}

/// The records of a chunk; `None` if it is damaged.
fn load(source: &mut Source, chunk: usize) -> Option<Vec<u8>> {
    let place = source.chunks.get(chunk)?;
    if place.length > MAX_CHUNK_BYTES {
        return None;
    }
    let body = read_at(&mut source.input, place.offset, place.length as usize).ok()?;
    let mut fields = ByteReader(&body);
    let (_start, _end) = (fields.u64()?, fields.u64()?);
    let (size, checksum) = (fields.u64()?, fields.u32()?);
    let compression = fields.text()?;
    let stored = fields.u64().and_then(|length| usize::try_from(length).ok())?;
    let stored = fields.take(stored)?;
    if size > MAX_CHUNK_BYTES {
        return None;
    }
    let data = match compression {
        "zstd" => zstd::bulk::decompress(stored, size as usize).ok()?,
        "" => stored.to_vec(),
        _ => return None,
    };
    let sound = data.len() as u64 == size && (checksum == 0 || crc32fast::hash(&data) == checksum);
    sound.then_some(data)
}

fn read_at(input: &mut (impl Read + Seek), offset: u64, length: usize) -> io::Result<Vec<u8>> {
    input.seek(SeekFrom::Start(offset))?;
    let mut body = vec![0; length];
    input.read_exact(&mut body)?;
    Ok(body)
}
