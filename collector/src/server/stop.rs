//! How every stream learns that the collector stops.

use tokio::sync::watch;

/// Held by the server; stops all.
#[derive(Debug)]
pub(super) struct StopSource(watch::Sender<bool>);

/// Held by each stream.
#[derive(Clone, Debug)]
pub(super) struct Stop(watch::Receiver<bool>);

/// A source and its receiver.
pub(super) fn channel() -> (StopSource, Stop) {
    let (source, stop) = watch::channel(false);
    (StopSource(source), Stop(stop))
}

impl StopSource {
    /// Stops all.
    pub(super) fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// Returns when the collector stops (or its server was dropped).
    pub(super) async fn wait(&mut self) {
        let _ = self.0.wait_for(|stopped| *stopped).await;
    }
}
