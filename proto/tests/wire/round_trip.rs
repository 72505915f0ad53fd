//! What is sent is what arrives.

use pollscope_model::entity::event::{Event, EventBlock};
use pollscope_model::entity::task::{TaskRecord, WokenBy};
use pollscope_model::id::{RuntimeId, SiteId, TaskId, WorkerId};
use pollscope_model::query::ask::{Answer, Ask};
use pollscope_model::query::column::Kind;
use pollscope_model::query::page::{Meta, Page, Row, RowId};
use pollscope_model::report::{Detail, Report};
use pollscope_model::value::Value;
use pollscope_proto::MAX_MESSAGE_BYTES;
use pollscope_proto::feed::{self, AttachRequest, ClientHello, DetailRequest, EventsRequest, FeedMessage};
use pollscope_proto::fleet::{self, AnswerPart, AskRequest, FleetHello, StandingQuery, WatchRequest};
use pollscope_proto::ingest::{self, Control, PushControl, PushMessage, Welcome};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use prost::Message;

use super::strategies::query::{answer, ask};
use super::strategies::{hello, number, report, text};
use super::through_bytes;

fn again<M: Message + Default>(message: &M) -> M {
    M::decode(message.encode_to_vec().as_slice()).unwrap()
}

fn detail_request() -> impl Strategy<Value = DetailRequest> {
    (select(vec![Detail::Full, Detail::Top]), number())
        .prop_map(|(detail, ttl_ns)| DetailRequest { detail, ttl_ns })
}

fn events_request() -> impl Strategy<Value = EventsRequest> {
    (number(), number()).prop_map(|(last_ns, ttl_ns)| EventsRequest { last_ns, ttl_ns })
}

fn client_hello() -> impl Strategy<Value = ClientHello> {
    (hello(), text()).prop_map(|(h, label)| ClientHello {
        protocol: h.protocol,
        version: h.version,
        label: label.to_string(),
    })
}

fn control() -> impl Strategy<Value = Control> {
    prop_oneof![
        (hello(), option::of(number()), detail_request()).prop_map(|(hello, last_seq, detail)| {
            Control::Welcome(Welcome { protocol: hello.protocol, last_seq, detail: detail.detail })
        }),
        number().prop_map(|seq| Control::Ack { seq }),
        detail_request().prop_map(Control::Detail),
        events_request().prop_map(Control::Events),
        text().prop_map(|reason| Control::Refused { reason: reason.to_string() }),
    ]
}

proptest! {
    #![proptest_config(super::cases(128))]

    #[test]
    fn reports(report in report()) {
        let (messages, back) = through_bytes(&report);
        prop_assert_eq!(messages.len(), 1);
        prop_assert_eq!(back, report);
    }

    #[test]
    fn feed_greetings(
        (hello, client, reason) in (hello(), client_hello(), text()),
        (detail, events) in (detail_request(), events_request()),
    ) {
        let mut reader = feed::FeedDecoder::default();
        let back = reader.decode(again(&feed::hello(&hello))).unwrap();
        prop_assert_eq!(back, Some(feed::Message::Hello(Box::new(hello))));
        let back = reader.decode(again(&feed::goodbye(&reason))).unwrap();
        prop_assert_eq!(back, Some(feed::Message::Goodbye { reason: reason.to_string() }));
        let requests =
            [feed::Request::Hello(client), feed::Request::Watch(detail), feed::Request::Events(events)];
        for request in requests {
            let wire = again(&AttachRequest::from(&request));
            prop_assert_eq!(feed::Request::try_from(wire).unwrap(), request);
        }
    }

    #[test]
    fn ingest(hello in hello(), report in report(), control in control()) {
        let mut reader = ingest::IngestDecoder::default();
        let back = reader.decode(again(&ingest::hello(&hello))).unwrap();
        prop_assert_eq!(back, Some(ingest::Message::Hello(Box::new(hello))));
        for message in ingest::report(&report) {
            let back = reader.decode(again::<PushMessage>(&message)).unwrap();
            prop_assert_eq!(back, Some(ingest::Message::Report(Box::new(report.clone()))));
        }
        let wire = again(&PushControl::from(&control));
        prop_assert_eq!(Control::try_from(wire).unwrap(), control);
    }

    #[test]
    fn questions(asks in vec((number(), ask(), any::<u32>()), 0..5), client in client_hello()) {
        for (_, ask, _) in &asks {
            prop_assert_eq!(&Ask::try_from(again(&AskRequest::from(ask))).unwrap(), ask);
        }
        let standing: Vec<StandingQuery> =
            asks.into_iter().map(|(id, ask, interval_ms)| StandingQuery { id, ask, interval_ms }).collect();
        let wire = again(&WatchRequest::from(standing.as_slice()));
        prop_assert_eq!(Vec::<StandingQuery>::try_from(wire).unwrap(), standing);

        let wire = again(&fleet::WireClientHello::from(&client));
        prop_assert_eq!(ClientHello::try_from(wire).unwrap(), client.clone());
        let greeting = FleetHello { protocol: client.protocol, version: client.version, label: client.label };
        let wire = again(&fleet::WireFleetHello::from(&greeting));
        prop_assert_eq!(FleetHello::try_from(wire).unwrap(), greeting);
    }

    #[test]
    fn answers(id in number(), answer in answer()) {
        let mut reader = fleet::AnswerDecoder::default();
        let mut back = None;
        for part in fleet::answer(id, &answer) {
            back = reader.decode(again::<AnswerPart>(&part)).unwrap();
        }
        prop_assert_eq!(back, Some((id, answer)));
    }
}

#[test]
fn a_report_over_the_limit_travels_in_frames_and_arrives_whole() {
    // Numbers that no column can make small.
    let task = |id: u64| TaskRecord {
        id: TaskId(id.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
        busy_ns: id.wrapping_mul(0xc2b2_ae3d_27d4_eb4f),
        max_poll_ns: id.wrapping_mul(0x1656_67b1_9e37_79f9),
        ..TaskRecord::default()
    };
    let report =
        Report { seq: 7, first_seq: 7, tasks: (0..100_000).map(task).collect(), ..Report::default() };
    let (messages, back) = through_bytes(&report);
    assert!(messages.len() > 1);
    assert!(messages.iter().all(|bytes| bytes.len() <= MAX_MESSAGE_BYTES));
    assert!(back == report, "100,000 rows came back different");
}

#[test]
fn an_answer_over_the_limit_travels_in_pieces_and_one_far_over_it_is_refused_with_the_remedy() {
    let page = |rows: u64, text: &str| {
        let row = |n| Row { id: RowId::Finding(n), level: None, cells: vec![Value::text(text)] };
        let meta = Meta::default();
        Answer::Page(Page {
            kind: Kind::Tasks,
            meta,
            total: rows,
            matched: rows,
            offset: 0,
            rows: (0..rows).map(row).collect(),
        })
    };
    let send = |answer: &Answer| {
        let (mut reader, mut back) = (fleet::AnswerDecoder::default(), None);
        let parts = fleet::answer(3, answer);
        for part in &parts {
            assert!(part.encoded_len() <= MAX_MESSAGE_BYTES);
            back = reader.decode(part.clone()).unwrap();
        }
        (parts.len(), back.unwrap().1)
    };
    let large = page(100_000, "a name of ordinary length");
    let (parts, back) = send(&large);
    assert!(parts > 1);
    assert!(back == large, "the page came back different");

    let (_, back) = send(&page(1_000, &"x".repeat(64 * 1024)));
    match back {
        Answer::No(reason) => assert!(reason.contains("ask for fewer rows"), "{reason}"),
        other => panic!("expected a refusal, got {} bytes", format!("{other:?}").len()),
    }
}

#[test]
fn frames_of_different_reports_do_not_mix() {
    let task = |id: u64| TaskRecord { id: TaskId(id), ..TaskRecord::default() };
    let of = |seq| Report { seq, tasks: (0..40_000).map(task).collect(), ..Report::default() };
    let (first, second) = (feed::report(&of(1)), feed::report(&of(2)));
    assert!(first.len() > 1);
    let take = |messages: [&FeedMessage; 2]| {
        let mut reader = feed::FeedDecoder::default();
        let [a, b] = messages.map(|message| reader.decode(message.clone()));
        a.unwrap();
        b.expect_err("refused").to_string()
    };
    assert!(take([&first[0], &second[1]]).contains("belongs to another report"));
    assert!(take([&first[0], &first[0]]).contains("report.frame"));
}

#[test]
fn many_events_travel_in_frames_and_cost_few_bytes_each() {
    let poll = |n: u64| Event::Poll {
        task: TaskId(1_000 + n * 7 % 300),
        site: SiteId((n % 5) as u32),
        start_ns: 1_000_000_000 + n * 9_000,
        wall_ns: 2_000 + n * 13 % 3_000,
        worker: Some(WorkerId { runtime: RuntimeId(0), index: 1 }),
    };
    let block = |at: u64| EventBlock {
        thread: 3,
        first: at * 4_096,
        from_ns: 5,
        to_ns: 3_000_000_000,
        events: (at * 4_096..(at + 1) * 4_096).map(poll).collect(),
    };
    let report = Report { seq: 7, first_seq: 7, events: (0..16).map(block).collect(), ..Report::default() };
    let (messages, back) = through_bytes(&report);
    assert!(messages.len() > 1 && messages.iter().all(|bytes| bytes.len() <= MAX_MESSAGE_BYTES));
    assert!(back == report, "65,536 events came back different");
    let bytes: usize = messages.iter().map(Vec::len).sum();
    assert!(bytes <= 12 * 65_536, "{bytes} bytes");
}

#[test]
fn rows_that_do_not_fit_their_blocks_are_refused() {
    let event = Event::Wake { task: TaskId(1), at_ns: 5, by: WokenBy::Runtime };
    let block = EventBlock { events: vec![event; 3], ..EventBlock::default() };
    let report = Report { events: vec![block], ..Report::default() };
    let bytes = feed::report(&report)[0].encode_to_vec();
    // The only place where 3 stands as the block's number of rows: field 5 of the block.
    let at = bytes.windows(2).position(|pair| pair == [0x28, 3]).unwrap();
    let mut wrong = bytes;
    wrong[at + 1] = 2;
    let message = FeedMessage::decode(wrong.as_slice()).unwrap();
    let error = feed::FeedDecoder::default().decode(message).expect_err("refused").to_string();
    assert!(error.contains("events.ids: 3 values where 2 are needed"), "{error}");
}
