//! `pollscope config`: the policy by which the detectors judge, as the text of a `pollscope.toml`.

use std::path::Path;

use pollscope_model::policy::Policy;
use pollscope_system::file::{MAX_TEXT_BYTES, read_text};

use crate::commands::cli::ConfigArgs;
use crate::output::failure::Failure;
use crate::output::to_stdout;

/// The file that is looked for in the current folder.
const FILE: &str = "pollscope.toml";

/// Prints the defaults; or, without `--default`, the file of this folder if there is one and it is
/// sound.
pub(crate) fn run(args: &ConfigArgs) -> Result<(), Failure> {
    if args.default || !Path::new(FILE).exists() {
        return to_stdout(Policy::default_toml().as_bytes());
    }
    let text = read_text(Path::new(FILE), MAX_TEXT_BYTES)
        .map_err(|error| Failure::io(format!("read {FILE}"), error))?;
    Policy::parse(&text).map_err(|error| Failure::Usage(format!("{FILE}: {error}")))?;
    to_stdout(text.as_bytes())
}
