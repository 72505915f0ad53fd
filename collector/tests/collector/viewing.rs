//! Viewers get the newest answer, ask for detail when they need it, and pay for themselves.

use pollscope_model::query::ask::{Answer, Ask};
use pollscope_model::query::column::Kind;
use pollscope_model::query::page::{Query, Scope};
use pollscope_model::report::Detail;
use pollscope_proto::fleet::{self, AnswerPart, AskRequest, StandingQuery, WatchRequest};
use pollscope_proto::ingest::Control;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use crate::rig::{Pusher, Rig, service, soon, sum};

/// A stream of standing questions.
struct Watching {
    requests: mpsc::Sender<WatchRequest>,
    parts: Streaming<AnswerPart>,
    reader: fleet::AnswerDecoder,
}

impl Watching {
    async fn open(rig: &Rig) -> Self {
        let (requests, outbound) = mpsc::channel(4);
        let watch = rig.viewer().await.watch(ReceiverStream::new(outbound)).await;
        Self { requests, parts: watch.unwrap().into_inner(), reader: fleet::AnswerDecoder::default() }
    }

    async fn stand(&self, standing: &[StandingQuery]) {
        self.requests.send(WatchRequest::from(standing)).await.unwrap();
    }

    async fn next(&mut self) -> Result<(u64, Answer), Status> {
        loop {
            let part = soon("an answer", self.parts.message()).await?.expect("the watch goes on");
            if let Some(answer) = self.reader.decode(part).unwrap() {
                return Ok(answer);
            }
        }
    }

    /// Reads until the processes have so many tasks; returns how many answers that took.
    async fn until_tasks(&mut self, id: u64, tasks: u64) -> usize {
        for answers in 1.. {
            match self.next().await.unwrap() {
                (of, Answer::Page(page)) if of == id && sum_tasks(&page) == tasks => return answers,
                (_, Answer::Page(_)) => {}
                (_, other) => panic!("expected a page, got {other:?}"),
            }
        }
        unreachable!("the loop has no end")
    }
}

fn sum_tasks(page: &pollscope_model::query::page::Page) -> u64 {
    match page.kind {
        Kind::Processes => sum(page, "tasks"),
        _ => page.total,
    }
}

fn standing(id: u64, kind: Kind) -> StandingQuery {
    StandingQuery { id, ask: Ask::Page(Query::all(kind, 100_000)), interval_ms: 100 }
}

#[tokio::test]
async fn the_collector_says_who_it_is() {
    let rig = Rig::start().await;
    let client = fleet::ClientHello {
        protocol: pollscope_proto::PROTOCOL,
        version: "0.1.0".to_owned(),
        label: "a test".to_owned(),
    };
    let hello = rig.viewer().await.hello(fleet::WireClientHello::from(&client)).await.unwrap().into_inner();
    let hello = fleet::FleetHello::try_from(hello).unwrap();
    assert_eq!(hello.label, format!("collector at {}", rig.address));
}

#[tokio::test]
async fn a_standing_question_follows_the_data() {
    let rig = Rig::start().await;
    let mut watching = Watching::open(&rig).await;
    watching.stand(&[standing(7, Kind::Processes)]).await;
    watching.until_tasks(7, 0).await;

    let mut counted = service("worker", 1);
    let (mut pusher, _) = Pusher::welcomed(&rig, &counted.hello()).await;
    for step in 1..=3 {
        pusher.push(&counted.delta(10)).await;
        watching.until_tasks(7, 10 * step).await;
    }

    // A new set replaces the old one: from the first answer to 8 on, none comes to 7.
    watching.stand(&[standing(8, Kind::Processes)]).await;
    watching.until_tasks(8, 30).await;
    pusher.push(&counted.delta(10)).await;
    while let (id, Answer::Page(page)) = watching.next().await.unwrap() {
        assert_eq!(id, 8);
        if sum(&page, "tasks") == 40 {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewer_that_does_not_read_gets_the_newest_answer_when_it_does() {
    let rig = Rig::start().await;
    let mut counted = service("worker", 1);
    let (mut pusher, _) = Pusher::welcomed(&rig, &counted.hello()).await;
    pusher.push(&counted.delta(2_000)).await;

    let mut slow = Watching::open(&rig).await;
    let large = StandingQuery { interval_ms: 1, ..standing(1, Kind::Tasks) };
    slow.stand(&[large]).await;
    let mut quick = Watching::open(&rig).await;
    quick.stand(&[StandingQuery { interval_ms: 1, ..standing(1, Kind::Processes) }]).await;
    let steps = 40;
    for step in 1..=steps {
        pusher.push(&counted.delta(1)).await;
        quick.until_tasks(1, 2_000 + step).await;
    }
    let answers = slow.until_tasks(1, counted.tasks()).await;
    // What fits into the connection's windows, and the one that was on its way.
    assert!(answers < 10, "{answers} answers lay in wait, of {steps}");
}

#[tokio::test]
async fn whoever_asks_for_tasks_gets_all_of_them() {
    let rig = Rig::start().await;
    let mut counted = service("worker", 1);
    let (mut pusher, welcome) = Pusher::welcomed(&rig, &counted.hello()).await;
    assert_eq!(welcome.detail, Detail::Top, "no viewer watches yet");
    let mut top = counted.delta(100);
    top.detail = Detail::Top;
    top.tasks.truncate(5);
    pusher.push(&top).await;

    let tasks = Ask::Page(Query::all(Kind::Tasks, 1_000));
    let asked = rig.ask(&tasks);
    let answered = async {
        match pusher.next().await {
            Ok(Some(Control::Detail(detail))) => {
                assert_eq!((detail.detail, detail.ttl_ns), (Detail::Full, 60_000_000_000));
            }
            other => panic!("expected a request for detail, got {other:?}"),
        }
        pusher.push(&counted.snapshot()).await;
    };
    let (answer, ()) = tokio::join!(asked, answered);
    match answer {
        Answer::Page(page) => assert_eq!((page.total, sum(&page, "polls")), (100, 300)),
        other => panic!("expected the tasks, got {other:?}"),
    }
}

#[tokio::test]
async fn a_bad_question_is_answered_with_words() {
    let rig = Rig::start().await;
    let status = rig.viewer().await.ask(AskRequest { ask: None }).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().contains("unreadable question"), "{status}");

    let query = Query { filter: "no_such_column>1".to_owned(), ..Query::all(Kind::Sites, 1) };
    match rig.ask(&Ask::Page(query)).await {
        Answer::No(words) => assert!(words.contains("no_such_column"), "{words}"),
        other => panic!("expected a no, got {other:?}"),
    }
    match rig.ask(&Ask::Overview(Scope::Process(pollscope_model::id::BootId(77)))).await {
        Answer::No(words) => assert!(!words.is_empty()),
        other => panic!("expected a no, got {other:?}"),
    }

    let mut watching = Watching::open(&rig).await;
    watching.stand(&[standing(3, Kind::Sites), standing(3, Kind::Tasks)]).await;
    let status = watching.next().await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().contains("the number 3"), "{status}");
}
