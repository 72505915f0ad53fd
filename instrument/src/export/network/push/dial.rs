//! The way to a collector: a TCP connection to `http://HOST:PORT`, or a Unix socket at `unix:PATH`. Called by
//! [`session`](super::session), which limits how long it may take.

use std::io;

use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tonic::codegen::http::uri::Authority;

use super::session::End;
use crate::export::network::http2::client::Connection;
use crate::setup::fork::held::Held;

/// Connects, and begins to speak HTTP/2.
pub(super) async fn connect(url: &str) -> Result<Connection, End> {
    let lost = |error: io::Error| End::Lost(error.to_string());
    #[cfg(unix)]
    if let Some(path) = url.strip_prefix("unix:") {
        let stream = tokio::net::UnixStream::connect(path).await.map_err(lost)?;
        let held = Held::of(&stream);
        return Ok(Connection::begin(stream, Authority::from_static("localhost"), held).await?);
    }
    let host = url.strip_prefix("http://").unwrap_or(url);
    let authority = host.parse().map_err(|_| End::Lost(format!("`{host}` is no address")))?;
    let (stream, held) = tcp(host).await.map_err(lost)?;
    stream.set_nodelay(true).map_err(lost)?;
    Ok(Connection::begin(stream, authority, held).await?)
}

/// Connects to the first address of the host that answers, as tokio does, and has the socket noted while it tries.
async fn tcp(host: &str) -> io::Result<(TcpStream, Held)> {
    let mut last = io::Error::new(io::ErrorKind::InvalidInput, "the name has no address");
    for address in lookup_host(host).await? {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        let held = Held::of(&socket);
        match socket.connect(address).await {
            Ok(stream) => return Ok((stream, held)),
            Err(error) => last = error,
        }
    }
    Err(last)
}
