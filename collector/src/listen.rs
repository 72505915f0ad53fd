//! Where the collector listens: addresses as people write them, and the sockets behind them.
//!
//! Never opens a socket that strangers can reach: without a token and TLS, only loopback and Unix
//! sockets are taken. Called by [`Collector::bind`](crate::Collector::bind).

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use pollscope_system::socket::{self, SocketState};
use tokio::net::{TcpListener, UnixListener};

/// A place to listen at, as written: `127.0.0.1:7700`, `localhost:0`, `[::1]:7700`, `unix:PATH`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Address {
    /// Host and port; port 0 takes any free one.
    Tcp {
        /// Name or address, without the brackets of IPv6.
        host: String,
        /// Port.
        port: u16,
    },
    /// Path of a Unix socket.
    Unix(PathBuf),
}

/// Why an address could not be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("invalid address `{text}`: expected HOST:PORT, such as 127.0.0.1:7700, or unix:PATH")]
pub struct InvalidAddress {
    text: String,
}

impl Default for Address {
    fn default() -> Self {
        Self::Tcp { host: "127.0.0.1".to_owned(), port: 7700 }
    }
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidAddress { text: text.to_owned() };
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.is_empty() { Err(invalid()) } else { Ok(Self::Unix(path.into())) };
        }
        let (host, port) = text.rsplit_once(':').ok_or_else(invalid)?;
        let host = match host.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']').ok_or_else(invalid)?,
            None if host.contains(':') => return Err(invalid()),
            None => host,
        };
        if host.is_empty() || host.contains(['/', ' ', '[', ']']) {
            return Err(invalid());
        }
        Ok(Self::Tcp { host: host.to_owned(), port: port.parse().map_err(|_| invalid())? })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Why the collector cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Strangers could reach it.
    #[error(
        "refusing to listen on {0}: it is reachable from other machines, and this version has neither \
         tokens nor TLS; use a loopback address, unix:PATH, or a tunnel such as ssh -R"
    )]
    NotLoopback(SocketAddr),
    /// The name has no address.
    #[error("cannot listen on {address}: {host} has no address ({source}); use an IP address")]
    Unresolved {
        /// As written.
        address: Address,
        /// The host in it.
        host: String,
        /// The error of the resolver.
        source: io::Error,
    },
    /// Another process listens there.
    #[error("cannot listen on {0}: already in use; stop the other process or choose another with --listen")]
    InUse(Address),
    /// The path holds something that is not a socket.
    #[error("cannot listen on {0}: a file that is no socket is in the way; remove it or choose another path")]
    NoSocket(Address),
    /// The system refused.
    #[error("cannot listen on {address}: {source}; choose another with --listen")]
    Refused {
        /// As written.
        address: Address,
        /// The error of the system.
        source: io::Error,
    },
}

/// An open socket.
#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener, SocketFile),
}

/// Removes the path of a Unix socket when the collector stops, unless another one has it by then.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    inode: Option<u64>,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.inode.is_some() && inode(&self.path) == self.inode {
            drop(std::fs::remove_file(&self.path));
        }
    }
}

fn inode(path: &Path) -> Option<u64> {
    std::fs::symlink_metadata(path).ok().map(|file| file.ino())
}

impl Listener {
    /// Opens the socket and says where it really is (port 0 becomes the port that was given).
    pub(crate) async fn open(address: &Address) -> Result<(Self, Address), ListenError> {
        match address {
            Address::Tcp { host, port } => {
                let listener = open_tcp(address, host, *port).await?;
                let real = listener.local_addr().map_err(|error| refused(address, error))?;
                Ok((Self::Tcp(listener), Address::Tcp { host: real.ip().to_string(), port: real.port() }))
            }
            Address::Unix(path) => {
                let listener = open_unix(address, path)?;
                let file = SocketFile { path: path.clone(), inode: inode(path) };
                Ok((Self::Unix(listener, file), address.clone()))
            }
        }
    }
}

async fn open_tcp(address: &Address, host: &str, port: u16) -> Result<TcpListener, ListenError> {
    let unresolved =
        |source| ListenError::Unresolved { address: address.clone(), host: host.to_owned(), source };
    let found: Vec<SocketAddr> = tokio::net::lookup_host((host, port)).await.map_err(unresolved)?.collect();
    if let Some(stranger) = found.iter().find(|found| !found.ip().is_loopback()) {
        return Err(ListenError::NotLoopback(*stranger));
    }
    if found.is_empty() {
        return Err(unresolved(io::ErrorKind::NotFound.into()));
    }
    TcpListener::bind(found.as_slice()).await.map_err(|error| refused(address, error))
}

/// A socket file without a listener was left by a collector that was killed: it is replaced.
/// From the first moment on only this user can connect.
fn open_unix(address: &Address, path: &Path) -> Result<UnixListener, ListenError> {
    if std::fs::symlink_metadata(path).is_ok() {
        match socket::probe(path) {
            _ if !socket::is_socket(path) => return Err(ListenError::NoSocket(address.clone())),
            SocketState::Abandoned => std::fs::remove_file(path).map_err(|error| refused(address, error))?,
            SocketState::Listening | SocketState::Other => return Err(ListenError::InUse(address.clone())),
        }
    }
    let bound = socket::bind(path).and_then(UnixListener::from_std);
    bound.map_err(|error| refused(address, error))
}

fn refused(address: &Address, source: io::Error) -> ListenError {
    match source.kind() {
        io::ErrorKind::AddrInUse => ListenError::InUse(address.clone()),
        _ => ListenError::Refused { address: address.clone(), source },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::*;

    #[test]
    fn addresses_are_read_and_printed_alike() {
        for text in ["127.0.0.1:7700", "localhost:0", "[::1]:7700", "unix:/run/pollscope.sock"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        assert_eq!(Address::default().to_string(), "127.0.0.1:7700");
    }

    #[test]
    fn a_bad_address_is_named() {
        for text in
            ["", "7700", ":7700", "unix:", "::1:7700", "host:port", "host:70000", "http://a:1", "[::1:2"]
        {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains(&format!("`{text}`")) && error.contains("expected HOST:PORT"), "{error}");
        }
    }

    #[tokio::test]
    async fn only_loopback_is_listened_on() {
        let error = Listener::open(&"0.0.0.0:0".parse().unwrap()).await.unwrap_err();
        assert!(error.to_string().contains("refusing to listen on 0.0.0.0:0"), "{error}");
        let (_listener, address) = Listener::open(&"127.0.0.1:0".parse().unwrap()).await.unwrap();
        assert_ne!(address.to_string(), "127.0.0.1:0");
        let error = Listener::open(&address).await.unwrap_err();
        assert!(matches!(error, ListenError::InUse(_)), "{error}");
    }

    #[tokio::test]
    async fn a_dead_socket_is_replaced_a_live_one_and_a_file_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.sock");
        let address = Address::Unix(path.clone());
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());

        let (listener, _) = Listener::open(&address).await.unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600, "for this user alone");
        assert!(matches!(Listener::open(&address).await.unwrap_err(), ListenError::InUse(_)));
        drop(listener);
        assert!(!path.exists(), "the socket's file was left behind");

        std::fs::write(&path, "precious").unwrap();
        assert!(matches!(Listener::open(&address).await.unwrap_err(), ListenError::NoSocket(_)));
    }
}
