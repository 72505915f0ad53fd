//! One connection to the collector, and what outlives it: the reports that are not acknowledged.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use pollscope_model::report::{Report, ReportKind};
use pollscope_proto::ingest::{self, Control, PushControl, PushMessage, Welcome};
use pollscope_proto::{Peer, compatible};
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use crate::export::Shared;
use crate::export::backlog::{Backlog, MAX_ROWS, Next, STALLED_BYTES, bytes_of};
use crate::export::greeting::Greeting;
use crate::export::network::lens::Lens;
use crate::export::network::push::dial;

/// How long connecting, and the collector's welcome, may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Reports that may be sent and not acknowledged; then the rest waits, and folds, in the backlog.
const MAX_UNACKNOWLEDGED: usize = 64;
/// How long the end of a stream waits for the collector's own.
const FAREWELL: Duration = Duration::from_millis(500);
/// How often a quiet connection is looked at.
const GLANCE: Duration = Duration::from_millis(250);
/// Messages on their way, beside those in the backlog.
const IN_FLIGHT: usize = 4;

/// Why a connection ended.
#[derive(Clone, Debug)]
pub(super) enum End {
    /// This process stops.
    Closed,
    /// The collector went away, or was never there.
    Lost(String),
    /// The collector cannot go on from what it has: it wants a snapshot.
    Astray(String),
    /// The collector does not want this process.
    Refused(String),
}

impl From<Status> for End {
    fn from(status: Status) -> Self {
        match status.code() {
            Code::FailedPrecondition
            | Code::PermissionDenied
            | Code::Unauthenticated
            | Code::Unimplemented
            | Code::InvalidArgument => Self::Refused(status.message().to_owned()),
            Code::Aborted => Self::Astray(status.message().to_owned()),
            _ => Self::Lost(status.message().to_owned()),
        }
    }
}

/// What outlives connections.
pub(super) struct Session {
    shared: Arc<Shared>,
    backlog: Arc<Backlog>,
    /// Deltas that were sent and not acknowledged, oldest first.
    sent: VecDeque<Arc<Report>>,
    /// What waits in the backlog begins with a snapshot of which no collector has anything yet.
    untold: bool,
    /// The collector keeps everything, single events too if they are always recorded; asked for at that time.
    whole: bool,
    asked_for_events: Option<Instant>,
}

impl Session {
    /// `whole` if the collector gets everything from the start on; the backlog is then subscribed already.
    pub(super) fn new(shared: &Arc<Shared>, backlog: &Arc<Backlog>, whole: bool) -> Self {
        Self {
            shared: shared.clone(),
            backlog: backlog.clone(),
            sent: VecDeque::new(),
            untold: whole,
            whole,
            asked_for_events: None,
        }
    }

    /// Connects and reports until something ends it.
    pub(super) async fn hold(&mut self, url: &str, welcomed: impl FnOnce()) -> End {
        let end = self.try_hold(url, welcomed).await.err().unwrap_or(End::Closed);
        let kept = || self.sent.iter().map(|report| bytes_of(report)).sum::<usize>();
        // How long the collector is away is not known: much is not kept for it.
        if matches!(end, End::Astray(_)) || kept() > STALLED_BYTES {
            self.forget_everything();
        }
        end
    }

    async fn try_hold(&mut self, url: &str, welcomed: impl FnOnce()) -> Result<(), End> {
        let silent = |_| End::Lost("it does not answer".to_owned());
        let connection = timeout(PATIENCE, dial::connect(url)).await.map_err(silent)??;
        let (out, stream) = mpsc::channel(IN_FLIGHT);
        let out = Out(out);
        let (mut greeting, hello) = Greeting::new(self.shared.clone());
        out.send(ingest::hello(&hello)).await?;
        let mut client = ingest::client(connection);
        let answer = client.push(ReceiverStream::new(stream));
        let mut controls = timeout(PATIENCE, answer).await.map_err(silent)??.into_inner();
        let welcome = timeout(PATIENCE, welcome(&mut controls)).await.map_err(silent)??;
        welcomed();

        let state = Arc::new(PushState {
            lens: Mutex::new(Lens::new(welcome.detail)),
            backlog: self.backlog.clone(),
            shared: self.shared.clone(),
            acknowledged: AtomicU64::new(welcome.last_seq.unwrap_or(0)),
            news: Notify::new(),
            end: OnceLock::new(),
        });
        let reading = Reading(tokio::spawn(state.clone().read(controls)));
        let talked = self.talk(&welcome, &mut greeting, &state, &out).await;
        if talked.is_ok() {
            out.send(ingest::goodbye("the service stopped pollscope")).await?;
        }
        // A side that ends its own half of the stream first discards what is still on its way: the
        // goodbye, or the collector's words on why it ended the stream.
        drop(out);
        let _ = timeout(FAREWELL, state.has_ended()).await;
        drop(reading);
        talked.map_err(|end| state.end.get().cloned().unwrap_or(end))
    }

    /// Reports until the process stops.
    async fn talk(
        &mut self,
        welcome: &Welcome,
        greeting: &mut Greeting,
        state: &PushState,
        out: &Out,
    ) -> Result<(), End> {
        self.resume(welcome.last_seq, out).await?;
        loop {
            if self.whole {
                self.shared.keep_events(&self.backlog, &mut self.asked_for_events);
            }
            self.wait_for_room(state).await?;
            let Ok(next) = timeout(GLANCE, self.backlog.next()).await else { continue };
            let mut report = match next {
                Next::Report(report) => report,
                Next::Overrun => {
                    self.shared.reporter.subscribe(&self.backlog);
                    continue;
                }
                Next::Closed => return Ok(()),
            };
            if let Some(hello) = greeting.news(&report) {
                out.send(ingest::hello(&hello)).await?;
            }
            let grown = state.look_through(&mut report);
            self.keep(&report);
            out.send_report(&report).await?;
            drop(report);
            self.strip();
            if grown {
                self.shared.reporter.subscribe(&self.backlog);
            }
        }
    }

    /// Continues where the collector is, or starts again from a snapshot.
    async fn resume(&mut self, last_seq: Option<u64>, out: &Out) -> Result<(), End> {
        if std::mem::take(&mut self.untold) && last_seq.is_none() {
            return Ok(());
        }
        self.forget(last_seq.unwrap_or(0));
        let continues = last_seq.is_some_and(|last| match (self.sent.front(), self.sent.back()) {
            (Some(first), Some(newest)) => {
                last.checked_add(1) == Some(first.first_seq) && self.backlog.continues_after(newest.seq)
            }
            _ => self.backlog.continues_after(last),
        });
        if continues {
            for report in &self.sent {
                out.send_report(report).await?;
            }
        } else {
            self.forget_everything();
            self.shared.reporter.subscribe(&self.backlog);
        }
        Ok(())
    }

    /// What follows can only be a snapshot.
    fn forget_everything(&mut self) {
        self.sent.clear();
        self.backlog.clear();
    }

    /// Keeps a delta until it is acknowledged. A snapshot is made anew when it has to be sent again.
    fn keep(&mut self, report: &Arc<Report>) {
        if report.kind == ReportKind::Delta {
            self.sent.push_back(report.clone());
        } else {
            self.sent.clear();
        }
    }

    /// Single events are sent once: to keep them until they are acknowledged would cost too much.
    fn strip(&mut self) {
        if let Some(sent) = self.sent.back_mut().filter(|sent| !sent.events.is_empty()) {
            Arc::make_mut(sent).events = Vec::new();
        }
    }

    fn forget(&mut self, acknowledged: u64) {
        while self.sent.front().is_some_and(|report| report.seq <= acknowledged) {
            self.sent.pop_front();
        }
    }

    /// Waits while too much is not acknowledged.
    async fn wait_for_room(&mut self, state: &PushState) -> Result<(), End> {
        loop {
            self.forget(state.acknowledged.load(Ordering::Acquire));
            state.ended()?;
            let rows: usize = self.sent.iter().map(|report| report.tasks.len()).sum();
            if self.sent.len() < MAX_UNACKNOWLEDGED && (self.sent.len() < 2 || rows < MAX_ROWS) {
                return Ok(());
            }
            if self.backlog.is_closed() {
                return Ok(());
            }
            let _ = timeout(GLANCE, state.news.notified()).await;
        }
    }
}

/// Reads the collector's first word.
async fn welcome(controls: &mut Streaming<PushControl>) -> Result<Welcome, End> {
    match control(controls).await? {
        Control::Welcome(welcome) => {
            compatible(Peer::Service, Peer::Collector, welcome.protocol, "of unknown version")
                .map_err(|mismatch| End::Refused(mismatch.to_string()))?;
            Ok(welcome)
        }
        Control::Refused { reason } => Err(End::Refused(reason)),
        Control::Ack { .. } | Control::Detail(_) | Control::Events(_) => {
            Err(End::Lost("it did not greet".to_owned()))
        }
    }
}

async fn control(controls: &mut Streaming<PushControl>) -> Result<Control, End> {
    let message = controls.message().await?.ok_or_else(|| End::Lost("it ended the connection".to_owned()))?;
    Control::try_from(message).map_err(|error| End::Lost(error.to_string()))
}

/// What the collector said since its welcome.
struct PushState {
    lens: Mutex<Lens>,
    backlog: Arc<Backlog>,
    shared: Arc<Shared>,
    acknowledged: AtomicU64,
    news: Notify,
    end: OnceLock<End>,
}

impl PushState {
    /// Reads until the connection ends.
    async fn read(self: Arc<Self>, mut controls: Streaming<PushControl>) {
        let end = loop {
            match control(&mut controls).await {
                Ok(Control::Ack { seq }) => {
                    self.acknowledged.fetch_max(seq, Ordering::AcqRel);
                }
                Ok(Control::Detail(request)) => {
                    self.lens.lock().unwrap_or_else(PoisonError::into_inner).ask(request, Instant::now());
                }
                Ok(Control::Events(request)) => self.shared.ask_for_events(&self.backlog, request),
                Ok(Control::Welcome(_)) => {}
                Ok(Control::Refused { reason }) => break End::Refused(reason),
                Err(end) => break end,
            }
            self.news.notify_one();
        };
        let _ = self.end.set(end);
        self.news.notify_one();
    }

    async fn has_ended(&self) {
        while self.end.get().is_none() {
            self.news.notified().await;
        }
    }

    fn ended(&self) -> Result<(), End> {
        self.end.get().map_or(Ok(()), |end| Err(end.clone()))
    }

    fn look_through(&self, report: &mut Arc<Report>) -> bool {
        let mut lens = self.lens.lock().unwrap_or_else(PoisonError::into_inner);
        let grown = lens.turn(Instant::now());
        lens.show(report);
        grown
    }
}

/// The way to the collector.
struct Out(mpsc::Sender<PushMessage>);

impl Out {
    async fn send(&self, message: PushMessage) -> Result<(), End> {
        self.0.send(message).await.map_err(|_| End::Lost("the connection broke".to_owned()))
    }

    async fn send_report(&self, report: &Report) -> Result<(), End> {
        for message in ingest::report(report) {
            self.send(message).await?;
        }
        Ok(())
    }
}

/// The task that reads the collector's words; it ends with the session.
struct Reading(tokio::task::JoinHandle<()>);

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.abort();
    }
}
