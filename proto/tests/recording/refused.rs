//! What is not read, and the words for it.

use std::collections::BTreeMap;
use std::io::Cursor;

use mcap::records::Metadata;
use mcap::{WriteOptions, Writer};
use pollscope_model::hello::ProtocolVersion;
use pollscope_proto::feed::Message;
use pollscope_proto::recording::OpenError;

use super::{open, record, said};

fn other(profile: &str, metadata: &[(&str, &str)]) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    let mut writer: Writer<_> = WriteOptions::new().profile(profile).create(&mut file).unwrap();
    let metadata: BTreeMap<String, String> =
        metadata.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    writer.write_metadata(&Metadata { name: "pollscope".to_owned(), metadata }).unwrap();
    writer.finish().unwrap();
    drop(writer);
    file.into_inner()
}

#[test]
fn other_bytes() {
    for bytes in [&b""[..], b"short", b"\x7fELF and then some more", &[0; 4_096]] {
        assert!(matches!(open(bytes), Err(OpenError::NotMcap)), "{bytes:?}");
    }
}

#[test]
fn somebody_elses_file() {
    let error = open(&other("ros2", &[])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "it is an MCAP file, but no recording of pollscope's (its profile is `ros2`)"
    );
}

#[test]
fn another_format() {
    let error = open(&other("pollscope", &[("format", "2.0"), ("release", "9.1.0")])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "it has recording format 2.0 (written by pollscope 9.1.0), this version reads 1.0"
    );
    assert!(matches!(open(&other("pollscope", &[])), Err(OpenError::Format { .. })));
    assert!(matches!(open(&other("pollscope", &[("format", "1.7")])), Err(OpenError::Empty(_))));
}

#[test]
fn another_protocol() {
    let (process, _) = said(0);
    let mut hello = process.hello();
    hello.protocol = ProtocolVersion { major: 2, minor: 0 };
    let error = open(&record(&[Message::Hello(Box::new(hello))])).unwrap_err();
    assert!(error.to_string().contains("upgrade the `pollscope` program"), "{error}");
}
