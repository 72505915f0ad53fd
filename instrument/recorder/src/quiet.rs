//! When nothing speaks of a session any more, so that its number may be given to another: no record is claimed, and
//! none can come to be. No thread is stopped for it; it is looked at twice while tasks come and go elsewhere.

/// Whether no record of a session is claimed, where only its own tasks can still bear one. `none_claimed` looks at
/// every record ([`Claims::is_claimed`](super::claims::Claims::is_claimed)); `births` counts what was ever born, each
/// before its record is claimed.
///
/// What is born while the records are looked at is noticed by the count. What was being born before is in its place
/// when they are looked at again, since the spawning thread was done by then.
pub(crate) fn is_quiet(none_claimed: impl Fn() -> bool, births: impl Fn() -> u64) -> bool {
    let before = births();
    none_claimed() && none_claimed() && births() == before
}

#[cfg(all(test, loom))]
#[path = "quiet/loom.rs"]
mod loom_models;
