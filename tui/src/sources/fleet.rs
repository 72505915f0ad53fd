//! A collector: the standing questions go to its `Fleet` service, its answers come back, and the
//! connection is opened again whenever it breaks.

use std::sync::Arc;

use pollscope_model::query::ask::{Answer, Ask};
use pollscope_proto::fleet::{
    self, AnswerDecoder, AskRequest, FleetHello, StandingQuery, WatchRequest, WireClientHello,
};
use pollscope_proto::{ClientHello, Peer, compatible};
use tokio::sync::{mpsc, watch as cell};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

use super::endpoint::{Endpoint, PATIENCE, PeerError};
use super::{Pauses, QuestionId, Questions, Sink, Source, SourceEvent, Status};
use crate::output::failure::Failure;

/// How often the collector answers a standing question again.
const INTERVAL_MS: u32 = 250;

/// A collector. Dropping it ends its thread.
pub struct FleetSource {
    questions: cell::Sender<Questions>,
}

impl FleetSource {
    /// Starts to ask.
    pub fn open(endpoint: Endpoint, events: Sink) -> Result<Self, Failure> {
        let (questions, asked) = cell::channel(Questions::default());
        super::on_own_thread("pollscope-collector", run(endpoint, asked, events))?;
        Ok(Self { questions })
    }
}

impl Source for FleetSource {
    fn ask(&mut self, questions: Vec<(QuestionId, Ask)>) {
        self.questions.send_replace(questions.into());
    }
}

/// Greets the collector at an address.
pub async fn greet(endpoint: &Endpoint) -> Result<(FleetHello, Channel), PeerError> {
    let channel = endpoint.connect().await?;
    let client = ClientHello::new(format!("pollscope (pid {})", std::process::id()));
    let hello = async {
        let hello = fleet::client(channel.clone()).hello(WireClientHello::from(&client)).await;
        hello.map_err(|status| PeerError::of(&status))
    };
    let hello = match tokio::time::timeout(PATIENCE, hello).await {
        Ok(hello) => hello?.into_inner(),
        Err(_) => return Err(PeerError::Broken(format!("no answer within {} s", PATIENCE.as_secs()))),
    };
    let hello = FleetHello::try_from(hello).map_err(|error| PeerError::Broken(error.to_string()))?;
    compatible(Peer::Viewer, Peer::Collector, hello.protocol, &hello.version)
        .map_err(|mismatch| PeerError::Version(mismatch.to_string()))?;
    Ok((hello, channel))
}

/// One question, one answer.
pub async fn ask(channel: &Channel, question: &Ask) -> Result<Answer, PeerError> {
    let mut parts = fleet::client(channel.clone())
        .ask(AskRequest::from(question))
        .await
        .map_err(|status| PeerError::of(&status))?
        .into_inner();
    let mut reader = AnswerDecoder::default();
    while let Some(part) = parts.message().await.map_err(|status| PeerError::of(&status))? {
        match reader.decode(part) {
            Ok(None) => {}
            Ok(Some((_, answer))) => return Ok(answer),
            Err(error) => return Err(PeerError::Broken(error.to_string())),
        }
    }
    Err(PeerError::Broken("the answer was cut short".to_owned()))
}

/// Keeps the connection until the other ends of its channels are gone.
async fn run(endpoint: Endpoint, mut asked: cell::Receiver<Questions>, mut events: Sink) {
    let target: Arc<str> = endpoint.to_string().into();
    if !events(SourceEvent::Status(Status::Connecting { target })) {
        return;
    }
    let mut pauses = Pauses::default();
    let mut attempts = 0;
    loop {
        let error = match greet(&endpoint).await {
            Ok((hello, channel)) => {
                let label = label(&hello, &endpoint);
                if !events(SourceEvent::Status(Status::Connected { label })) {
                    return;
                }
                (pauses, attempts) = (Pauses::default(), 0);
                match watch(channel, &mut asked, &mut events).await {
                    Some(error) => error,
                    None => return,
                }
            }
            Err(error) => error,
        };
        let status = match &error {
            PeerError::Version(reason) => Status::Refused { reason: reason.as_str().into() },
            PeerError::OtherService => Status::Refused {
                reason: format!(
                    "{endpoint} is no collector; if it is a process, use `pollscope attach {endpoint}`"
                )
                .into(),
            },
            error => Status::Lost { reason: error.words().into(), attempts },
        };
        let last = matches!(status, Status::Refused { .. });
        if !events(SourceEvent::Status(status)) || last {
            return;
        }
        attempts += 1;
        tokio::select! {
            () = pauses.wait() => {}
            () = closed(&mut asked) => return,
        }
    }
}

/// Returns when the sender of questions is gone.
async fn closed(asked: &mut cell::Receiver<Questions>) {
    // What is asked meanwhile is read when the connection is there.
    while asked.changed().await.is_ok() {}
}

fn label(hello: &FleetHello, endpoint: &Endpoint) -> Arc<str> {
    // A collector says what it is: `collector at 10.0.0.5:7700`.
    if hello.label.is_empty() {
        format!("collector at {endpoint}").into()
    } else {
        hello.label.as_str().into()
    }
}

/// Asks and hands on answers until the stream breaks; `None` if the other ends of the channels are gone.
async fn watch(
    channel: Channel,
    asked: &mut cell::Receiver<Questions>,
    events: &mut Sink,
) -> Option<PeerError> {
    let (requests, stream) = mpsc::channel(4);
    asked.mark_changed();
    let mut numbers = Numbers::default();
    // The stream's first request goes out with it: a server may wait for it before it answers.
    requests.try_send(numbers.request(&asked.borrow_and_update())).ok()?;
    let mut parts = match fleet::client(channel).watch(ReceiverStream::new(stream)).await {
        Ok(response) => response.into_inner(),
        Err(status) => return Some(PeerError::of(&status)),
    };
    let mut reader = AnswerDecoder::default();
    loop {
        tokio::select! {
            changed = asked.changed() => {
                changed.ok()?;
                let request = numbers.request(&asked.borrow_and_update());
                if requests.send(request).await.is_err() {
                    return Some(PeerError::Broken("the connection ended".to_owned()));
                }
            }
            part = parts.message() => {
                let part = match part {
                    Ok(Some(part)) => part,
                    Ok(None) => return Some(PeerError::Broken("the collector ended the connection".to_owned())),
                    Err(status) => return Some(PeerError::of(&status)),
                };
                match reader.decode(part) {
                    Ok(None) => {}
                    Ok(Some((number, answer))) => {
                        if let Some(id) = numbers.question(number)
                            && !events(SourceEvent::Answer(id, Box::new(answer)))
                        {
                            return None;
                        }
                    }
                    Err(error) => return Some(PeerError::Broken(error.to_string())),
                }
            }
        }
    }
}

/// The numbers under which the questions are known to the collector. A question that changes under
/// its id gets a new number, so that a late answer to the old one is known for what it is.
#[derive(Default)]
struct Numbers {
    next: u64,
    known: Vec<(u64, QuestionId, Ask)>,
}

impl Numbers {
    fn request(&mut self, questions: &Questions) -> WatchRequest {
        let known = questions.iter().map(|(id, ask)| {
            let old = self.known.iter().find(|(_, old, what)| old == id && what == ask);
            let number = old.map_or_else(
                || {
                    self.next += 1;
                    self.next
                },
                |(number, ..)| *number,
            );
            (number, *id, ask.clone())
        });
        self.known = known.collect();
        let standing: Vec<StandingQuery> = self
            .known
            .iter()
            .map(|(id, _, ask)| StandingQuery { id: *id, ask: ask.clone(), interval_ms: INTERVAL_MS })
            .collect();
        WatchRequest::from(standing.as_slice())
    }

    fn question(&self, number: u64) -> Option<QuestionId> {
        self.known.iter().find(|(known, ..)| *known == number).map(|(_, id, _)| *id)
    }
}

#[cfg(test)]
mod tests {
    use pollscope_model::query::page::Scope;

    use super::*;

    #[test]
    fn a_changed_question_is_not_answered_by_a_late_answer_to_the_old_one() {
        let mut numbers = Numbers::default();
        let overview = (QuestionId(7), Ask::Overview(Scope::All));
        let _ = numbers.request(&Questions::from([overview.clone()]));
        assert_eq!(numbers.question(1), Some(QuestionId(7)));
        let _ = numbers.request(&Questions::from([overview, (QuestionId(8), Ask::Finding(1))]));
        assert_eq!((numbers.question(1), numbers.question(2)), (Some(QuestionId(7)), Some(QuestionId(8))));
        let _ = numbers.request(&Questions::from([(QuestionId(8), Ask::Finding(2))]));
        assert_eq!((numbers.question(1), numbers.question(2)), (None, None));
        assert_eq!(numbers.question(3), Some(QuestionId(8)));
    }
}
