//! A request as a task of its own, told apart by its route: a layer for everything that is built on tower (axum, tonic,
//! any `tower_service::Service<http::Request<_>>`).
//!
//! ```toml
//! [dependencies]
//! pollscope = { version = "0.1", features = ["axum"] } # for tonic and others `tower`
//! ```
//! ```
//! # #[cfg(feature = "axum")] {
//! # use axum::{Router, routing::get};
//! let app: Router = Router::new()
//!     .route("/price/{id}", get(|| async { "7" }))
//!     .layer(pollscope::tower::layer()); // after the routes, outside of other layers
//! # }
//! ```
//!
//! | service | the line | a request is shown as |
//! |---|---|---|
//! | axum 0.8, feature `axum` | `.layer(pollscope::tower::layer())` on the `Router` | `GET /price/{id}`, what matches no route as `GET (no route)` |
//! | tonic | `.layer(pollscope::tower::layer().grpc())` on the `Server` | `/shop.Cart/Add` |
//! | another | `.layer(pollscope::tower::layer().route(…))`, see [`RequestLayer::route`] | the method and what that returns |
//!
//! # What it shows
//! While a service handles a request, its future is recorded like one that is [traced](crate::Traced): polls, wakes,
//! slow polls with their stack, and its life, from the first poll to the response's head. It is a task of the kind
//! `request`, below the task of its connection, and its *site is the route*: sites, findings, limits, histograms and
//! baselines are by route, `tail-latency` judges the latency of each route, and a blocked poll is blamed on the route and
//! not on the line that serves connections. The route is also the [scope](crate::scope()) of what the request spawns.
//!
//! A request ends `completed` with whatever response or error the service returns, `cancelled` if its future is dropped
//! (the client went away, a time-out outside of the layer), and `panicked` if it panics. A response's body that is
//! streamed after the head is polled by the connection's task and is not part of the request; nor is what a service does
//! in `call` before it returns its future.
//!
//! # What bounds it
//! Names come from the service, never from a client: without a pattern a request is `(no route)`, a method that HTTP does
//! not define is `(other method)`. At most 256 routes are told apart in a process, further ones count under `(other
//! routes, over the limit of 256)`. With [`grpc`](RequestLayer::grpc) the path is the name, also where it is of no
//! service: put the layer behind what refuses unknown services if clients are not trusted.
//!
//! # Cost
//! Some 170 to 240 ns for a request, beyond the 190 that any layer costs in axum (a box around each response's future);
//! with recording off one relaxed load. The benchmark's row `request` prints both, and `tower_http::trace` beside them.
//! A request takes no lock once its thread has met its route.

use std::borrow::Cow;
use std::task::{Context, Poll};

use http::{Extensions, HeaderMap, Method, Request, Uri};
use pollscope_recorder::Recorder;

use crate::api::scope::{TracedFuture, request};

mod name;

pub use name::{ByFunction, ByPath, ByPattern, NameRoute};

/// A layer that records each request as a task whose site is its route; see the [module](self).
///
/// Add it after the routes and outside of other layers, so that what they do is part of the request; once, or requests
/// are recorded once for each.
pub fn layer() -> RequestLayer {
    RequestLayer { name: ByPattern }
}

/// What [`layer`] returns.
#[derive(Clone, Copy, Debug, Default)]
#[must_use = "a layer does nothing until a service is in it"]
pub struct RequestLayer<N = ByPattern> {
    name: N,
}

impl RequestLayer {
    /// The path of a request is its route, as gRPC has it: `/shop.Cart/Add`.
    pub fn grpc(self) -> RequestLayer<ByPath> {
        RequestLayer { name: ByPath }
    }

    /// The pattern of a request's path is what `pattern` returns; `None` is `(no route)`. Shown with the method before
    /// it, `GET /price/{id}`.
    ///
    /// It must return patterns (`/price/{id}`), not paths (`/price/51028`), or soon all counts as one: see the
    /// [module](self). Called once for each request while recording is on.
    ///
    /// ```
    /// use pollscope::tower::{RequestHead, layer};
    ///
    /// let by_first_part = layer().route(|head: RequestHead<'_>| {
    ///     let first = head.uri().path().split('/').nth(1)?;
    ///     ["cart", "price"].into_iter().find(|known| *known == first).map(Into::into)
    /// });
    /// # let _ = by_first_part;
    /// ```
    pub fn route<F>(self, pattern: F) -> RequestLayer<ByFunction<F>>
    where
        F: for<'a> Fn(RequestHead<'a>) -> Option<Cow<'a, str>>,
    {
        RequestLayer { name: ByFunction(pattern) }
    }
}

impl<S, N: Clone> tower_layer::Layer<S> for RequestLayer<N> {
    type Service = RequestService<S, N>;

    fn layer(&self, inner: S) -> Self::Service {
        RequestService { inner, name: self.name.clone() }
    }
}

/// A service whose requests are recorded; made by [`RequestLayer`].
#[derive(Clone, Copy, Debug)]
pub struct RequestService<S, N = ByPattern> {
    inner: S,
    name: N,
}

impl<S, N, B> tower_service::Service<Request<B>> for RequestService<S, N>
where
    S: tower_service::Service<Request<B>>,
    N: NameRoute,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = TracedFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, of: Request<B>) -> Self::Future {
        let route = Recorder::global().wraps().then(|| self.name.route(RequestHead::of(&of)));
        request(route, self.inner.call(of))
    }
}

/// What names a request's route: all of it but the body.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    method: &'a Method,
    uri: &'a Uri,
    headers: &'a HeaderMap,
    extensions: &'a Extensions,
}

impl<'a> RequestHead<'a> {
    fn of<B>(request: &'a Request<B>) -> Self {
        Self {
            method: request.method(),
            uri: request.uri(),
            headers: request.headers(),
            extensions: request.extensions(),
        }
    }

    /// The method.
    pub fn method(self) -> &'a Method {
        self.method
    }

    /// Where it goes, as the client wrote it.
    pub fn uri(self) -> &'a Uri {
        self.uri
    }

    /// The headers.
    pub fn headers(self) -> &'a HeaderMap {
        self.headers
    }

    /// What a router left with the request, such as its pattern.
    pub fn extensions(self) -> &'a Extensions {
        self.extensions
    }
}

#[cfg(test)]
mod tests;
