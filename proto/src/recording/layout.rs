//! What writer and reader agree on beside MCAP itself.

/// The `profile` of the file's header.
pub(super) const PROFILE: &str = "pollscope";
/// The name of the metadata record.
pub(super) const METADATA: &str = "pollscope";
/// In the metadata: version of the format.
pub(super) const KEY_FORMAT: &str = "format";
/// In the metadata: version of the wire protocol.
pub(super) const KEY_PROTOCOL: &str = "protocol";
/// In the metadata: version of pollscope that wrote the file.
pub(super) const KEY_RELEASE: &str = "release";

/// The `FileDescriptorSet` of everything that a recording can hold.
pub(super) const DESCRIPTORS: &[u8] = include_bytes!("../generated/recording.binpb");

/// Recorded time after which a chunk is closed.
pub(super) const CHUNK_NS: u64 = 1_000_000_000;
/// Bytes, before compression, after which a chunk is closed. With one frame of
/// [`MAX_MESSAGE_BYTES`](crate::MAX_MESSAGE_BYTES) on top it stays far below [`MAX_CHUNK_BYTES`].
pub(super) const CHUNK_BYTES: usize = 4 << 20;
/// The largest chunk that is read, compressed or not.
pub(super) const MAX_CHUNK_BYTES: u64 = 32 << 20;
/// The most chunks that are read of one file: eleven days at one a second.
pub(super) const MAX_CHUNKS: usize = 1_000_000;
/// The largest record outside of chunks that is looked into; larger ones are skipped.
pub(super) const MAX_SMALL_RECORD: u64 = 64 << 10;
