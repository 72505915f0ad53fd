//! A collector in this process, and the peers that talk to it.

use std::time::Duration;

use pollscope_collector::config::Config;
use pollscope_collector::{Collector, Error};
use pollscope_model::hello::Hello;
use pollscope_model::query::ask::{Answer, Ask};
use pollscope_model::query::column::Kind;
use pollscope_model::query::page::{Page, Query};
use pollscope_model::report::Report;
use pollscope_model::testkit::{Script, hello};
use pollscope_model::time::MILLISECOND;
use pollscope_model::value::Value;
use pollscope_proto::fleet;
use pollscope_proto::ingest::{self, Control, PushControl, PushMessage, Welcome};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Status, Streaming};

/// Far longer than anything here takes on a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// Waits, and says for what if it waits in vain.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let Ok(value) = tokio::time::timeout(DEADLINE, future).await else {
        panic!("waited in vain for {what}");
    };
    value
}

/// A running collector.
pub(crate) struct Rig {
    pub(crate) address: String,
    stop: oneshot::Sender<()>,
    served: JoinHandle<Result<(), Error>>,
}

impl Rig {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config { listen: "127.0.0.1:0".parse().unwrap(), ..Config::default() };
        change(&mut config);
        let collector = Collector::bind(&config).await.unwrap();
        let address = collector.address().to_string();
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(collector.serve(async {
            let _ = stopped.await;
        }));
        Self { address, stop, served }
    }

    pub(crate) async fn channel(&self) -> Channel {
        // Small windows, so that a reader that stops is felt at the other end soon.
        let endpoint = Channel::from_shared(format!("http://{}", self.address))
            .unwrap()
            .initial_stream_window_size(65_535)
            .initial_connection_window_size(65_535);
        soon("the connection", endpoint.connect()).await.unwrap()
    }

    pub(crate) async fn viewer(&self) -> fleet::FleetClient<Channel> {
        fleet::client(self.channel().await)
    }

    /// One question on a connection of its own.
    pub(crate) async fn ask(&self, ask: &Ask) -> Answer {
        let mut viewer = self.viewer().await;
        let asked = soon("the question to be taken", viewer.ask(fleet::AskRequest::from(ask))).await;
        let mut parts = asked.unwrap().into_inner();
        let mut reader = fleet::AnswerDecoder::default();
        loop {
            let part = soon("the answer", parts.message())
                .await
                .unwrap()
                .expect("an answer ends with its last part");
            if let Some((0, answer)) = reader.decode(part).unwrap() {
                return answer;
            }
        }
    }

    pub(crate) async fn page(&self, kind: Kind) -> Page {
        match self.ask(&Ask::Page(Query::all(kind, 100_000))).await {
            Answer::Page(page) => page,
            other => panic!("expected a page of {kind:?}, got {other:?}"),
        }
    }

    /// Asks until the page is as wanted.
    pub(crate) async fn page_when(&self, what: &str, kind: Kind, wanted: impl Fn(&Page) -> bool) -> Page {
        soon(what, async {
            loop {
                let page = self.page(kind).await;
                if wanted(&page) {
                    return page;
                }
                tokio::task::yield_now().await;
            }
        })
        .await
    }

    pub(crate) async fn stop(self) -> Result<(), Error> {
        self.stop.send(()).unwrap();
        soon("the collector to stop", self.served).await.unwrap()
    }
}

/// The column `key` of every row, summed.
pub(crate) fn sum(page: &Page, key: &str) -> u64 {
    cells(page, key)
        .map(|value| match value {
            Value::Count(count) => *count,
            other => panic!("{key} is no count: {other:?}"),
        })
        .sum()
}

/// The column `key` of every row.
pub(crate) fn cells<'a>(page: &'a Page, key: &str) -> impl Iterator<Item = &'a Value> {
    page.rows.iter().map(move |row| row.cell(key).unwrap())
}

/// The column `key` of every row as text.
pub(crate) fn texts(page: &Page, key: &str) -> Vec<String> {
    cells(page, key)
        .map(|value| match value {
            Value::Text(text) => text.to_string(),
            other => panic!("{key} is no text: {other:?}"),
        })
        .collect()
}

/// How often each task of a [`Service`] is polled.
const POLLS_EACH: u64 = 3;

/// A made-up process, and how many tasks it has spawned.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    script: Script,
    tasks: u64,
}

/// A service that wraps every task.
pub(crate) fn service(name: &str, pid: u32) -> Service {
    Service { script: Script::of(hello(name, pid)), tasks: 0 }
}

impl Service {
    pub(crate) fn hello(&self) -> Hello {
        self.script.hello()
    }

    /// The next delta: so many new tasks, each polled three times.
    pub(crate) fn delta(&mut self, tasks: u64) -> Report {
        let site = self.script.site("src/work.rs:7:5");
        for _ in 0..tasks {
            let task = self.script.spawn(site);
            self.script.poll(task, POLLS_EACH, MILLISECOND);
        }
        self.tasks += tasks;
        self.script.second()
    }

    /// Everything so far, in one part.
    pub(crate) fn snapshot(&self) -> Report {
        self.script.snapshot(1).remove(0)
    }

    pub(crate) fn tasks(&self) -> u64 {
        self.tasks
    }

    pub(crate) fn polls(&self) -> u64 {
        self.tasks * POLLS_EACH
    }
}

/// A push stream.
pub(crate) struct Pusher {
    messages: mpsc::Sender<PushMessage>,
    controls: Streaming<PushControl>,
}

impl Pusher {
    /// Opens a stream and says nothing yet.
    pub(crate) async fn open(rig: &Rig) -> Self {
        let mut client = ingest::client(rig.channel().await);
        let (messages, outbound) = mpsc::channel(4);
        let controls =
            soon("the stream", client.push(ReceiverStream::new(outbound))).await.unwrap().into_inner();
        Self { messages, controls }
    }

    /// Opens a stream and is welcomed.
    pub(crate) async fn welcomed(rig: &Rig, hello: &Hello) -> (Self, Welcome) {
        let mut pusher = Self::open(rig).await;
        pusher.send_message(ingest::hello(hello)).await;
        match pusher.next().await {
            Ok(Some(Control::Welcome(welcome))) => (pusher, welcome),
            other => panic!("expected a welcome, got {other:?}"),
        }
    }

    pub(crate) async fn send_message(&self, message: PushMessage) {
        // A report lies in its message by value: boxed, or every test's future would hold it several times.
        soon("room for a message", Box::pin(self.messages.send(message))).await.unwrap();
    }

    /// Sends a report; it may be ignored if the stream is over.
    pub(crate) async fn send(&self, report: &Report) {
        for message in ingest::report(report) {
            let _ = soon("room for a report", Box::pin(self.messages.send(message))).await;
        }
    }

    /// The next control message, or the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Control>, Status> {
        let control = soon("a control message", self.controls.message()).await?;
        Ok(control.map(|control| Control::try_from(control).unwrap()))
    }

    /// The next control message if one lies there already.
    pub(crate) async fn waiting(&mut self) -> Option<Result<Option<Control>, Status>> {
        tokio::select! {
            biased;
            control = self.next() => Some(control),
            () = std::future::ready(()) => None,
        }
    }

    /// Waits for an acknowledgement, passing over requests for detail.
    pub(crate) async fn acked(&mut self, seq: u64) {
        loop {
            match self.next().await {
                Ok(Some(Control::Ack { seq: acked })) if acked == seq => return,
                Ok(Some(Control::Ack { .. } | Control::Detail(_))) => {}
                other => panic!("expected an ack of {seq}, got {other:?}"),
            }
        }
    }

    /// Sends a report and waits until it is kept.
    pub(crate) async fn push(&mut self, report: &Report) {
        self.send(report).await;
        self.acked(report.seq).await;
    }

    /// The words with which the collector refused.
    pub(crate) async fn refusal(&mut self) -> String {
        match self.next().await {
            Ok(Some(Control::Refused { reason })) => reason,
            other => panic!("expected a refusal, got {other:?}"),
        }
    }

    /// The status with which the stream ended.
    pub(crate) async fn end(&mut self) -> Status {
        loop {
            match self.next().await {
                Ok(Some(Control::Ack { .. } | Control::Detail(_))) => {}
                Err(status) => return status,
                other => panic!("expected the stream to end with a status, got {other:?}"),
            }
        }
    }
}
