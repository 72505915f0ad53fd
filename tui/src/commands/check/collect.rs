//! `check -- CMD`: takes what the processes of the command push that write no files themselves, and writes a recording
//! for each of them into the run's folder. The folder says where to: a process that is to record into it and is built
//! without files finds the socket there. Never judges, and never asks for more than the processes would write.

mod part;
#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pollscope_model::report::Detail;
use pollscope_proto::incoming::{Bounds, Incoming, Refusal, is_told};
use pollscope_proto::ingest::{
    self, Control, FOLDER_SOCKET, Ingest, IngestDecoder, Message, PushControl, PushMessage, Welcome,
};
use pollscope_proto::{PROTOCOL, Peer, compatible};
use pollscope_system::descriptors::share;
use tokio::net::UnixListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

use super::command::temporary;
use crate::output::failure::Failure;
use crate::output::note;
use part::Parts;

/// Processes that push at the same time, at most one in [`SHARE`] of the descriptors that this process may have: each
/// also has a file.
const MAX_STREAMS: usize = 1_024;
const SHARE: u64 = 4;
/// Streams that one connection may have open.
const STREAMS_PER_CONNECTION: u32 = 8;
/// Bytes of a Unix socket's address that every system takes.
const MAX_ADDRESS: usize = 100;
/// How long a connection may take to its first request, and a process to greet.
const GREETING: Duration = Duration::from_secs(5);
/// Acknowledgements on their way to one process.
const CONTROLS: usize = 16;
/// After the command's end, streams are read until nothing came for so long, and no longer than the second.
const QUIET: Duration = Duration::from_millis(300);
const PATIENCE: Duration = Duration::from_secs(3);

/// See the module. Dropping it removes the socket.
pub(super) struct Collecting {
    taken: Arc<Shared>,
    server: tokio::task::JoinHandle<()>,
    /// The socket's name in the folder, and the folder that the socket is in if it is another.
    socket: PathBuf,
    beside: Option<PathBuf>,
}

/// What all streams share.
struct Shared {
    parts: Mutex<Parts>,
    open: AtomicUsize,
    messages: AtomicU64,
}

impl Collecting {
    /// Listens, for processes that are to record into the folder. Called on the runtime that serves them.
    pub(super) fn begin(folder: &Path) -> Result<Self, Failure> {
        Self::within(folder, Bounds { connections: share(MAX_STREAMS, SHARE), first_request: GREETING })
    }

    fn within(folder: &Path, bounds: Bounds) -> Result<Self, Failure> {
        let socket = folder.join(FOLDER_SOCKET);
        let failed = |error| Failure::io(format!("listen at {}", socket.display()), error);
        let beside = (!fits(folder)).then(|| {
            let other = temporary();
            if fits(&other) { other } else { Path::new("/tmp").join(other.file_name().unwrap_or_default()) }
        });
        if let Some(beside) = &beside {
            fs::DirBuilder::new().mode(0o700).create(beside).map_err(failed)?;
        }
        let listener = bind(&socket, beside.as_deref()).map_err(|error| {
            let _ = beside.as_ref().map(fs::remove_dir_all);
            failed(error)
        })?;
        let parts = Mutex::new(Parts::new(folder));
        let taken = Arc::new(Shared { parts, open: AtomicUsize::new(0), messages: AtomicU64::new(0) });
        let service = ingest::server(Service(taken.clone()));
        let incoming = Incoming::new(listener, bounds, note_refusal);
        let server = tokio::spawn(async move {
            let server = Server::builder().max_concurrent_streams(STREAMS_PER_CONNECTION);
            let _ = server.serve_with_incoming(service, incoming).await;
        });
        Ok(Self { taken, server, socket, beside })
    }

    /// The command has ended: takes what is still on its way, and completes the files. A process that runs on is cut
    /// off.
    pub(super) async fn end(self) {
        let begun = tokio::time::Instant::now();
        while self.taken.open.load(Ordering::Acquire) > 0 && begun.elapsed() < PATIENCE {
            let before = self.taken.messages.load(Ordering::Acquire);
            let quiet_at = tokio::time::Instant::now() + QUIET;
            while self.taken.open.load(Ordering::Acquire) > 0 && tokio::time::Instant::now() < quiet_at {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            if self.taken.messages.load(Ordering::Acquire) == before {
                break;
            }
        }
        self.server.abort();
        self.taken.lock().cut_all();
    }
}

impl Drop for Collecting {
    fn drop(&mut self) {
        self.server.abort();
        let _ = fs::remove_file(&self.socket);
        let _ = self.beside.as_ref().map(fs::remove_dir_all);
    }
}

/// Notes on standard error what is refused, since it is not in the verdict.
fn note_refusal(why: Refusal, count: u64) {
    if !is_told(count) {
        return;
    }
    let why = match why {
        Refusal::Full => "as many processes as are taken push already",
        Refusal::Silent => "no request came within 5 s",
        Refusal::Failed => "the system accepts no more; raise its limit of descriptors (ulimit -n)",
    };
    note(&format!("connections of the command's processes that were refused: {count}; {why}"));
}

/// Whether a socket in that folder can have an address.
fn fits(folder: &Path) -> bool {
    folder.join(FOLDER_SOCKET).as_os_str().len() <= MAX_ADDRESS
}

fn bind(socket: &Path, beside: Option<&Path>) -> io::Result<UnixListener> {
    // A run that was killed left it.
    if socket.symlink_metadata().is_ok_and(|found| !found.is_file() && !found.is_dir()) {
        fs::remove_file(socket)?;
    }
    // Closed to other users from the first moment on, in whatever folder it is.
    let bind = |path: &Path| pollscope_system::socket::bind(path).and_then(UnixListener::from_std);
    let Some(beside) = beside else { return bind(socket) };
    let place = beside.join(FOLDER_SOCKET);
    let listener = bind(&place)?;
    std::os::unix::fs::symlink(place, socket)?;
    Ok(listener)
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Parts> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves push streams.
struct Service(Arc<Shared>);

#[tonic::async_trait]
impl Ingest for Service {
    type PushStream = ReceiverStream<Result<PushControl, Status>>;

    async fn push(
        &self,
        request: Request<Streaming<PushMessage>>,
    ) -> Result<Response<Self::PushStream>, Status> {
        let counted = OpenStream::of(&self.0)?;
        let (controls, outbound) = mpsc::channel(CONTROLS);
        let stream =
            Stream { inbound: request.into_inner(), reader: IngestDecoder::default(), controls, counted };
        tokio::spawn(stream.run());
        Ok(Response::new(ReceiverStream::new(outbound)))
    }
}

/// One stream that is open.
struct OpenStream(Arc<Shared>);

impl OpenStream {
    fn of(taken: &Arc<Shared>) -> Result<Self, Status> {
        let counted = Self(taken.clone());
        if taken.open.fetch_add(1, Ordering::AcqRel) < MAX_STREAMS {
            return Ok(counted);
        }
        Err(Status::resource_exhausted(format!("{MAX_STREAMS} processes push already")))
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::AcqRel);
    }
}

struct Stream {
    inbound: Streaming<PushMessage>,
    reader: IngestDecoder,
    controls: mpsc::Sender<Result<PushControl, Status>>,
    counted: OpenStream,
}

impl Stream {
    async fn run(mut self) {
        if let Err(status) = self.serve().await {
            // Failing means that the process is gone.
            let _ = self.controls.send(Err(status)).await;
        }
    }

    async fn serve(&mut self) -> Result<(), Status> {
        let first = tokio::time::timeout(GREETING, self.next()).await;
        let first = first.map_err(|_| Status::deadline_exceeded("no greeting came within 5 s"))??;
        let Some(Message::Hello(hello)) = first else {
            return Err(Status::invalid_argument("the first message must be a hello"));
        };
        if let Err(mismatch) = compatible(Peer::Collector, Peer::Service, hello.protocol, &hello.version) {
            return self.send(&Control::Refused { reason: mismatch.to_string() }).await;
        }
        let boot = hello.boot;
        let last_seq = self.counted.0.lock().greet(&hello).map_err(|error| refused(&error))?;
        let welcome = Welcome { protocol: PROTOCOL, last_seq, detail: Detail::Full };
        self.send(&Control::Welcome(welcome)).await?;
        while let Some(push) = self.next().await? {
            match push {
                Message::Hello(hello) if hello.boot == boot => {
                    self.counted.0.lock().greet(&hello).map_err(|error| refused(&error))?;
                }
                Message::Hello(_) => {
                    return Err(Status::invalid_argument("a stream speaks for one process"));
                }
                Message::Report(report) if report.boot == boot => {
                    self.counted.0.lock().write(&report)?;
                    if report.kind.is_last_part() {
                        self.send(&Control::Ack { seq: report.seq }).await?;
                    }
                }
                Message::Report(_) => return Err(Status::invalid_argument("a report of another process")),
                Message::Goodbye { reason } => {
                    let ended = self.counted.0.lock().end(boot, &reason);
                    return ended.map_err(|error| refused(&error));
                }
            }
        }
        Ok(())
    }

    /// `None` when the process is gone.
    async fn next(&mut self) -> Result<Option<Message>, Status> {
        loop {
            let Ok(Some(message)) = self.inbound.message().await else { return Ok(None) };
            self.counted.0.messages.fetch_add(1, Ordering::AcqRel);
            let taken = self.reader.decode(message);
            if let Some(push) = taken.map_err(|error| Status::invalid_argument(error.to_string()))? {
                return Ok(Some(push));
            }
        }
    }

    async fn send(&self, control: &Control) -> Result<(), Status> {
        let sent = self.controls.send(Ok(PushControl::from(control))).await;
        sent.map_err(|_| Status::unavailable("the process is gone"))
    }
}

/// What cannot be written is of no use to send again.
fn refused(error: &io::Error) -> Status {
    Status::failed_precondition(format!("the recording cannot be written: {error}"))
}
