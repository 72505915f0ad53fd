//! A made-up service and a made-up collector behind real sockets, which go away when the test drops them.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pollscope_model::monitor::Monitor;
use pollscope_model::testkit::{self, Script};
use pollscope_model::world::WorldLimits;
use pollscope_proto::feed::{self, AttachRequest, Feed, FeedMessage};
use pollscope_proto::fleet::{
    self, AnswerPart, AskRequest, Fleet, FleetHello, StandingQuery, WatchRequest, WireClientHello,
    WireFleetHello,
};
use tokio::net::UnixListener;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, UnixListenerStream};
use tonic::{Request, Response, Status, Streaming};

/// A server that breaks every connection when it is dropped.
pub(crate) struct Running {
    _runtime: Runtime,
    monitor: Arc<Mutex<Monitor>>,
    script: Script,
}

impl Running {
    /// What the collector knows as connected goes away, and why.
    pub(crate) fn lose_the_process(&self, reason: &str) {
        let mut monitor = self.monitor.lock().unwrap();
        monitor.disconnect(self.script.hello().boot, reason, self.script.now_unix_ns());
    }
}

fn script(pid: u32) -> Script {
    let mut script = Script::of(testkit::hello("checkout", pid));
    let site = script.site("src/cart.rs:88:9");
    script.spawn(site);
    script.second();
    script
}

/// A runtime, and a listener in it at a socket that nothing else has.
fn listen(socket: &Path) -> (Runtime, UnixListenerStream) {
    let _ = std::fs::remove_file(socket);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listener = runtime.block_on(async { UnixListener::bind(socket) }).unwrap();
    (runtime, UnixListenerStream::new(listener))
}

/// The service `checkout` of that pid.
pub(crate) fn service(socket: &Path, pid: u32) -> Running {
    let script = script(pid);
    let (runtime, incoming) = listen(socket);
    let service = feed::server(Service { script: script.clone() });
    runtime.spawn(tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming));
    Running { _runtime: runtime, monitor: Arc::new(Mutex::new(Monitor::new(WorldLimits::default()))), script }
}

struct Service {
    script: Script,
}

#[tonic::async_trait]
impl Feed for Service {
    type AttachStream = ReceiverStream<Result<FeedMessage, Status>>;

    async fn attach(
        &self,
        mut requests: Request<Streaming<AttachRequest>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        let script = self.script.clone();
        let (tell, told) = mpsc::channel(16);
        tokio::spawn(async move {
            let _ = tell.send(Ok(feed::hello(&script.hello()))).await;
            for message in script.snapshot(1).iter().flat_map(feed::report) {
                let _ = tell.send(Ok(message)).await;
            }
            while let Ok(Some(_)) = requests.get_mut().message().await {}
        });
        Ok(Response::new(ReceiverStream::new(told)))
    }
}

/// A collector that knows the service `checkout` with the pid 412.
pub(crate) fn collector(socket: &Path) -> Running {
    let script = script(412);
    let mut monitor = Monitor::new(WorldLimits::default());
    let now = script.now_unix_ns();
    monitor.connect(script.hello(), now).unwrap();
    for report in script.snapshot(1) {
        let _ = monitor.apply(report, now);
    }
    let monitor = Arc::new(Mutex::new(monitor));
    let (runtime, incoming) = listen(socket);
    let collector = fleet::server(Collector { monitor: monitor.clone(), now });
    runtime.spawn(tonic::transport::Server::builder().add_service(collector).serve_with_incoming(incoming));
    Running { _runtime: runtime, monitor, script }
}

struct Collector {
    monitor: Arc<Mutex<Monitor>>,
    now: u64,
}

type Parts = ReceiverStream<Result<AnswerPart, Status>>;

#[tonic::async_trait]
impl Fleet for Collector {
    async fn hello(&self, _: Request<WireClientHello>) -> Result<Response<WireFleetHello>, Status> {
        Ok(Response::new(WireFleetHello::from(&FleetHello::new("collector"))))
    }

    type AskStream = Parts;

    async fn ask(&self, _: Request<AskRequest>) -> Result<Response<Parts>, Status> {
        Err(Status::unimplemented("standing questions only"))
    }

    type WatchStream = Parts;

    async fn watch(&self, mut requests: Request<Streaming<WatchRequest>>) -> Result<Response<Parts>, Status> {
        let (monitor, now) = (self.monitor.clone(), self.now);
        let (tell, told) = mpsc::channel(16);
        tokio::spawn(async move {
            let Ok(Some(request)) = requests.get_mut().message().await else { return };
            let Ok(standing) = Vec::<StandingQuery>::try_from(request) else { return };
            let mut again = tokio::time::interval(Duration::from_millis(50));
            loop {
                again.tick().await;
                let answers: Vec<_> = {
                    let monitor = monitor.lock().unwrap();
                    standing.iter().map(|one| fleet::answer(one.id, &monitor.answer(&one.ask, now))).collect()
                };
                for part in answers.into_iter().flatten() {
                    if tell.send(Ok(part)).await.is_err() {
                        return;
                    }
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(told)))
    }
}
