//! The network: one thread, `pollscope-io`, with a tokio runtime of its own, that carries reports to
//! viewers ([`serve`]) and to a collector ([`push`]). It never runs anything of the service's but the `tracing`
//! subscriber, if that wants the events of `tonic`, `hyper` and `h2`: to keep them from it, a dispatcher would have to
//! be set, which changes `tracing` for the whole process.

mod door;
mod http2;
mod lens;
mod push;
mod serve;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use super::{Opening, Shared, Start};
use crate::setup::config::Listen;
use crate::setup::error::{Failed, InitError};
use crate::setup::outlet::{Outlet, PATIENCE, Wanted};
use crate::setup::{notice, own_thread};
use door::Door;

/// How long the thread may take to end after readers were waited for.
const ENDING: Duration = Duration::from_millis(250);

/// Opens the door, and takes over what is to be reported to a collector.
pub(super) fn open(opening: &mut Opening, wanted: &mut Wanted, failed: Failed<'_>) -> Result<(), InitError> {
    let door = match Door::open(&std::mem::replace(&mut wanted.listen, Listen::Off)) {
        Ok(door) => door,
        Err(why) => failed(InitError::Listen(why)).map(|()| None)?,
    };
    let endpoint = wanted.endpoint.take();
    // Where a collector takes what would be written, no file is.
    let folder = wanted.record.as_ref().and_then(|record| push::collector_in(&record.path));
    wanted.record.take_if(|_| folder.is_some());
    if door.is_some() || endpoint.is_some() || folder.is_some() {
        opening.opened.push(Box::new(Lines { door, endpoint, folder }));
    }
    Ok(())
}

/// What the thread is to be started for.
struct Lines {
    door: Option<Door>,
    endpoint: Option<String>,
    /// The collector that takes what would be written into a folder.
    folder: Option<String>,
}

impl Start for Lines {
    fn start(self: Box<Self>, shared: Arc<Shared>) -> io::Result<Box<dyn Outlet>> {
        let Self { door, endpoint, folder } = *self;
        let address = door.as_ref().map(|door| door.address().clone());
        let collector = endpoint.map(|url| push::Target::collector(url, &shared));
        let folder = folder.map(|url| push::Target::folder(url, &shared));
        let targets: Vec<push::Target> = collector.into_iter().chain(folder).collect();
        // A collector's name is looked up on a thread of the runtime's own.
        let name = own_thread::prefixed("dns");
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_io().enable_time().thread_name(name).build()?;
        let (stop, stopped) = oneshot::channel();
        let work = Work { shared: shared.clone(), door, targets, stopped };
        let thread = own_thread::start("io", move || work.run(runtime))?;
        match &address {
            // The system may have chosen the port: without this line its number could not be known.
            Some(address @ Listen::Tcp(_)) => notice::warn(&format!("listening on {address}")),
            Some(address) => notice::info(&format!("listening on {address}")),
            None => {}
        }
        Ok(Box::new(Network { shared, address, thread, stop: Some(stop) }))
    }
}

/// The thread of one guard.
struct Network {
    shared: Arc<Shared>,
    address: Option<Listen>,
    thread: JoinHandle<()>,
    stop: Option<oneshot::Sender<Instant>>,
}

impl Outlet for Network {
    fn address(&self) -> Option<&Listen> {
        self.address.as_ref()
    }

    fn flush(&self, deadline: Instant) {
        self.shared.wait_until_delivered(deadline);
    }

    /// From then on the readers have a second at most.
    fn begin_stop(&mut self, deadline: Instant) {
        let until = (Instant::now() + PATIENCE).min(deadline.checked_sub(ENDING).unwrap_or(deadline));
        let _ = self.stop.take().map(|stop| stop.send(until));
    }

    fn stop(self: Box<Self>, deadline: Instant) {
        if !own_thread::join(self.thread, deadline) {
            notice::warn("pollscope-io has not ended in time and is left behind");
        }
    }
}

/// What the thread was started for.
struct Work {
    shared: Arc<Shared>,
    door: Option<Door>,
    targets: Vec<push::Target>,
    stopped: oneshot::Receiver<Instant>,
}

impl Work {
    fn run(self, runtime: Runtime) {
        let outcome = catch_unwind(AssertUnwindSafe(|| runtime.block_on(self.carry())));
        if outcome.is_err() {
            notice::warn(
                "internal error in pollscope-io: no viewer can attach any more, the service goes on",
            );
        }
        runtime.shutdown_background();
    }

    async fn carry(self) {
        let (close, closing) = oneshot::channel();
        let serving = self.door.map(|door| tokio::spawn(serve::run(door, self.shared.clone(), closing)));
        let pushing = self.targets.into_iter().map(|target| {
            let link = Arc::new(push::Link::of(&target));
            (link.clone(), tokio::spawn(push::run(target, self.shared.clone(), link)))
        });
        let pushing: Vec<_> = pushing.collect();
        // An end of the channel without a word is the guard's end as well.
        let deadline = self.stopped.await.unwrap_or_else(|_| Instant::now() + PATIENCE);
        let goodbyes = async {
            for (link, pushing) in pushing {
                if link.is_awaited() {
                    let _ = pushing.await;
                }
            }
            let _ = close.send(());
            if let Some(serving) = serving {
                let _ = serving.await;
            }
        };
        let _ = tokio::time::timeout_at(deadline.into(), goodbyes).await;
    }
}
