//! What the recorder has to know of tokio: which runtime and worker a thread is, and tokio's ids as numbers.
//!
//! The one place that says to the recorder what tokio is; it records nothing itself. Starting and sessions hand
//! [`TOKIO`] to the recorder.

pub(crate) mod id;
pub(crate) mod place;

use pollscope_recorder::runtime::{Role, Runtime};
use tokio::runtime::{Handle, RuntimeFlavor};

/// Tokio's answers.
pub(crate) const TOKIO: Runtime = Runtime { place: place::of_this_thread, role };

/// What the calling thread, which is in no poll, does for a runtime.
fn role() -> Role {
    let here = Handle::try_current().ok();
    let is_worker = tokio::runtime::worker_index().is_some();
    if is_worker && here.as_ref().is_some_and(|here| here.runtime_flavor() == RuntimeFlavor::MultiThread) {
        Role::Pooled
    } else if is_worker || here.is_some() {
        Role::Inside
    } else {
        Role::Outside
    }
}

/// The number of the calling thread's runtime.
pub(crate) fn current() -> Option<u64> {
    Handle::try_current().ok().as_ref().map(number_of)
}

/// The number of a runtime.
pub(crate) fn number_of(runtime: &Handle) -> u64 {
    id::number(runtime.id())
}
