//! The server: HTTP/1.1 over TCP on loopback, one task for each connection and one for each request.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request as HttpRequest, Response, StatusCode};
use hyper_util::rt::TokioIo;
use pollscope::task;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::jobs::Job;
use super::shop::{Reply, Request, Route};

/// What every connection needs.
struct Server {
    routes: Vec<(Route, AtomicU64)>,
    jobs: mpsc::Sender<Job>,
}

/// Binds to a free port of loopback and starts to serve there.
pub(super) async fn start(routes: &[Route], jobs: mpsc::Sender<Job>) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let routes = routes.iter().map(|route| (*route, AtomicU64::new(0))).collect();
    let server = Arc::new(Server { routes, jobs });
    task("http accept").group("http").long_lived().spawn(accept(listener, server));
    Ok(address)
}

async fn accept(listener: TcpListener, server: Arc<Server>) {
    loop {
        // A connection that broke before it was accepted is its client's affair.
        let Ok((stream, _)) = listener.accept().await else { continue };
        task("connection").group("http").long_lived().spawn(serve(stream, server.clone()));
    }
}

async fn serve(stream: TcpStream, server: Arc<Server>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| answer(&server, request));
    // An error here is a client that hung up; it reports that itself.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(
    server: &Server,
    request: HttpRequest<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let asked = (request.method().as_str(), request.uri().path());
    let found = server.routes.iter().find(|(route, _)| (route.method, route.path) == asked);
    let reply = match found {
        Some((route, count)) => {
            let nth = count.fetch_add(1, Ordering::Relaxed);
            (route.handler)(&Request { nth, jobs: server.jobs.clone() }).await
        }
        None => Reply { status: 404, body: String::new() },
    };
    let mut response = Response::new(Full::new(Bytes::from(reply.body)));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Ok(response)
}
