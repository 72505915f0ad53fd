//! Pushing to a collector: connects, greets, continues where the collector left off, and comes back
//! for ever when it goes away. Nothing is sent twice that the collector says it has; what it has not
//! acknowledged is kept, in bounded room, and sent again.

mod backoff;
mod session;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::time::timeout;
use tonic::transport::Endpoint;

use super::Shared;
use crate::notice;
use backoff::Backoff;
use session::{End, Session};

/// Whether a collector is connected.
#[derive(Debug, Default)]
pub(super) struct Link {
    up: AtomicBool,
}

impl Link {
    pub(super) fn is_up(&self) -> bool {
        self.up.load(Ordering::Acquire)
    }

    fn set(&self, up: bool) {
        self.up.store(up, Ordering::Release);
    }
}

/// Until the backlog is closed. Says one line when the collector is lost, and one when it is back.
pub(super) async fn run(url: String, shared: Arc<Shared>, link: Arc<Link>) {
    let endpoint = match Endpoint::from_shared(url.clone()) {
        Ok(endpoint) => session::patient(endpoint),
        Err(error) => return notice::warn(&format!("cannot report to {url}: {error}")),
    };
    let backlog = shared.new_backlog();
    let mut session = Session::new(&shared, &backlog);
    let mut backoff = Backoff::new(shared.identity.boot);
    let mut told = false;
    // A service builds its runtime right after `init`: the first greeting can then name it.
    let mut pause = backoff::FIRST;
    loop {
        if timeout(pause, backlog.closed()).await.is_ok() {
            return;
        }
        let end = session
            .hold(&endpoint, || {
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
