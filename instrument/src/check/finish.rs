//! The last line of a `#[pollscope::test]`.

use std::process::Termination;

use super::judged::Judged;

/// What the body returned, or the test's failure. If the body returned an error of its own that is told first.
#[track_caller]
pub fn finish<T: Termination>(judged: Judged<T>) -> T {
    let clean = judged.is_clean();
    let text = if clean { String::new() } else { judged.text() };
    match judged.output {
        Some(output) if clean => output,
        output => {
            if let Some(output) = output {
                output.report();
            }
            panic!("{text}")
        }
    }
}
