//! The shop's customers: real TCP connections at a fixed, moderate rate, on a thread of their own,
//! so that what stalls the service does not stall its clients.

use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::shop::Route;

const CLIENTS: usize = 8;
/// Of each client: 8 × 25 = 200 requests a second in all.
const PERIOD: Duration = Duration::from_millis(40);
/// After so many a client hangs up and calls again, so that connections come and go.
const REQUESTS_PER_CONNECTION: usize = 100;

/// Starts the customers; they come for as long as the process lives.
pub(super) fn start(address: SocketAddr, routes: &[Route]) -> std::io::Result<()> {
    let lines: Vec<_> = routes.iter().map(|route| (route.method, route.path)).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("demo-customers".to_owned()).spawn(move || {
        runtime.block_on(async {
            let mut clients = tokio::task::JoinSet::new();
            for client in 0..CLIENTS {
                clients.spawn(customer(address, lines.clone(), client));
            }
            clients.join_all().await;
        });
    })?;
    Ok(())
}

async fn customer(address: SocketAddr, lines: Vec<(&'static str, &'static str)>, mut turn: usize) {
    // Not all at once: a crowd that moves in step is no traffic.
    sleep(PERIOD * turn as u32 / CLIENTS as u32).await;
    loop {
        if visit(address, &lines, &mut turn).await.is_none() {
            sleep(PERIOD).await;
        }
    }
}

/// One connection's requests; `None` if it broke.
async fn visit(address: SocketAddr, lines: &[(&'static str, &'static str)], turn: &mut usize) -> Option<()> {
    let stream = TcpStream::connect(address).await.ok()?;
    stream.set_nodelay(true).ok()?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
    tokio::spawn(connection);
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    for _ in 0..REQUESTS_PER_CONNECTION {
        ticks.tick().await;
        let (method, path) = lines[*turn % lines.len()];
        *turn += 1;
        let request =
            Request::builder().method(method).uri(path).header("host", "demo").body(Empty::<Bytes>::new());
        let response = sender.send_request(request.ok()?).await.ok()?;
        response.into_body().collect().await.ok()?;
    }
    Some(())
}
