//! `Fleet`: what viewers ask.
//!
//! Never keeps an answer for a viewer that is not ready for it: a standing question is put to the
//! fleet when the viewer can take the answer, so that what arrives is the newest there is.

use std::collections::HashSet;
use std::time::Duration;

use pollscope_model::query::ask::{Answer, Ask};
use pollscope_proto::fleet::{
    self as wire, AnswerPart, AskRequest, ClientHello, FleetHello, StandingQuery, WatchRequest,
    WireClientHello, WireFleetHello,
};
use pollscope_proto::{DecodeError, Peer, compatible};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::stop::Stop;
use crate::fleet::{Fleet, Stopped};
use crate::listen::Address;

/// How long a single question waits for processes that were just asked for their tasks.
const PATIENCE: Duration = Duration::from_millis(2_500);

/// No standing question is answered more often than this, whatever it asks for.
const LEAST_INTERVAL: Duration = Duration::from_millis(50);

/// Answers on their way to one viewer.
const ANSWERS: usize = 1;

/// Serves viewers.
#[derive(Debug)]
pub(super) struct FleetService {
    fleet: Fleet,
    stop: Stop,
    label: String,
}

impl FleetService {
    pub(super) fn new(fleet: &Fleet, stop: &Stop, address: &Address) -> Self {
        Self { fleet: fleet.clone(), stop: stop.clone(), label: format!("collector at {address}") }
    }
}

#[tonic::async_trait]
impl wire::Fleet for FleetService {
    type AskStream = tokio_stream::Iter<std::vec::IntoIter<Result<AnswerPart, Status>>>;
    type WatchStream = ReceiverStream<Result<AnswerPart, Status>>;

    async fn hello(&self, request: Request<WireClientHello>) -> Result<Response<WireFleetHello>, Status> {
        let client = ClientHello::try_from(request.into_inner()).map_err(unreadable)?;
        compatible(Peer::Collector, Peer::Viewer, client.protocol, &client.version)
            .map_err(|mismatch| Status::failed_precondition(mismatch.to_string()))?;
        tracing::info!(viewer = client.label, version = client.version, "viewer connected");
        Ok(Response::new(WireFleetHello::from(&FleetHello::new(&*self.label))))
    }

    async fn ask(&self, request: Request<AskRequest>) -> Result<Response<Self::AskStream>, Status> {
        let ask = Ask::try_from(request.into_inner()).map_err(unreadable)?;
        let answer = self.fleet.ask_patiently(&ask, PATIENCE).await.map_err(stopping)?;
        let parts: Vec<_> = wire::answer(0, &answer).into_iter().map(Ok).collect();
        Ok(Response::new(tokio_stream::iter(parts)))
    }

    async fn watch(
        &self,
        request: Request<Streaming<WatchRequest>>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let (answers, outbound) = mpsc::channel(ANSWERS);
        let viewer = Viewer {
            fleet: self.fleet.clone(),
            changes: self.fleet.changes(),
            answers: answers.clone(),
            slots: Vec::new(),
        };
        let stop = self.stop.clone();
        let inbound = request.into_inner();
        tokio::spawn(async move {
            if let Err(status) = viewer.serve(inbound, stop).await {
                // Failing means that the viewer is gone already.
                let _ = answers.send(Err(status)).await;
            }
        });
        Ok(Response::new(ReceiverStream::new(outbound)))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err takes")]
fn unreadable(error: DecodeError) -> Status {
    Status::invalid_argument(format!("unreadable question: {error}"))
}

fn stopping(stopped: Stopped) -> Status {
    Status::unavailable(stopped.to_string())
}

/// One stream of standing questions.
struct Viewer {
    fleet: Fleet,
    changes: watch::Receiver<u64>,
    answers: mpsc::Sender<Result<AnswerPart, Status>>,
    slots: Vec<Slot>,
}

/// One standing question.
struct Slot {
    standing: StandingQuery,
    /// Not to be answered again before.
    due: Instant,
    /// The fleet's version that was answered last, and what it was.
    answered: Option<(u64, Answer)>,
}

impl Slot {
    fn new(standing: StandingQuery) -> Self {
        Self { standing, due: Instant::now(), answered: None }
    }

    fn is_outdated(&self, version: u64) -> bool {
        self.answered.as_ref().is_none_or(|(answered, _)| *answered != version)
    }
}

impl Viewer {
    /// Ends well when the viewer leaves.
    async fn serve(mut self, mut inbound: Streaming<WatchRequest>, mut stop: Stop) -> Result<(), Status> {
        loop {
            // Marks the version as seen, so that only a later one wakes us.
            let next = {
                let version = *self.changes.borrow_and_update();
                self.next(version)
            };
            let answers = self.answers.clone();
            let ready = async {
                tokio::time::sleep_until(next.map_or_else(Instant::now, |(_, due)| due)).await;
                answers.reserve().await
            };
            tokio::select! {
                message = inbound.message() => match message {
                    Ok(Some(request)) => self.replace(request)?,
                    Ok(None) => return Ok(()),
                    Err(status) => {
                        tracing::debug!(reason = status.message(), "viewer disconnected");
                        return Ok(());
                    }
                },
                permit = ready, if next.is_some() => {
                    let (Ok(permit), Some((index, _))) = (permit, next) else { return Ok(()) };
                    drop(permit);
                    if !self.answer(index).await? {
                        return Ok(());
                    }
                }
                changed = self.changes.changed(), if next.is_none() => {
                    changed.map_err(|_| stopping(Stopped))?;
                }
                () = stop.wait() => return Err(stopping(Stopped)),
            }
        }
    }

    /// The outdated question that is due first.
    fn next(&self, version: u64) -> Option<(usize, Instant)> {
        let outdated = self.slots.iter().enumerate().filter(|(_, slot)| slot.is_outdated(version));
        outdated.map(|(index, slot)| (index, slot.due)).min_by_key(|(_, due)| *due)
    }

    /// Takes the new set; a question that is in the old one too is not answered anew for it.
    fn replace(&mut self, request: WatchRequest) -> Result<(), Status> {
        let standing: Vec<StandingQuery> = request.try_into().map_err(unreadable)?;
        let mut ids = HashSet::new();
        if let Some(double) = standing.iter().find(|standing| !ids.insert(standing.id)) {
            let words = format!("two standing questions have the number {}; number them apart", double.id);
            return Err(Status::invalid_argument(words));
        }
        let mut old = std::mem::take(&mut self.slots);
        for standing in standing {
            let known = old.iter().position(|slot| slot.standing == standing);
            self.slots.push(known.map_or_else(|| Slot::new(standing), |index| old.swap_remove(index)));
        }
        Ok(())
    }

    /// Asks the fleet and sends the answer if it is another than the last. False if the viewer left.
    async fn answer(&mut self, index: usize) -> Result<bool, Status> {
        // Read before the answer: what changes after it makes the question outdated again.
        let version = *self.changes.borrow();
        let slot = &mut self.slots[index];
        let answer = self.fleet.ask(slot.standing.ask.clone()).await.map_err(stopping)?;
        let interval = Duration::from_millis(slot.standing.interval_ms.into()).max(LEAST_INTERVAL);
        slot.due = Instant::now() + interval;
        let news = slot.answered.as_ref().is_none_or(|(_, last)| *last != answer);
        if news {
            for part in wire::answer(slot.standing.id, &answer) {
                if self.answers.send(Ok(part)).await.is_err() {
                    return Ok(false);
                }
            }
        }
        slot.answered = Some((version, answer));
        Ok(true)
    }
}
