//! How long an example runs: until Ctrl-C, or for the seconds of its first argument.
//!
//! Called by the examples' programs and by [`serve_visitors`](crate::serve_visitors).

use std::time::Duration;

/// Returns on Ctrl-C, or when [`seconds_to_run`] are over.
pub async fn until_stopped() {
    let deadline = async {
        match seconds_to_run() {
            Some(limit) => tokio::time::sleep(limit).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = deadline => {}
        // Where there is no Ctrl-C to wait for, the starting process has to end it.
        Ok(()) = tokio::signal::ctrl_c() => {}
    }
}

/// The number of seconds given as the program's first argument, if there is one.
///
/// # Panics
/// If the argument is no number, with a line that says how to run the program.
#[expect(clippy::disallowed_methods, reason = "the rim: the examples' one argument")]
pub fn seconds_to_run() -> Option<Duration> {
    let mut arguments = std::env::args();
    let program = arguments.next().unwrap_or_default();
    let text = arguments.next()?;
    match text.parse::<f64>().map(Duration::try_from_secs_f64) {
        Ok(Ok(limit)) => Some(limit),
        _ => panic!("`{text}` is not a number of seconds; run it as `{program} 30`"),
    }
}
