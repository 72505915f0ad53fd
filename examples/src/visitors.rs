//! The other side of a service: visitors who ask for a page again and again over HTTP.
//!
//! They are plain threads with sockets of their own, not tasks, so that what pollscope shows is the
//! service and nothing else.

use std::io::{Error, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use axum::Router;

use crate::deadline::until_stopped;

/// Serves on a free port of this machine until the example is stopped, and lets visitors in: each
/// asks for one of the paths, reads the whole answer, waits for `pause`, and asks for the next.
///
/// # Errors
/// If there is no port or no thread to be had.
pub async fn serve_visitors(
    app: Router,
    paths: &'static [&'static str],
    visitors: usize,
    pause: Duration,
) -> Result<(), Error> {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    #[expect(clippy::print_stdout, reason = "the address is what a user of the service needs to know")]
    {
        println!("serving on http://{address}{}", paths.first().unwrap_or(&"/"));
    }
    for visitor in 0..visitors {
        // Detached: they end with the process, whatever they wait for.
        std::thread::Builder::new().name(format!("visitor-{visitor}")).spawn(move || {
            for path in paths.iter().cycle().skip(visitor % paths.len().max(1)) {
                // A service that is about to stop answers no request, which is no news to a visitor.
                let _ = visit(address, path);
                std::thread::sleep(pause);
            }
        })?;
    }
    axum::serve(listener, app).with_graceful_shutdown(until_stopped()).await
}

/// One GET on a connection of its own.
fn visit(address: SocketAddr, path: &str) -> Result<String, Error> {
    let mut stream = TcpStream::connect(address)?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
