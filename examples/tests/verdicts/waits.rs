//! What a task that is left at the end of a test waits for is not taken from its last wake.

use std::time::Duration;

use pollscope::check::{Judged, Level, Session};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

const MS: Duration = Duration::from_millis(1);
/// Tasks of the same site that end.
const SIBLINGS: u32 = 8;

fn session(name: &str) -> Session {
    Session::new(name).leaks(Level::Warn).forgotten(Level::Deny).timeout(Duration::from_secs(120))
}

fn failing(judged: &Judged<()>) -> Vec<String> {
    judged.verdict().failing().map(|finding| finding.detector.to_string()).collect()
}

async fn call(reply: oneshot::Receiver<u32>) -> u32 {
    tokio::time::sleep(2 * MS).await;
    reply.await.unwrap_or(0)
}

#[test]
fn a_call_that_slept_first_is_forgotten_when_its_reply_never_comes() {
    let judged = session("call").run(async {
        let mut outstanding = Vec::new();
        let mut calls = Vec::new();
        for id in 0..=SIBLINGS {
            let (sender, receiver) = oneshot::channel();
            calls.push(pollscope::task("call").spawn(call(receiver)));
            outstanding.push((id, sender));
        }
        tokio::time::sleep(20 * MS).await;
        for (id, sender) in outstanding.drain(1..) {
            sender.send(id).expect("it waits");
        }
        for call in calls.drain(1..) {
            call.await.expect("returns");
        }
        // The first sender outlives the test: its call waits.
        std::mem::forget(outstanding);
    });
    assert_eq!(failing(&judged), ["forgotten-task"], "{}", judged.text());
}

/// Waits until it is admitted, then answers what its client sends.
async fn connection(admitted: oneshot::Receiver<()>, mut stream: TcpStream) {
    let Ok(()) = admitted.await else { return };
    let mut byte = [0];
    while stream.read(&mut byte).await.is_ok_and(|read| read > 0) {
        if stream.write_all(&byte).await.is_err() {
            return;
        }
    }
}

#[test]
fn a_quiet_connection_that_was_admitted_by_a_task_is_not_forgotten() {
    let judged = session("keep alive").run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let mut handles = Vec::new();
        let mut clients = Vec::new();
        for _ in 0..=SIBLINGS {
            clients.push(TcpStream::connect(address).await.expect("it listens"));
            let (stream, _) = listener.accept().await.expect("a client");
            let (admit, admitted) = oneshot::channel();
            handles.push(pollscope::task("connection").spawn(connection(admitted, stream)));
            tokio::task::yield_now().await;
            admit.send(()).expect("it waits");
        }
        // All but the first are used and closed.
        for mut client in clients.drain(1..) {
            let mut byte = [7];
            for _ in 0..5 {
                client.write_all(&byte).await.expect("sent");
                client.read_exact(&mut byte).await.expect("answered");
            }
        }
        for handle in handles.drain(1..) {
            handle.await.expect("returns");
        }
        std::mem::forget(clients);
    });
    assert!(judged.is_clean(), "{}", judged.text());
    let told: Vec<_> = judged.verdict().findings.iter().map(|finding| &*finding.detector).collect();
    assert_eq!(told, ["task-leak"], "{}", judged.text());
}
