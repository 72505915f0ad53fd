//! A recording that an earlier version wrote is still read, and to what was recorded.
//!
//! The file is never written again. Another format gets a file of its own:
//! `POLLSCOPE_BLESS=1 cargo test -p pollscope-proto --features recording --test recording stored`.

use std::path::Path;

use pollscope_model::hello::ProcessInfo;
use pollscope_proto::recording::Ending;

use super::{messages, open, record, said};

#[test]
#[expect(clippy::disallowed_methods, reason = "asked for by hand, to write what is stored")]
fn a_recording_of_format_1_0() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/frames/v1.0-recording.bin");
    let (process, told) = said(3);
    if !path.exists() && std::env::var_os("POLLSCOPE_BLESS").is_some() {
        std::fs::write(&path, record(&told)).unwrap();
    }
    let stored = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut recording = open(&stored).unwrap();
    assert_eq!(recording.ending(), Ending::Finished);
    // What testkit's processes say of themselves grows with the versions; the rest is as it was recorded.
    let build = String::new();
    assert_eq!(recording.hello().process, ProcessInfo { build, ..process.hello().process });
    assert_eq!(messages(&mut recording)[1..], told[1..]);
}
