//! The walk over a file's records: which chunks there are and where the file ends. It reads heads, and
//! bodies only of records that are small.

use std::io::{self, ErrorKind, Read, Seek, SeekFrom};

use mcap::MAGIC;
use mcap::records::op;

use super::{Ending, Input, OpenError};
use crate::recording::FORMAT;
use crate::recording::bytes::ByteReader;
use crate::recording::layout::{KEY_FORMAT, KEY_RELEASE, MAX_CHUNKS, MAX_SMALL_RECORD, METADATA, PROFILE};

/// Opcode and length.
const HEAD: u64 = 9;
/// The fields of a chunk before its compression's name: times, size, checksum.
const CHUNK_HEAD: usize = 28;

/// Where a chunk lies and which time it covers.
#[derive(Clone, Copy, Debug)]
pub(super) struct ChunkPlace {
    /// Of its body, behind opcode and length.
    pub(super) offset: u64,
    pub(super) length: u64,
    pub(super) start_unix_ns: u64,
    pub(super) end_unix_ns: u64,
}

/// What the walk found.
pub(super) struct ChunkIndex {
    pub(super) chunks: Vec<ChunkPlace>,
    pub(super) ending: Ending,
}

pub(super) fn walk(input: &mut Box<dyn Input>) -> Result<ChunkIndex, OpenError> {
    let size = input.seek(SeekFrom::End(0))?;
    input.seek(SeekFrom::Start(0))?;
    let mut input = io::BufReader::new(input);
    let mut magic = [0; 8];
    if !filled(&mut input, &mut magic)? || magic != *MAGIC {
        return Err(OpenError::NotMcap);
    }
    let (mut at, mut chunks, mut finished) = (magic.len() as u64, Vec::new(), false);
    let mut expected_header = true;
    while let Some((opcode, length)) = head(&mut input)? {
        let body = at + HEAD;
        if length > size.saturating_sub(body) {
            break;
        }
        if std::mem::take(&mut expected_header) && opcode != op::HEADER {
            return Err(OpenError::NotOurs { profile: String::new() });
        }
        let mut read = 0;
        match opcode {
            op::HEADER | op::METADATA if length <= MAX_SMALL_RECORD => {
                let mut record = vec![0; length as usize];
                if !filled(&mut input, &mut record)? {
                    break;
                }
                read = length;
                judge(opcode, &record)?;
            }
            op::CHUNK if length >= CHUNK_HEAD as u64 => {
                let mut times = [0; CHUNK_HEAD];
                if !filled(&mut input, &mut times)? {
                    break;
                }
                read = CHUNK_HEAD as u64;
                if chunks.len() >= MAX_CHUNKS {
                    return Err(OpenError::TooLong);
                }
                let mut times = ByteReader(&times);
                chunks.push(ChunkPlace {
                    offset: body,
                    length,
                    start_unix_ns: times.u64().unwrap_or(0),
                    end_unix_ns: times.u64().unwrap_or(0),
                });
            }
            op::FOOTER => finished = true,
            _ => {}
        }
        // Within the file, as checked above: below `i64::MAX`.
        input.seek_relative((length - read).cast_signed())?;
        at = body + length;
    }
    let ending = if finished {
        Ending::Finished
    } else {
        Ending::Cut { whole_bytes: at, lost_bytes: size - at.min(size) }
    };
    Ok(ChunkIndex { chunks, ending })
}

/// Whether a header or a metadata record lets the file be one of ours.
fn judge(opcode: u8, record: &[u8]) -> Result<(), OpenError> {
    let mut fields = ByteReader(record);
    let name = fields.text().unwrap_or_default();
    if opcode == op::HEADER && name != PROFILE {
        return Err(OpenError::NotOurs { profile: name.chars().take(40).collect() });
    }
    if opcode == op::METADATA && name == METADATA {
        let format = fields.value_of(KEY_FORMAT).unwrap_or_default();
        let major = format.split('.').next().and_then(|major| major.parse().ok());
        if major != Some(FORMAT.major) {
            return Err(OpenError::Format {
                format: format.to_owned(),
                release: fields.value_of(KEY_RELEASE).unwrap_or_default().to_owned(),
            });
        }
    }
    Ok(())
}

/// A record's opcode and length; `None` at the end of the input.
fn head(input: &mut impl Read) -> io::Result<Option<(u8, u64)>> {
    let mut head = [0; HEAD as usize];
    if !filled(input, &mut head)? {
        return Ok(None);
    }
    Ok(ByteReader(&head).head())
}

/// Fills the buffer; false if the input ends before.
fn filled(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match input.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}
