//! The gRPC server: takes push streams and viewers on one socket, and stops cleanly.
//!
//! Holds no data of its own; everything is asked of the [fleet's thread](crate::fleet).

use std::time::Duration;

use pollscope_proto::incoming::{Bounds, Incoming, Refusal, is_told};
use pollscope_system::descriptors::share;

use crate::clock;
use crate::config::Config;
use crate::fleet::{Fleet, FleetThread};
use crate::listen::{Address, ListenError, Listener};
use stop::{Stop, StopSource};

mod fleet;
mod held_bytes;
mod ingest;
mod stop;

/// A peer whose connection is silent for this long is pinged …
const PING_AFTER: Duration = Duration::from_secs(2);

/// … and is gone if it does not answer within this.
const PING_DEADLINE: Duration = Duration::from_secs(2);

/// How long streams may take to end when the collector stops; then they are cut.
const STOP_DEADLINE: Duration = Duration::from_secs(1);

/// What one stream, and one connection, may send before it was read.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// Streams that one connection may have open.
const STREAMS_PER_CONNECTION: u32 = 64;

/// Connections at the same time, at most one in [`SHARE`] of the descriptors that this process may have: the
/// rest is for its own files.
const MAX_CONNECTIONS: usize = 1_024;
const SHARE: u64 = 2;

/// How long a connection may take to its first request.
const FIRST_REQUEST: Duration = Duration::from_secs(5);

fn log_refusal(why: Refusal, count: u64) {
    if !is_told(count) {
        return;
    }
    match why {
        Refusal::Full => tracing::warn!(count, "connections refused: as many as are taken are open"),
        Refusal::Silent => tracing::warn!(count, "connections closed: no request came within 5 s"),
        Refusal::Failed => {
            tracing::warn!(count, "connections not accepted by the system; raise its limit of descriptors");
        }
    }
}

/// Why the collector could not start, or stopped by itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The socket could not be opened.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The system gave no thread.
    #[error("cannot start the fleet's thread: {0}")]
    Thread(#[source] std::io::Error),
    /// The server ended.
    #[error("the server failed: {0}")]
    Server(#[from] tonic::transport::Error),
    /// The fleet's thread panicked; the log has the message.
    #[error("the fleet's thread failed; this is a defect in pollscope, please report it")]
    Fleet,
}

/// A collector that has its socket and does not serve yet.
#[derive(Debug)]
pub struct Collector {
    listener: Listener,
    address: Address,
    fleet: Fleet,
    thread: FleetThread,
    stop: Stop,
    source: StopSource,
}

impl Collector {
    /// Opens the socket and starts the fleet's thread. From here on connections queue up.
    pub async fn bind(config: &Config) -> Result<Self, Error> {
        let (listener, address) = Listener::open(&config.listen).await?;
        let (thread, fleet) =
            FleetThread::start(config.limits.clone(), clock::unix_ns).map_err(Error::Thread)?;
        let (source, stop) = stop::channel();
        Ok(Self { listener, address, fleet, thread, stop, source })
    }

    /// Where it listens, with the real port.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Serves until `until` is ready; then ends every stream with the reason, within about a second.
    pub async fn serve(self, until: impl Future<Output = ()>) -> Result<(), Error> {
        let router = tonic::transport::Server::builder()
            .http2_keepalive_interval(Some(PING_AFTER))
            .http2_keepalive_timeout(Some(PING_DEADLINE))
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_concurrent_streams(STREAMS_PER_CONNECTION)
            .add_service(pollscope_proto::ingest::server(ingest::IngestService::new(&self.fleet, &self.stop)))
            .add_service(pollscope_proto::fleet::server(fleet::FleetService::new(
                &self.fleet,
                &self.stop,
                &self.address,
            )));
        let mut stop = self.stop.clone();
        let stopped = async move { stop.wait().await };
        let served = async {
            let bounds = Bounds { connections: share(MAX_CONNECTIONS, SHARE), first_request: FIRST_REQUEST };
            match self.listener {
                Listener::Tcp(listener) => {
                    let incoming = Incoming::new(listener, bounds, log_refusal);
                    router.serve_with_incoming_shutdown(incoming, stopped).await
                }
                Listener::Unix(listener, _file) => {
                    let incoming = Incoming::new(listener, bounds, log_refusal);
                    router.serve_with_incoming_shutdown(incoming, stopped).await
                }
            }
        };
        tokio::pin!(served);

        tokio::select! {
            served = &mut served => served?,
            () = self.fleet.ended() => {}
            () = until => {}
        }
        self.source.stop();
        if let Ok(served) = tokio::time::timeout(STOP_DEADLINE, served).await {
            served?;
        }
        if self.thread.stop().await { Ok(()) } else { Err(Error::Fleet) }
    }
}
