//! Which push stream has the lease of which incarnation, and what it was asked for: all of its tasks, single
//! polls.
//!
//! Knows nothing of the monitor; used by the fleet's thread alone.

use std::collections::BTreeMap;

use pollscope_model::id::BootId;
use pollscope_model::query::ask::Ask;
use pollscope_model::query::column::Kind;
use pollscope_model::query::page::Scope;
use pollscope_model::report::{Detail, Report, ReportKind};
use pollscope_model::time::SECOND;
use pollscope_proto::ingest::{Control, DetailRequest, EventsRequest};
use tokio::sync::mpsc;

/// How long a process sends all of its tasks after it was last asked to.
const DETAIL_TTL_NS: u64 = 60 * SECOND;

/// A standing question renews the request when it is this old.
const RENEW_AFTER_NS: u64 = 20 * SECOND;

/// How long a process sends single polls and wakes after it was last asked to.
const EVENTS_TTL_NS: u64 = 15 * SECOND;

/// A standing question renews that request when it is this old.
const RENEW_EVENTS_AFTER_NS: u64 = 5 * SECOND;

/// How far back single polls are asked for at first.
const EVENTS_BACK_NS: u64 = 30 * SECOND;

/// Requests on their way to a stream: one of each kind.
const WANTS: usize = 2;

/// A question about the tasks of all processes asks no more processes than this for all of them; of the
/// others it sees the tasks that stand out.
const MAX_ASKED_AT_ONCE: usize = 64;

/// The push streams that are open.
#[derive(Default, Debug)]
pub(super) struct Leases {
    by_boot: BTreeMap<BootId, Held>,
    next: u64,
}

#[derive(Debug)]
struct Held {
    number: u64,
    wants: mpsc::Sender<Control>,
    /// When all tasks were asked for last.
    asked_ns: Option<u64>,
    /// When single polls were asked for last.
    events_ns: Option<u64>,
    /// Whether nothing of its tasks was left out, or a snapshot has brought all of them since.
    full: bool,
}

impl Leases {
    /// Gives the incarnation's lease to a new stream; the old one's channel closes.
    pub(super) fn take(&mut self, boot: BootId) -> (u64, mpsc::Receiver<Control>) {
        let (wants, wanted) = mpsc::channel(WANTS);
        self.next += 1;
        let held = Held { number: self.next, wants, asked_ns: None, events_ns: None, full: true };
        self.by_boot.insert(boot, held);
        (self.next, wanted)
    }

    /// Whether some stream has the lease of the incarnation.
    pub(super) fn is_taken(&self, boot: BootId) -> bool {
        self.by_boot.contains_key(&boot)
    }

    /// Whether the stream still has the lease of the incarnation.
    pub(super) fn holds(&self, boot: BootId, number: u64) -> bool {
        self.by_boot.get(&boot).is_some_and(|held| held.number == number)
    }

    /// Frees the lease if the stream still has it.
    pub(super) fn leave(&mut self, boot: BootId, number: u64) -> bool {
        let held = self.holds(boot, number);
        if held {
            self.by_boot.remove(&boot);
        }
        held
    }

    /// A report arrived. After one that left tasks out only a snapshot makes them complete: rows that
    /// were left out may never change again.
    pub(super) fn reported(&mut self, report: &Report) {
        let Some(held) = self.by_boot.get_mut(&report.boot) else { return };
        match (report.detail, report.kind) {
            (Detail::Top, _) => held.full = false,
            (Detail::Full, ReportKind::Snapshot { .. }) if report.kind.is_last_part() => held.full = true,
            (Detail::Full, _) => {}
        }
    }

    /// Asks a process for its single polls.
    pub(super) fn want_events(&mut self, boot: BootId, now_ns: u64) {
        if let Some(held) = self.by_boot.get_mut(&boot) {
            held.want_events(now_ns);
        }
    }

    /// Asks the processes that a question is about for all of their tasks or for single polls, if it
    /// needs them. Returns whether all of the tasks are known already.
    pub(super) fn want(&mut self, ask: &Ask, now_ns: u64) -> bool {
        if let Ask::Flight(query) = ask {
            self.want_events(query.boot, now_ns);
        }
        match tasks_of(ask) {
            None => true,
            Some(Scope::Process(boot)) => self.by_boot.get_mut(&boot).is_none_or(|held| held.want(now_ns)),
            Some(Scope::All) => {
                let mut settled = true;
                for held in self.by_boot.values_mut().take(MAX_ASKED_AT_ONCE) {
                    settled &= held.want(now_ns);
                }
                settled
            }
        }
    }
}

impl Held {
    fn want(&mut self, now_ns: u64) -> bool {
        let fresh = self.asked_ns.is_some_and(|asked| now_ns.saturating_sub(asked) < RENEW_AFTER_NS);
        let request = DetailRequest { detail: Detail::Full, ttl_ns: DETAIL_TTL_NS };
        // A full channel means that the stream has the same request still before it.
        if !fresh && self.wants.try_send(Control::Detail(request)).is_ok() {
            self.asked_ns = Some(now_ns);
        }
        self.full
    }

    fn want_events(&mut self, now_ns: u64) {
        let age_ns = self.events_ns.map(|asked| now_ns.saturating_sub(asked));
        if age_ns.is_some_and(|age_ns| age_ns < RENEW_EVENTS_AFTER_NS) {
            return;
        }
        // What was asked for a moment ago goes on; a new question wants the moments before, too.
        let last_ns = if age_ns.is_some_and(|age_ns| age_ns < EVENTS_TTL_NS) { 0 } else { EVENTS_BACK_NS };
        let request = EventsRequest { last_ns, ttl_ns: EVENTS_TTL_NS };
        if self.wants.try_send(Control::Events(request)).is_ok() {
            self.events_ns = Some(now_ns);
        }
    }
}

/// Whose single tasks a question is about, if it is about any.
fn tasks_of(ask: &Ask) -> Option<Scope> {
    match ask {
        Ask::Page(query) if query.kind == Kind::Tasks => Some(query.scope),
        Ask::Task(boot, _) => Some(Scope::Process(*boot)),
        Ask::Site(scope, _) => Some(*scope),
        Ask::Page(_) | Ask::Finding(_) | Ask::Overview(_) | Ask::Flight(_) => None,
    }
}
