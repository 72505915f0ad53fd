//! The one owner of everything that is known: a thread that folds reports into the
//! [`Monitor`] and answers questions from it, one at a time.
//!
//! The streams are served by async tasks that talk to it through [`Fleet`]. Each push stream has at
//! most one report on its way here and waits for it to be applied: a flood from one process is held
//! up in its own connection, and harms no other process. Reports and questions have queues of their own
//! and are taken in fair turns; a large report is folded in slices between them.

use std::sync::Arc;
use std::time::Duration;

use pollscope_model::hello::Hello;
use pollscope_model::id::BootId;
use pollscope_model::query::ask::{Answer, Ask};
use pollscope_model::report::Report;
use pollscope_model::world::{Applied, TooManyProcesses, WorldLimits};
use pollscope_proto::ingest::Control;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use run::FleetLoop;

mod leases;
mod run;

/// Orders and questions that may wait; a sender that finds the queue full waits for a place.
const QUEUE: usize = 64;

/// The fleet's thread has ended: the collector is stopping, or it has failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the collector is stopping; try again when it is back")]
pub(crate) struct Stopped;

/// Why a push stream gets no lease.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum NoLease {
    #[error(transparent)]
    Full(#[from] TooManyProcesses),
    #[error(
        "another stream speaks for this incarnation and is alive: one process has one stream; if this one is a \
         copy (a forked process, a machine started from a running image), restart it"
    )]
    Taken,
}

/// What became of a report.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Taken {
    /// It is folded, or not for the reason given.
    Applied(Applied),
    /// Its sequence number does not follow what is known: nothing of it was taken.
    OutOfOrder,
    /// Another stream has the process's lease now.
    NoLease,
}

/// Talks to the fleet's thread. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Fleet {
    orders: mpsc::Sender<Order>,
    questions: mpsc::Sender<Question>,
    changes: watch::Receiver<u64>,
}

/// A push stream's lease: reports of one incarnation come from it until it parts, or until it was silent for so long
/// that another may take over.
#[derive(Debug)]
pub(crate) struct Lease {
    /// The incarnation.
    pub(crate) boot: BootId,
    /// What the process is called here: `checkout#2`.
    pub(crate) label: Arc<str>,
    /// Highest sequence number that is known of it.
    pub(crate) last_seq: Option<u64>,
    /// Requests for what viewers want to know of it; closed when another stream takes over.
    pub(crate) wants: mpsc::Receiver<Control>,
    number: u64,
}

#[derive(Debug)]
enum Order {
    Greet { hello: Box<Hello>, reply: oneshot::Sender<Result<Lease, NoLease>> },
    Renew { lease: u64, hello: Box<Hello>, reply: oneshot::Sender<()> },
    Apply { boot: BootId, lease: u64, report: Box<Report>, reply: oneshot::Sender<Taken> },
    Part { boot: BootId, lease: u64, reason: Arc<str> },
}

#[derive(Debug)]
struct Question {
    ask: Ask,
    /// Rather no answer than one from before the detail that was asked for.
    may_wait: bool,
    reply: oneshot::Sender<Option<Answer>>,
}

impl Fleet {
    /// Gives a push stream its lease, unless another one has the lease of the same incarnation and is not silent.
    pub(crate) async fn greet(&self, hello: Box<Hello>) -> Result<Result<Lease, NoLease>, Stopped> {
        let (reply, lease) = oneshot::channel();
        self.orders.send(Order::Greet { hello, reply }).await.map_err(|_| Stopped)?;
        lease.await.map_err(|_| Stopped)
    }

    /// Takes the greeting of a stream that has its lease again: what the process measures has changed.
    pub(crate) async fn renew(&self, lease: &Lease, hello: Box<Hello>) -> Result<(), Stopped> {
        let (reply, renewed) = oneshot::channel();
        let order = Order::Renew { lease: lease.number, hello, reply };
        self.orders.send(order).await.map_err(|_| Stopped)?;
        renewed.await.map_err(|_| Stopped)
    }

    /// Folds a report in and returns when it is done. Of one that is dropped before, nothing or all is folded.
    pub(crate) async fn apply(&self, lease: &Lease, report: Box<Report>) -> Result<Taken, Stopped> {
        let (reply, applied) = oneshot::channel();
        let order = Order::Apply { boot: lease.boot, lease: lease.number, report, reply };
        self.orders.send(order).await.map_err(|_| Stopped)?;
        applied.await.map_err(|_| Stopped)
    }

    /// Ends a push stream: its process is gone unless another stream took its lease.
    pub(crate) async fn part(&self, lease: Lease, reason: &str) -> Result<(), Stopped> {
        let order = Order::Part { boot: lease.boot, lease: lease.number, reason: reason.into() };
        self.orders.send(order).await.map_err(|_| Stopped)
    }

    /// Asks. A question about single tasks also asks their processes for all of them, for a minute;
    /// the answer holds what is known now.
    pub(crate) async fn ask(&self, ask: Ask) -> Result<Answer, Stopped> {
        // Only a question that may wait stays unanswered.
        self.question(ask, false).await?.ok_or(Stopped)
    }

    /// Asks, and gives the processes that are asked for all of their tasks some time to send them.
    pub(crate) async fn ask_patiently(&self, ask: &Ask, patience: Duration) -> Result<Answer, Stopped> {
        let deadline = Instant::now() + patience;
        let mut changes = self.changes();
        loop {
            changes.mark_unchanged();
            let may_wait = Instant::now() < deadline;
            if let Some(answer) = self.question(ask.clone(), may_wait).await? {
                return Ok(answer);
            }
            // The deadline, a change and the thread's end all lead to the next question.
            let _ = tokio::time::timeout_at(deadline, changes.changed()).await;
        }
    }

    async fn question(&self, ask: Ask, may_wait: bool) -> Result<Option<Answer>, Stopped> {
        let (reply, answer) = oneshot::channel();
        self.questions.send(Question { ask, may_wait, reply }).await.map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }

    /// Returns when the thread has ended.
    pub(crate) async fn ended(&self) {
        self.orders.closed().await;
    }

    /// Says when answers may have changed.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.clone()
    }
}

/// The running thread.
#[derive(Debug)]
pub(crate) struct FleetThread {
    thread: std::thread::JoinHandle<()>,
    stop: oneshot::Sender<()>,
}

impl FleetThread {
    /// Starts it. `now` reads the wall clock, in nanoseconds since the Unix epoch.
    pub(crate) fn start(
        limits: WorldLimits,
        now: impl FnMut() -> u64 + Send + 'static,
    ) -> std::io::Result<(Self, Fleet)> {
        let (orders, orders_in) = mpsc::channel(QUEUE);
        let (questions, questions_in) = mpsc::channel(QUEUE);
        let (changed, changes) = watch::channel(0);
        let (stop, stopped) = oneshot::channel();
        let mut fleet = FleetLoop::new(limits, changed, now);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let thread = std::thread::Builder::new().name("fleet".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = fleet.run(orders_in, questions_in) => {}
                    _ = stopped => {}
                }
            });
        })?;
        Ok((Self { thread, stop }, Fleet { orders, questions, changes }))
    }

    /// Ends it and waits for its end; false if it had failed.
    pub(crate) async fn stop(self) -> bool {
        let _ = self.stop.send(());
        let joined = tokio::task::spawn_blocking(move || self.thread.join()).await;
        matches!(joined, Ok(Ok(())))
    }
}

#[cfg(test)]
mod tests;
