//! A collector that can be killed: its connections break without a word.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pollscope_model::hello::Hello;
use pollscope_model::report::{Detail, Report};
use pollscope_model::world::{Applied, World, WorldLimits};
use pollscope_proto::PROTOCOL;
use pollscope_proto::ingest::{
    self, Control, Ingest, IngestDecoder, Message, PushControl, PushMessage, Welcome,
};
use tokio::sync::{broadcast, mpsc};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

/// What it was told, kept over a kill if the test wants it to be.
pub(crate) struct Memory {
    pub(crate) world: World,
    pub(crate) hellos: Vec<Hello>,
    pub(crate) applied: Vec<Applied>,
    pub(crate) snapshots: usize,
    pub(crate) goodbyes: Vec<String>,
    pub(crate) last: Option<Report>,
    /// Reports are kept but not acknowledged.
    pub(crate) silent: bool,
    /// Every process is refused.
    pub(crate) refusing: bool,
    pub(crate) refused: usize,
    pub(crate) detail: Detail,
}

#[derive(Clone)]
pub(crate) struct Store(Arc<Mutex<Memory>>);

impl Store {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Memory {
            world: World::new(WorldLimits::default()),
            hellos: Vec::new(),
            applied: Vec::new(),
            snapshots: 0,
            goodbyes: Vec::new(),
            last: None,
            silent: false,
            refusing: false,
            refused: 0,
            detail: Detail::Full,
        })))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many reports arrived.
    pub(crate) fn reports(&self) -> usize {
        self.lock().applied.len()
    }
}

pub(crate) struct Collector {
    runtime: Option<tokio::runtime::Runtime>,
    pub(crate) address: SocketAddr,
    pub(crate) say: broadcast::Sender<Control>,
    /// Ends every open stream with that status.
    pub(crate) end: broadcast::Sender<Status>,
}

impl Collector {
    /// On a free port.
    pub(crate) fn start(store: &Store) -> Self {
        Self::start_at(store, ([127, 0, 0, 1], 0).into())
    }

    pub(crate) fn start_at(store: &Store, address: SocketAddr) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(async {
            let start = std::time::Instant::now();
            loop {
                match tokio::net::TcpListener::bind(address).await {
                    Ok(listener) => break listener,
                    Err(error) => assert!(start.elapsed() < super::DEADLINE, "{address}: {error}"),
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        let address = listener.local_addr().unwrap();
        let (say, _) = broadcast::channel(8);
        let (end, _) = broadcast::channel(8);
        let service = ingest::server(Service { store: store.clone(), say: say.clone(), end: end.clone() });
        runtime.spawn(Server::builder().serve_with_incoming(service, TcpListenerStream::new(listener)));
        Self { runtime: Some(runtime), address, say, end }
    }

    /// At a Unix socket.
    #[cfg(unix)]
    pub(crate) fn start_on(store: &Store, path: &std::path::Path) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(async { tokio::net::UnixListener::bind(path).unwrap() });
        let (say, _) = broadcast::channel(8);
        let (end, _) = broadcast::channel(8);
        let service = ingest::server(Service { store: store.clone(), say: say.clone(), end: end.clone() });
        let incoming = tokio_stream::wrappers::UnixListenerStream::new(listener);
        runtime.spawn(Server::builder().serve_with_incoming(service, incoming));
        Self { runtime: Some(runtime), address: ([0, 0, 0, 0], 0).into(), say, end }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn kill(mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(5));
        }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

struct Service {
    store: Store,
    say: broadcast::Sender<Control>,
    end: broadcast::Sender<Status>,
}

#[tonic::async_trait]
impl Ingest for Service {
    type PushStream = ReceiverStream<Result<PushControl, Status>>;

    async fn push(
        &self,
        request: Request<Streaming<PushMessage>>,
    ) -> Result<Response<Self::PushStream>, Status> {
        let (out, stream) = mpsc::channel(64);
        let (store, mut words, mut ends) = (self.store.clone(), self.say.subscribe(), self.end.subscribe());
        let also = out.clone();
        let speaking = tokio::spawn(async move {
            while let Ok(control) = words.recv().await {
                if also.send(Ok(PushControl::from(&control))).await.is_err() {
                    return;
                }
            }
        });
        tokio::spawn(async move {
            let (mut pushes, mut reader) = (request.into_inner(), IngestDecoder::default());
            loop {
                let message = tokio::select! {
                    message = pushes.message() => message,
                    status = ends.recv() => {
                        let _ = out.send(Err(status.unwrap())).await;
                        break;
                    }
                };
                let Ok(Some(message)) = message else { break };
                let Some(push) = reader.decode(message).unwrap() else { continue };
                let answer = store.lock().take(push);
                if let Some(control) = answer
                    && out.send(Ok(PushControl::from(&control))).await.is_err()
                {
                    break;
                }
            }
            speaking.abort();
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

impl Memory {
    fn take(&mut self, push: Message) -> Option<Control> {
        match push {
            Message::Hello(hello) => {
                if self.refusing {
                    self.refused += 1;
                    return Some(Control::Refused { reason: "the test refuses all".into() });
                }
                let now = hello.anchor.unix_ns;
                let last_seq = self.world.connect(Hello::clone(&hello), now).unwrap().last_seq();
                self.hellos.push(*hello);
                Some(Control::Welcome(Welcome { protocol: PROTOCOL, last_seq, detail: self.detail }))
            }
            Message::Report(report) => {
                let (seq, end_ns) = (report.seq, report.end_ns);
                let now = self.hellos.last().unwrap().anchor.to_unix_ns(end_ns);
                if matches!(report.kind, pollscope_model::report::ReportKind::Snapshot { part: 0, .. }) {
                    self.snapshots += 1;
                }
                self.last = Some(Report::clone(&report));
                self.applied.push(self.world.apply(*report, now));
                (!self.silent).then_some(Control::Ack { seq })
            }
            Message::Goodbye { reason } => {
                self.goodbyes.push(reason);
                None
            }
        }
    }
}
