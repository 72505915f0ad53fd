//! Load shedding: twice as many requests as the service can answer, with and without.
//!
//! A request takes 5 ms of computing, and there is one worker: 200 a second. Visitors send 400 a second,
//! whether they are answered or not, and give up after half a second. For three seconds the service takes
//! what comes, for three seconds it refuses, at once and with `503` and `Retry-After`, while
//! `pollscope::overloaded()` says so; and again from the beginning.
//!
//! ```sh
//! cargo run -p pollscope-examples --bin overloaded
//! cargo run -- attach overloaded    # in another terminal
//! ```
//!
//! You will see, in its output, that without shedding hardly a request is answered in time: the service
//! works as much as ever, for visitors who are gone. With shedding most of what it can do reaches
//! its visitors. In **Sites** the p99 schedule delay of `render` follows: seconds in the one case, some tens of
//! milliseconds in the other; **Findings** has `sched-delay`.
//!
//! The measuring needs tasks whose waits are known, here those of `render`: the time from the moment when
//! its query is answered until a worker has time for it.

use std::cell::RefCell;
use std::io::{Error, ErrorKind};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::{Router, routing::get};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const WORK: Duration = Duration::from_millis(5);
const OFFERED: u32 = 400;
const PATIENCE: Duration = Duration::from_millis(500);
const PHASE: Duration = Duration::from_secs(3);

/// Whether the service sheds load, or takes everything.
static SHEDS: AtomicBool = AtomicBool::new(false);

#[pollscope::main(worker_threads = 1)]
async fn main() -> std::io::Result<()> {
    let app = Router::new().route("/", get(handle)).layer(from_fn(shed));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?.to_string();
    std::thread::Builder::new().name("visitors".to_owned()).spawn(move || visit(&address))?;
    tokio::select! {
        served = axum::serve(listener, app) => served,
        () = pollscope_examples::until_stopped() => Ok(()),
    }
}

/// All that load shedding takes.
async fn shed(request: Request, next: Next) -> Response {
    if pollscope::overloaded() && SHEDS.load(Ordering::Relaxed) {
        return (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")], "busy\n").into_response();
    }
    next.run(request).await
}

async fn handle() -> Response {
    match pollscope::task("render").group("http").spawn(render()).await {
        Ok(page) => page.into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn render() -> &'static str {
    // Stands for a query to a database.
    tokio::time::sleep(Duration::from_millis(1)).await;
    let begin = Instant::now();
    while begin.elapsed() < WORK {
        std::hint::spin_loop();
    }
    "a page\n"
}

/// The visitors' side, on a thread and a runtime that pollscope does not know.
fn visit(address: &str) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    tokio::task::LocalSet::new().block_on(&runtime, async {
        for sheds in [false, true].into_iter().cycle() {
            SHEDS.store(sheds, Ordering::Relaxed);
            let seen = phase(address).await;
            seen.print(sheds);
            until_calm(address).await;
        }
    });
}

/// What the visitors of one phase saw.
#[derive(Default)]
struct Seen {
    answered: Vec<Duration>,
    refused: usize,
    gave_up: usize,
}

/// Visitors come at a steady rate, however many are still there.
async fn phase(address: &str) -> Seen {
    let seen = Rc::new(RefCell::new(Seen::default()));
    let connections = Rc::default();
    let mut visitors = tokio::task::JoinSet::new();
    let mut arrivals = tokio::time::interval(Duration::from_secs(1) / OFFERED);
    let begin = Instant::now();
    while begin.elapsed() < PHASE {
        arrivals.tick().await;
        let (seen, connections, address) = (Rc::clone(&seen), Rc::clone(&connections), address.to_owned());
        visitors.spawn_local(async move {
            let begin = Instant::now();
            let answer = tokio::time::timeout(PATIENCE, ask(&address, &connections)).await;
            let mut seen = seen.borrow_mut();
            match answer {
                Ok(Ok(200)) => seen.answered.push(begin.elapsed()),
                Ok(Ok(_)) => seen.refused += 1,
                _ => seen.gave_up += 1,
            }
        });
    }
    visitors.join_all().await;
    seen.take()
}

/// The next phase begins when what the last one left behind is done.
async fn until_calm(address: &str) {
    let connections = RefCell::default();
    let begin = Instant::now();
    loop {
        let asked = Instant::now();
        if ask(address, &connections).await.is_ok_and(|status| status == 200) && asked.elapsed() < 4 * WORK {
            return;
        }
        if begin.elapsed() > 10 * PHASE {
            return;
        }
        tokio::time::sleep(WORK).await;
    }
}

/// Asks for the page over a connection that is free, or a new one, and returns the status.
async fn ask(address: &str, connections: &RefCell<Vec<TcpStream>>) -> Result<u16, Error> {
    let free = connections.borrow_mut().pop();
    let mut stream = match free {
        Some(stream) => stream,
        None => TcpStream::connect(address).await?,
    };
    stream.write_all(format!("GET / HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes()).await?;
    let mut answer = [0; 512];
    let mut length = 0;
    // Both answers end with the only line break that has no carriage return before it.
    while !answer[..length].ends_with(b"y\n") && !answer[..length].ends_with(b"e\n") {
        match stream.read(&mut answer[length..]).await? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            n => length += n,
        }
    }
    connections.borrow_mut().push(stream);
    let status = answer.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    status.ok_or_else(|| ErrorKind::InvalidData.into())
}

impl Seen {
    #[expect(clippy::print_stdout, reason = "the example's result")]
    fn print(mut self, sheds: bool) {
        self.answered.sort();
        let at = |share: f64| {
            let index = (self.answered.len() as f64 * share) as usize;
            self.answered.get(index.min(self.answered.len().saturating_sub(1))).map_or(0, Duration::as_millis)
        };
        let per_second = |count: usize| count as f64 / PHASE.as_secs_f64();
        println!(
            "{}: {:3.0}/s answered in time (p50 {} ms, p99 {} ms), {:3.0}/s refused, {:3.0}/s gave up",
            if sheds { "shedding" } else { "taking all" },
            per_second(self.answered.len()),
            at(0.5),
            at(0.99),
            per_second(self.refused),
            per_second(self.gave_up),
        );
    }
}
