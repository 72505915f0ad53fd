//! Opening a connection to an address that is known: a Unix socket or TCP.

use std::fmt;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tonic::transport::{Channel, Endpoint as Tonic};
use tonic::{Code, Status};

use crate::output::fmt::clean;

/// How long a peer may take to accept a connection, and to answer its first question.
pub const PATIENCE: Duration = Duration::from_secs(3);

/// Whom to connect to.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Endpoint {
    /// A Unix socket.
    Unix(PathBuf),
    /// `host:port`.
    Tcp(String),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(authority) => f.write_str(authority),
        }
    }
}

impl Endpoint {
    /// Connects.
    pub async fn connect(&self) -> Result<Channel, PeerError> {
        let connected = match self {
            Self::Unix(path) => {
                let path = path.clone();
                let connector = tower::service_fn(move |_| {
                    let path = path.clone();
                    async move { tokio::net::UnixStream::connect(path).await.map(TokioIo::new) }
                });
                // The authority of a Unix socket's requests is never looked at.
                configured(Tonic::from_static("http://pollscope.local"))
                    .connect_with_connector(connector)
                    .await
            }
            Self::Tcp(authority) => match Tonic::from_shared(format!("http://{authority}")) {
                Ok(endpoint) => configured(endpoint).connect().await,
                Err(error) => Err(error),
            },
        };
        connected.map_err(|error| PeerError::of_connect(&error))
    }
}

fn configured(endpoint: Tonic) -> Tonic {
    // A peer whose machine vanished sends nothing: only unanswered pings show it.
    endpoint
        .connect_timeout(PATIENCE)
        .http2_keep_alive_interval(Duration::from_secs(2))
        .keep_alive_timeout(Duration::from_secs(2))
        .keep_alive_while_idle(true)
}

/// Why a peer cannot be talked to, or no more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PeerError {
    /// No listener: a refused connection, or a socket that does not exist.
    NoListener(String),
    /// It does not answer as it should, or no more.
    Broken(String),
    /// Its protocol version is another one.
    Version(String),
    /// It answers, but does not have the service that was asked for: a process where a collector is
    /// expected, or the other way round.
    OtherService,
}

impl PeerError {
    /// The reason in words.
    pub fn words(&self) -> &str {
        match self {
            Self::NoListener(words) | Self::Broken(words) | Self::Version(words) => words,
            Self::OtherService => "it answers, but does not offer what was asked for",
        }
    }

    /// What a failed call means.
    pub(super) fn of(status: &Status) -> Self {
        let words = if status.message().is_empty() {
            format!("the connection broke ({})", status.code())
        } else {
            clean(status.message()).into_owned()
        };
        match status.code() {
            Code::FailedPrecondition => Self::Version(words),
            Code::Unimplemented => Self::OtherService,
            _ => Self::Broken(words),
        }
    }

    /// What a failed connect means.
    fn of_connect(error: &tonic::transport::Error) -> Self {
        // The innermost error is that of the system; the layers above only add "transport".
        let mut inner: &dyn std::error::Error = error;
        let mut unheard = false;
        loop {
            if let Some(io) = inner.downcast_ref::<std::io::Error>() {
                unheard = matches!(io.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound);
            }
            match inner.source() {
                Some(source) => inner = source,
                None if unheard => return Self::NoListener(plain(&inner.to_string())),
                None => return Self::Broken(plain(&inner.to_string())),
            }
        }
    }
}

/// `Connection refused (os error 111)` without the number.
fn plain(text: &str) -> String {
    let text = text.split(" (os error").next().unwrap_or(text);
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_lowercase().chain(characters).collect(),
        None => "no reason given".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_connection_that_fails_says_why_in_words() {
        let missing = Endpoint::Unix("/nonexistent/pollscope.sock".into());
        let error = missing.connect().await.expect_err("no listener");
        assert_eq!(error, PeerError::NoListener("no such file or directory".to_owned()));

        // Bound and dropped: for this moment no other program has it.
        let port =
            std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
        let error = Endpoint::Tcp(format!("127.0.0.1:{port}")).connect().await.expect_err("no listener");
        assert_eq!(error, PeerError::NoListener("connection refused".to_owned()));
    }
}
