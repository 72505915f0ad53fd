//! Changes of bytes, whatever they mean, and of records in MCAP's framing.

use mcap::records::op;

use crate::chance::Chance;

/// Changes some bytes, a few times.
pub(crate) fn bytes(data: &mut Vec<u8>, chance: &mut Chance) {
    for _ in 0..=chance.below(4) {
        if data.is_empty() {
            return;
        }
        let at = chance.below(data.len());
        let some = data.len().min(at + 1 + chance.below(200));
        match chance.below(7) {
            0 => data[at] = chance.number() as u8,
            1 => data[at] ^= 1 << chance.below(8),
            2 => {
                let number = chance.odd().to_le_bytes();
                let room = (data.len() - at).min(1 << chance.below(4));
                data[at..at + room].copy_from_slice(&number[..room]);
            }
            3 => drop(data.drain(at..some)),
            4 => {
                let again = data[at..some].to_vec();
                let to = chance.below(data.len());
                data.splice(to..to, again);
            }
            5 => data[at..some].fill(chance.number() as u8),
            _ => data.truncate(at),
        }
    }
}

/// One record: opcode and body.
pub(crate) type Record = (u8, Vec<u8>);

/// The records of a sequence, as far as it is whole.
pub(crate) fn split(mut data: &[u8]) -> Vec<Record> {
    let mut records = Vec::new();
    while let Some((head, rest)) = data.split_at_checked(9) {
        let length = u64::from_le_bytes(head[1..].try_into().unwrap_or_default());
        let Some((body, rest)) =
            usize::try_from(length).ok().and_then(|length| rest.split_at_checked(length))
        else {
            break;
        };
        records.push((head[0], body.to_vec()));
        data = rest;
    }
    records
}

/// The sequence again; now and then with a length that is not so.
pub(crate) fn join(records: &[Record], lie: bool, chance: &mut Chance) -> Vec<u8> {
    let liar = if lie { chance.below(records.len()) } else { usize::MAX };
    let mut data = Vec::new();
    for (at, (opcode, body)) in records.iter().enumerate() {
        let length = if at == liar { chance.odd() } else { body.len() as u64 };
        data.push(*opcode);
        data.extend(length.to_le_bytes());
        data.extend(body);
    }
    data
}

/// Leaves records out, repeats, moves or renames them.
pub(crate) fn shuffle(records: &mut Vec<Record>, chance: &mut Chance) {
    for _ in 0..=chance.below(3) {
        if records.is_empty() {
            return;
        }
        let (at, to) = (chance.below(records.len()), chance.below(records.len()));
        match chance.below(4) {
            0 => drop(records.remove(at)),
            1 => records.insert(to, records[at].clone()),
            2 => records.swap(at, to),
            _ => {
                records[at].0 = *chance.of_these(&[op::HEADER, op::CHUNK, op::CHANNEL, op::MESSAGE, 0, 0xff]);
            }
        }
    }
}

/// No sound chunk here is larger.
const LARGEST: u64 = 16 << 20;

/// A chunk's parts.
pub(crate) struct Chunk {
    times: [u64; 2],
    pub(crate) contents: Vec<u8>,
}

impl Chunk {
    /// What is in a sound one; a chunk that was changed before may say anything of its size.
    pub(crate) fn of(body: &[u8]) -> Option<Self> {
        let number = |at: usize| Some(u64::from_le_bytes(body.get(at..at + 8)?.try_into().ok()?));
        let name = u32::from_le_bytes(body.get(28..32)?.try_into().ok()?) as usize;
        let stored = body.get(32_usize.checked_add(name)?.checked_add(8)?..)?;
        let size = number(16).filter(|size| *size <= LARGEST)?;
        let contents = match name {
            0 => stored.to_vec(),
            _ => zstd::bulk::decompress(stored, size as usize).ok()?,
        };
        Some(Self { times: [number(0)?, number(8)?], contents })
    }

    /// As it stands in a file; mostly with sound lengths and checksum, so that a reader goes on.
    pub(crate) fn body(&self, lie: bool, chance: &mut Chance) -> Vec<u8> {
        let packed = !chance.one_in(3);
        let stored = if packed { zstd::bulk::compress(&self.contents, 1) } else { Ok(self.contents.clone()) };
        let stored = stored.unwrap_or_default();
        let name = if packed { "zstd" } else { "" };
        let mut checksum = if chance.one_in(2) { crc32fast::hash(&self.contents) } else { 0 };
        let (mut times, mut size, mut length) = (self.times, self.contents.len() as u64, stored.len() as u64);
        if lie {
            match chance.below(4) {
                0 => checksum = chance.number() as u32,
                1 => times[chance.below(2)] = chance.odd(),
                2 => size = chance.odd(),
                _ => length = chance.odd(),
            }
        }
        let mut body = Vec::with_capacity(stored.len() + 48);
        body.extend(times.iter().flat_map(|time| time.to_le_bytes()));
        body.extend(size.to_le_bytes());
        body.extend(checksum.to_le_bytes());
        body.extend((name.len() as u32).to_le_bytes());
        body.extend(name.as_bytes());
        body.extend(length.to_le_bytes());
        body.extend(stored);
        body
    }
}
