//! Requests to services without a network.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use http::{Method, Request, Response};
use pollscope_model::entity::task::{TaskKind, TaskRecord, TaskState};
use pollscope_model::measured::{Metric, Mode};
use tower_layer::Layer as _;
use tower_service::Service;

use super::{RequestHead, layer};
use crate::testkit::{Fold, alone, fold, record};

mod nested;

type Answer = Result<Response<()>, &'static str>;

/// A service that is a function of the request's path.
#[derive(Clone)]
struct Handler<F>(F);

impl<F, A> Service<Request<()>> for Handler<F>
where
    F: Fn(String) -> A,
    A: Future<Output = Answer> + Send + 'static,
{
    type Response = Response<()>;
    type Error = &'static str;
    type Future = Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        Box::pin((self.0)(request.uri().path().to_owned()))
    }
}

fn to(method: Method, path: &str) -> Request<()> {
    Request::builder().method(method).uri(path).body(()).expect("a request")
}

/// The first part of the path, if it is one of this test's.
fn by_first_part(head: RequestHead<'_>) -> Option<std::borrow::Cow<'_, str>> {
    let first = head.uri().path().split('/').nth(1)?;
    first.starts_with("tower-").then(|| format!("/{first}/{{id}}").into())
}

fn requests_at<'f>(fold: &'f Fold, route: &str) -> Vec<&'f TaskRecord> {
    fold.tasks.values().filter(|row| *fold.dict.site_text(row.site) == *route).collect()
}

fn one_at<'f>(fold: &'f Fold, route: &str) -> &'f TaskRecord {
    let rows = requests_at(fold, route);
    assert_eq!(rows.len(), 1, "{route}: {rows:?}");
    rows[0]
}

#[tokio::test]
async fn each_route_is_a_site_and_the_scope_of_what_its_requests_spawn() {
    record();
    let answer = |path: String| async move {
        tokio::task::yield_now().await;
        crate::task(path.trim_matches('/')).spawn(async {}).await.expect("returns");
        if path.ends_with("bad") { Err("bad") } else { Ok(Response::new(())) }
    };
    let mut service = layer().route(by_first_part).layer(Handler(answer));
    let connection = crate::task("tower-connection").spawn(async move {
        for path in ["/tower-a/1", "/tower-a/2", "/tower-b/1"] {
            service.call(to(Method::GET, path)).await.expect("an answer");
        }
        assert!(service.call(to(Method::POST, "/tower-b/bad")).await.is_err());
    });
    connection.await.expect("returns");

    let fold = fold();
    assert_eq!(requests_at(&fold, "GET /tower-a/{id}").len(), 2);
    let row = one_at(&fold, "GET /tower-b/{id}");
    assert_eq!((row.kind, row.mode, row.state), (TaskKind::Request, Mode::Wrap, TaskState::Completed));
    assert_eq!(row.parent, fold.one("tower-connection").map(|task| task.id));
    assert_eq!(&*fold.dict.name(row.scope), "GET /tower-b/{id}");
    assert!(row.polls >= 2 && row.wakes >= 1 && !row.measures(Metric::Handles), "{row:?}");
    let of_route = fold.sites.get(&row.site).expect("counted");
    assert_eq!((of_route.spawned, of_route.completed, of_route.life.count()), (1, 1, 1));
    assert!(of_route.poll.count() >= 2 && fold.dict.is_route(row.site));
    let spawned = fold.one("tower-b/1").expect("drained");
    assert_eq!((&*fold.dict.name(spawned.scope), spawned.parent), ("GET /tower-b/{id}", Some(row.id)));
    let failed = one_at(&fold, "POST /tower-b/{id}");
    assert_eq!(failed.state, TaskState::Completed, "an error is an answer");
}

#[test]
fn a_client_that_goes_away_is_a_cancelled_request_and_one_that_is_never_polled_is_none() {
    record();
    let mut service = layer().grpc().layer(Handler(|_| std::future::pending::<Answer>()));
    let mut gone = Box::pin(service.call(to(Method::POST, "/tower.Gone/Call")));
    assert!(gone.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(gone);
    drop(service.call(to(Method::POST, "/tower.Unpolled/Call")));
    let fold = fold();
    assert_eq!(one_at(&fold, "/tower.Gone/Call").state, TaskState::Cancelled);
    assert!(requests_at(&fold, "/tower.Unpolled/Call").is_empty());
}

#[test]
fn a_request_that_panics_is_told_so() {
    record();
    let mut service = layer().grpc().layer(Handler(|_| async { panic!("on purpose") }));
    let mut request = Box::pin(service.call(to(Method::POST, "/tower.Panics/Call")));
    let poll = || request.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready();
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(poll)).is_err());
    assert_eq!(one_at(&fold(), "/tower.Panics/Call").state, TaskState::Panicked);
}

/// In a process of its own: routes are told apart up to a number that the process has once.
#[test]
fn no_client_decides_how_many_names_there_are() {
    if !alone("api::tower::tests::no_client_decides_how_many_names_there_are") {
        return;
    }
    record();
    let mut service = layer().layer(Handler(|_| async { Ok(Response::new(())) }));
    let mut context = Context::from_waker(Waker::noop());
    let mut ask = |request| {
        let mut answer = std::pin::pin!(service.call(request));
        assert!(answer.as_mut().poll(&mut context).is_ready());
    };
    for nth in 0..1_000 {
        ask(to(Method::GET, &format!("/tower-unknown/{nth}")));
        ask(to(Method::from_bytes(format!("M{nth}").as_bytes()).expect("a method"), "/"));
    }
    let mut paths = layer().grpc().layer(Handler(|_| async { Ok(Response::new(())) }));
    for nth in 0..1_000 {
        let mut answer = std::pin::pin!(paths.call(to(Method::POST, &format!("/tower.Many/{nth}"))));
        assert!(answer.as_mut().poll(&mut context).is_ready());
    }
    let fold = fold();
    let count = |route: &str| requests_at(&fold, route).len();
    assert_eq!((count("GET (no route)"), count("(other method) (no route)")), (1_000, 1_000));
    let mut told = 0;
    for nth in 0..1_000 {
        told += count(&format!("/tower.Many/{nth}"));
    }
    assert_eq!((told, count("(other routes, over the limit of 256)")), (254, 746));
}

/// How often the test below was asked for a route.
static ASKED: AtomicUsize = AtomicUsize::new(0);

/// In a process of its own, where nothing is recorded.
#[test]
fn while_recording_is_off_no_route_is_asked_for() {
    if !alone("api::tower::tests::while_recording_is_off_no_route_is_asked_for") {
        return;
    }
    let counted = layer().route(|_| {
        ASKED.fetch_add(1, Ordering::Relaxed);
        Some("/tower-off".into())
    });
    let mut service = counted.layer(Handler(|_| async { Ok(Response::new(())) }));
    let mut ask = || {
        let mut answer = std::pin::pin!(service.call(to(Method::GET, "/tower-off")));
        assert!(answer.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
    };
    ask();
    assert_eq!(ASKED.load(Ordering::Relaxed), 0);
    record();
    ask();
    assert_eq!(ASKED.load(Ordering::Relaxed), 1);
    assert_eq!(requests_at(&fold(), "GET /tower-off").len(), 1, "the one before was plain");
}

#[cfg(feature = "axum")]
#[tokio::test]
async fn the_pattern_of_an_axum_router_is_the_route() {
    use axum::Router;
    use axum::body::Body;
    use axum::routing::{any, get};

    record();
    let nested = Router::new().route("/axum-item/{id}", get(|| async { "7" }));
    let mut app: Router = Router::new()
        .route("/axum-price/{id}", get(|| async { "7" }).post(|| async { "7" }))
        .route("/axum-any/{*rest}", any(|| async { "7" }))
        .nest("/axum-shop", nested)
        .layer(layer());
    let requests = [
        (Method::GET, "/axum-price/7"),
        (Method::POST, "/axum-price/7"),
        (Method::PUT, "/axum-any/a/b"),
        (Method::GET, "/axum-shop/axum-item/7"),
        (Method::PATCH, "/axum-nothing"),
    ];
    for (method, path) in requests {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).expect("a request");
        app.call(request).await.expect("axum answers");
    }
    let fold = fold();
    for route in [
        "GET /axum-price/{id}",
        "POST /axum-price/{id}",
        "PUT /axum-any/{*rest}",
        "GET /axum-shop/axum-item/{id}",
        "PATCH (no route)",
    ] {
        one_at(&fold, route);
    }
}

/// `Send` and `Clone` wherever the service's are, as axum and tonic need it.
#[test]
fn the_layer_is_what_routers_need() {
    fn is_send<T: Send>(_: &T) {}
    fn is_fit<T: Clone + Send + Sync + 'static>(_: &T) {}
    is_fit(&layer());
    is_fit(&layer().grpc());
    is_fit(&layer().route(by_first_part));
    let mut service = layer().layer(Handler(|_| async { Ok(Response::new(())) }));
    is_fit(&service);
    is_send(&service.call(to(Method::GET, "/")));
}
