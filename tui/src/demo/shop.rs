//! The shop's routes and what is spawned beside them: the plan that faults change before the start.

use std::pin::Pin;
use std::time::Duration;

use pollscope::task;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::jobs::Job;

/// What a handler answers.
pub(super) struct Reply {
    /// HTTP status.
    pub(super) status: u16,
    /// Text.
    pub(super) body: String,
}

impl Reply {
    /// `200` with a text.
    pub(super) fn ok(body: impl Into<String>) -> Self {
        Self { status: 200, body: body.into() }
    }

    /// `202`: a job will do it later.
    pub(super) fn accepted() -> Self {
        Self { status: 202, body: String::new() }
    }

    /// `500`.
    pub(super) fn failed() -> Self {
        Self { status: 500, body: String::new() }
    }
}

/// The answer of a handler that runs as a task of its own.
pub(super) type Answer = Pin<Box<dyn Future<Output = Reply> + Send>>;

/// What a handler gets.
pub(super) struct Request {
    /// Counts the requests of this route, from 0: faults strike by it, so that they are regular.
    pub(super) nth: u64,
    /// The job queue.
    pub(super) jobs: mpsc::Sender<Job>,
}

/// Starts the handler's task and returns its answer to come.
pub(super) type Handler = fn(&Request) -> Answer;

/// A route.
#[derive(Clone, Copy)]
pub(super) struct Route {
    /// `GET` or `POST`.
    pub(super) method: &'static str,
    /// The path, taken literally.
    pub(super) path: &'static str,
    /// The handler.
    pub(super) handler: Handler,
}

/// Everything that the service will do.
pub(super) struct Plan {
    /// The routes; the clients ask for each equally often.
    pub(super) routes: Vec<Route>,
    /// Started beside the server, on its runtime.
    pub(super) background: Vec<fn()>,
}

impl Plan {
    /// The healthy shop.
    pub(super) fn healthy() -> Self {
        let route = |method, path, handler| Route { method, path, handler };
        Self {
            routes: vec![
                route("GET", "/", home),
                route("GET", "/search", search),
                route("GET", "/checkout", checkout),
                route("GET", "/thumbnail", thumbnail),
                route("POST", "/orders", orders),
            ],
            background: Vec::new(),
        }
    }

    /// Puts a handler in the place of a route's, or adds the route.
    pub(super) fn replace(&mut self, method: &'static str, path: &'static str, handler: Handler) {
        match self.routes.iter_mut().find(|route| (route.method, route.path) == (method, path)) {
            Some(route) => route.handler = handler,
            None => self.routes.push(Route { method, path, handler }),
        }
    }

    /// Starts something beside the server.
    pub(super) fn beside(&mut self, start: fn()) {
        self.background.push(start);
    }
}

fn home(_: &Request) -> Answer {
    let page = task("GET /").group("http").spawn(async {
        sleep(Duration::from_millis(10)).await;
        Reply::ok("welcome")
    });
    Box::pin(async { page.await.unwrap_or_else(|_| Reply::failed()) })
}

fn search(_: &Request) -> Answer {
    let hits = task("GET /search").group("http").spawn(async {
        sleep(Duration::from_millis(20)).await;
        Reply::ok("12 hits")
    });
    Box::pin(async { hits.await.unwrap_or_else(|_| Reply::failed()) })
}

fn checkout(_: &Request) -> Answer {
    let receipt = task("GET /checkout").group("http").spawn(async {
        let (stock, price) = tokio::join!(reserve_stock(), look_up_price());
        Reply::ok(format!("{stock} for {price}"))
    });
    Box::pin(async { receipt.await.unwrap_or_else(|_| Reply::failed()) })
}

async fn reserve_stock() -> u32 {
    sleep(Duration::from_millis(15)).await;
    1
}

async fn look_up_price() -> u32 {
    sleep(Duration::from_millis(25)).await;
    499
}

fn thumbnail(_: &Request) -> Answer {
    let picture = task("GET /thumbnail").group("http").spawn(async {
        sleep(Duration::from_millis(12)).await;
        Reply::ok("a small picture")
    });
    Box::pin(async { picture.await.unwrap_or_else(|_| Reply::failed()) })
}

fn orders(request: &Request) -> Answer {
    let (jobs, order) = (request.jobs.clone(), request.nth);
    let taken = task("POST /orders").group("http").spawn(async move {
        sleep(Duration::from_millis(10)).await;
        match jobs.send(Job { order }).await {
            Ok(()) => Reply::accepted(),
            Err(_) => Reply::failed(),
        }
    });
    Box::pin(async { taken.await.unwrap_or_else(|_| Reply::failed()) })
}
