//! Writing a recording: the same messages as on the feed, in the same order.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mcap::records::{MessageHeader, Metadata};
use mcap::{Compression, McapError, WriteOptions};
use pollscope_model::hello::Hello;
use pollscope_model::report::Report;
use pollscope_model::time::ClockAnchor;
use prost::Message as _;

use super::layout::{
    CHUNK_BYTES, CHUNK_NS, DESCRIPTORS, KEY_FORMAT, KEY_PROTOCOL, KEY_RELEASE, METADATA, PROFILE,
};
use super::{Channel, FORMAT};
use crate::convert;
use crate::convert::field::Field;
use crate::version::RELEASE;
use crate::wire;

/// Writes one recording of one process. See the [module](super).
///
/// Give it what a viewer would get: the greeting, a snapshot, then every delta without a gap. Blocks
/// while the output does. After an error the recording has ended, readable up to its last whole chunk:
/// drop the writer. Dropping one that works finishes its file, without a word if that fails.
///
/// Memory: the open chunk, at most 5 MiB before compression.
pub struct Writer<W: Write> {
    mcap: mcap::Writer<Counted<W>>,
    written: Arc<AtomicU64>,
    channels: [u16; Channel::ALL.len()],
    anchor: ClockAnchor,
    number: u32,
    latest_unix_ns: u64,
    open: OpenChunk,
}

/// What is in the chunk that is not written yet.
#[derive(Default)]
struct OpenChunk {
    began_unix_ns: Option<u64>,
    bytes: usize,
}

impl<W: Write> Writer<W> {
    /// Begins a recording with the process's greeting.
    pub fn new(out: W, hello: &Hello) -> io::Result<Self> {
        let options = WriteOptions::new()
            .profile(PROFILE)
            .library(format!("pollscope {RELEASE}"))
            .compression(Some(Compression::Zstd))
            .compression_level(1)
            // No thread of its own: the caller's may be a service's.
            .compression_threads(0)
            .chunk_size(None)
            .disable_seeking(true);
        let written = Arc::new(AtomicU64::new(0));
        let out = Counted { out: BufWriter::new(out), written: written.clone() };
        let mut mcap = options.create(out).map_err(to_io)?;
        let version = |name: &str, value: String| (name.to_owned(), value);
        let metadata = BTreeMap::from([
            version(KEY_FORMAT, FORMAT.to_string()),
            version(KEY_PROTOCOL, hello.protocol.to_string()),
            version(KEY_RELEASE, RELEASE.to_owned()),
        ]);
        mcap.write_metadata(&Metadata { name: METADATA.to_owned(), metadata }).map_err(to_io)?;
        let mut channels = [0; Channel::ALL.len()];
        for (id, channel) in channels.iter_mut().zip(Channel::ALL) {
            let schema = mcap.add_schema(channel.schema(), "protobuf", DESCRIPTORS).map_err(to_io)?;
            *id = mcap.add_channel(schema, channel.topic(), "protobuf", &BTreeMap::new()).map_err(to_io)?;
        }
        let mut writer = Self {
            mcap,
            written,
            channels,
            anchor: hello.anchor,
            number: 0,
            latest_unix_ns: 0,
            open: OpenChunk::default(),
        };
        writer.hello(hello)?;
        Ok(writer)
    }

    /// What the process measures has changed.
    pub fn hello(&mut self, hello: &Hello) -> io::Result<()> {
        self.anchor = hello.anchor;
        let unix_ns = self.latest_unix_ns.max(hello.anchor.unix_ns);
        self.message(Channel::Hello, unix_ns, &Field::<wire::Hello>::to_wire(hello).encode_to_vec())
    }

    /// A report of the process that was greeted.
    pub fn report(&mut self, report: &Report) -> io::Result<()> {
        let unix_ns = self.anchor.to_unix_ns(report.end_ns);
        for frame in convert::to_frames(report) {
            self.message(Channel::Report, unix_ns, &frame.encode_to_vec())?;
        }
        Ok(())
    }

    /// The process ended in good order.
    pub fn goodbye(&mut self, reason: &str) -> io::Result<()> {
        let bye = wire::Goodbye { reason: convert::clip(reason) };
        self.message(Channel::Goodbye, self.latest_unix_ns, &bye.encode_to_vec())
    }

    /// Closes the open chunk and hands it to the output: from now on a reader sees all of it.
    pub fn flush(&mut self) -> io::Result<()> {
        self.open = OpenChunk::default();
        self.mcap.flush().map_err(to_io)
    }

    /// Bytes handed to the output so far, without the open chunk.
    pub fn bytes(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// Closes the chunk, writes the index that makes seeking fast, and gives the output back.
    pub fn finish(mut self) -> io::Result<W> {
        self.mcap.finish().map_err(to_io)?;
        self.mcap.into_inner().out.into_inner().map_err(io::IntoInnerError::into_error)
    }

    fn message(&mut self, channel: Channel, unix_ns: u64, data: &[u8]) -> io::Result<()> {
        let due = self.open.began_unix_ns.is_some_and(|began| unix_ns.saturating_sub(began) >= CHUNK_NS);
        if due || self.open.bytes >= CHUNK_BYTES {
            self.flush()?;
        }
        let header = MessageHeader {
            channel_id: self.channels[channel as usize],
            sequence: self.number,
            log_time: unix_ns,
            publish_time: unix_ns,
        };
        self.number = self.number.wrapping_add(1);
        self.latest_unix_ns = self.latest_unix_ns.max(unix_ns);
        self.open.began_unix_ns.get_or_insert(unix_ns);
        self.open.bytes += data.len();
        self.mcap.write_to_known_channel(&header, data).map_err(to_io)
    }
}

/// The output, which is only ever written at its end.
struct Counted<W: Write> {
    out: BufWriter<W>,
    written: Arc<AtomicU64>,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.written.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// MCAP asks where it is and, with `disable_seeking`, goes nowhere else.
impl<W: Write> Seek for Counted<W> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match to {
            SeekFrom::Current(0) => Ok(self.written.load(Ordering::Relaxed)),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

fn to_io(error: McapError) -> io::Error {
    match error {
        McapError::Io(error) => error,
        other => io::Error::other(other),
    }
}
