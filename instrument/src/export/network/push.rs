//! Pushing to a collector: connects, greets, continues where the collector left off, and comes back
//! for ever when it goes away. Nothing is sent twice that the collector says it has; what it has not
//! acknowledged is kept, in bounded room, and sent again.

mod backoff;
mod dial;
mod session;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pollscope_proto::ingest::FOLDER_SOCKET;
use tokio::time::timeout;

use crate::export::Shared;
use crate::export::backlog::Backlog;
use crate::setup::notice;
use crate::setup::outlet::PATIENCE;
use backoff::Backoff;
use session::{End, Session};

/// The address of the collector that waits in a folder of recordings for what would be written there, as `pollscope
/// check -- CMD` does.
pub(super) fn collector_in(folder: &Path) -> Option<String> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;

        // The name in the folder may be a link, since the address of a socket is at most a hundred bytes long.
        let socket = folder.join(FOLDER_SOCKET).canonicalize().ok()?;
        let is_socket = socket.metadata().is_ok_and(|found| found.file_type().is_socket());
        is_socket.then_some(socket.to_str()?).map(|path| format!("unix:{path}"))
    }
    #[cfg(not(unix))]
    None
}

/// Where to push.
pub(super) struct Target {
    url: String,
    backlog: Arc<Backlog>,
    /// Everything since the start is kept for this collector, and the end of the process waits for it.
    whole: bool,
}

impl Target {
    /// A collector that may come, go and come back; what it missed it gets as a snapshot.
    pub(super) fn collector(url: String, shared: &Shared) -> Self {
        Self { url, backlog: shared.new_backlog(), whole: false }
    }

    /// A collector that takes what would be written into a folder.
    pub(super) fn folder(url: String, shared: &Shared) -> Self {
        let backlog = shared.new_backlog();
        // Before the service does anything, so that also one that ends at once is heard.
        shared.reporter.subscribe_now(&backlog, PATIENCE);
        Self { url, backlog, whole: true }
    }
}

/// Whether a collector is connected.
#[derive(Debug)]
pub(super) struct Link {
    up: AtomicBool,
    whole: bool,
}

impl Link {
    pub(super) fn of(target: &Target) -> Self {
        Self { up: AtomicBool::new(false), whole: target.whole }
    }

    /// Whether the end of the process waits for it.
    pub(super) fn is_awaited(&self) -> bool {
        self.whole || self.up.load(Ordering::Acquire)
    }

    fn set(&self, up: bool) {
        self.up.store(up, Ordering::Release);
    }
}

/// Until the backlog is closed. Says one line when the collector is lost, and one when it is back.
pub(super) async fn run(target: Target, shared: Arc<Shared>, link: Arc<Link>) {
    let Target { url, backlog, whole } = target;
    let mut session = Session::new(&shared, &backlog, whole);
    let mut backoff = Backoff::new(shared.identity.boot);
    let mut told = false;
    // A service builds its runtime right after `init`: the first greeting can then name it.
    let mut pause = if whole { Duration::ZERO } else { backoff::FIRST };
    let mut last_chance = whole;
    loop {
        if timeout(pause, backlog.closed()).await.is_ok() && !std::mem::take(&mut last_chance) {
            return;
        }
        let end = session
            .hold(&url, || {
                link.set(true);
                backoff.reset();
                if std::mem::take(&mut told) {
                    notice::warn(&format!("reporting to {url} again"));
                } else {
                    notice::info(&format!("reporting to {url}"));
                }
            })
            .await;
        link.set(false);
        match end {
            End::Closed => return,
            End::Refused(why) => {
                notice::warn(&format!("{url} refuses this service: {why}; asking again in a minute"));
                pause = backoff::LONG;
            }
            End::Lost(why) | End::Astray(why) => {
                if !std::mem::replace(&mut told, true) {
                    notice::warn(&format!(
                        "cannot report to {url}: {why}; trying again, the service goes on"
                    ));
                }
                pause = backoff.next();
            }
        }
    }
}
