//! The connections of a process source, and how all of them together stand. Holds no stream and changes nothing: the
//! source's loop ([`watch`](super::watch)) does.

use std::collections::HashMap;

use pollscope_model::id::BootId;
use tokio::task::AbortHandle;

use crate::sources::Status;
use crate::sources::endpoint::Endpoint;
use crate::sources::lookup::Watched;

/// One process, or one place where a process may be.
pub(super) struct Link {
    pub(super) endpoint: Endpoint,
    /// The pid that its socket is named after: once that process has ended, nothing comes back there.
    pub(super) pid: Option<u32>,
    /// The last stream ended with a goodbye.
    pub(super) orderly: bool,
    pub(super) task: AbortHandle,
    pub(super) state: LinkState,
    /// What is shown of it: its last incarnation and how it calls itself.
    pub(super) who: Option<(BootId, String)>,
}

pub(super) enum LinkState {
    /// No greeting yet, or not the whole snapshot.
    Opening,
    /// Its data flows.
    Open,
    /// It went away; so many attempts since.
    Lost { reason: String, attempts: u32 },
    /// Its process has ended.
    Ended { reason: String },
    /// It cannot work.
    Refused { reason: String },
    /// A process of another name than the one that is watched.
    Ignored,
}

/// How all connections together stand; `before` is what was known of that.
pub(super) fn overall(watched: &Watched, all: &HashMap<usize, Link>, before: Option<&Status>) -> Status {
    let links = || all.values().filter(|link| !matches!(link.state, LinkState::Ignored));
    let open: Vec<&Link> = links().filter(|link| matches!(link.state, LinkState::Open)).collect();
    match open.as_slice() {
        [] => {}
        [Link { who: Some((_, label)), .. }] => {
            return Status::Connected { label: label.as_str().into() };
        }
        several => return Status::Connected { label: format!("{} processes", several.len()).into() },
    }
    // What was found by looking and has never greeted is no target while another may be.
    let looked_for = matches!(watched, Watched::Machine | Watched::Name(_));
    let opening = links().any(|link| matches!(link.state, LinkState::Opening));
    let links = || links().filter(|link| link.who.is_some() || !(looked_for && opening));
    let lost = links().find_map(|link| match &link.state {
        LinkState::Lost { reason, attempts } => {
            Some(Status::Lost { reason: reason.as_str().into(), attempts: *attempts })
        }
        _ => None,
    });
    let ended = links().find_map(|link| match &link.state {
        LinkState::Ended { reason } => {
            Some(Status::Ended { reason: reason.as_str().into(), orderly: link.orderly })
        }
        _ => None,
    });
    let refused = links().find_map(|link| match &link.state {
        LinkState::Refused { reason } => Some(Status::Refused { reason: reason.as_str().into() }),
        _ => None,
    });
    let gone = || {
        let was_here = matches!(before, Some(Status::Connected { .. } | Status::Lost { .. }));
        (was_here && all.is_empty()).then(|| {
            let reason = format!("no process of {} is running; waiting for one", watched.label());
            Status::Lost { reason: reason.into(), attempts: 0 }
        })
    };
    lost.or(ended)
        .or(refused)
        .or_else(gone)
        .unwrap_or_else(|| Status::Connecting { target: watched.label().into() })
}
