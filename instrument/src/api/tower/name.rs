//! How a request gets its route: from what a router left with it, from the user's function, or from its path.
//!
//! Allocates only what the user's function does. Called by the layer's service alone.

use std::borrow::Cow;
use std::cell::RefCell;

use http::Method;
use pollscope_recorder::route::{self, Route};

use super::RequestHead;

/// Stands for the pattern of what has none.
const NO_ROUTE: &str = "(no route)";
/// Stands for methods that HTTP does not define: a client may send any.
const OTHER_METHOD: &str = "(other method)";
/// Bytes that a thread keeps for texts.
const KEPT: usize = 1024;

mod sealed {
    use super::{RequestHead, Route};

    pub trait Sealed {
        /// The route of that request.
        fn route(&self, head: RequestHead<'_>) -> Route;
    }
}

/// A way to name routes: [`ByPattern`], [`ByPath`] or [`ByFunction`].
pub trait NameRoute: sealed::Sealed {}

impl<T: sealed::Sealed> NameRoute for T {}

/// Method and pattern, which the router left with the request: with feature `axum` axum's `MatchedPath`. Without it there is
/// none: see [`RequestLayer::route`](super::RequestLayer::route).
#[derive(Clone, Copy, Debug, Default)]
pub struct ByPattern;

impl sealed::Sealed for ByPattern {
    fn route(&self, head: RequestHead<'_>) -> Route {
        with_method(head.method, pattern(head))
    }
}

#[cfg(feature = "axum")]
fn pattern(head: RequestHead<'_>) -> Option<&str> {
    head.extensions.get::<axum::extract::MatchedPath>().map(axum::extract::MatchedPath::as_str)
}

#[cfg(not(feature = "axum"))]
fn pattern(_: RequestHead<'_>) -> Option<&str> {
    None
}

/// The path alone: of [`RequestLayer::grpc`](super::RequestLayer::grpc).
#[derive(Clone, Copy, Debug, Default)]
pub struct ByPath;

impl sealed::Sealed for ByPath {
    fn route(&self, head: RequestHead<'_>) -> Route {
        route::route(head.uri.path())
    }
}

/// Method and what the function returns: of [`RequestLayer::route`](super::RequestLayer::route).
#[derive(Clone, Copy)]
pub struct ByFunction<F>(pub(super) F);

impl<F> std::fmt::Debug for ByFunction<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ByFunction").finish_non_exhaustive()
    }
}

impl<F: for<'a> Fn(RequestHead<'a>) -> Option<Cow<'a, str>>> sealed::Sealed for ByFunction<F> {
    fn route(&self, head: RequestHead<'_>) -> Route {
        with_method(head.method, (self.0)(head).as_deref())
    }
}

thread_local! {
    /// Where a thread puts method and pattern together, so that no request allocates.
    static TEXT: RefCell<String> = const { RefCell::new(String::new()) };
}

fn with_method(method: &Method, pattern: Option<&str>) -> Route {
    let (method, pattern) = (known(method), pattern.unwrap_or(NO_ROUTE));
    let named = TEXT.try_with(|text| {
        let mut text = text.try_borrow_mut().ok()?;
        text.clear();
        text.extend([method, " ", pattern]);
        let route = route::route(&text);
        if text.capacity() > KEPT {
            *text = String::new();
        }
        Some(route)
    });
    // The thread ends.
    named.ok().flatten().unwrap_or_else(|| route::route(&[method, pattern].join(" ")))
}

fn known(method: &Method) -> &str {
    const METHODS: [Method; 9] = [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::HEAD,
        Method::OPTIONS,
        Method::CONNECT,
        Method::TRACE,
    ];
    if METHODS.contains(method) { method.as_str() } else { OTHER_METHOD }
}
