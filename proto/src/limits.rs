//! How large things may be on the wire. The encoder stays below, the decoder refuses what is above.

/// The largest message of any service, in bytes. Clients and servers refuse larger ones.
pub const MAX_MESSAGE_BYTES: usize = 1 << 20;

/// The largest message of a viewer to a process, in bytes: a greeting or a wish.
pub const MAX_WISH_BYTES: usize = 64 << 10;

/// The largest report or page inside a message: room is left for what wraps it.
pub(crate) const MAX_FRAME_BYTES: usize = MAX_MESSAGE_BYTES - 4_096;

/// The most rows of any table in one message.
pub(crate) const MAX_FRAME_ROWS: usize = 16_384;

/// The most histogram cells (from a histogram's first bucket to its last) of one message: an older reader
/// allocates each of them.
pub(crate) const MAX_FRAME_HIST_CELLS: usize = 1 << 20;

/// The most frames that one report may come in: over a million task rows.
pub(crate) const MAX_FRAMES: usize = 128;

/// The most bytes that one report may hold in memory, over all its frames: a million task rows.
pub(crate) const MAX_REPORT_BYTES: usize = 256 << 20;

/// The longest name, path or reason in bytes; longer ones are cut by the sender.
pub(crate) const MAX_TEXT_BYTES: usize = 4_096;

/// The longest name of a function or of its file in bytes; longer ones are cut by the sender.
pub(crate) const MAX_FRAME_TEXT_BYTES: usize = 512;

/// The longest policy in bytes that a hello may carry.
pub const MAX_POLICY_BYTES: usize = 256 * 1024;

/// The largest answer of the `Fleet` service in bytes, over all its pieces: about 200,000 task rows.
pub const MAX_ANSWER_BYTES: usize = 32 << 20;

/// The most standing questions of one viewer.
pub(crate) const MAX_STANDING: usize = 64;
