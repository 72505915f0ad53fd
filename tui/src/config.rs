//! `pollscope config`: the policy by which the detectors judge, as the text of a `pollscope.toml`.

use std::path::Path;

use pollscope_model::policy::Policy;

use crate::cli::ConfigArgs;
use crate::command::to_stdout;
use crate::failure::Failure;

/// The file that is looked for in the current folder.
const FILE: &str = "pollscope.toml";

/// Prints the defaults; or, without `--default`, the file of this folder if there is one and it is
/// sound.
pub(crate) fn run(args: &ConfigArgs) -> Result<(), Failure> {
    if args.default || !Path::new(FILE).exists() {
        return to_stdout(Policy::default_toml().as_bytes());
    }
    let text = std::fs::read_to_string(FILE).map_err(|error| Failure::io(format!("read {FILE}"), error))?;
    Policy::parse(&text).map_err(|error| Failure::Usage(format!("{FILE}: {error}")))?;
    to_stdout(text.as_bytes())
}
