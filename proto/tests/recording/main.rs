//! Recordings as their users see them: what is written comes back, whatever is cut off or changed, and
//! readers that are not ours can read it.
#![allow(clippy::unwrap_used, reason = "a failed step of a test is the test's failure")]

mod cut;
mod foreign;
mod mutated;
mod refused;
mod round_trip;
mod stored;

use std::io::Cursor;

use pollscope_model::testkit::Script;
use pollscope_model::time::MILLISECOND;
use pollscope_proto::feed::Message;
use pollscope_proto::recording::{Entry, OpenError, Recording, Writer};

/// A process's greeting, a snapshot's worth of deltas one second apart, and a goodbye.
fn said(reports: u32) -> (Script, Vec<Message>) {
    let mut process = Script::new("checkout");
    let site = process.site("src/cart.rs:88:9");
    let mut messages = vec![Message::Hello(Box::new(process.hello()))];
    for _ in 0..reports {
        let task = process.spawn(site);
        process.poll(task, 3, 2 * MILLISECOND);
        messages.push(Message::Report(Box::new(process.second())));
    }
    messages.push(Message::Goodbye { reason: "the service stopped pollscope".to_owned() });
    (process, messages)
}

fn record(messages: &[Message]) -> Vec<u8> {
    let Some((Message::Hello(hello), rest)) = messages.split_first() else { panic!("no greeting") };
    let mut writer = Writer::new(Vec::new(), hello).unwrap();
    for message in rest {
        match message {
            Message::Hello(hello) => writer.hello(hello).unwrap(),
            Message::Report(report) => writer.report(report).unwrap(),
            Message::Goodbye { reason } => writer.goodbye(reason).unwrap(),
        }
    }
    writer.finish().unwrap()
}

fn open(file: &[u8]) -> Result<Recording, OpenError> {
    Recording::of(Cursor::new(file.to_vec()))
}

fn messages(recording: &mut Recording) -> Vec<Message> {
    recording.messages().map(|entry: Entry| entry.message).collect()
}

/// An output that can be looked at while it is written.
#[derive(Clone, Default)]
struct Shared(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl Shared {
    fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }
}

impl std::io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A recording with its chunks without compression or checksum, whose contents were changed: so that a
/// changed byte is not caught by the checksum, but reaches what reads the records.
fn uncompressed(file: &[u8], change: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
    fn put(file: &mut Vec<u8>, opcode: u8, body: &[u8]) {
        file.push(opcode);
        file.extend((body.len() as u64).to_le_bytes());
        file.extend(body);
    }
    let mut changed = mcap::MAGIC.to_vec();
    for record in
        mcap::read::LinearReader::new_with_options(file, mcap::read::Options::IgnoreEndMagic.into()).unwrap()
    {
        match record.unwrap() {
            mcap::records::Record::Header(header) => {
                let mut body = Vec::new();
                for text in [header.profile, header.library] {
                    body.extend((text.len() as u32).to_le_bytes());
                    body.extend(text.as_bytes());
                }
                put(&mut changed, mcap::records::op::HEADER, &body);
            }
            mcap::records::Record::Chunk { header, data } => {
                let mut contents = zstd::bulk::decompress(&data, header.uncompressed_size as usize).unwrap();
                change(&mut contents);
                let mut body = Vec::new();
                body.extend(header.message_start_time.to_le_bytes());
                body.extend(header.message_end_time.to_le_bytes());
                body.extend((contents.len() as u64).to_le_bytes());
                body.extend(0u32.to_le_bytes());
                body.extend(0u32.to_le_bytes());
                body.extend((contents.len() as u64).to_le_bytes());
                body.extend(contents);
                put(&mut changed, mcap::records::op::CHUNK, &body);
            }
            _ => {}
        }
    }
    changed
}
