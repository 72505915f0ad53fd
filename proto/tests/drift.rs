//! The committed generated code is what the schema gives today. No `protoc` is needed.
//!
//! After a change of the schema: `POLLSCOPE_BLESS=1 cargo test -p pollscope-proto --test drift`.

use std::path::Path;

const FILES: [&str; 7] = [
    "pollscope/v1/column.proto",
    "pollscope/v1/common.proto",
    "pollscope/v1/events.proto",
    "pollscope/v1/report.proto",
    "pollscope/v1/feed.proto",
    "pollscope/v1/ingest.proto",
    "pollscope/v1/fleet.proto",
];
/// The services are for the feature; their messages are not.
const GRPC_ONLY: &str = "#[cfg(feature = \"grpc\")]";
const GENERATED: &str = "pollscope.v1.rs";
/// What a recording can hold, and its descriptors, which every recording carries.
const RECORDED: [&str; 2] = ["pollscope/v1/common.proto", "pollscope/v1/report.proto"];
const DESCRIPTORS: &str = "recording.binpb";

#[test]
fn descriptors_are_what_the_schema_gives() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut compiler = protox::Compiler::new([here.join("schema")]).expect("the schema is there");
    compiler.include_imports(true).include_source_info(false);
    compiler.open_files(RECORDED).expect("the schema compiles");
    check(DESCRIPTORS, &compiler.encode_file_descriptor_set());
}

#[test]
fn generated_code_is_what_the_schema_gives() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let descriptors = protox::compile(FILES, [here.join("schema")]).expect("the schema compiles");
    let out = tempfile::tempdir().expect("a temporary directory");
    tonic_prost_build::configure()
        .build_transport(false)
        .codec_path("crate::codec::Protobuf")
        .client_mod_attribute(".", GRPC_ONLY)
        .server_mod_attribute(".", GRPC_ONLY)
        .out_dir(out.path())
        .compile_fds(descriptors)
        .expect("code can be generated");

    check(GENERATED, &std::fs::read(out.path().join(GENERATED)).expect("generated code"));
}

#[expect(clippy::disallowed_methods, reason = "asked for by hand, to renew what is committed")]
fn check(name: &str, fresh: &[u8]) {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/generated").join(name);
    if std::env::var_os("POLLSCOPE_BLESS").is_some() {
        std::fs::write(&committed, fresh).expect("the committed file is writable");
    }
    let stored = std::fs::read(&committed).unwrap_or_default();
    assert!(
        fresh == stored,
        "{} is not what the schema gives; run\n  POLLSCOPE_BLESS=1 cargo test -p pollscope-proto --test drift",
        committed.display()
    );
}
