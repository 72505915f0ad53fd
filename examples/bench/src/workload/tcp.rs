//! Requests over loopback TCP without a protocol to read, each answered by a task of its own: what a service pays
//! that spawns for every request. Clients are plain tasks on the same runtime.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Spawner;

const CONNECTIONS: u64 = 16;
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";
const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// Serves so many requests, and returns when the clients are gone.
pub async fn run<S: Spawner>(spawner: S, ops: u64) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
    let address = listener.local_addr().expect("an address");
    let serving = spawner.clone();
    let server = spawner.spawn(async move {
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let handler = serving.clone();
            connections.push(serving.spawn(async move {
                let mut buffer = [0u8; REQUEST.len()];
                while stream.read_exact(&mut buffer).await.is_ok() {
                    let answer = handler.spawn(async { RESPONSE }).await;
                    if stream.write_all(answer).await.is_err() {
                        break;
                    }
                }
            }));
        }
        for connection in connections {
            connection.await;
        }
    });
    let clients: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            tokio::spawn(async move {
                let mut stream = tokio::net::TcpStream::connect(address).await.expect("the server listens");
                stream.set_nodelay(true).ok();
                let mut buffer = [0u8; RESPONSE.len()];
                for _ in 0..ops / CONNECTIONS {
                    stream.write_all(REQUEST).await.expect("the server reads");
                    stream.read_exact(&mut buffer).await.expect("the server answers");
                }
            })
        })
        .collect();
    for client in clients {
        client.await.expect("the clients do not panic");
    }
    server.await;
}
