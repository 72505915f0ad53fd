//! In the place of [`file`](super::file) and of dumps when the crate is built without its `recording`
//! feature: nothing is written, and a request for it is refused in words.

use std::time::Duration;

use crate::config::{Dump, Record};
use crate::identity::Identity;
use crate::reporter::Dumped;

const REMEDY: &str = if cfg!(feature = "export") {
    "pollscope is built without its `recording` feature"
} else {
    "pollscope is built without its features `export`, which `pollscope check -- CMD` needs, and `recording`, which \
     writes files"
};

/// There is no file.
pub(crate) enum Tape {}

impl Tape {
    pub(crate) fn open(setting: Option<&Record>, _: &Identity) -> Result<Option<Self>, String> {
        match setting {
            None => Ok(None),
            Some(record) => Err(format!("cannot record to {}: {REMEDY}", record.path.display())),
        }
    }
}

/// There are no dumps.
pub(crate) enum Dumps {}

impl Dumps {
    pub(crate) fn open(setting: &Dump, _: &Identity) -> (Option<Self>, Vec<String>) {
        let folder =
            setting.folder.as_ref().map(|path| format!("cannot dump to {}: {REMEDY}", path.display()));
        let signal = setting.signal.map(|signal| format!("cannot dump on {}: {REMEDY}", signal.as_str()));
        (None, folder.into_iter().chain(signal).collect())
    }
}

/// Never writes.
pub(crate) enum Desk {}

impl Desk {
    pub(crate) fn dump(&self, _: u64, _: Duration) -> Option<Dumped> {
        match *self {}
    }
}
