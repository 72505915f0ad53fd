//! A real HTTP/1.1 service on hyper, and the load on it: a process of its own, so that only the service's CPU time
//! is counted and nothing of the load is recorded.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::process::{Child, Command, ExitCode};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::Spawner;

#[path = "cpu.rs"]
pub mod cpu;

/// Open at the same time, each a task of the service.
pub const CONNECTIONS: u64 = 64;

/// First argument of the process that makes the load; address, requests and processor follow.
const LOAD: &str = "--load";

const REQUEST: &[u8] = b"GET /carts HTTP/1.1\r\nhost: localhost\r\naccept: */*\r\n\r\n";
const BODY: &[u8] = b"no carts today\n";

/// A service whose connections are open, and a load that has so many requests for all of them together.
pub struct Service<C> {
    load: Child,
    connections: Vec<C>,
}

/// Starts both: what that takes is not the service's.
pub async fn open<S: Spawner>(spawner: &S, ops: u64) -> Service<impl Future<Output = ()>> {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port");
    let address = listener.local_addr().expect("an address").to_string();
    let load = Command::new(std::env::current_exe().expect("this program"))
        .args([LOAD, &address, &ops.to_string(), &cpu::of_the_load()])
        .spawn()
        .expect("this program runs");
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        let (stream, _) = listener.accept().await.expect("a connection");
        stream.set_nodelay(true).ok();
        connections.push(spawner.spawn(async move {
            http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)).await.ok();
        }));
    }
    Service { load, connections }
}

impl<C: Future<Output = ()>> Service<C> {
    /// Returns when the load has had all its answers.
    pub async fn serve(mut self) {
        for connection in self.connections {
            connection.await;
        }
        assert!(self.load.wait().is_ok_and(|status| status.success()), "the load ended early");
    }
}

async fn answer(_request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::new(Bytes::from_static(BODY))))
}

/// Runs the load if this process was started for it.
pub fn load_if_asked() -> Option<ExitCode> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [first, address, ops, its_cpu] = &words[..] else { return None };
    if first != LOAD {
        return None;
    }
    let (Ok(address), Ok(ops)) = (address.parse(), ops.parse()) else { return Some(ExitCode::from(2)) };
    cpu::move_to(its_cpu);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
    runtime.block_on(load(address, ops));
    Some(ExitCode::SUCCESS)
}

async fn load(address: SocketAddr, ops: u64) {
    let mut streams = Vec::new();
    for _ in 0..CONNECTIONS {
        let stream = TcpStream::connect(address).await.expect("the service listens");
        stream.set_nodelay(true).ok();
        streams.push(stream);
    }
    let clients: Vec<_> =
        streams.into_iter().map(|stream| tokio::spawn(ask(stream, ops / CONNECTIONS))).collect();
    for client in clients {
        client.await.expect("clients do not panic");
    }
}

/// Asks so many times, the next as soon as an answer is whole.
async fn ask(mut stream: TcpStream, times: u64) {
    let mut buffer = [0_u8; 512];
    for _ in 0..times {
        stream.write_all(REQUEST).await.expect("the service reads");
        let mut filled = 0;
        while !buffer[..filled].ends_with(BODY) {
            let read = stream.read(&mut buffer[filled..]).await.expect("the service answers");
            assert!(read > 0, "the service closed the connection, or its answer is too long");
            filled += read;
        }
    }
}
