//! A stop ends every stream with words, and hangs on none.

use pollscope_model::query::ask::Ask;
use pollscope_model::query::page::Scope;
use pollscope_proto::fleet::{StandingQuery, WatchRequest};
use tokio_stream::StreamExt as _;
use tonic::Code;

use crate::rig::{Pusher, Rig, service, soon};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open_streams_end_with_words() {
    let rig = Rig::start().await;
    let mut counted = service("worker", 1);
    let (mut pusher, _) = Pusher::welcomed(&rig, &counted.hello()).await;
    pusher.push(&counted.delta(1)).await;
    let mut silent = Pusher::open(&rig).await;

    let mut viewer = rig.viewer().await;
    let standing = [StandingQuery { id: 1, ask: Ask::Overview(Scope::All), interval_ms: 100 }];
    let requests = tokio_stream::iter([WatchRequest::from(&standing[..])]).chain(tokio_stream::pending());
    let mut answers = soon("the watch", viewer.watch(requests)).await.unwrap().into_inner();
    soon("an answer", answers.message()).await.unwrap().unwrap();

    let stopped = tokio::spawn(rig.stop());
    for end in [pusher.end().await, silent.end().await] {
        assert_eq!(end.code(), Code::Unavailable, "{end}");
        assert!(end.message().contains("the collector is stopping"), "{end}");
    }
    let end = soon("the watch to end", async {
        loop {
            if let Err(status) = answers.message().await {
                return status;
            }
        }
    })
    .await;
    assert_eq!(end.code(), Code::Unavailable, "{end}");
    // The peers keep their connections open: that must not hold it up.
    soon("the collector to stop", stopped).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_unix_socket_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("collector.sock");
    let text = format!("unix:{}", path.display());
    let rig = Rig::with(|config| config.listen = text.parse().unwrap()).await;
    assert_eq!(rig.address, text);
    assert!(path.exists());
    rig.stop().await.unwrap();
    assert!(!path.exists());
}
