//! In the place of [`file`](super::file) when the crate is built without its `recording` feature:
//! nothing is recorded, and whoever asks for it is told.

use crate::config::Record;
use crate::identity::Identity;

/// There is no file.
pub(crate) enum Tape {}

impl Tape {
    pub(crate) fn open(setting: Option<&Record>, _: &Identity) -> Result<Option<Self>, String> {
        match setting {
            None => Ok(None),
            Some(record) => Err(format!(
                "cannot record to {}: pollscope is built without its `recording` feature",
                record.path.display()
            )),
        }
    }
}
