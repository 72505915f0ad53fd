//! What cannot be read is refused with words, and harms no other process.

use bytes::{Buf as _, BufMut as _};
use pollscope_model::hello::ProtocolVersion;
use pollscope_model::query::column::Kind;
use pollscope_proto::{PROTOCOL, fleet, ingest};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_stream::StreamExt as _;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Code, Request, Status};

use crate::rig::{Pusher, Rig, service, soon, sum};

#[tokio::test]
async fn another_protocol_version_is_refused_on_both_services() {
    let rig = Rig::start().await;
    let mut hello = service("worker", 1).hello();
    hello.protocol = ProtocolVersion { major: PROTOCOL.major + 1, minor: 0 };
    let mut pusher = Pusher::open(&rig).await;
    pusher.send_message(ingest::hello(&hello)).await;
    let reason = pusher.refusal().await;
    assert!(reason.contains("the collector is older: upgrade"), "{reason}");
    assert_eq!(pusher.next().await.unwrap(), None, "the stream ends after a refusal");

    let client = fleet::ClientHello {
        protocol: ProtocolVersion { major: 0, minor: 1 },
        version: "0.0.1".to_owned(),
        label: "an old viewer".to_owned(),
    };
    let mut viewer = rig.viewer().await;
    let status = viewer.hello(fleet::WireClientHello::from(&client)).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert!(status.message().contains("the viewer is older: upgrade"), "{status}");
}

#[tokio::test]
async fn a_stream_begins_with_a_hello_and_speaks_for_one_process() {
    let rig = Rig::start().await;
    let mut counted = service("worker", 1);
    let mut pusher = Pusher::open(&rig).await;
    pusher.send(&counted.delta(1)).await;
    let reason = pusher.refusal().await;
    assert!(reason.contains("first message was not a hello"), "{reason}");

    let (mut pusher, _) = Pusher::welcomed(&rig, &counted.hello()).await;
    pusher.send_message(ingest::hello(&service("another", 2).hello())).await;
    let reason = pusher.refusal().await;
    assert!(reason.contains("another incarnation"), "{reason}");
}

#[tokio::test]
async fn a_stream_that_says_nothing_is_ended() {
    let rig = Rig::start().await;
    let end = Pusher::open(&rig).await.end().await;
    assert_eq!(end.code(), Code::DeadlineExceeded);
    assert!(end.message().contains("no greeting within 5 s"), "{end}");
}

#[tokio::test]
async fn a_broken_message_is_refused_by_its_field() {
    let rig = Rig::start().await;
    let counted = service("worker", 1);
    let (mut pusher, _) = Pusher::welcomed(&rig, &counted.hello()).await;
    pusher.send_message(ingest::PushMessage { message: None }).await;
    let reason = pusher.refusal().await;
    assert!(reason.contains("push.message"), "{reason}");

    let (mut pusher, _) = Pusher::welcomed(&rig, &counted.hello()).await;
    pusher.send(&service("worker", 2).delta(1)).await;
    let reason = pusher.refusal().await;
    assert!(reason.contains("another incarnation"), "{reason}");
}

/// Bytes as they are, in both directions.
#[derive(Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let mut item = vec![0; buffer.remaining()];
        buffer.copy_to_slice(&mut item);
        Ok(Some(item))
    }
}

#[tokio::test]
async fn what_is_no_protobuf_or_too_large_is_refused_with_words() {
    let rig = Rig::start().await;
    let large = vec![0; pollscope_proto::MAX_MESSAGE_BYTES + 1];
    for (message, words) in [(vec![0xff; 64], "unreadable message: "), (large, "limit")] {
        let mut client = tonic::client::Grpc::new(rig.channel().await);
        client.ready().await.unwrap();
        let path = PathAndQuery::from_static("/pollscope.v1.Ingest/Push");
        let messages = tokio_stream::iter([message]).chain(tokio_stream::pending());
        let answers = soon("the stream", client.streaming(Request::new(messages), path, Raw)).await;
        let answer = soon("the refusal", answers.unwrap().into_inner().message()).await.unwrap().unwrap();
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.contains(words), "{answer:?}");
    }
}

#[tokio::test]
async fn a_connection_that_answers_no_ping_is_closed() {
    let rig = Rig::start().await;
    let mut socket = tokio::net::TcpStream::connect(&rig.address).await.unwrap();
    // HTTP/2's preface and empty settings, and then nothing for ever, like a peer that lost power.
    socket.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let _ = soon("the connection to be closed", socket.read_to_end(&mut Vec::new())).await;
}

#[tokio::test]
async fn what_is_no_grpc_at_all_harms_nobody() {
    let rig = Rig::start().await;
    let mut counted = service("worker", 1);
    let (mut pusher, _) = Pusher::welcomed(&rig, &counted.hello()).await;
    for junk in [&b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"[..], &[0xff; 4_096], b""] {
        let mut socket = tokio::net::TcpStream::connect(&rig.address).await.unwrap();
        socket.write_all(junk).await.unwrap();
        socket.shutdown().await.unwrap();
        // However it ends, with an answer or a reset, it ends.
        let _ = soon("the connection to be closed", socket.read_to_end(&mut Vec::new())).await;
    }
    pusher.push(&counted.delta(5)).await;
    assert_eq!(sum(&rig.page(Kind::Sites).await, "spawned"), 5);
}

#[tokio::test]
async fn one_process_too_many_is_told_so() {
    let rig = Rig::with(|config| config.limits.processes = 2).await;
    let (_one, _) = Pusher::welcomed(&rig, &service("worker", 1).hello()).await;
    let (two, _) = Pusher::welcomed(&rig, &service("worker", 2).hello()).await;
    let mut three = Pusher::open(&rig).await;
    three.send_message(ingest::hello(&service("worker", 3).hello())).await;
    let end = three.end().await;
    assert_eq!(end.code(), Code::ResourceExhausted);
    assert!(end.message().contains("2 processes are connected already"), "{end}");

    // One that is gone makes room.
    drop(two);
    let room = async {
        loop {
            let mut pusher = Pusher::open(&rig).await;
            pusher.send_message(ingest::hello(&service("worker", 3).hello())).await;
            if pusher.next().await.is_ok() {
                break;
            }
        }
    };
    soon("room for another", Box::pin(room)).await;
}
