//! Watching a source for as long as it takes to answer one page honestly.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pollscope_model::query::ask::{Answer, Ask};
use pollscope_model::query::column::Kind;
use pollscope_model::query::detail::Overview;
use pollscope_model::query::page::{Meta, Page, Query, Scope};
use pollscope_model::verdict::Undecided;

use super::departures::{self, Departures};
use crate::output::failure::Failure;
use crate::output::note;
use crate::sources::inbox::Inbox;
use crate::sources::open::Peer;
use crate::sources::{QuestionId, Source, Status};

const PAGE: QuestionId = QuestionId(0);
const OVERVIEW: QuestionId = QuestionId(1);
const GONE: QuestionId = QuestionId(2);

/// How long the first answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long reading a recording may take.
const READING: Duration = Duration::from_secs(3_600);
/// Most rules look at the last ten seconds, and those that do not say so themselves. This is a second
/// more; what needs longer still is named as undecided.
const RULES_NEED: Duration = Duration::from_secs(11);
/// Rates are counted over whole seconds; single tasks have none.
const RATES_NEED: Duration = Duration::from_millis(1_500);
/// A longer wait is announced.
const WORTH_A_WORD: Duration = Duration::from_secs(3);

/// Why there is nothing more to watch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct End {
    /// In words.
    pub(super) why: String,
    /// A goodbye came before.
    pub(super) orderly: bool,
}

/// A source, watched for one page.
pub(super) struct Gatherer {
    inbox: Inbox,
    /// Dropping it ends the source's thread.
    _source: Box<dyn Source>,
    kind: Kind,
    from: Arc<str>,
    /// So many processes answered before: all of them must be on the page.
    processes: u64,
    /// It has judged already: a collector, or a recording that was read to its end.
    judged: bool,
    patience: Duration,
    watch_for: Option<Duration>,
    connected: bool,
    page: Option<Page>,
    overview: Option<Overview>,
    departures: Departures,
    ended: Option<End>,
}

impl Gatherer {
    pub(super) fn start(peer: Peer, query: Query, watch_for: Option<Duration>) -> Result<Self, Failure> {
        let inbox = Inbox::default();
        let kind = query.kind;
        let (from, judged) = (peer.label(), !matches!(peer, Peer::Processes { .. }));
        let patience = if matches!(peer, Peer::Recording(_)) { READING } else { PATIENCE };
        let processes = match &peer {
            Peer::Processes { count, .. } => *count as u64,
            Peer::Recording(_) => 1,
            Peer::Collector(_) => 0,
        };
        let departures = Departures::of(&peer);
        let mut questions = vec![(PAGE, Ask::Page(query)), (OVERVIEW, Ask::Overview(Scope::All))];
        if !matches!(peer, Peer::Recording(_)) {
            questions.push((GONE, departures::question()));
        }
        let mut source = peer.watch(inbox.sink())?;
        source.ask(questions);
        Ok(Self {
            inbox,
            _source: source,
            kind,
            from,
            processes,
            judged,
            patience,
            watch_for,
            connected: false,
            page: None,
            overview: None,
            departures,
            ended: None,
        })
    }

    /// The first page: when the state of every process is whole, and the rules had their time.
    pub(super) fn first(&mut self) -> Result<Page, Failure> {
        let patience = Instant::now() + self.patience;
        while !self.all_there() {
            self.pump(patience)?;
            if let Some(End { why, .. }) = self.ended.as_ref().filter(|_| !self.all_there()) {
                return Err(Failure::Unreachable(why.clone()));
            }
            if Instant::now() >= patience {
                return Err(Failure::Unreachable(format!(
                    "{} did not tell its state within {} s; try again, or see `pollscope doctor`",
                    self.from,
                    self.patience.as_secs()
                )));
            }
        }
        let usual = || self.usual_wait();
        let wait = self.watch_for.filter(|_| self.patience == PATIENCE).unwrap_or_else(usual);
        if wait >= WORTH_A_WORD {
            note(&format!("watching {} for {} s, so that the rules can judge", self.from, wait.as_secs()));
        }
        let deadline = Instant::now() + wait;
        while self.ended.is_none() && Instant::now() < deadline {
            self.watch(deadline)?;
            for line in self.news() {
                note(&line);
            }
        }
        self.page()
    }

    /// Why there is nothing more to watch, if so.
    pub(super) fn ended(&self) -> Option<End> {
        self.ended.clone()
    }

    /// Takes events until the deadline, or until something went away or came back. Once it has
    /// [ended](Self::ended) the page is the last one.
    pub(super) fn watch(&mut self, deadline: Instant) -> Result<(), Failure> {
        while self.ended.is_none() && !self.departures.has_news() && Instant::now() < deadline {
            self.pump(deadline)?;
        }
        // Events that came together are taken together: the page that goes with the news.
        self.pump(Instant::now())
    }

    /// What went away or came back since the last call, in words.
    pub(super) fn news(&mut self) -> Vec<String> {
        self.departures.take_news()
    }

    /// The overview that goes with the first page.
    pub(super) fn overview(&mut self) -> Result<Overview, Failure> {
        self.first()?;
        let silent = || Failure::Unreachable(format!("{} gives no answer", self.from));
        self.overview.clone().ok_or_else(silent)
    }

    /// What is known now.
    pub(super) fn page(&mut self) -> Result<Page, Failure> {
        let deadline = Instant::now() + PATIENCE;
        self.pump(Instant::now())?;
        while self.page.is_none() && Instant::now() < deadline {
            self.pump(deadline)?;
        }
        self.page.clone().ok_or_else(|| Failure::Unreachable(format!("{} gives no answer", self.from)))
    }

    /// What is undecided, with the reason, evidence over a limit first; `None` where findings were not asked for.
    pub(super) fn undecided(&self) -> Option<Vec<Undecided>> {
        let overview = self.overview.as_ref().filter(|_| self.kind == Kind::Findings)?;
        let all = |list: &[(Arc<str>, Arc<str>)], over_limit| {
            let one = move |(rule, reason): &(Arc<str>, Arc<str>)| Undecided {
                rule: rule.clone(),
                reason: reason.clone(),
                over_limit,
            };
            list.iter().map(one).collect::<Vec<_>>()
        };
        Some([all(&overview.set_aside, true), all(&overview.undecided, false)].concat())
    }

    /// What a recording is short of, if anything.
    pub(super) fn shortcomings(&self) -> Option<Arc<str>> {
        self.inbox.note().filter(|note| self.patience == READING && !note.is_empty())
    }

    fn all_there(&self) -> bool {
        let all_listed = |overview: &Overview| overview.meta.processes >= self.processes;
        self.connected
            && self.page.as_ref().is_some_and(|page| is_whole(&page.meta))
            && self.overview.as_ref().is_some_and(|told| is_whole(&told.meta) && all_listed(told))
    }

    fn usual_wait(&self) -> Duration {
        if self.judged {
            return Duration::ZERO;
        }
        if self.kind == Kind::Findings {
            return RULES_NEED;
        }
        // What the snapshot lacks comes with the next report: which rows were flagged meanwhile.
        let hellos = self.overview.iter().flat_map(|overview| &overview.hellos);
        let interval = hellos.map(|hello| Duration::from_nanos(hello.interval_ns)).max().unwrap_or_default();
        let rates = if self.kind == Kind::Tasks { Duration::ZERO } else { RATES_NEED };
        interval.mul_f64(1.3).max(rates).min(WORTH_A_WORD)
    }

    /// Takes the events; if there are none, waits for one or the deadline.
    fn pump(&mut self, deadline: Instant) -> Result<(), Failure> {
        let seen = self.inbox.count();
        let status = self.inbox.status();
        match &status {
            Some(Status::Connected { .. }) => self.connected = true,
            Some(Status::Refused { reason }) => {
                return Err(Failure::Unreachable(format!("{}: {reason}", self.from)));
            }
            Some(Status::Lost { reason, .. }) if !self.connected => {
                return Err(Failure::Unreachable(format!("{} went away: {reason}", self.from)));
            }
            Some(Status::Ended { reason, orderly }) => {
                let why = format!("{}: {reason}", self.from);
                self.ended = Some(End { why, orderly: *orderly });
            }
            // Once it was there its last state is worth printing; the rows say that it is gone.
            Some(Status::Lost { .. } | Status::Connecting { .. }) | None => {}
        }
        let (page, overview) = (self.inbox.take(PAGE), self.inbox.take(OVERVIEW));
        let gone = self.inbox.take(GONE);
        if let Some(Answer::Page(gone)) = &gone {
            self.departures.update(gone);
        }
        if let Some(status) = status.filter(|_| self.connected) {
            self.departures.connection(&status);
        }
        if page.is_none()
            && overview.is_none()
            && gone.is_none()
            && self.ended.is_none()
            && !self.departures.has_news()
        {
            self.inbox.wait(seen, deadline);
            return Ok(());
        }
        match page {
            // What is whole is not replaced by a newcomer's half.
            Some(Answer::Page(page)) => {
                if is_whole(&page.meta) || self.page.as_ref().is_none_or(|known| !is_whole(&known.meta)) {
                    self.page = Some(page);
                }
            }
            Some(Answer::No(reason)) => return Err(Failure::Usage(reason.to_string())),
            Some(_) | None => {}
        }
        match overview {
            Some(Answer::Overview(overview)) => self.overview = Some(*overview),
            Some(Answer::No(reason)) => return Err(Failure::NoData(format!("{}: {reason}", self.from))),
            Some(_) | None => {}
        }
        Ok(())
    }
}

/// Whether no process is in the middle of telling its state.
fn is_whole(meta: &Meta) -> bool {
    meta.loading.is_none()
}
