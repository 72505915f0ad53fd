//! In the place of [`export`](crate::export) when the crate is built without its `export` feature:
//! nothing carries reports away, and a request for it is refused in words.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use crate::config::Listen;
use crate::identity::Identity;
use crate::notice;
use crate::reporter::Reporter;

#[path = "export/no_file.rs"]
mod file;
pub(crate) use file::{Desk, Dumps, Tape};

const REMEDY: &str = "pollscope is built without its `export` feature";

/// There is no door.
pub(crate) enum Door {}

impl Door {
    pub(crate) fn open(listen: &Listen) -> Result<Option<Self>, String> {
        match listen {
            Listen::Auto | Listen::Off => Ok(None),
            Listen::Unix(_) | Listen::Tcp(_) => Err(format!("cannot listen on {listen}: {REMEDY}")),
        }
    }
}

/// There is no way to a collector.
pub(crate) fn collector_in(_: &Path) -> Option<String> {
    None
}

/// There are no exports.
pub(crate) struct Exports {
    address: Option<Listen>,
}

impl Exports {
    #[expect(clippy::unnecessary_wraps, reason = "as with `export`")]
    pub(crate) fn start(
        _: Identity,
        _: Option<Door>,
        endpoint: Option<String>,
        _: Option<String>,
        _: Option<Tape>,
        _: Option<Dumps>,
        _: Reporter,
    ) -> io::Result<Self> {
        if let Some(url) = endpoint {
            notice::warn(&format!("cannot report to {url}: {REMEDY}"));
        }
        Ok(Self { address: None })
    }

    pub(crate) fn address(&self) -> Option<&Listen> {
        self.address.as_ref()
    }

    #[expect(clippy::unused_self, reason = "as with `export`")]
    pub(crate) fn record_path(&self) -> Option<&Path> {
        None
    }

    #[expect(clippy::unused_self, reason = "as with `export`")]
    pub(crate) fn desk(&self) -> Option<Arc<Desk>> {
        None
    }

    #[expect(clippy::unused_self, reason = "as with `export`")]
    pub(crate) fn flush(&self, _: Instant) {}

    #[expect(clippy::unused_self, reason = "as with `export`")]
    pub(crate) fn stop(self, _: Instant) {}
}
