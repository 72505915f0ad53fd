//! Opening a connection to an address that is known: a Unix socket, also one that another process sees, or TCP.

use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper_util::rt::TokioIo;
#[cfg(target_os = "linux")]
use pollscope_system::{foreign::ForeignProcess, socket::path_of};
use tokio::net::UnixStream;
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
    /// A Unix socket of a process in another mount namespace, or of another user.
    Inside(Inside),
}

/// A socket by the path that a process sees.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Inside {
    /// The process, by its number here.
    pub pid: u32,
    /// When it began, in the kernel's ticks: its number may go to another one.
    pub start: u64,
    /// The path within its root.
    pub path: PathBuf,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(authority) => f.write_str(authority),
            Self::Inside(Inside { pid, path, .. }) => write!(f, "unix:/proc/{pid}/root{}", path.display()),
        }
    }
}

/// Connects to a Unix socket of the process, and to no other.
#[cfg(target_os = "linux")]
async fn connect_inside(inside: &Inside) -> io::Result<UnixStream> {
    use std::os::fd::AsFd;
    let process = ForeignProcess::open(inside.pid)?;
    if process.start != inside.start {
        return Err(io::Error::new(
            ErrorKind::NotFound,
            "the process has ended, and another one has its number",
        ));
    }
    let socket = process.socket(&inside.path)?;
    UnixStream::connect(path_of(socket.as_fd())).await
}

#[cfg(not(target_os = "linux"))]
async fn connect_inside(_: &Inside) -> io::Result<UnixStream> {
    Err(ErrorKind::Unsupported.into())
}

impl Endpoint {
    /// By the path that the process itself knows, if it is a Unix socket.
    pub fn socket(&self) -> Option<&Path> {
        match self {
            Self::Unix(path) | Self::Inside(Inside { path, .. }) => Some(path),
            Self::Tcp(_) => None,
        }
    }

    /// Connects.
    pub async fn connect(&self) -> Result<Channel, PeerError> {
        let connected = match self {
            Self::Unix(_) | Self::Inside(_) => {
                let socket = self.clone();
                let connector = tower::service_fn(move |_| {
                    let socket = socket.clone();
                    async move { socket.stream().await.map(TokioIo::new) }
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

    async fn stream(&self) -> io::Result<UnixStream> {
        match self {
            Self::Unix(path) => UnixStream::connect(path).await,
            Self::Inside(inside) => connect_inside(inside).await,
            Self::Tcp(_) => Err(ErrorKind::Unsupported.into()),
        }
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
